package eigrp

import (
	"net/netip"
	"slices"
)

// summary is a prefix that stands for those within it, on some interfaces.
type summary struct {
	prefix   netip.Prefix
	on       map[*iface]Summary
	distance uint8
	live     bool         // something within it is reached
	from     netip.Prefix // what its metric is of, and how far that is
	dist     uint64
}

func (s *summary) covers(ifc *iface) bool {
	if s == nil {
		return false
	}
	_, ok := s.on[ifc]
	return ok
}

// contains says whether a prefix is one that the summary stands for.
func (s *summary) contains(p netip.Prefix) bool {
	return p.Bits() > s.prefix.Bits() && s.prefix.Contains(p.Addr())
}

// suppressed says whether an interface tells of a summary in place of the prefix.
func (m *Machine) suppressed(p netip.Prefix, ifc *iface) bool {
	for _, s := range m.summaries {
		if !s.live || !s.contains(p) {
			continue
		}
		if c, ok := s.on[ifc]; ok && (c.Leak == nil || !c.Leak(p)) {
			return true
		}
	}
	return false
}

// classful is the network of class A, B or C that an address is of.
func classful(a netip.Addr) netip.Prefix {
	bits := 24
	switch b := a.As4()[0]; {
	case b < 128:
		bits = 8
	case b < 192:
		bits = 16
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// wantedSummaries are the configured ones, and the automatic ones of networks that are told across their border.
func (m *Machine) wantedSummaries() map[netip.Prefix]map[*iface]Summary {
	want := map[netip.Prefix]map[*iface]Summary{}
	add := func(ifc *iface, s Summary) {
		s.Prefix = s.Prefix.Masked()
		if want[s.Prefix] == nil {
			want[s.Prefix] = map[*iface]Summary{}
		}
		want[s.Prefix][ifc] = s
	}
	for _, ifc := range m.order {
		if !m.on || !ifc.enabled {
			continue
		}
		if m.cfg.AutoSummary && ifc.running {
			for _, from := range m.order {
				for _, p := range from.state.Addrs {
					if net := classful(p.Addr()); from.running && p.Bits() > net.Bits() && net != classful(ifc.primary()) {
						add(ifc, Summary{Prefix: net})
					}
				}
			}
		}
		for _, s := range ifc.cfg.Summaries {
			if s.Prefix.IsValid() && s.Prefix.Addr().Is4() {
				add(ifc, s)
			}
		}
	}
	return want
}

// configureSummaries brings the summaries in line with configuration and interfaces.
func (m *Machine) configureSummaries() {
	want := m.wantedSummaries()
	for _, p := range sortedPrefixes(m.summaries) {
		if want[p] == nil {
			s := m.summaries[p]
			m.endSummary(s)
			delete(m.summaries, p)
			delete(m.dirty, s)
		}
	}
	for _, p := range sortedPrefixes(want) {
		s := m.summaries[p]
		if s == nil {
			s = &summary{prefix: p}
			m.summaries[p] = s
		}
		changed := map[*iface]bool{}
		for ifc := range s.on {
			if _, ok := want[p][ifc]; !ok {
				changed[ifc] = true
			}
		}
		s.distance = DefaultSummary
		for _, ifc := range m.order {
			c, ok := want[p][ifc]
			if !ok {
				continue
			}
			if c.Distance != 0 {
				s.distance = c.Distance
			}
			if _, had := s.on[ifc]; !had {
				changed[ifc] = true
			}
		}
		s.on = want[p]
		if s.live {
			m.pendWithin(s, changed)
			if e := m.entries[p]; e != nil {
				m.pendAll(e)
				m.install(e)
			}
		}
		m.soil(s)
	}
}

// endSummary takes a summary back.
func (m *Machine) endSummary(s *summary) {
	s.live = false
	if e, p := m.localOf(s.prefix, fromSummary); p != nil {
		m.fade(e, p)
		m.evaluate(e, nil)
	}
	m.pendWithin(s, nil)
}

// pendWithin tells again of what a summary stands for; by all its interfaces if none are named.
func (m *Machine) pendWithin(s *summary, ifaces map[*iface]bool) {
	for _, p := range sortedPrefixes(m.entries) {
		if !s.contains(p) {
			continue
		}
		for _, ifc := range m.order {
			if ifaces[ifc] || ifaces == nil && s.covers(ifc) {
				m.pend(ifc, p, false)
			}
		}
	}
}

// touch looks at the summaries of a prefix again, at the end of the step, if it may make a difference to them.
func (m *Machine) touch(e *entry) {
	for _, s := range m.summaries {
		if s.contains(e.prefix) && (!s.live || s.from == e.prefix || e.succ != nil && e.succ.dist < s.dist) {
			m.soil(s)
		}
	}
}

func (m *Machine) soil(s *summary) {
	if !m.dirty[s] {
		m.dirty[s] = true
		m.dirtyList = append(m.dirtyList, s)
	}
}

// settleSummaries gives each summary the metric of the nearest route within it, the longest summaries first as they are within others.
func (m *Machine) settleSummaries() {
	for len(m.dirtyList) > 0 {
		list := m.dirtyList
		m.dirtyList = nil
		list = slices.DeleteFunc(list, func(s *summary) bool { return !m.dirty[s] || m.summaries[s.prefix] != s })
		slices.SortFunc(list, func(a, b *summary) int { return b.prefix.Bits() - a.prefix.Bits() })
		for _, s := range list {
			delete(m.dirty, s)
			m.settleSummary(s)
		}
	}
}

func (m *Machine) settleSummary(s *summary) {
	var best *path
	var from netip.Prefix
	for p, e := range m.entries {
		if !s.contains(p) || e.succ == nil || e.succ.dist == infinity {
			continue
		}
		if best == nil || e.succ.dist < best.dist || e.succ.dist == best.dist && less(&e.succ.vec, &best.vec) {
			best, from = e.succ, p
		}
	}
	was := s.live
	switch {
	case best != nil:
		s.live, s.from, s.dist = true, from, best.dist
		v := best.vec
		v.Hops, v.Tag = 0, 0
		m.setLocal(s.prefix, fromSummary, v, nil)
	case was:
		m.endSummary(s)
		return
	}
	if s.live != was {
		m.pendWithin(s, nil)
	}
}

// less puts vectors of the same distance in an order, so that the choice among them does not depend on that of a map.
func less(a, b *vector) bool {
	if a.Delay != b.Delay {
		return a.Delay < b.Delay
	}
	if a.MTU != b.MTU {
		return a.MTU < b.MTU
	}
	if a.Reliability != b.Reliability {
		return a.Reliability < b.Reliability
	}
	return a.Load < b.Load
}
