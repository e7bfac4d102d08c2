package ikev1

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
)

// Configure makes the engine run by c: what is not permitted any more goes, the rest stays as it is.
func (e *Engine) Configure(now time.Time, c *ike.Config) []ike.Effect {
	e.begin(now)
	cfg := *c
	e.cfg = &cfg
	for _, c := range e.childList() {
		if e.cfg.V1.Disabled || !e.permits(c) {
			e.letGo(c, ike.WhyCleared)
		}
	}
	for _, p := range e.peerList() {
		for _, w := range slices.Clone(p.wants) {
			if e.cfg.V1.Disabled || e.cfg.Protection(w.protection) == nil {
				w.fail(ike.WhyCleared, 0, "the protection is gone")
			}
		}
	}
	for _, s := range e.saList() {
		switch {
		case s.state == ended:
		case e.cfg.V1.Disabled, s.profile != "" && e.profile(s.profile) == nil, !e.serves(s.path):
			s.end(ike.WhyCleared, true)
		case s.state == established && s.dpd.index == 0:
			s.watch() // it may be configured now
		}
	}
	return e.end()
}

// permits tells whether a child is still one that its protection would make. What authenticated the peer is not looked at again before the
// IKE SA is made anew.
func (e *Engine) permits(c *child) bool {
	p := e.cfg.Protection(c.Protection)
	return p != nil && p.Version != 2 && p.VRF == c.Path.VRF && p.Local == c.Path.Local.Addr() && (!p.Remote.IsValid() || p.Remote == c.Path.Remote.Addr()) &&
		permitted(p, c.Peer, c.Path)
}

// permitted tells whether a protection is for a peer (`set identity`).
func permitted(p *ike.Protection, id ike.Identity, path ike.Path) bool {
	return len(p.Peers) == 0 || slices.ContainsFunc(p.Peers, func(m ike.Match) bool { return m.Matches(id, path.Remote.Addr(), path.VRF) })
}

// serves tells whether any tunnel has the address that an SA is with.
func (e *Engine) serves(path ike.Path) bool {
	return slices.ContainsFunc(e.cfg.Protections, func(p ike.Protection) bool {
		return p.Version != 2 && p.VRF == path.VRF && p.Local == path.Local.Addr()
	})
}

// clear takes down what an operator names.
func (e *Engine) clear(ev ike.Clear) {
	hit := func(remote netip.Addr, id ike.SAID) bool {
		return (!ev.Remote.IsValid() || ev.Remote.Unmap() == remote) && (ev.SA == 0 || ev.SA == id)
	}
	for _, c := range e.childList() {
		if hit(c.Path.Remote.Addr(), c.SA) {
			e.letGo(c, ike.WhyCleared)
		}
	}
	if ev.Children {
		return
	}
	for _, s := range e.saList() {
		if s.state != ended && hit(s.path.Remote.Addr(), s.id) {
			s.farewell = nil
			s.end(ike.WhyCleared, true)
		}
	}
}

// childList, saList and peerList are in an order that can be repeated.
func (e *Engine) childList() []*child {
	list := make([]*child, 0, len(e.children))
	for _, c := range e.children {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *child) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (e *Engine) saList() []*sa {
	list := make([]*sa, 0, len(e.sas))
	for _, s := range e.sas {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *sa) int { return cmp.Compare(a.id, b.id) })
	return list
}

func (e *Engine) peerList() []*peer {
	list := make([]*peer, 0, len(e.peers))
	for _, p := range e.peers {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *peer) int {
		return cmp.Or(cmp.Compare(a.key.vrf, b.key.vrf), a.key.addr.Compare(b.key.addr))
	})
	return list
}
