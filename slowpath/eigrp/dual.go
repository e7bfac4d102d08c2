package eigrp

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
	"nave/slowpath/timers"
)

// origin says who a diffusing computation is for, and what has happened since it began (RFC 7868 section 3.5). An odd one ends with a free choice
// of the successor; in an even one the distance by the successor has grown since, or the successor has asked, and so the choice has to be feasible.
type origin uint8

const (
	originGrown      origin = 0 // ours, and the distance grew since
	originOwn        origin = 1 // ours
	originAskedSince origin = 2 // the successor has asked since, or asked and grew
	originAsked      origin = 3 // the successor's
)

// entry is what is known of a prefix.
type entry struct {
	prefix netip.Prefix
	paths  []*path
	fd     uint64 // feasible distance
	succ   *path  // the successor; while active the one of before, which may have lost its way
	since  time.Time

	asked     bool        // while we restart: for the prefix, by somebody
	askers    []*neighbor // those who wait for our reply until then
	regained  *regained   // nil: the feasible distance is known
	active    bool
	cut       bool // active, and the successor has lost its way since: its next one may lead here
	origin    origin
	frozen    vector // what is told while active
	lastDist  uint64 // of the successor, when it was last looked at
	replies   map[*neighbor]*owing
	queryFrom *neighbor // the successor that waits for our reply
	sia       timers.Timer

	told      advert
	on        []uint64 // by slot: interfaces that were told that we reach it
	installed *Route
}

// owing is a reply that is to come.
type owing struct {
	asked    int  // SIA-Queries
	answered bool // the last of them
}

// pathKind says where a path is from.
type pathKind uint8

const (
	fromNeighbor pathKind = iota
	fromConnected
	fromRedistribution
	fromSummary
)

// path is a way to a prefix.
type path struct {
	kind     pathKind
	nbr      *neighbor
	ifc      *iface     // of the neighbor, or connected to
	hop      netip.Addr // zero: local
	reported vector     // by the neighbor; of a local path, its own
	vec      vector
	rd, dist uint64
	ext      eigrpmsg.External
	external bool
	stale    bool // told before its neighbor restarted, and not yet again
}

// measure works out what a path is worth.
func (m *Machine) measure(e *entry, p *path) {
	switch p.kind {
	case fromNeighbor:
		p.rd, p.vec = m.composite(&p.reported), m.along(p.reported, &p.ifc.link)
		if m.distance(p) == unusable || m.cfg.In != nil && !m.cfg.In(p.ifc.name, e.prefix) {
			p.vec = m.unreachable()
		}
	case fromConnected:
		p.rd, p.vec = 0, p.ifc.link
	default:
		p.rd, p.vec = 0, p.reported
	}
	p.dist = m.composite(&p.vec)
	if p.dist == infinity {
		p.vec = m.unreachable()
	}
}

// fade makes a path worth nothing; it may still be the successor of a computation.
func (m *Machine) fade(e *entry, p *path) {
	p.reported, p.vec = m.unreachable(), m.unreachable()
	p.rd, p.dist = infinity, infinity
	e.paths = slices.DeleteFunc(e.paths, func(x *path) bool { return x == p })
}

// unusable is the administrative distance of what is not to be gone by.
const unusable = 255

// distance is the administrative distance of a neighbor's path.
func (m *Machine) distance(p *path) uint8 {
	if p.external {
		return m.cfg.External
	}
	return m.cfg.Internal
}

// best is the path to use; nil if there is none: one of our own, as the RIB has it for better than ours, or else the shortest. Among equals the
// successor stays.
func (e *entry) best() *path {
	var b *path
	for _, p := range e.paths {
		if p.dist == infinity {
			continue
		}
		own := p.nbr == nil
		if b == nil || own != (b.nbr == nil) && own || own == (b.nbr == nil) && (p.dist < b.dist || p.dist == b.dist && p == e.succ) {
			b = p
		}
	}
	return b
}

// best is the path to use, as entry.best has it; but one that was redistributed gives way to a neighbor's that the RIB would prefer. That is so only where
// the neighbor cannot depend on ours, as it is nearer than we say that we are.
func (m *Machine) best(e *entry) *path {
	own := e.best()
	if own == nil || own.kind != fromRedistribution || m.externals[e.prefix].Distance == 0 {
		return own
	}
	b := own
	for _, p := range e.paths {
		if p.nbr == nil || p.dist == infinity || p.rd >= own.dist || !e.feasible(p) || m.distance(p) >= m.externals[e.prefix].Distance {
			continue
		}
		if b == own || p.dist < b.dist || p.dist == b.dist && p == e.succ {
			b = p
		}
	}
	return b
}

// feasible says whether a path cannot lead back here: it is ours, or its neighbor is nearer than we ever were since the last free choice.
func (e *entry) feasible(p *path) bool {
	switch {
	case p == nil:
		return false
	case p.nbr == nil:
		return true
	case e.regained != nil:
		return e.regainable(p)
	}
	return p.rd < e.fd
}

