package ldp

import (
	"maps"
	"net/netip"
	"slices"

	"nave/slowpath/ldp/ldpmsg"
)

// addresses takes in which addresses are a peer's, or are not any more. Next hops are found by them.
func (m *Machine) addresses(s *session, msgID uint32, msg *ldpmsg.Address) {
	for _, a := range msg.Addrs {
		if !a.Is4() {
			m.fault(s, &ldpmsg.Error{Code: ldpmsg.UnsupportedFamily, MsgID: msgID, Type: msg.Type()})
			return
		}
	}
	nb := s.nb
	for _, a := range msg.Addrs {
		switch has := nb.addrs[a]; {
		case msg.Withdraw && has:
			m.disown(nb, a)
		case !msg.Withdraw && has:
			nb.stale.confirmedAddr(a)
		case !msg.Withdraw && unicast(a) && len(nb.addrs) < maxAddresses:
			nb.addrs[a] = true
			m.owners[a] = append(m.owners[a], nb)
		}
	}
	m.rebind(msg.Addrs)
}

func (m *Machine) disown(nb *neighbor, a netip.Addr) {
	nb.stale.confirmedAddr(a)
	delete(nb.addrs, a)
	m.owners[a] = slices.DeleteFunc(m.owners[a], func(o *neighbor) bool { return o == nb })
	if len(m.owners[a]) == 0 {
		delete(m.owners, a)
	}
}

// mapping takes in labels of a peer. They are kept whether the peer is a next hop or not.
func (m *Machine) mapping(s *session, msgID uint32, msg *ldpmsg.Label) {
	if msg.Label != ExplicitNull && msg.Label != ImplicitNull && msg.Label <= lastReserved {
		m.fault(s, &ldpmsg.Error{Code: ldpmsg.MalformedTLV, MsgID: msgID, Type: msg.Kind})
		return
	}
	for _, p := range msg.FEC.Prefixes {
		old, has := s.nb.bindings[p]
		confirmed := s.nb.stale.confirmed(p)
		switch {
		case !has && m.learned >= m.cfg.MaxBindings:
			m.release(s, fecOf(p), msg.Label)
			m.emit(Log{Kind: LogTooManyBindings, Neighbor: s.nb.id, Count: m.learned})
			continue
		case !has:
			m.learned++
		case old != msg.Label && !confirmed: // of a label of before a restart nobody knows
			m.release(s, fecOf(p), old) // leaves after the Bind below
		}
		f := m.fec(p)
		f.remote[s.nb], s.nb.bindings[p] = msg.Label, msg.Label
		m.bind(f)
	}
}

func (m *Machine) release(s *session, fec ldpmsg.FEC, label uint32) {
	m.send(s, &ldpmsg.Label{Kind: ldpmsg.TypeRelease, FEC: fec, Label: label, Labelled: true})
}

// withdrawn takes in that labels of a peer are not to be used any more, and says that they are not.
func (m *Machine) withdrawn(s *session, msg *ldpmsg.Label) {
	prefixes := msg.FEC.Prefixes
	if msg.FEC.Wildcard {
		prefixes = sortedPrefixes(s.nb.bindings)
	}
	for _, p := range prefixes {
		if l, ok := s.nb.bindings[p]; ok && (!msg.Labelled || msg.Label == l) {
			m.unlearn(s.nb, p)
		}
	}
	m.send(s, &ldpmsg.Label{Kind: ldpmsg.TypeRelease, FEC: msg.FEC, Label: msg.Label, Labelled: msg.Labelled})
}

func (m *Machine) unlearn(nb *neighbor, p netip.Prefix) {
	f := m.fecs[p]
	nb.stale.confirmed(p)
	delete(nb.bindings, p)
	delete(f.remote, nb)
	m.learned--
	m.bind(f)
	m.tidy(f)
}

// forget takes back all that came by a session that ended.
func (m *Machine) forget(nb *neighbor) {
	m.purge(nb)
	for _, p := range sortedPrefixes(nb.bindings) {
		m.unlearn(nb, p)
	}
	addrs := sortedAddrs(maps.Keys(nb.addrs))
	for _, a := range addrs {
		m.disown(nb, a)
	}
	m.rebind(addrs) // another neighbor may have the address, too
}

// forgetTold takes back what a peer was told in a session that ended.
func (m *Machine) forgetTold(s *session) {
	for _, p := range sortedPrefixes(s.told) {
		t := s.told[p]
		if t.standing {
			m.pool.drop(t.label, m.now)
		}
		m.dropWithdrawn(t)
	}
	s.told = nil
}
