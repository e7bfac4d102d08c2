package ldp

import (
	"net/netip"
	"slices"

	"nave/slowpath/ldp/ldpmsg"
)

// fec is a prefix with the labels that are known of it: ours, and those of peers, whether they are next hops or not (liberal retention).
type fec struct {
	prefix   netip.Prefix
	route    *Route // nil: none
	local    uint32 // noLabel: none
	revision uint32
	remote   map[*neighbor]uint32
	bound    []bound // what Binds stand
}

type bound struct {
	hop NextHop
	out uint32
}

func (m *Machine) fec(p netip.Prefix) *fec {
	f := m.fecs[p]
	if f == nil {
		f = &fec{prefix: p, local: noLabel, remote: map[*neighbor]uint32{}}
		m.fecs[p] = f
	}
	return f
}

// tidy removes a prefix that nothing is known of.
func (m *Machine) tidy(f *fec) {
	if f.route == nil && len(f.remote) == 0 && f.local == noLabel {
		delete(m.fecs, f.prefix)
	}
}

func (m *Machine) routes(ev Routes) {
	for _, p := range ev.Gone {
		if p = p.Masked(); m.fecs[p] != nil {
			m.setRoute(p, nil)
		}
	}
	for _, r := range ev.Changed {
		p := r.Prefix.Masked()
		switch {
		case !p.IsValid() || !p.Addr().Is4():
		case r.Source != FromBGP:
			r.Prefix, r.NextHops = p, slices.Clone(r.NextHops)
			m.setRoute(p, &r)
		case m.fecs[p] != nil: // BGP labels its routes itself; there may be very many
			m.setRoute(p, nil)
		}
	}
}

func (m *Machine) setRoute(p netip.Prefix, r *Route) {
	f := m.fec(p)
	if f.route != nil {
		if r != nil && f.route.Source == r.Source && slices.Equal(f.route.NextHops, r.NextHops) {
			return
		}
		for _, nh := range f.route.NextHops {
			if delete(m.hops[nh.Addr], f); len(m.hops[nh.Addr]) == 0 {
				delete(m.hops, nh.Addr)
			}
		}
	}
	f.route = r
	if r != nil {
		for _, nh := range r.NextHops {
			if m.hops[nh.Addr] == nil {
				m.hops[nh.Addr] = map[*fec]bool{}
			}
			m.hops[nh.Addr][f] = true
		}
	}
	m.relabel(f)
	m.bind(f)
	m.tidy(f)
}

// eligible tells prefixes that labels are for.
func (m *Machine) eligible(f *fec) bool {
	return m.on && f.route != nil && (f.prefix.Bits() != 0 || m.cfg.DefaultRoute)
}

func (m *Machine) relabelAll() {
	for _, p := range sortedPrefixes(m.fecs) {
		f := m.fecs[p]
		m.relabel(f)
		m.bind(f)
		m.tidy(f)
	}
}

// relabel gives a prefix the label of ours that it is to have, and tells everyone.
func (m *Machine) relabel(f *fec) {
	want, starved := uint32(noLabel), false
	switch {
	case !m.eligible(f):
	case f.route.Source == FromConnected:
		want = ImplicitNull
	case f.local != noLabel && f.local != ImplicitNull:
		want = f.local
	default:
		l, ok := m.pool.take(f.prefix, m.now)
		if starved = !ok; ok {
			want = l
		}
	}
	switch {
	case !starved:
		delete(m.starved, f.prefix)
	case m.starved[f.prefix] == nil:
		m.starved[f.prefix] = f
		m.emit(Log{Kind: LogNoLabels, Prefix: f.prefix, Count: m.pool.size()})
	}
	if want == f.local {
		return
	}
	for s := range m.operationalSessions {
		m.untell(s, f)
	}
	if f.local != noLabel && f.local != ImplicitNull {
		m.emit(LocalLabelGone{Prefix: f.prefix, In: f.local})
		m.pool.release(f.local, m.now)
	}
	f.local = want
	m.revision++
	f.revision = m.revision
	if want == noLabel {
		return
	}
	if want != ImplicitNull {
		m.emit(LocalLabel{Prefix: f.prefix, In: want})
	}
	for s := range m.operationalSessions {
		if !m.holds(f) {
			m.tell(s, f, nil)
		}
	}
}

// hunger says when prefixes without a label are looked at again.
func (m *Machine) hunger() {
	if at := m.pool.free(); len(m.starved) > 0 && !at.IsZero() {
		m.timers.Set(&m.starvedAt, at)
		return
	}
	m.timers.Stop(&m.starvedAt)
}

// feed gives labels that have become free to prefixes that wait for one. Peers that asked in vain are told that they may ask again.
func (m *Machine) feed() {
	fed := false
	for _, p := range sortedPrefixes(m.starved) {
		m.relabel(m.starved[p])
		if m.starved[p] != nil {
			break
		}
		fed = true
	}
	for s := range m.operationalSessions {
		if fed && s.starved {
			s.starved = false
			m.notify(s, ldpmsg.LabelsAvailable, 0, 0)
		}
	}
}

// owner is the neighbor that a next hop is an address of, if it can be sent to with a label of its: there is a session, or it restarts, and it is heard on the link.
func (m *Machine) owner(nh NextHop) *neighbor {
	for _, nb := range m.owners[nh.Addr] {
		if s := nb.session; (nb.stale != nil || s != nil && s.state == StateOperational) && nb.adjs[nh.Iface] != nil {
			return nb
		}
	}
	return nil
}

// bind lets the labels of a prefix's paths be what they are to be.
func (m *Machine) bind(f *fec) {
	var want []bound
	if m.eligible(f) && f.route.Source != FromConnected {
		for _, nh := range f.route.NextHops {
			nb := m.owner(nh)
			if nb == nil {
				continue
			}
			out, ok := f.remote[nb]
			if ok && !slices.ContainsFunc(want, func(b bound) bool { return b.hop == nh }) {
				want = append(want, bound{nh, out})
			}
		}
	}
	for _, b := range f.bound {
		if !slices.ContainsFunc(want, func(w bound) bool { return w.hop == b.hop }) {
			m.emit(Unbind{Prefix: f.prefix, NextHop: b.hop})
		}
	}
	for _, w := range want {
		if !slices.Contains(f.bound, w) {
			m.emit(Bind{Prefix: f.prefix, NextHop: w.hop, Out: w.out})
		}
	}
	first := len(f.bound) == 0 && len(want) > 0
	f.bound = want
	if first && m.now.Before(m.settled) {
		m.tellHeld(f)
	}
}

// rebindNeighbor looks at all prefixes whose routes go to a neighbor.
func (m *Machine) rebindNeighbor(nb *neighbor) {
	var addrs []netip.Addr
	for a := range nb.addrs {
		addrs = append(addrs, a)
	}
	m.rebind(addrs)
}

// rebind looks at all prefixes whose routes go to addresses.
func (m *Machine) rebind(addrs []netip.Addr) {
	found := map[netip.Prefix]*fec{}
	for _, a := range addrs {
		for f := range m.hops[a] {
			found[f.prefix] = f
		}
	}
	for _, p := range sortedPrefixes(found) {
		m.bind(found[p])
	}
}
