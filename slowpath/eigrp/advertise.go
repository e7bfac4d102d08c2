package eigrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// advert is what there is to tell of a prefix, before what each interface makes of it.
type advert struct {
	vec      vector
	kind     pathKind
	ifc      *iface
	hop      netip.Addr
	ext      eigrpmsg.External
	external bool
}

// change is a prefix that the neighbors of an interface are to hear of.
type change struct {
	prefix netip.Prefix
	query  bool
}

func (m *Machine) current(e *entry) advert {
	s := e.succ
	if s == nil || !e.active && s.dist == infinity {
		return advert{vec: m.unreachable()}
	}
	a := advert{vec: s.vec, kind: s.kind, ifc: s.ifc, hop: s.hop, ext: s.ext, external: s.external}
	if e.active {
		a.vec = e.frozen
	}
	if m.infinite(&a.vec) {
		return advert{vec: a.vec}
	}
	return a
}

// note sees to it that neighbors hear of a prefix if there is something new to tell.
func (m *Machine) note(e *entry) {
	if a := m.current(e); a != e.told {
		e.told = a
		m.pendAll(e)
	}
}

func (m *Machine) pendAll(e *entry) {
	for _, ifc := range m.order {
		m.pend(ifc, e.prefix, false)
	}
}

func (m *Machine) pend(ifc *iface, prefix netip.Prefix, query bool) {
	if !ifc.talking || len(ifc.nbrs) == 0 {
		return
	}
	if i, ok := ifc.pending[prefix]; ok {
		ifc.changes[i].query = ifc.changes[i].query || query
		return
	}
	ifc.pending[prefix] = len(ifc.changes)
	ifc.changes = append(ifc.changes, change{prefix, query})
	m.wantFlush(ifc)
}

func (m *Machine) wantFlush(ifc *iface) {
	if !ifc.wantsFlush {
		ifc.wantsFlush = true
		m.toFlush = append(m.toFlush, ifc)
	}
}

func (e *entry) isOn(slot int) bool { return slot/64 < len(e.on) && e.on[slot/64]&(1<<(slot%64)) != 0 }

func (e *entry) setOn(slot int, on bool) {
	for slot/64 >= len(e.on) {
		if !on {
			return
		}
		e.on = append(e.on, 0)
	}
	if on {
		e.on[slot/64] |= 1 << (slot % 64)
	} else {
		e.on[slot/64] &^= 1 << (slot % 64)
	}
}

// routeFor is what an interface's neighbors are told of a prefix, with wide metrics or without (iface.wide), and whether that is that we reach it.
func (m *Machine) routeFor(ifc *iface, prefix netip.Prefix, wide bool) (r eigrpmsg.Route, reachable bool) {
	r = eigrpmsg.Route{Wide: wide, Router: m.cfg.RouterID, Prefixes: []netip.Prefix{prefix}}
	e := m.entries[prefix]
	v := m.unreachable()
	if e != nil {
		a := m.current(e)
		if !m.infinite(&a.vec) {
			if a.external {
				r.External = &a.ext
			}
			if m.mayTell(e, &a, ifc) {
				v, reachable = a.vec, true
				if ifc.cfg.NoNextHopSelf && a.kind == fromNeighbor && a.ifc == ifc {
					r.NextHop = a.hop
				}
			}
		}
	}
	r.Metric = m.outward(v, r.Wide)
	if e != nil && e.active || m.restarting {
		r.Metric.Flags |= eigrpmsg.Active
	}
	return r, reachable
}

// mayTell says whether an interface's neighbors may hear that we reach a prefix.
func (m *Machine) mayTell(e *entry, a *advert, ifc *iface) bool {
	if !ifc.cfg.NoSplitHorizon && a.ifc == ifc {
		return false
	}
	if m.cfg.Out != nil && !m.cfg.Out(ifc.name, e.prefix) {
		return false
	}
	if s := m.cfg.Stub; s.Enabled {
		ok := false
		switch a.kind {
		case fromConnected:
			ok = s.Connected
		case fromSummary:
			ok = s.Summary
		case fromRedistribution:
			p := a.ext.Protocol
			ok = s.Redistributed || s.Static && p == eigrpmsg.FromStatic || s.Connected && p == eigrpmsg.FromConnected
		case fromNeighbor:
			ok = s.Leak != nil && s.Leak(e.prefix, ifc.name)
		}
		if !ok || s.ReceiveOnly {
			return false
		}
	}
	if a.kind == fromSummary && !m.summaries[e.prefix].covers(ifc) {
		return false
	}
	return !m.suppressed(e.prefix, ifc)
}

