package slowpath

import (
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikev1"
)

// newIKE puts both versions of IKE together.
func newIKE(env *ike.Env) *ike.Machine { return ike.New(env, ikev1.New(env), absent{}) }

// absent is a version of IKE that is not there: it fails what it is asked for.
type absent struct{}

func (absent) Configure(time.Time, *ike.Config) []ike.Effect { return nil }

func (absent) Handle(_ time.Time, ev ike.Event) []ike.Effect {
	if ev, ok := ev.(ike.Initiate); ok {
		return []ike.Effect{ike.Failed{Protection: ev.Protection, Remote: ev.Remote, Why: ike.WhyPolicy}}
	}
	return nil
}

func (absent) Deadline() time.Time                 { return time.Time{} }
func (absent) AppendStatus(time.Time, *ike.Status) {}
