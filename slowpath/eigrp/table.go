package eigrp

import (
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
	"nave/slowpath/timers"
)

// A neighbor that has come up is sent the whole table. Where many do at about the same time, as at a hub that has started, they are sent it together, by
// multicast: one packet at a time, as each has to acknowledge it before the next. Who does not in time goes on by itself.

// Bounds of how long the neighbors of a table wait for each other.
const (
	leastPatience = 200 * time.Millisecond
	mostPatience  = time.Second
)

// cohort is neighbors of an interface that are being sent the table together.
type cohort struct {
	members []*neighbor
	left    []*entry      // of the table
	out     *transmission // the packet that is out
	waits   int           // members that have not acknowledged it
	timer   timers.Timer
}

// table is what there is to send to a neighbor that knows nothing.
func (m *Machine) table() []*entry {
	out := make([]*entry, 0, len(m.entries))
	for _, p := range sortedPrefixes(m.entries) {
		out = append(out, m.entries[p])
	}
	return out
}

// tellTable begins to send a neighbor all that we reach. While we restart, that is at its end: who is told an end of the table before lets our routes go.
func (m *Machine) tellTable(n *neighbor) {
	ifc := n.ifc
	n.inTable, n.cohort, n.startup = true, nil, nil
	if m.restarting {
		return
	}
	if ifc.unicast() || len(ifc.nbrs) == 1 {
		n.startup = m.table()
		m.feed(n, 0)
		return
	}
	if !slices.Contains(ifc.joining, n) {
		ifc.joining = append(ifc.joining, n)
	}
	if ifc.cohort == nil && !ifc.joinTimer.On() {
		m.timers.Set(&ifc.joinTimer, m.now.Add(flushGap))
	}
}

// join begins with the neighbors that have come up meanwhile.
func (m *Machine) join(ifc *iface) {
	if ifc.cohort != nil {
		return
	}
	members := slices.DeleteFunc(ifc.joining, func(n *neighbor) bool { return n.gone || !n.up || !n.inTable || n.startup != nil })
	ifc.joining = nil
	switch len(members) {
	case 0:
	case 1:
		members[0].startup = m.table()
		m.feed(members[0], 0)
	default:
		c := &cohort{members: members, left: m.table()}
		c.timer.Fire = func() { m.lag(ifc, c) }
		ifc.cohort = c
		for _, n := range members {
			n.cohort = c
		}
		m.feedCohort(ifc, c)
	}
}

// patience is how long a packet is given until it is acknowledged by all.
func (c *cohort) patience() time.Duration {
	p := leastPatience
	for _, n := range c.members {
		p = max(p, 2*n.srtt)
	}
	return min(p, mostPatience)
}

// lag goes on without those who have not acknowledged in time.
func (m *Machine) lag(ifc *iface, c *cohort) {
	late := len(ifc.fifo) == 0 && !c.out.sent.IsZero() && m.now.Sub(c.out.sent) >= c.patience()
	c.waits = 0
	kept := c.members[:0]
	for _, n := range c.members {
		switch {
		case n.gone || n.cohort != c:
			continue
		case len(n.queue) > 0 && late:
			n.cohort, n.startup = nil, c.left
			continue
		case len(n.queue) > 0:
			c.waits++
		}
		kept = append(kept, n)
	}
	clear(c.members[len(kept):])
	c.members = kept
	if c.waits > 0 {
		m.timers.Set(&c.timer, m.now.Add(leastPatience))
		return
	}
	m.feedCohort(ifc, c)
}

// feedCohort sends the next packet to all of a cohort.
func (m *Machine) feedCohort(ifc *iface, c *cohort) {
	c.members = slices.DeleteFunc(c.members, func(n *neighbor) bool { return n.gone || n.cohort != c })
	if len(c.members) > 0 {
		body, left := m.tablePart(ifc, c.left)
		flags, last := uint32(0), len(left) == 0
		for _, n := range c.members {
			flags |= m.softly(n)
		}
		if last {
			flags |= eigrpmsg.FlagEOT
		}
		c.left, c.waits = left, len(c.members)
		for _, n := range c.members {
			n.inTable = !last
		}
		c.out = m.deliver(ifc, slices.Clone(c.members), &message{op: eigrpmsg.Update, flags: flags, seq: m.nextSequence(), body: body})
		switch {
		case last:
		case c.out == nil: // it went to each by itself, and so does what is left
			for _, n := range c.members {
				n.startup = left
			}
		default:
			m.timers.Set(&c.timer, m.now.Add(c.patience()))
			return
		}
	}
	m.endCohort(ifc)
	if len(ifc.joining) > 0 {
		m.timers.Set(&ifc.joinTimer, m.now.Add(flushGap))
	}
}

// endCohort lets the members go.
func (m *Machine) endCohort(ifc *iface) {
	c := ifc.cohort
	if c == nil {
		return
	}
	m.timers.Stop(&c.timer)
	for _, n := range c.members {
		if n.cohort == c {
			n.cohort = nil
		}
	}
	ifc.cohort = nil
}

// tablePart is as much of a table as one packet holds, and what is left.
func (m *Machine) tablePart(ifc *iface, left []*entry) (body []byte, rest []*entry) {
	room, wide := m.room(ifc), ifc.wide(m)
	for ; len(left) > 0; left = left[1:] {
		e := left[0]
		if m.entries[e.prefix] != e {
			continue
		}
		r, reachable := m.routeFor(ifc, e.prefix, wide)
		if !reachable {
			continue
		}
		if len(body) > 0 && len(body)+r.Len() > room {
			break
		}
		e.setOn(ifc.slot, true)
		body = r.Append(body)
	}
	return body, left
}

// feed sends the next packet of the table to a neighbor that is sent it, when it has acknowledged all that was out, seq at last.
func (m *Machine) feed(n *neighbor, seq uint32) {
	if !n.inTable || n.gone || m.restarting {
		return
	}
	if c := n.cohort; c != nil {
		if seq == c.out.msg.seq {
			c.waits--
		}
		if c.waits <= 0 {
			m.feedCohort(n.ifc, c)
		}
		return
	}
	if n.startup == nil {
		return // it waits for its turn
	}
	body, left := m.tablePart(n.ifc, n.startup)
	n.startup = left
	msg := &message{op: eigrpmsg.Update, seq: m.nextSequence(), body: body}
	if n.resyncing {
		msg.flags = m.softly(n)
	}
	if len(left) == 0 {
		n.startup, n.inTable = nil, false
		msg.flags |= eigrpmsg.FlagEOT
	}
	m.enqueue(n, msg)
}
