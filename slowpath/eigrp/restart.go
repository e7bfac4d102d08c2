package eigrp

import (
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// Times of a graceful restart.
const (
	restartStep  = 500 * time.Millisecond // between looks whether ours is over
	restartLeast = 6 * time.Second        // that neighbors have to be heard in: one that is not may go on to send to us what we send to it
	restartQuiet = 6 * time.Second        // a neighbor that has told nothing for so long has told all, whether it says so or not
	restartStuck = 30 * time.Second       // after which one that is heard, and does not come up, is not waited for
	restartLimit = 90 * time.Second       // of ours, whatever happens
	restartHello = time.Second            // between Hellos during ours, and to those who restart until they have answered
	plainInit    = 6 * time.Second        // after which a neighbor that acknowledged an INIT of a restart and gave none itself gets one without
	routeHold    = 240 * time.Second      // that the routes of a neighbor stay that restarts, whatever it says, and however often: IOS's `timers nsf route-hold`
)

// A router that comes back with its forwarding as it was says so by the Restart flag of its Hellos and Updates (RFC 7868 section 6.5). On the one side its
// neighbors keep what it told, tell it all anew, and let go what it has not told again when it says that it is through (EOT). On the other side it chooses no
// route and tells none until its neighbors are through: with some of them only it might choose a way that leads back to itself.

// beginRestart is our side, at the first Configure.
func (m *Machine) beginRestart() {
	m.restarting, m.awaiting, m.restartBegan = true, m.cfg.Awaiting, m.now
	m.restartTimer.Fire = m.checkRestart
	m.timers.Set(&m.restartTimer, m.now.Add(restartStep))
}

// Restarting says whether the machine still gathers what its neighbors know, after a Configure with Restarting: until then its routes are those of the
// process before.
func (m *Machine) Restarting() bool { return m.restarting }

// saysRestart says whether what goes out by an interface has the Restart flag: while we restart, and for a moment on an interface that comes after that, but
// before its neighbors can have missed us.
func (m *Machine) saysRestart(ifc *iface) bool {
	return m.restarting || m.now.Before(ifc.restartUntil)
}

func (m *Machine) checkRestart() {
	if !m.restarting {
		return
	}
	if m.restartOver() {
		m.endRestart()
		return
	}
	m.timers.Set(&m.restartTimer, m.now.Add(restartStep))
}

func (m *Machine) restartOver() bool {
	age, heard, hold := m.now.Sub(m.restartBegan), false, time.Duration(0)
	if age >= restartLimit {
		return true
	}
	if age < restartLeast || m.awaiting {
		return false
	}
	for _, ifc := range m.order {
		if ifc.enabled && !ifc.cfg.Passive {
			hold = max(hold, ifc.cfg.Hold)
		}
		for _, n := range ifc.nbrs {
			heard = true
			if !n.up && age < restartStuck || n.up && !n.toldAll && m.now.Sub(n.lastTold) < restartQuiet {
				return false
			}
		}
	}
	return heard || age >= hold
}

// endRestart chooses routes from all that neighbors have told by now, and tells them ours.
func (m *Machine) endRestart() {
	m.stopRestart()
	m.beginRegaining()
	for _, p := range sortedPrefixes(m.entries) {
		if e := m.entries[p]; e != nil {
			m.takeUp(e)
		}
	}
	for _, p := range sortedPrefixes(m.summaries) {
		m.soil(m.summaries[p])
	}
	m.settleSummaries()
	for _, ifc := range m.order {
		// Neighbors get the whole table now; that is all there is to tell.
		ifc.changes = slices.DeleteFunc(ifc.changes, func(c change) bool { return !c.query })
		clear(ifc.pending)
		for i, c := range ifc.changes {
			ifc.pending[c.prefix] = i
		}
		for _, n := range slices.Clone(ifc.nbrs) {
			if n.up {
				m.tellTable(n)
			}
		}
	}
}

func (m *Machine) stopRestart() {
	m.restarting, m.regaining = false, false
	m.timers.Stop(&m.restartTimer)
}

// resumable says whether what a neighbor goes on to do after its restart is what it told. It is not if it has not told all even once: then it restarts for
// the second time, and we know nothing of what it did before the first.
func (n *neighbor) resumable() bool { return n.toldAll || n.resyncing }

// resync is the other side: a neighbor that is up has begun anew, and goes on forwarding by what it told. Nothing of the exchange before counts any more;
// what it still has to reply to it is asked again, as it has forgotten it.
func (m *Machine) resync(n *neighbor) {
	m.stale(n)
	if m.active > 0 || m.restarting {
		for _, e := range m.entries {
			if e.queryFrom == n {
				e.queryFrom = nil
			}
			e.askers = slices.DeleteFunc(e.askers, func(x *neighbor) bool { return x == n })
		}
	}
	m.timers.Stop(&n.retryTimer)
	n.gotInit, n.acked, n.up, n.heard, n.needAck, n.crOn, n.inTable, n.toldAll = false, false, false, false, false, false, false, false
	n.cohort = nil
	n.queue, n.startup, n.asks, n.lastContents, n.retries, n.firstSent = nil, nil, nil, 0, 0, time.Time{}
}

// stale marks what a neighbor has told: it is to be told again.
func (m *Machine) stale(n *neighbor) {
	for _, p := range n.routes {
		p.stale = true
	}
	if !n.resyncing {
		m.log(Log{Kind: LogNeighborResync, Iface: n.ifc.name, Neighbor: n.addr})
	}
	if !n.resyncing { // one that begins again before it is through gets no more time
		n.resyncing, n.resyncBegan = true, m.now
	}
	m.stillResyncing(n)
}

// stillResyncing gives a neighbor more time, as it goes on.
func (m *Machine) stillResyncing(n *neighbor) {
	if !n.resyncing {
		return
	}
	at, end := m.now.Add(n.hold), n.resyncBegan.Add(routeHold)
	if at.After(end) {
		at = end
	}
	m.timers.Set(&n.staleTimer, at)
}

// askAgain asks a neighbor that is up again what it has been asked, or would have been; not what it is about to be asked with others, as a second reply would
// count for the next computation.
func (m *Machine) askAgain(n *neighbor) {
	for _, e := range sortedEntries(n.owes) {
		if i, waits := n.ifc.pending[e.prefix]; waits && n.ifc.changes[i].query {
			continue
		}
		m.single(n, eigrpmsg.Query, e.prefix)
	}
}

// staleExpired ends what takes too long. One that has not even answered our INIT begins anew.
func (m *Machine) staleExpired(n *neighbor) {
	if !n.up {
		m.terminate(n)
		m.down(n, PeerRestarted)
		return
	}
	m.resynced(n)
}

// resynced lets go what the neighbor has not told again.
func (m *Machine) resynced(n *neighbor) {
	if !n.resyncing {
		return
	}
	n.resyncing = false
	m.timers.Stop(&n.staleTimer)
	for _, e := range sortedEntries(n.routes) {
		if p := n.routes[e]; p != nil && p.stale {
			p.stale, p.reported = false, m.unreachable()
			m.measure(e, p)
			m.evaluate(e, nil)
		}
	}
}

// restartFlag takes the Restart flag of a Hello, or that it has none.
func (m *Machine) restartFlag(n *neighbor, flags uint32) {
	if flags&eigrpmsg.FlagRestart == 0 {
		n.saidRestart = false
		return
	}
	if n.up && !n.saidRestart {
		m.resync(n)
		m.meet(n)
		m.helloSoon(n.ifc, restartHello)
	}
	n.saidRestart = true
	m.stillResyncing(n)
}
