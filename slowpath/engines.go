package slowpath

import (
	"nave/slowpath/ike"
	"nave/slowpath/ike/ikev1"
	"nave/slowpath/ike/ikev2"
)

// newIKE puts both versions of IKE together.
func newIKE(env *ike.Env) *ike.Machine { return ike.New(env, ikev1.New(env), ikev2.New(env)) }
