package ldp

import (
	"maps"
	"net/netip"
	"time"

	"nave/slowpath/ldp/ldpmsg"
	"nave/slowpath/timers"
)

// Graceful restart (RFC 3478). What a neighbor told stays when the connection to it is lost, if it has said that it forwards on meanwhile: for as long as it asked for, until it is there
// again; then until it has told all anew, or at once if it turns out not to have forwarded on. A neighbor whose Hellos stop is gone with all that it told.
const (
	// keepTime is how long we ask neighbors to wait for us, how long after our start what we forwarded by before serves, and the most that we wait for a neighbor.
	keepTime = 2 * time.Minute
	// settleTime is for how long after our start labels are held that lead nowhere yet.
	settleTime = 30 * time.Second
	// learnFlag says that FT parameters are those of RFC 3478.
	learnFlag = 1
)

// stale is what is kept of a neighbor without being confirmed.
type stale struct {
	bindings map[netip.Prefix]bool
	addrs    map[netip.Addr]bool
	end      timers.Timer
}

// restartParameters are what we say of ourselves in a session that begins; nil: nothing. Who has been told labels in this life can go on by them.
func (m *Machine) restartParameters(nb *neighbor) *ldpmsg.FTSession {
	if !m.cfg.GracefulRestart {
		return nil
	}
	recovery := max(0, m.recovered.Sub(m.now)).Truncate(time.Millisecond)
	if nb.wasUp {
		recovery = keepTime
	}
	return &ldpmsg.FTSession{Flags: learnFlag, Reconnect: keepTime, Recovery: recovery}
}

// restarts tells whether the peer of a session is one to wait for.
func (m *Machine) restarts(s *session) bool {
	return m.cfg.GracefulRestart && s.state == StateOperational && s.ft != nil && s.ft.Flags&learnFlag != 0 && s.ft.Reconnect > 0 && len(s.nb.adjs) > 0
}

// retain keeps what a neighbor told in a session that was lost. What it did not confirm since it was lost before goes.
func (m *Machine) retain(nb *neighbor, s *session) {
	m.shed(nb)
	k := &stale{bindings: map[netip.Prefix]bool{}, addrs: maps.Clone(nb.addrs)}
	for p := range nb.bindings {
		k.bindings[p] = true
	}
	k.end.Fire = func() { m.purge(nb) }
	nb.stale = k
	m.timers.Set(&k.end, m.now.Add(min(s.ft.Reconnect, keepTime)))
}

// resume takes over how a neighbor has come back.
func (m *Machine) resume(s *session) {
	k := s.nb.stale
	switch {
	case k == nil:
	case s.ft == nil || s.ft.Flags&learnFlag == 0 || s.ft.Recovery <= 0:
		m.purge(s.nb)
	default:
		m.timers.Set(&k.end, m.now.Add(min(s.ft.Recovery, keepTime)))
	}
}

// purge drops what a neighbor has not confirmed. Without a session nothing of it counts any more.
func (m *Machine) purge(nb *neighbor) {
	if m.shed(nb) && (nb.session == nil || nb.session.state != StateOperational) {
		m.rebindNeighbor(nb)
	}
}

func (m *Machine) shed(nb *neighbor) bool {
	k := nb.stale
	if k == nil {
		return false
	}
	nb.stale = nil
	m.timers.Stop(&k.end)
	for _, p := range sortedPrefixes(k.bindings) {
		m.unlearn(nb, p)
	}
	addrs := sortedAddrs(maps.Keys(k.addrs))
	for _, a := range addrs {
		m.disown(nb, a)
	}
	m.rebind(addrs)
	return true
}

// holds tells labels that are not told yet: of a prefix whose next hops have told none since our restart. Packets with it would go nowhere, and neighbors have one of before, which goes
// on meanwhile.
func (m *Machine) holds(f *fec) bool {
	return m.cfg.GracefulRestart && m.now.Before(m.settled) && f.local != ImplicitNull && f.route != nil && len(f.route.NextHops) > 0 && len(f.bound) == 0
}

// tellHeld tells a label that was held, where nobody was told of it.
func (m *Machine) tellHeld(f *fec) {
	for s := range m.operationalSessions {
		if s.told[f.prefix] == nil && f.local != noLabel {
			m.tell(s, f, nil)
		}
	}
}

// settle ends the time in which labels are held.
func (m *Machine) settle() {
	m.settled = m.now
	for _, p := range sortedPrefixes(m.fecs) {
		m.tellHeld(m.fecs[p])
	}
}

// confirmed notes that a neighbor has told a label anew, or taken it back; false if it was not in doubt.
func (k *stale) confirmed(p netip.Prefix) bool {
	if k == nil || !k.bindings[p] {
		return false
	}
	delete(k.bindings, p)
	return true
}

// confirmedAddr is confirmed of an address.
func (k *stale) confirmedAddr(a netip.Addr) {
	if k != nil {
		delete(k.addrs, a)
	}
}
