package eigrp

import (
	"net/netip"
	"slices"

	"nave/slowpath/eigrp/eigrpmsg"
)

// After a restart a router does not know its feasible distances any more: what neighbors keep of it may be less than what it tells now. So nobody but the
// router that packets go to by now can be trusted to lead elsewhere, until all have acknowledged the new table, and those who have not been heard have let go
// the old one. Until then a prefix that needs another way is asked for, which sets things right as well.

// regained is what is kept of the forwarding of before for such a prefix.
type regained struct {
	hops []*path // packets go to by now
}

// beginRegaining starts the time until all know the new table.
func (m *Machine) beginRegaining() {
	if m.cfg.Inherited == nil {
		return
	}
	hold := restartLeast
	for _, ifc := range m.order {
		if ifc.talking {
			hold = max(hold, ifc.cfg.Hold)
		}
		for _, n := range ifc.nbrs {
			n.regaining = true
		}
	}
	m.regaining = true
	m.restartTimer.Fire = m.checkRegained
	m.timers.Set(&m.restartTimer, m.now.Add(hold))
}

// checkRegained ends it, if nobody is left who has to acknowledge, or nobody can keep our old table any more. More paths may be good enough for traffic then.
func (m *Machine) checkRegained() {
	if !m.regaining {
		return
	}
	if m.now.Sub(m.restartBegan) < routeHold && m.someRegaining() {
		m.timers.Set(&m.restartTimer, m.now.Add(restartStep))
		return
	}
	m.regaining = false
	for _, p := range sortedPrefixes(m.entries) {
		if e := m.entries[p]; e.regained != nil {
			e.regained = nil
			m.install(e)
		}
	}
}

func (m *Machine) someRegaining() bool {
	return slices.ContainsFunc(m.order, func(ifc *iface) bool {
		return slices.ContainsFunc(ifc.nbrs, func(n *neighbor) bool { return n.regaining })
	})
}

// takeUp chooses the first route of a prefix after our restart. Neighbors may reach it by way of us, and not tell by what they say: so the router that
// packets go to by now is the successor. If there is none, or it is lost or not the nearest any more, or it has begun to ask for the prefix meanwhile, the
// neighbors have to be asked.
func (m *Machine) takeUp(e *entry) {
	asked, askers, best := e.asked, e.askers, e.best()
	e.asked, e.askers = false, nil
	if m.cfg.Inherited == nil {
		if asked && (best == nil || best.nbr != nil) {
			m.goActive(e, nil)
			return
		}
		m.evaluate(e, nil)
		return
	}
	e.regained = &regained{}
	if best != nil && best.nbr == nil {
		m.evaluate(e, nil)
		return
	}
	hops := m.cfg.Inherited(e.prefix)
	for _, p := range e.paths {
		if p.nbr == nil || p.dist == infinity || p.nbr.forgot && !p.nbr.endsHere() || !slices.Contains(hops, p.hop) {
			continue
		}
		e.regained.hops = append(e.regained.hops, p)
		if e.succ == nil || p.dist < e.succ.dist || p == best {
			e.succ, e.fd = p, p.dist
		}
	}
	for _, n := range askers {
		e.regained.drop(n)
	}
	switch s := e.succ; {
	case s != nil && slices.Contains(askers, s.nbr):
		s.nbr.asks = slices.DeleteFunc(s.nbr.asks, func(p netip.Prefix) bool { return p == e.prefix })
		m.goActive(e, s.nbr)
	case s == nil || best != s:
		m.goActive(e, nil) // that there is no way may be new
	default:
		m.evaluate(e, nil)
	}
}

// drop takes a neighbor's way out.
func (g *regained) drop(n *neighbor) {
	g.hops = slices.DeleteFunc(g.hops, func(p *path) bool { return p.nbr == n })
}

// endsHere says whether what a neighbor tells can lead nowhere else: it is a stub.
func (n *neighbor) endsHere() bool { return n.stub && n.stubFlags&eigrpmsg.StubLeakMap == 0 }

// regainable is feasible for a neighbor's path while it is not known what others keep of us.
func (e *entry) regainable(p *path) bool {
	return p.nbr.endsHere() || p.dist <= e.fd && (p == e.succ || slices.Contains(e.regained.hops, p))
}
