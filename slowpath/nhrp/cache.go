package nhrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/trace"
)

// entryKind orders entries by whom to believe: a higher kind is not replaced by a lower one.
type entryKind uint8

const (
	kNegative   entryKind = iota // could not be resolved
	kIncomplete                  // being resolved
	kShortcut                    // a network behind a peer
	kImplicit                    // a peer that asked us
	kResolved                    // a peer that answered us
	kRegistered                  // a client of ours
	kNHS
	kStatic
)

// direct tells the kinds that make a spoke-to-spoke path.
func (k entryKind) direct() bool { return k == kShortcut || k == kImplicit || k == kResolved }

// configured tells the kinds that do not count against the limit.
func (k entryKind) configured() bool { return k >= kNHS }

// entry maps a protocol prefix to a peer.
//
//	         Unresolved, redirect        reply                 session ready
//	(none) ---------------------> incomplete ----> resolved, shortcut ----> bound directly
//	                                  |  no answer, refusal
//	                                  +----> negative (a minute)
//
// Phase 2's incomplete and negative entries (via) are bound through an NHS, so that traffic flows meanwhile.
type entry struct {
	timer     timer
	ifc       *iface
	prefix    netip.Prefix
	peer      *peer // nil while incomplete or negative
	claimed   netip.Addr
	nextHop   netip.Addr
	asked     netip.Addr // of a shortcut: the destination that it was resolved for
	kind      entryKind
	flags     EntryFlags
	via       bool
	mcast     bool
	opens     bool // a client that can open paths through NAT
	identity  string
	created   time.Time
	updated   time.Time
	expires   time.Time // the zero Time: never
	refreshAt time.Time
	requestID uint32
	bound     Bind // as last given; zero Prefix: not bound
}

// room tells whether one more dynamic entry fits.
func (m *Machine) room(ifc *iface, proto, addr netip.Addr) bool {
	if m.dynamic < m.maxEntries {
		return true
	}
	m.drop(ifc, DropFull)
	if !m.now.Before(ifc.fullLog) { // not a line a packet
		ifc.fullLog = m.now.Add(fullLogEvery)
		m.emit(Log{Kind: LogCacheFull, Iface: ifc.cfg.Name, Protocol: proto, NBMA: addr, Count: m.dynamic})
	}
	return false
}

// put makes or changes the entry of a prefix. It keeps a better one, and returns nil where there is no room.
func (m *Machine) put(ifc *iface, prefix netip.Prefix, kind entryKind, at nbma.Address, nextHop netip.Addr) *entry {
	e := ifc.cache[prefix]
	if e != nil && e.kind > kind && e.peer != nil {
		return e
	}
	was := TraceCacheUpdate
	if e == nil {
		was = TraceCacheAdd
		if !kind.configured() && !m.room(ifc, prefix.Addr(), at.Addr) {
			return nil
		}
		e = &entry{ifc: ifc, prefix: prefix, created: m.now}
		ifc.cache[prefix] = e
		if !kind.configured() {
			m.dynamic++
		}
	} else if kind.configured() && !e.kind.configured() {
		m.dynamic--
	} else if !kind.configured() && e.kind.configured() {
		m.dynamic++
	}
	if e.kind != kind && e.kind <= kIncomplete {
		e.created = m.now
	}
	e.kind, e.nextHop, e.updated = kind, nextHop, m.now
	if kind > kIncomplete {
		e.via = false
		if p := ifc.pending[prefix.Addr()]; p != nil && p.entry == e && !p.refresh {
			m.forget(p) // learned otherwise
		}
	}
	m.attach(e, at)
	if m.tracing&trace.NHRPCache != 0 {
		m.traceEntry(was, e)
	}
	return e
}

// attach makes whoever is at an address the entry's peer; the zero Address for none.
func (m *Machine) attach(e *entry, at nbma.Address) {
	old := e.peer
	if old != nil && old.at == at {
		return
	}
	e.peer = nil
	if at.IsValid() {
		e.peer = m.hold(e.ifc, at)
		e.peer.entries = append(e.peer.entries, e)
		if e.mcast {
			m.replicate(e.peer, 1)
		}
	}
	if old != nil {
		m.detach(e, old)
	}
}

func (m *Machine) detach(e *entry, p *peer) {
	if i := slices.Index(p.entries, e); i >= 0 {
		p.entries = slices.Delete(p.entries, i, i+1)
	}
	if e.mcast {
		m.replicate(p, -1)
	}
	m.release(p)
}

// setMulticast makes the entry a reason to replicate to its peer, or not.
func (m *Machine) setMulticast(e *entry, on bool) {
	if e.mcast == on {
		return
	}
	e.mcast = on
	if e.peer != nil {
		m.replicate(e.peer, map[bool]int{true: 1, false: -1}[on])
	}
}

// remove takes an entry out. Routes by a next hop go with it.
func (m *Machine) remove(e *entry) {
	ifc := e.ifc
	if ifc.cache[e.prefix] != e {
		return
	}
	if e.prefix.IsSingleIP() && e.peer != nil {
		for _, s := range slices.Clone(e.peer.entries) {
			if s != e && s.kind == kShortcut && s.nextHop == e.prefix.Addr() {
				m.remove(s)
			}
		}
	}
	delete(ifc.cache, e.prefix)
	if m.tracing&trace.NHRPCache != 0 {
		m.traceEntry(TraceCacheDelete, e)
	}
	if !e.kind.configured() {
		m.dynamic--
	}
	m.timers.stop(&e.timer)
	if p := ifc.pending[e.target()]; p != nil && p.entry == e {
		m.forget(p)
	}
	m.unbind(e)
	if e.kind == kRegistered {
		m.purgeClient(e)
	}
	if e.peer != nil {
		p := e.peer
		e.peer = nil
		m.detach(e, p)
	}
}