// learn takes what a neighbor says of a prefix; nil if nothing is known of the prefix after that.
func (m *Machine) learn(n *neighbor, r *eigrpmsg.Route, prefix netip.Prefix) *entry {
	v, hop := m.inward(r), n.addr
	if r.NextHop.IsValid() && !r.NextHop.IsUnspecified() && n.ifc.onLink(r.NextHop) {
		if hop = r.NextHop; n.ifc.isOwn(hop) {
			v = m.unreachable()
		}
	}
	if r.External != nil && r.External.Router == m.cfg.RouterID && !m.infinite(&v) {
		if _, ours := m.externals[prefix]; !ours { // else it is what we have told, as of a hub without split horizon
			m.log(Log{Kind: LogDuplicateRouter, Iface: n.ifc.name, Neighbor: n.addr, Prefix: prefix})
		}
		v = m.unreachable()
	}
	if martian(prefix) {
		return nil
	}
	e := m.entries[prefix]
	var p *path
	if e != nil {
		p = n.routes[e]
	}
	if p == nil {
		if m.infinite(&v) {
			return e
		}
		// A prefix whose paths are gone may stay for a while, as it is active, or as we restart: as many again of these.
		if m.paths >= m.cfg.MaxPaths || e == nil && len(m.entries)-len(m.externals) >= 2*m.cfg.MaxPaths {
			m.log(Log{Kind: LogTooManyPaths, Iface: n.ifc.name, Neighbor: n.addr, Prefix: prefix})
			return e
		}
		e = m.entryOf(prefix)
		p = &path{nbr: n, ifc: n.ifc}
		n.routes[e] = p
		e.paths = append(e.paths, p)
		m.paths++
	}
	p.reported, p.hop, p.external, p.ext, p.stale = v, hop, r.External != nil, eigrpmsg.External{}, false
	if p.external {
		p.ext = *r.External
	}
	m.measure(e, p)
	e.asked = e.asked || m.restarting && r.Metric.Flags&eigrpmsg.Active != 0
	return e
}

// martian says whether packets are never forwarded to a prefix: this network, ourselves, groups, and what is beyond them (RFC 1812 section 5.3.7).
func martian(p netip.Prefix) bool {
	first := p.Addr().As4()[0]
	return p.Bits() >= 8 && (first == 0 || first == 127) || p.Bits() >= 3 && first >= 224
}

func (m *Machine) entryOf(prefix netip.Prefix) *entry {
	e := m.entries[prefix]
	if e == nil {
		e = &entry{prefix: prefix, fd: infinity, since: m.now}
		e.told.vec = m.unreachable()
		if m.regaining {
			e.regained = &regained{}
		}
		e.sia.Fire = func() { m.siaDue(e) }
		m.entries[prefix] = e
		for _, ifc := range m.order { // what was lost, and is back before that was told, may still be what neighbors know
			if _, waits := ifc.pending[prefix]; waits {
				e.setOn(ifc.slot, true)
			}
		}
	}
	return e
}

// evaluate is what DUAL does after something about a prefix changed. query is the neighbor whose Query it was, nil if it was none.
func (m *Machine) evaluate(e *entry, query *neighbor) {
	if e.active {
		m.stillActive(e, query)
		return
	}
	if m.restarting {
		if query != nil {
			if e.asked = true; !slices.Contains(e.askers, query) {
				e.askers = append(e.askers, query)
			}
			m.reply(query, e.prefix)
		}
		return
	}
	best := m.best(e)
	if query != nil && e.regained != nil {
		e.regained.drop(query)
	}
	switch {
	case query != nil && e.regained != nil && e.succ != nil && e.succ.nbr == query:
		m.goActive(e, query)
		return
	case e.feasible(best):
		e.fd = min(e.fd, best.dist)
		m.settle(e, best)
	case best == nil && e.fd == infinity:
		m.settle(e, nil) // it was not reachable before either
	default:
		m.goActive(e, query)
		return
	}
	if query != nil {
		m.reply(query, e.prefix)
	}
}

// settle makes a path the successor of a passive prefix; nil: it can't be reached.
func (m *Machine) settle(e *entry, p *path) {
	e.succ, e.cut = p, false
	for _, x := range slices.Clone(e.paths) {
		if x.nbr != nil && m.infinite(&x.reported) {
			m.forget(e, x)
		}
	}
	m.note(e)
	m.install(e)
	m.touch(e)
	if len(e.paths) == 0 && m.entries[e.prefix] == e {
		delete(m.entries, e.prefix)
	}
}

// forget drops the path of a neighbor.
func (m *Machine) forget(e *entry, p *path) {
	m.fade(e, p)
	if p.nbr.routes[e] == p {
		delete(p.nbr.routes, e)
		m.paths--
	}
}

// lost takes a neighbor's path, and waits no more for its replies.
func (m *Machine) lost(e *entry, n *neighbor) {
	if p := n.routes[e]; p != nil {
		m.forget(e, p)
	}
	if e.queryFrom == n {
		e.queryFrom = nil
	}
	m.evaluate(e, nil)
	m.replied(e, n)
}

func sortedEntries[V any](of map[*entry]V) []*entry {
	return slices.SortedFunc(maps.Keys(of), func(a, b *entry) int { return a.prefix.Compare(b.prefix) })
}

func sortedNeighbors[V any](of map[*neighbor]V) []*neighbor {
	return slices.SortedFunc(maps.Keys(of), func(a, b *neighbor) int {
		return cmp.Or(cmp.Compare(a.ifc.name, b.ifc.name), a.addr.Compare(b.addr))
	})
}
