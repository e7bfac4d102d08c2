package eigrp

import (
	"net/netip"

	"nave/slowpath/eigrp/eigrpmsg"
)

// goActive starts a diffusing computation: no feasible path is the shortest one.
func (m *Machine) goActive(e *entry, query *neighbor) {
	e.active, e.since, e.origin, e.queryFrom = true, m.now, originOwn, nil
	m.active++
	switch {
	case query == nil:
	case e.succ != nil && e.succ.nbr == query:
		e.origin, e.queryFrom = originAsked, query
	default:
		m.reply(query, e.prefix)
	}
	m.round(e)
}

// round asks all neighbors. The successor stays as long as it reaches the prefix at all, and its distance is what is told until all have replied.
func (m *Machine) round(e *entry) {
	e.fd, e.frozen = infinity, m.unreachable()
	if e.cut = e.cut || e.succ == nil || e.succ.dist == infinity; !e.cut {
		e.fd, e.frozen = e.succ.dist, e.succ.vec
	}
	e.lastDist, e.regained = e.fd, nil
	e.replies = map[*neighbor]*owing{}
	m.note(e)
	for _, ifc := range m.order {
		asked := false
		for _, n := range ifc.nbrs {
			if (n.up || n.resyncing) && !n.stub && n != e.queryFrom {
				e.replies[n] = &owing{}
				n.owes[e] = true
				asked = true
			}
		}
		if asked {
			m.pend(ifc, e.prefix, true)
		}
	}
	m.install(e)
	m.touch(e)
	if len(e.replies) == 0 {
		m.allReplied(e)
		return
	}
	if !m.cfg.ActiveDisabled {
		m.timers.Set(&e.sia, m.now.Add(m.cfg.ActiveTime/2))
	}
}

// stillActive takes what happens during a computation: distances are kept for its end, and only the successor's matter at once.
func (m *Machine) stillActive(e *entry, query *neighbor) {
	s := e.succ
	if query != nil && s != nil && s.nbr == query && e.queryFrom == nil {
		e.origin, e.queryFrom, e.lastDist = originAskedSince, query, s.dist
		query = nil
	} else if s != nil && s.dist > e.lastDist {
		e.lastDist = s.dist
		switch e.origin {
		case originOwn:
			e.origin = originGrown
		case originAsked:
			e.origin = originAskedSince
		}
	}
	e.cut = e.cut || s == nil || s.dist == infinity
	m.install(e)
	if query != nil {
		m.reply(query, e.prefix)
	}
}

// replied takes a reply, or that there will be none.
func (m *Machine) replied(e *entry, n *neighbor) {
	if !e.active || e.replies[n] == nil {
		return
	}
	delete(e.replies, n)
	delete(n.owes, e)
	if len(e.replies) == 0 {
		m.allReplied(e)
	}
}

// allReplied ends a computation, or goes on to the next if what happened meanwhile asks for one.
func (m *Machine) allReplied(e *entry) {
	m.timers.Stop(&e.sia)
	best := m.best(e)
	switch {
	case e.origin == originOwn || e.origin == originAsked:
		e.fd = infinity
		best = m.best(e)
	case !e.feasible(best):
		e.origin++
		m.round(e)
		return
	}
	e.active, e.since, e.replies = false, m.now, nil
	m.active--
	if best != nil {
		e.fd = min(e.fd, best.dist)
	} else {
		e.fd = infinity
	}
	asker := e.queryFrom
	e.queryFrom = nil
	m.settle(e, best)
	if asker != nil {
		m.reply(asker, e.prefix)
	}
}

// siaDue asks those who have not replied for half the active time whether they are still at it; who did not answer that goes.
func (m *Machine) siaDue(e *entry) {
	if !e.active || m.entries[e.prefix] != e {
		return
	}
	m.timers.Set(&e.sia, m.now.Add(m.cfg.ActiveTime/2))
	for _, n := range sortedNeighbors(e.replies) {
		o := e.replies[n]
		if o == nil || n.gone {
			continue
		}
		if o.asked > 0 && !o.answered || o.asked >= maxSIA {
			m.log(Log{Kind: LogStuckInActive, Iface: n.ifc.name, Neighbor: n.addr, Prefix: e.prefix})
			m.terminate(n)
			m.down(n, StuckInActive)
			continue
		}
		o.asked++
		o.answered = false
		m.single(n, eigrpmsg.SIAQuery, e.prefix)
	}
	if !e.active {
		m.timers.Stop(&e.sia)
	}
}

// siaQueried answers an SIA-Query: with the active flag if the reply has to wait for others.
func (m *Machine) siaQueried(n *neighbor, r *eigrpmsg.Route, prefix netip.Prefix) {
	if e := m.learn(n, r, prefix); e != nil {
		m.evaluate(e, nil)
	}
	m.single(n, eigrpmsg.SIAReply, prefix)
}

// siaReplied takes an SIA-Reply. Without the active flag it is the reply; but only to an SIA-Query of this computation.
func (m *Machine) siaReplied(n *neighbor, r *eigrpmsg.Route, prefix netip.Prefix) {
	e := m.entries[prefix]
	if e == nil || !e.active || e.replies[n] == nil || e.replies[n].asked == 0 {
		return
	}
	if r.Metric.Flags&eigrpmsg.Active != 0 {
		e.replies[n].answered = true
		return
	}
	if m.learn(n, r, prefix) != nil {
		m.evaluate(e, nil)
	}
	m.replied(e, n)
}
