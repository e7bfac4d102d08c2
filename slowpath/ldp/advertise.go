package ldp

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"nave/slowpath/ldp/ldpmsg"
)

// told is what a peer was told of a prefix.
type told struct {
	label     uint32
	standing  bool           // it may send by label
	withdrawn map[uint32]int // labels taken back whose Release did not come yet, and how often
}

// operationalSessions are those that messages about addresses and labels go to, in order of the neighbors.
func (m *Machine) operationalSessions(yield func(*session) bool) {
	for _, nb := range m.order {
		if s := nb.session; s != nil && s.state == StateOperational && !yield(s) {
			return
		}
	}
}

// sendAddresses tells a peer which addresses are ours, or are not any more.
func (m *Machine) sendAddresses(s *session, withdraw bool, addrs []netip.Addr) {
	const overhead = ldpmsg.HeaderLen + 8 + 6
	for chunk := range slices.Chunk(addrs, (s.maxPDU-overhead)/4) {
		m.send(s, &ldpmsg.Address{Withdraw: withdraw, Addrs: chunk})
	}
}

// readdress tells all peers how our addresses are not what they were before.
func (m *Machine) readdress(before []netip.Addr) {
	var gone []netip.Addr
	for _, a := range before {
		if m.own[a] == nil {
			gone = append(gone, a)
		}
	}
	after := slices.DeleteFunc(m.ownAddrs(), func(a netip.Addr) bool { return slices.Contains(before, a) })
	if len(gone)+len(after) == 0 {
		return
	}
	for s := range m.operationalSessions {
		m.sendAddresses(s, true, gone)
		m.sendAddresses(s, false, after)
	}
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func sortedPrefixes[V any](of map[netip.Prefix]V) []netip.Prefix {
	return slices.SortedFunc(maps.Keys(of), comparePrefix)
}

// tellAll tells a peer all labels of ours: a session begins so (downstream unsolicited).
func (m *Machine) tellAll(s *session) {
	for _, p := range sortedPrefixes(m.fecs) {
		if f := m.fecs[p]; f.local != noLabel && !m.holds(f) {
			m.tell(s, f, nil)
		}
	}
}

// tell sends a prefix's label, as the answer to a request if there is one.
func (m *Machine) tell(s *session, f *fec, request *uint32) {
	t := s.told[f.prefix]
	if t == nil {
		t = &told{}
		s.told[f.prefix] = t
	}
	msg := ldpmsg.Label{Kind: ldpmsg.TypeMapping, FEC: fecOf(f.prefix), Label: f.local, Labelled: true}
	if request != nil {
		msg.Request, msg.Requested = *request, true
	}
	m.send(s, &msg)
	if !t.standing {
		m.pool.hold(f.local)
	}
	t.label, t.standing = f.local, true
}

// untell takes back what a peer was told of a prefix.
func (m *Machine) untell(s *session, f *fec) {
	t := s.told[f.prefix]
	if t == nil || !t.standing {
		return
	}
	m.send(s, &ldpmsg.Label{Kind: ldpmsg.TypeWithdraw, FEC: fecOf(f.prefix), Label: t.label, Labelled: true})
	if t.withdrawn == nil {
		t.withdrawn = map[uint32]int{}
	}
	t.withdrawn[t.label]++
	t.standing = false
}

func fecOf(p netip.Prefix) ldpmsg.FEC { return ldpmsg.FEC{Prefixes: []netip.Prefix{p}} }

// released takes in that a peer does not use labels of ours (any more): because they were withdrawn, or because it wants none.
func (m *Machine) released(s *session, msg *ldpmsg.Label) {
	prefixes := msg.FEC.Prefixes
	if msg.FEC.Wildcard {
		prefixes = sortedPrefixes(s.told)
	}
	for _, p := range prefixes {
		t := s.told[p]
		if t == nil {
			continue
		}
		switch {
		case msg.Labelled && t.withdrawn[msg.Label] > 0:
			m.pool.drop(msg.Label, m.now)
			if t.withdrawn[msg.Label]--; t.withdrawn[msg.Label] == 0 {
				delete(t.withdrawn, msg.Label)
			}
		case !msg.Labelled && len(t.withdrawn) > 0:
			m.dropWithdrawn(t)
		case t.standing && (!msg.Labelled || msg.Label == t.label):
			m.pool.drop(t.label, m.now)
			t.standing = false
		}
		if !t.standing && len(t.withdrawn) == 0 {
			delete(s.told, p)
		}
	}
}

func (m *Machine) dropWithdrawn(t *told) {
	for _, l := range slices.Sorted(maps.Keys(t.withdrawn)) {
		for range t.withdrawn[l] {
			m.pool.drop(l, m.now)
		}
	}
	t.withdrawn = nil
}

// requested answers a Label Request (appendix A.1.1): at once, as control is independent.
func (m *Machine) requested(s *session, msgID uint32, msg *ldpmsg.Label) {
	for _, p := range msg.FEC.Prefixes {
		f := m.fecs[p]
		switch {
		case f == nil || !m.eligible(f):
			m.notify(s, ldpmsg.NoRoute, msgID, msg.Kind)
		case m.onlyVia(f, s.nb):
			m.notify(s, ldpmsg.LoopDetected, msgID, msg.Kind)
		case f.local == noLabel:
			s.starved = true
			m.notify(s, ldpmsg.NoLabelResources, msgID, msg.Kind)
		default:
			m.tell(s, f, &msgID)
		}
	}
}

// onlyVia tells a prefix that is behind the one who asks for it.
func (m *Machine) onlyVia(f *fec, nb *neighbor) bool {
	for _, nh := range f.route.NextHops {
		if m.owner(nh) != nb {
			return false
		}
	}
	return len(f.route.NextHops) > 0
}