// room is how long the body of a packet may be.
func (m *Machine) room(ifc *iface) int {
	const headers = 20 + eigrpmsg.HeaderLen
	n := min(orDefault(ifc.state.MTU, largestFrame), largestFrame) - headers
	if ifc.cfg.Auth.Mode != AuthNone {
		n -= 24 + ifc.cfg.Auth.Mode.wire().DigestLen()
	}
	return max(n, leastPacket)
}

// flush tells the neighbors of an interface what changed, if there is anybody who can take it now; if not, it comes back when one can. Many neighbors are
// told a packet at a time: while it is out they could be sent the next one by unicast only.
func (m *Machine) flush(ifc *iface) {
	if !ifc.talking || len(ifc.changes) == 0 {
		return
	}
	if at := ifc.lastFlush.Add(flushGap); at.After(m.now) && !ifc.more {
		m.timers.Set(&ifc.flushTimer, at)
		return
	}
	m.timers.Stop(&ifc.flushTimer)
	var all, full, stubs []*neighbor
	ready, patience := 0, leastPatience
	for _, n := range ifc.nbrs {
		if !n.up {
			continue
		}
		all = append(all, n)
		if n.stub {
			stubs = append(stubs, n)
		} else {
			full = append(full, n)
		}
		if len(n.queue) == 0 && !n.inTable {
			ready++
		}
		patience = max(patience, min(2*n.srtt, mostPatience))
	}
	if len(all) > 0 && ready == 0 || m.tooBusy(ifc, len(all)-ready, len(all), patience) {
		return
	}
	ifc.lastFlush, ifc.more = m.now, false
	changes := ifc.changes
	ifc.changes = nil
	clear(ifc.pending)
	if len(all) == 0 {
		return
	}
	var queries, updates []netip.Prefix
	for _, c := range changes {
		if e := m.entries[c.prefix]; c.query && e != nil && e.active {
			queries = append(queries, c.prefix)
		} else {
			updates = append(updates, c.prefix)
		}
	}
	one := len(all) > leastReady && !ifc.unicast()
	later := 0 // of queries
	if fit := m.room(ifc) / longestRoute; one && len(queries) > fit {
		later = len(queries) - fit
	}
	now, waiting := queries[:len(queries)-later], queries[len(queries)-later:]
	m.ask(ifc, now, full, stubs)
	if !one || len(now) == 0 {
		updates = m.pack(ifc, updates, packing{last: true, one: one}, func(b []byte) {
			m.deliver(ifc, begun(all), m.message(eigrpmsg.Update, b))
		})
	}
	ifc.more = len(waiting)+len(updates) > 0
	for _, p := range waiting {
		m.pend(ifc, p, true)
	}
	for _, p := range updates {
		m.pend(ifc, p, false)
	}
}

// ask sends Queries to those who are to reply; the others, stubs and a successor that has asked itself, are told by Updates. Who were asked and is not waited
// for would reply all the same, and that would count for the next computation.
func (m *Machine) ask(ifc *iface, prefixes []netip.Prefix, full, stubs []*neighbor) {
	type group struct {
		asked, told []*neighbor
		prefixes    []netip.Prefix
	}
	var groups []*group
	for _, p := range prefixes {
		replies := m.entries[p].replies
		asked := slices.DeleteFunc(slices.Clone(full), func(n *neighbor) bool { return replies[n] == nil })
		i := slices.IndexFunc(groups, func(g *group) bool { return slices.Equal(g.asked, asked) })
		if i < 0 {
			told := slices.Clone(stubs)
			for _, n := range full {
				if replies[n] == nil {
					told = append(told, n)
				}
			}
			i, groups = len(groups), append(groups, &group{asked: asked, told: told})
		}
		groups[i].prefixes = append(groups[i].prefixes, p)
	}
	for _, g := range groups {
		if len(g.told) > 0 {
			m.pack(ifc, g.prefixes, packing{}, func(b []byte) { m.deliver(ifc, g.told, m.message(eigrpmsg.Update, b)) })
		}
		m.pack(ifc, g.prefixes, packing{always: true, last: true}, func(b []byte) { m.deliver(ifc, g.asked, m.message(eigrpmsg.Query, b)) })
	}
}

