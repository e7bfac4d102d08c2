package ldp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/timers"
)

// neighbor is an LDP identifier that is heard of. It has one session, however many links it is heard on.
type neighbor struct {
	id        ID
	local     netip.Addr // transport addresses
	transport netip.Addr
	active    bool // the session is ours to open: our address is the greater one (section 2.5.2)
	adjs      map[string]*adjacency
	session   *session
	key       Secret
	keyed     bool // the listener was told of it
	sequence  uint32
	sequenced bool
	changed   bool // it is configured anew, or has restarted, since the session began
	wasUp     bool // there has been a session

	wait    timers.Timer // until the next attempt
	refused int          // sessions in a row that came to nothing
	flaps   int          // sessions in a row that did not last

	bindings map[netip.Prefix]uint32 // learned in the session
	addrs    map[netip.Addr]bool     // the same
	stale    *stale                  // what of it is kept from a session that was lost; nil: nothing
}

func (m *Machine) newNeighbor(id ID, local, transport netip.Addr) *neighbor {
	nb := &neighbor{
		id: id, local: local, transport: transport, active: local.Compare(transport) > 0, key: m.cfg.key(id.LSR),
		adjs: map[string]*adjacency{}, bindings: map[netip.Prefix]uint32{}, addrs: map[netip.Addr]bool{},
	}
	nb.wait.Fire = func() { m.connect(nb) }
	m.neighbors[id] = nb
	at, _ := slices.BinarySearchFunc(m.order, id, func(n *neighbor, id ID) int { return n.id.Compare(id) })
	m.order = slices.Insert(m.order, at, nb)
	m.announceKey(nb, false)
	return nb
}

func (m *Machine) removeNeighbor(nb *neighbor) {
	m.timers.Stop(&nb.wait)
	m.purge(nb)
	nb.key = nil
	m.announceKey(nb, true)
	delete(m.neighbors, nb.id)
	m.order = slices.DeleteFunc(m.order, func(o *neighbor) bool { return o == nb })
}

// retry says when to try again, if that is ours to do.
func (m *Machine) retry(nb *neighbor, after time.Duration) {
	if !nb.active || nb.session != nil {
		return
	}
	if after == 0 {
		m.timers.Stop(&nb.wait)
		m.connect(nb)
		return
	}
	m.timers.Set(&nb.wait, m.now.Add(after))
}

// pause is the wait after a session that ended as s did.
func (m *Machine) pause(nb *neighbor, s *session) time.Duration {
	changed := nb.changed
	nb.changed = false
	switch {
	case changed && s.state == StateOperational: // it is there, and waits for us
		nb.refused, nb.flaps = 0, 0
		return again
	case nb.stale != nil: // it restarts
		return time.Second
	case s.state == StateConnecting:
		return reconnect
	case s.state != StateOperational: // refused, by whom ever (section 2.5.3)
		nb.refused++
		return doubled(m.cfg.BackoffFirst, m.cfg.BackoffMax, nb.refused)
	case m.now.Sub(s.since) >= steady:
		nb.flaps = 0
	default:
		nb.flaps++
	}
	return doubled(time.Second, flapMax, max(nb.flaps, 1))
}

// doubled is first for the n-th time from 1, doubled each time.
func doubled(first, most time.Duration, n int) time.Duration {
	d := first
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	return min(d, most)
}
