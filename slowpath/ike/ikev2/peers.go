package ikev2

import (
	"net/netip"
	"slices"

	"nave/slowpath/ike"
)

// peerKey is where a peer is, ports apart.
type peerKey struct {
	vrf    uint16
	remote netip.Addr
}

func keyOf(p ike.Path) peerKey { return peerKey{p.VRF, p.Remote.Addr()} }

// add makes an SA known, by its SPI and its peer.
func (e *Engine) add(s *sa) {
	e.sas[s.own()] = s
	k := keyOf(s.path)
	e.peers[k] = append(e.peers[k], s)
	e.touch(s)
}

// forget is the reverse of add.
func (e *Engine) forget(s *sa) {
	delete(e.sas, s.own())
	e.unplace(s)
	e.touch(s)
}

func (e *Engine) unplace(s *sa) {
	k := keyOf(s.path)
	list := slices.DeleteFunc(e.peers[k], func(o *sa) bool { return o == s })
	if len(list) == 0 {
		delete(e.peers, k)
		return
	}
	e.peers[k] = list
}

// place puts an SA where its peer is now.
func (e *Engine) place(s *sa, path ike.Path) {
	e.unplace(s)
	s.path = path
	k := keyOf(path)
	e.peers[k] = append(e.peers[k], s)
	e.touch(s)
}

// with lists the SAs that there are with a peer, by number.
func (e *Engine) with(vrf uint16, remote netip.Addr) []*sa {
	return byNumber(slices.Clone(e.peers[peerKey{vrf, remote}]))
}

// all lists the SAs by number.
func (e *Engine) all() []*sa {
	list := make([]*sa, 0, len(e.sas))
	for _, s := range e.sas {
		list = append(list, s)
	}
	return byNumber(list)
}

// want is a child that somebody waits for.
type want struct {
	protection uint32
	remote     netip.AddrPort // as it was asked for: see leads
}

// leads tells whether a path leads to a peer as it is asked for: port 0 stands for any, and 500 for 4500 too, where IKE goes on.
func leads(path, asked netip.AddrPort) bool {
	floated := asked.Port() == portIKE && path.Port() == portNATT
	return path.Addr() == asked.Addr() && (asked.Port() == 0 || asked.Port() == path.Port() || floated)
}

// wanting lists what is waited for of a peer, in the order of ports; of port 0 all of its address.
func (e *Engine) wanting(protection uint32, remote netip.AddrPort) (list []want) {
	for w := range e.wants {
		if w.protection == protection && leads(w.remote, remote) {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b want) int { return a.remote.Compare(b.remote) })
	return list
}

// await has an SA bring what somebody waits for.
func (e *Engine) await(w want, s *sa) {
	e.wants[w] = s
	if s.wants == nil {
		s.wants = make(map[want]struct{})
	}
	s.wants[w] = struct{}{}
}

// satisfied forgets that somebody waits, and tells whether anybody did.
func (e *Engine) satisfied(w want) bool {
	s := e.wants[w]
	if s == nil {
		return false
	}
	delete(e.wants, w)
	delete(s.wants, w)
	return true
}

// brought notes that a child of a protection is there: nobody waits for it any more, at its SA or at another with the same peer.
func (c *child) brought() {
	e := c.sa.e
	addr, port := c.Path.Remote.Addr(), c.Path.Remote.Port()
	for _, asked := range []uint16{0, portIKE, port} {
		if at := netip.AddrPortFrom(addr, asked); leads(c.Path.Remote, at) {
			e.satisfied(want{c.Protection, at})
		}
	}
	for _, w := range c.sa.waiting() { // by an address that the peer has left meanwhile
		if w.protection == c.Protection {
			e.satisfied(w)
		}
	}
}

// missed tells who waits for a child of a protection that the SA brings none.
func (s *sa) missed(protection uint32, why ike.Why) {
	for _, w := range s.waiting() {
		if w.protection == protection && s.e.satisfied(w) {
			s.e.emit(ike.Failed{Protection: w.protection, Remote: w.remote, Why: why})
		}
	}
}

// wanted tells whether somebody waits for a child of a protection.
func (s *sa) wanted(protection uint32) bool {
	for w := range s.wants {
		if w.protection == protection {
			return true
		}
	}
	return false
}

// waiting lists what is waited for from an SA, in an order that can be repeated.
func (s *sa) waiting() []want {
	list := make([]want, 0, len(s.wants))
	for w := range s.wants {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b want) int {
		if a.protection != b.protection {
			return int(int64(a.protection) - int64(b.protection))
		}
		return a.remote.Compare(b.remote)
	})
	return list
}

// unwant tells those who wait for children of this SA that they wait in vain.
func (s *sa) unwant(why ike.Why) {
	for _, w := range s.waiting() {
		s.missed(w.protection, why)
	}
}