// begun are those of the neighbors that are there and whose table has begun to be sent; the others hear of changes by it.
func begun(nbrs []*neighbor) (out []*neighbor) {
	for _, n := range nbrs {
		if !n.gone && (!n.inTable || n.cohort != nil || n.startup != nil) {
			out = append(out, n)
		}
	}
	return out
}

// tooBusy says whether changes wait for neighbors to acknowledge what is out: many can be told the next by one multicast, if they are ready at the same time.
func (m *Machine) tooBusy(ifc *iface, busy, all int, patience time.Duration) bool {
	if busy == 0 || all <= fewNeighbors {
		ifc.busySince = time.Time{}
		return false
	}
	if ifc.busySince.IsZero() {
		ifc.busySince = m.now
	}
	since := ifc.busySince
	if ifc.lastFlush.After(since) {
		since = ifc.lastFlush
	}
	if (len(ifc.fifo) > 0 || ifc.cohort != nil || len(ifc.joining) > 0 || busy > maxExcluded) && m.now.Sub(since) < fifoLimit {
		// What cannot go to all now goes by unicast, and so makes more wait.
		m.timers.Set(&ifc.flushTimer, m.now.Add(flushGap))
		return true
	}
	if busy > all/8 {
		patience = busyLimit
	}
	until := ifc.lastGroup.Add(patience)
	if !m.now.Before(until) {
		return false
	}
	m.timers.Set(&ifc.flushTimer, until)
	return true
}

// packing says how prefixes are put in packets.
type packing struct {
	always bool // else what cannot be reached is left out where nobody was told otherwise
	last   bool // after this, all neighbors of the interface know
	one    bool // packet only
}

// pack cuts prefixes into packets; what is left over it returns.
func (m *Machine) pack(ifc *iface, prefixes []netip.Prefix, how packing, deliver func(body []byte)) []netip.Prefix {
	var body []byte
	room, wide := m.room(ifc), ifc.wide(m)
	for i, p := range prefixes {
		r, reachable := m.routeFor(ifc, p, wide)
		e := m.entries[p]
		if !reachable && !how.always && e != nil && !e.isOn(ifc.slot) {
			continue
		}
		if len(body) > 0 && len(body)+r.Len() > room {
			deliver(body)
			if body = nil; how.one {
				return prefixes[i:]
			}
		}
		if e != nil && (reachable || how.last) {
			e.setOn(ifc.slot, reachable)
		}
		body = r.Append(body)
	}
	if len(body) > 0 {
		deliver(body)
	}
	return nil
}

// reply answers a neighbor's Query at the end of the step.
func (m *Machine) reply(n *neighbor, prefix netip.Prefix) {
	if n.gone {
		return
	}
	if len(n.asks) == 0 {
		m.toReply = append(m.toReply, n)
	}
	n.asks = append(n.asks, prefix)
}

func (m *Machine) sendReplies(n *neighbor) {
	asks := n.asks
	n.asks = nil
	m.pack(n.ifc, asks, packing{always: true}, func(b []byte) {
		m.enqueue(n, &message{op: eigrpmsg.Reply, seq: m.nextSequence(), body: b})
	})
}

// single sends one prefix to one neighbor.
func (m *Machine) single(n *neighbor, op eigrpmsg.Opcode, prefix netip.Prefix) {
	r, _ := m.routeFor(n.ifc, prefix, n.ifc.wide(m))
	m.enqueue(n, &message{op: op, seq: m.nextSequence(), body: r.Append(nil)})
}
