package slowpath

import (
	"time"

	"nave/fastpath"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
	"nave/slowpath/reassembly"
	"nave/slowpath/rib"
)

// Status is a copy of what a Router knows, for show output. Routes, labels and what LDP knows, which can be many, are asked for one by one.
type Status struct {
	NHRP       nhrp.Status
	IKE        ike.Status
	Sessions   dmvpn.Status // of protected tunnels
	Interfaces []rib.Interface
	Refused    []string                    // entries that the fast path has no room for
	Policed    [fastpath.NumReasons]uint64 // punts dropped by the police, by reason
	Reassembly reassembly.Stats
	Packets    Stats
	Inherited  Inherited
	Error      string // of the last step that failed: a bug
}

// Inherited is what is left of what the fast path had when the Router began, and nothing has taken over yet.
type Inherited struct {
	Adjacencies, Routes int
	Until               time.Time // they stay so long; the zero Time: all is taken over
}

// Status copies the state.
func (r *Router) Status() Status {
	s := Status{
		NHRP: r.nhrp.Status(r.now), IKE: r.ike.Status(r.now), Sessions: r.sessions.Status(r.now),
		Policed: r.police.Refused, Reassembly: r.fragments.Stats, Packets: r.stats,
	}
	s.Inherited.Adjacencies, s.Inherited.Routes, s.Inherited.Until = r.Takeover()
	for _, f := range r.rib.Refused() {
		s.Refused = append(s.Refused, f.What+": "+f.Err.Error())
	}
	for _, name := range r.rib.Interfaces() {
		if i, ok := r.rib.Interface(name); ok {
			s.Interfaces = append(s.Interfaces, i)
		}
	}
	if r.stepFailed != nil {
		s.Error = r.stepFailed.Error()
	}
	return s
}

// Adjacencies lists the adjacencies of tunnels and the peers they lead to, for their counters.
func (r *Router) Adjacencies() []rib.Use { return r.rib.TunnelAdjacencies() }
