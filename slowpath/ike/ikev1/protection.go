package ikev1

import (
	"slices"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// protections are those that a peer may ask for on an SA.
func (s *sa) protections() []*ike.Protection {
	var list []*ike.Protection
	cfg := s.e.cfg
	for i := range cfg.Protections {
		p := &cfg.Protections[i]
		switch {
		case p.Version == 2 || p.VRF != s.path.VRF || p.Local != s.path.Local.Addr():
		case p.Remote.IsValid() && p.Remote != s.path.Remote.Addr():
		case p.ISAKMPProfile != "" && p.ISAKMPProfile != s.profile:
		case !permitted(p, s.other, s.path):
		default:
			list = append(list, p)
		}
	}
	return list
}

// chooseQuick takes the first of the peer's suggestions that is a transform set of a protection. Where several have it, the one with the mode that is
// asked for comes first.
func (s *sa) chooseQuick(o ikev1msg.SA) (*ike.Protection, *suggestion, *fault) {
	list := s.protections()
	if len(list) == 0 {
		return nil, nil, faultf(ike.WhyPolicy, ikev1msg.NotifyNoProposalChosen, "no tunnel of %s is for %s", s.path.Local.Addr(), s.other)
	}
	offered := suggestions(o)
	for i := range offered {
		g := &offered[i]
		if g.terms.group != suite.GroupNone && (!g.terms.group.Supported() || g.terms.group.IsKEM()) {
			continue
		}
		for _, strict := range []bool{true, false} {
			for _, p := range list {
				if p.PFS != suite.GroupNone && p.PFS != g.terms.group {
					continue
				}
				if slices.ContainsFunc(p.Transforms, func(t ike.Transform) bool { return s.possible(t) && g.is(t) && modeFits(t, g, strict) }) {
					return p, g, nil
				}
			}
		}
	}
	return nil, nil, faultf(ike.WhyNoProposal, ikev1msg.NotifyNoProposalChosen, "no transform set (with its PFS group) is among the %d that the peer offers", len(offered))
}

// modeFits tells whether a set can be had in the mode that the peer asks for. What prefers transport mode can do tunnel mode, unless it is required.
func modeFits(t ike.Transform, g *suggestion, strict bool) bool {
	if t.Tunnel == g.transform.Tunnel {
		return true
	}
	return !strict && g.transform.Tunnel && !t.Require
}
