package ikev1

import (
	"net/netip"
	"slices"

	"nave/slowpath/ike"
)

// peerKey is an address of a VRF. Several peers may be behind it, by port.
type peerKey struct {
	vrf  uint16
	addr netip.Addr
}

// peer is what there is of one address.
type peer struct {
	e        *Engine
	key      peerKey
	sas      []*sa
	children []*child
	wants    []*want
}

// peer is that of a path; it is made if need be.
func (e *Engine) peer(path ike.Path) *peer {
	key := peerKey{path.VRF, path.Remote.Addr()}
	p := e.peers[key]
	if p == nil {
		p = &peer{e: e, key: key}
		e.peers[key] = p
	}
	return p
}

// leave drops a peer of which nothing is left.
func (p *peer) leave() {
	if len(p.sas) == 0 && len(p.children) == 0 && len(p.wants) == 0 && p.e.peers[p.key] == p {
		delete(p.e.peers, p.key)
	}
}

func (p *peer) add(s *sa) {
	s.peer = p
	p.sas = append(p.sas, s)
	p.e.peers[p.key] = p
}

func (p *peer) remove(s *sa) {
	p.sas = without(p.sas, s)
	p.leave()
}

// without is list without x, in its order.
func without[T comparable](list []T, x T) []T {
	if k := slices.Index(list, x); k >= 0 {
		return slices.Delete(list, k, k+1)
	}
	return list
}

// negotiating counts the SAs that are not established.
func (p *peer) negotiating() int {
	n := 0
	for _, s := range p.sas {
		if s.state != established {
			n++
		}
	}
	return n
}

// best is the established SA by which a peer is reached: the newest that no other one has taken the place of; nil: there is none.
func (p *peer) best(local netip.Addr, remote netip.AddrPort, id ike.Identity, profile string) *sa {
	var best *sa
	for _, s := range p.sas {
		switch {
		case s.state != established || s.path.Local.Addr() != local || !s.remoteIs(remote):
		case id.Kind != ike.IDNone && s.other != id, profile != "" && s.profile != profile:
		case best == nil, best.retired && !s.retired, best.retired == s.retired && s.since.After(best.since):
			best = s
		}
	}
	return best
}

// lost tells what waits for an SA that it has ended.
func (p *peer) lost(s *sa, why ike.Why) {
	for _, w := range slices.Clone(p.wants) {
		if w.sa == s {
			w.lost(why)
		}
	}
}

// ready tells what waits for an SA that it is established.
func (p *peer) ready(s *sa) {
	for _, w := range slices.Clone(p.wants) {
		if w.sa == s || w.sa == nil && w.quick == nil && w.suits(s) {
			w.pursue()
		}
	}
	s.idle(ike.WhyReleased)
}

// idle ends an SA that was started for something that is done, and has nothing left on it.
func (s *sa) idle(why ike.Why) {
	if s.state != established || !s.transient || len(s.offspring()) > 0 || len(s.carried()) > 0 {
		return
	}
	for _, w := range s.peer.wants {
		if w.sa == s {
			return
		}
	}
	for _, x := range s.exchanges {
		if x.task != nil {
			return
		}
	}
	s.end(why, true)
}