// sync makes the binding what the entry wants now.
func (m *Machine) sync(e *entry) {
	b := Bind{Iface: e.ifc.cfg.Name, Prefix: e.prefix, Claimed: e.claimed, NextHop: e.nextHop}
	switch {
	case e.peer != nil && e.peer.ready:
		b.NBMA = e.peer.at
	case e.via || (e.peer != nil && e.kind.direct() && e.kind != kShortcut):
		if n := e.ifc.liveNHS(0); n != nil {
			b.NBMA, b.Via = n.peer.at, true
		}
	}
	if !b.NBMA.IsValid() {
		m.unbind(e)
		return
	}
	if !b.Claimed.IsValid() || b.Via {
		b.Claimed = b.NBMA.Addr
	}
	if b.Kind = e.bindKind(b.Via); b.Kind == BindDynamic {
		b.Expires, b.Unique = e.expires, e.kind == kRegistered && e.flags&FlagUnique != 0
	}
	if e.bound == b {
		return
	}
	was := e.bound
	e.bound = b
	m.emit(b)
	if !b.Via && (was.NBMA != b.NBMA || was.Via) && (e.kind == kRegistered || e.kind.direct() && e.kind != kShortcut) {
		m.emit(Log{Kind: LogPeerUp, Iface: b.Iface, Protocol: e.prefix.Addr(), NBMA: b.NBMA.Addr})
	}
}

func (e *entry) bindKind(via bool) BindKind {
	switch {
	case via:
		return BindVia
	case e.kind == kStatic:
		return BindStatic
	case e.kind == kNHS:
		return BindNHS
	case e.kind == kShortcut:
		return BindShortcut
	}
	return BindDynamic
}

func (m *Machine) unbind(e *entry) {
	if !e.bound.Prefix.IsValid() {
		return
	}
	was := e.bound
	e.bound = Bind{}
	m.emit(Unbind{was.Iface, was.Prefix})
	if was.Kind == BindDynamic {
		m.emit(Log{Kind: LogPeerDown, Iface: was.Iface, Protocol: was.Prefix.Addr(), NBMA: was.NBMA.Addr})
	}
}

// live gives an entry its life from now on.
func (m *Machine) live(e *entry, hold time.Duration) {
	e.updated = m.now
	e.expires = m.now.Add(hold)
	e.refreshAt = time.Time{}
	if e.kind.direct() {
		e.refreshAt = e.expires.Add(-min(refreshLead, hold/4))
	}
	m.schedule(e)
}

// usedSince is when the entry last carried traffic, or was made.
func (e *entry) usedSince() time.Time {
	if e.peer != nil && e.peer.lastUsed.After(e.updated) {
		return e.peer.lastUsed
	}
	return e.updated
}

// schedule sets the entry's timer: refreshing if it is in use, idleness, the end of its life.
func (m *Machine) schedule(e *entry) {
	at := e.expires
	if e.kind.direct() {
		if idle := e.ifc.cfg.IdleTimeout; idle > 0 {
			if t := e.lastTraffic().Add(idle); at.IsZero() || t.Before(at) {
				at = t
			}
		}
		if !e.refreshAt.IsZero() && e.refreshAt.Before(at) && (m.now.Before(e.refreshAt) || e.inUse()) {
			at = e.refreshAt
		}
	}
	if !at.IsZero() && at.Before(m.now) {
		at = m.now
	}
	m.timers.set(&e.timer, e, at)
}

// lastTraffic is when traffic was last seen; before there was any, the entry's making.
func (e *entry) lastTraffic() time.Time {
	if e.peer != nil && e.peer.lastUsed.After(e.created) {
		return e.peer.lastUsed
	}
	return e.created
}

// inUse tells whether there was traffic since the entry was last confirmed.
func (e *entry) inUse() bool { return e.usedSince().After(e.updated) }

// target is what to ask for to refresh the entry.
func (e *entry) target() netip.Addr {
	if e.asked.IsValid() {
		return e.asked
	}
	return e.prefix.Addr()
}

// covered tells a next hop that is refreshed with the routes by it.
func (e *entry) covered() bool {
	return e.kind != kShortcut && slices.ContainsFunc(e.peer.entries, func(s *entry) bool {
		return s.kind == kShortcut && s.nextHop == e.prefix.Addr()
	})
}

// expire does what schedule set the timer for.
func (e *entry) expire(m *Machine) {
	idle := e.ifc.cfg.IdleTimeout
	switch {
	case !e.expires.IsZero() && !m.now.Before(e.expires):
		m.remove(e)
		return
	case e.kind.direct() && idle > 0 && m.now.Sub(e.lastTraffic()) >= idle:
		m.remove(e)
		return
	case !e.refreshAt.IsZero() && !m.now.Before(e.refreshAt):
		if e.inUse() {
			e.refreshAt = time.Time{}
			if !e.covered() {
				m.refresh(e)
			}
		}
	}
	m.schedule(e)
}
