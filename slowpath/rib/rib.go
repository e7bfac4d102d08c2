package rib

import (
	"cmp"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
)

// Source is where a route comes from. The order is of no meaning; Distance says which wins.
type Source uint8

// The sources.
const (
	Local     Source = iota // an address of this box
	Connected               // the subnet of an interface
	Shortcut                // NHRP: a network behind a peer, by a direct path
	Static
	DHCP      // the default route that a DHCP server gave
	Adjacency // a host known on the link or through NHRP: the fast path's business, no route that others see
	BGP       // its distance comes with the route
	EIGRP     // the same; several processes may say something of a prefix
	Kernel    // what others put into the kernel's table; its distance comes with the route
)

var sourceNames = [...]string{"local", "connected", "nhrp", "static", "dhcp", "adjacency", "bgp", "eigrp", "kernel"}

// String names the source.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return "unknown"
}

// Distance is the administrative distance of a source where none is configured, as in IOS. An adjacency loses
// against every route to the same host; a shortcut wins over routing, whatever its distance says in show output.
func (s Source) Distance() int {
	return [...]int{Local: 0, Connected: 0, Shortcut: 250, Static: 1, DHCP: 254, Adjacency: 1000, BGP: 200, EIGRP: 90, Kernel: 1}[s]
}

// NextHop is one way on: out of an interface, to an address on it (the zero Addr: the destination itself is there).
// Without Iface the address is looked up in the same table, or where Table says.
type NextHop struct {
	Iface string
	Addr  netip.Addr
	// Labels are pushed on packets that go this way, under what leads to Addr.
	Labels Labels
	// Elsewhere has Addr looked up in Table: of routes of a VRF, in the global one. Without Addr it is a route that leaks: its packets go the way of the route that Table has for
	// the same prefix, and where that is attached they are looked up there themselves.
	Elsewhere bool
	Table     fib.VRF
	// Share is how much of the traffic goes this way, in proportion to the shares of the others; 0 counts as 1.
	Share uint8
}

// spot is an address on an interface: a neighbour or a next hop.
type spot struct {
	iface string
	addr  netip.Addr
}

// peer is who is at an NBMA address of a tunnel.
type peer struct {
	iface string
	at    nbma.Address
}

// candidate is what one source says of a prefix.
type candidate struct {
	source   Source
	distance int
	metric   uint32
	hops     []NextHop // none: Null0 for a static route, ours for Local
	iface    string    // which interface's candidate it is, for sources that have one each
	tag      uint32
	since    time.Time // what Learned says
	process  uint32    // the same
	external bool      // the same
}

// before tells whether a candidate wins over another: by rank; between sources of one distance by what that is by itself, so that the older of them does not matter; between
// processes of a protocol by metric, if they count by the same one, which nobody can tell.
func (c *candidate) before(o *candidate) bool {
	return cmp.Or(cmp.Compare(c.rank(), o.rank()), cmp.Compare(c.source.Distance(), o.source.Distance()), cmp.Compare(c.source, o.source), cmp.Compare(c.metric, o.metric)) < 0
}

// rank orders candidates: the least wins.
func (c *candidate) rank() int {
	switch c.source {
	case Local:
		return -2
	case Shortcut:
		return -1
	}
	return c.distance
}

// entry is all that is known of one prefix of one table.
type entry struct {
	vrf        fib.VRF
	prefix     netip.Prefix
	candidates []candidate
	installed  []*hop // what the fast path's route uses; nil where none is installed
	special    fib.AdjID
	in         bool           // a route is installed
	by         Source         // of what was chosen
	chosen     bool           // something was
	targets    []*target      // what its next hops are looked up by
	leaks      []fib.RouteKey // routes of other tables that its own leak from
	told       *Route         // what Changes last said
}

// table is one VRF.
type table struct {
	entries map[netip.Prefix]*entry
	lpm     bart.Table[*entry]
	targets bart.Table[*target]
}

// Neighbours is told which next hops on links must stay resolved.
type Neighbours interface {
	Want(iface string, addr netip.Addr)
	Unwant(iface string, addr netip.Addr)
}

// RIB is the routing tables of all VRFs.
type RIB struct {
	apply       func(*fib.Batch) ([]fib.Refusal, error)
	neighbours  Neighbours
	ifaces      map[string]*iface
	tables      map[fib.VRF]*table
	hops        map[hopKey]*hop
	byNext      map[spot]map[*hop]struct{}         // tunnel hops by the next hop
	byNeigh     map[spot]map[*hop]struct{}         // tunnel and link hops by the neighbour they are built from
	byPeer      map[peer]map[*hop]struct{}         // tunnel hops by the peer that they lead to
	byLSP       map[netip.Prefix]map[*hop]struct{} // hops by the prefixes whose labels they push
	byIface     map[string]map[*entry]int          // entries by the interfaces that their candidates name, and how often they do
	targets     map[targetKey]*target
	bound       map[netip.Prefix]map[spot]uint32 // labels of neighbours for prefixes of the global table
	labels      map[uint32]*label
	byRoute     map[fib.RouteKey]map[*label]struct{} // labels by the route that they are for
	leakers     map[fib.RouteKey]map[*entry]struct{} // entries by the routes that they leak from
	dirty       map[*entry]struct{}
	dirtyHops   map[*hop]struct{}
	dirtyLabels map[*label]struct{}
	newLabels   map[*label]struct{} // to be compared with what the fast path has
	delLabels   map[uint32]struct{}
	byID        map[fib.AdjID]*hop
	stale       bool // what targets lead to has to be worked out again
	loops       bool // next hops lead through one another
	pipe        bool
	nullLabel   bool                    // explicit null is to be installed, or taken away
	watched     bool                    // somebody asks for Changes
	changed     map[fib.RouteKey]*entry // since Changes; what is gone, too
	lastHops    []NextHop               // of what Changes last told: the next route shares them if it has the same
	lastVia     []NextHop               // likewise, of what SetRoute last was told; what routes have is never changed in place
	moves       uint64
	ids         idPool[fib.AdjID]
	groups      idPool[fib.GroupID]
	dirtyGroup  map[string]struct{} // tunnels whose list changed
	batch       fib.Batch
	freed       []fib.AdjID
	refused     map[refusedKey]fib.Refusal // what the fast path did not install, and is to be tried again
	refusedSAs  []fib.SAID
	retry       bool // something was taken away: there may be room now
	room        int  // for how much
	statics     map[fib.VRF][]StaticRoute
	dropped     map[fib.RouteKey]struct{} // old routes that go with the next batch, unless it has others in their place
	inherited   *inherited                // nil once all of it is taken over, or gone
}

// New makes an empty RIB that installs through apply and tells n which neighbours it needs.
func New(apply func(*fib.Batch) ([]fib.Refusal, error), n Neighbours) *RIB {
	return &RIB{
		apply: apply, neighbours: n,
		ifaces: make(map[string]*iface), tables: make(map[fib.VRF]*table),
		hops: make(map[hopKey]*hop), byID: make(map[fib.AdjID]*hop), byNext: make(map[spot]map[*hop]struct{}),
		byNeigh: make(map[spot]map[*hop]struct{}), byPeer: make(map[peer]map[*hop]struct{}), byLSP: make(map[netip.Prefix]map[*hop]struct{}),
		byIface: make(map[string]map[*entry]int), targets: make(map[targetKey]*target),
		bound: make(map[netip.Prefix]map[spot]uint32), labels: make(map[uint32]*label), byRoute: make(map[fib.RouteKey]map[*label]struct{}),
		leakers: make(map[fib.RouteKey]map[*entry]struct{}),
		dirty:   make(map[*entry]struct{}), dirtyHops: make(map[*hop]struct{}), dirtyLabels: make(map[*label]struct{}),
		newLabels: make(map[*label]struct{}), delLabels: make(map[uint32]struct{}), changed: make(map[fib.RouteKey]*entry),
		ids: idPool[fib.AdjID]{next: fib.FirstAdj}, groups: idPool[fib.GroupID]{next: 1},
		dirtyGroup: make(map[string]struct{}), dropped: make(map[fib.RouteKey]struct{}),
		statics: make(map[fib.VRF][]StaticRoute), refused: make(map[refusedKey]fib.Refusal),
	}
}

func (r *RIB) table(vrf fib.VRF) *table {
	t := r.tables[vrf]
	if t == nil {
		t = &table{entries: make(map[netip.Prefix]*entry)}
		r.tables[vrf] = t
	}
	return t
}

// same tells whether two candidates are the same thing said twice. Static routes of different distances are not: the
// greater stands by. Nor are routes of different processes of a protocol.
func (c *candidate) same(s Source, iface string, distance int, process uint32) bool {
	return c.source == s && c.iface == iface && (s != Static || c.distance == distance) && c.process == process
}

// add puts a candidate into a table, in the place of the same one said before.
func (r *RIB) add(vrf fib.VRF, p netip.Prefix, c candidate) {
	if c.distance == 0 {
		c.distance = c.source.Distance()
	}
	t := r.table(vrf)
	e := t.entries[p]
	if e == nil {
		e = &entry{vrf: vrf, prefix: p}
		t.entries[p] = e
		t.lpm.Insert(p, e)
	}
	r.name(e, c.hops, 1)
	for i := range e.candidates {
		if o := &e.candidates[i]; o.same(c.source, c.iface, c.distance, c.process) {
			r.name(e, o.hops, -1)
			if !c.before(o) && !o.before(&c) { // of two that are as good the older stays the better
				*o = c
				r.moved(e, c.source)
				return
			}
			e.candidates = slices.Delete(e.candidates, i, i+1)
			break
		}
	}
	at := len(e.candidates)
	for at > 0 && c.before(&e.candidates[at-1]) {
		at--
	}
	e.candidates = slices.Insert(e.candidates, at, c)
	r.moved(e, c.source)
}

// remove takes a candidate out. The distance is that of a static route.
func (r *RIB) remove(vrf fib.VRF, p netip.Prefix, s Source, iface string, distance int) {
	r.removeOf(vrf, p, s, iface, distance, 0)
}

// removeOf is remove of what one process of a protocol says.
func (r *RIB) removeOf(vrf fib.VRF, p netip.Prefix, s Source, iface string, distance int, process uint32) {
	e := r.entry(fib.RouteKey{VRF: vrf, Prefix: p})
	if e == nil {
		return
	}
	for i := range e.candidates {
		if o := &e.candidates[i]; o.same(s, iface, distance, process) {
			r.name(e, o.hops, -1)
			e.candidates = slices.Delete(e.candidates, i, i+1)
			r.moved(e, s)
			return
		}
	}
}

// name counts the interfaces that a candidate of an entry names.
func (r *RIB) name(e *entry, hops []NextHop, n int) {
	for i := range hops {
		name := hops[i].Iface
		if name == "" {
			continue
		}
		m := r.byIface[name]
		if m == nil {
			m = make(map[*entry]int)
			r.byIface[name] = m
		}
		if m[e] += n; m[e] == 0 {
			delete(m, e)
			if len(m) == 0 {
				delete(r.byIface, name)
			}
		}
	}
}

// moved notes that an entry must be worked out again, and who depends on it.
func (r *RIB) moved(e *entry, s Source) {
	r.dirty[e] = struct{}{}
	if s != Adjacency && s != Shortcut {
		r.moves++
		r.stale = r.stale || r.affects(e)
	}
}

// StaticRoute is a configured route, or the one of a DHCP server.
type StaticRoute struct {
	Prefix   netip.Prefix
	Hops     []NextHop // none: Null0
	Distance int       // 0: the source's
	Tag      uint32
	Source   Source // Static (also where zero) or DHCP
}

// SetStatics makes these the static routes of a table.
func (r *RIB) SetStatics(vrf fib.VRF, want []StaticRoute) {
	type key struct {
		p        netip.Prefix
		s        Source
		distance int
	}
	merged := make(map[key]candidate)
	for _, s := range want {
		if s.Distance == unusable {
			continue
		}
		src := Static
		if s.Source == DHCP {
			src = DHCP
		}
		c := candidate{source: src, distance: cmp.Or(s.Distance, src.Distance()), hops: s.Hops, tag: s.Tag}
		k := key{s.Prefix.Masked(), src, c.distance}
		if old, ok := merged[k]; ok { // equal cost: both ways
			c.hops = append(slices.Clone(old.hops), c.hops...)
		}
		merged[k] = c
	}
	for _, s := range r.statics[vrf] {
		if _, ok := merged[key{s.Prefix, s.Source, s.Distance}]; !ok {
			r.remove(vrf, s.Prefix, s.Source, "", s.Distance)
		}
	}
	r.statics[vrf] = r.statics[vrf][:0]
	for k, c := range merged {
		if !r.has(vrf, k.p, c) {
			r.add(vrf, k.p, c)
		}
		r.statics[vrf] = append(r.statics[vrf], StaticRoute{Prefix: k.p, Source: k.s, Distance: k.distance})
	}
}

func (r *RIB) has(vrf fib.VRF, p netip.Prefix, c candidate) bool {
	e := r.entry(fib.RouteKey{VRF: vrf, Prefix: p})
	return e != nil && slices.ContainsFunc(e.candidates, func(o candidate) bool {
		return o.source == c.source && o.distance == c.distance && o.tag == c.tag && slices.Equal(o.hops, c.hops)
	})
}

// Neighbour says that a host on a link has this MAC address, or (ok false) that it is not known any more.
func (r *RIB) Neighbour(name string, addr netip.Addr, mac [6]byte, ok bool) {
	i := r.ifaces[name]
	if i == nil || !addr.Is4() {
		return
	}
	old, had := i.neighbours[addr]
	if had == ok && old == mac {
		return
	}
	if ok && mac != [6]byte{} && mac[0]&1 == 0 {
		i.neighbours[addr] = mac
		r.host(i, addr)
	} else {
		delete(i.neighbours, addr)
		r.remove(i.VRF, netip.PrefixFrom(addr, 32), Adjacency, name, 0)
	}
	for h := range r.byNeigh[spot{name, addr}] {
		r.dirtyHops[h] = struct{}{}
	}
}

// host routes packets to a neighbour, if it is where it belongs: in a subnet of its link. A host that answers to, or
// asks from, any other address gets no packets for that: whoever is on a link could take what is somebody else's.
func (r *RIB) host(i *iface, addr netip.Addr) {
	if onLink(i.Addrs, addr) {
		r.add(i.VRF, netip.PrefixFrom(addr, 32), candidate{source: Adjacency, hops: []NextHop{{Iface: i.Name, Addr: addr}}, iface: i.Name})
	} else {
		r.remove(i.VRF, netip.PrefixFrom(addr, 32), Adjacency, i.Name, 0)
	}
}

// onLink tells whether an address is a host's in one of the subnets: neither the subnet's own nor its broadcast address.
func onLink(subnets []netip.Prefix, a netip.Addr) bool {
	for _, p := range subnets {
		if !p.Contains(a) {
			continue
		}
		if p.Bits() >= 31 { // RFC 3021
			return true
		}
		v, host := binary.BigEndian.Uint32(a.AsSlice()), uint32(1)<<(32-p.Bits())-1
		return v&host != 0 && v&host != host
	}
	return false
}

// Bind makes a next hop or a shortcut of a tunnel reachable. The same prefix again replaces the binding.
func (r *RIB) Bind(b Binding) {
	i := r.ifaces[b.Iface]
	if i == nil || i.Tunnel == nil {
		return
	}
	if old, ok := i.bindings[b.Prefix]; ok {
		if old == b {
			return
		}
		known := old
		known.Expires, known.Unique = b.Expires, b.Unique
		if known == b && !b.Shortcut { // it was learned again
			i.bindings[b.Prefix] = b
			i.nextHops.Insert(b.Prefix, b)
			r.touchBound(b.Iface, b.Prefix)
			return
		}
		if old.Shortcut != b.Shortcut {
			r.Unbind(b.Iface, b.Prefix)
		}
	}
	i.bindings[b.Prefix] = b
	if b.Shortcut {
		r.shortcut(i, b)
		return
	}
	i.nextHops.Insert(b.Prefix, b)
	if b.Prefix.IsSingleIP() {
		r.peer(i, b)
	}
	r.touchBound(b.Iface, b.Prefix)
}

// shortcut routes a network behind a peer.
func (r *RIB) shortcut(i *iface, b Binding) {
	r.add(i.VRF, b.Prefix, candidate{source: Shortcut, hops: []NextHop{{Iface: b.Iface, Addr: b.NextHop}}, iface: b.Iface})
}

// peer routes a peer's own address to it, inside the tunnel's subnet only: no registration takes what is elsewhere.
func (r *RIB) peer(i *iface, b Binding) {
	if onLink(i.Addrs, b.Prefix.Addr()) {
		r.add(i.VRF, b.Prefix, candidate{source: Adjacency, hops: []NextHop{{Iface: b.Iface, Addr: b.Prefix.Addr()}}, iface: b.Iface})
	} else {
		r.remove(i.VRF, b.Prefix, Adjacency, i.Name, 0)
	}
}

// Unbind takes a binding away.
func (r *RIB) Unbind(name string, p netip.Prefix) {
	i := r.ifaces[name]
	if i == nil {
		return
	}
	b, ok := i.bindings[p]
	if !ok {
		return
	}
	delete(i.bindings, p)
	if b.Shortcut {
		r.remove(i.VRF, p, Shortcut, name, 0)
		return
	}
	i.nextHops.Delete(p)
	r.remove(i.VRF, p, Adjacency, name, 0)
	r.touchBound(name, p)
}

// PathMTU notes the largest outer packet that gets through to a peer of a tunnel; 0 forgets it. It returns false, and
// notes nothing, for who is no peer and for what is no news: a larger one than is known.
func (r *RIB) PathMTU(name string, at nbma.Address, mtu uint16) bool {
	i := r.ifaces[name]
	if i == nil || i.Tunnel == nil {
		return false
	}
	last, was := i.pathMTU[at]
	if mtu != 0 && was && mtu >= last {
		return false
	}
	r.touchPeer(peer{name, at})
	known := len(r.byPeer[peer{name, at}]) > 0
	if mtu == 0 {
		delete(i.pathMTU, at)
		return was
	}
	if known {
		i.pathMTU[at] = mtu
	}
	return known
}

// Interfaces lists the names of the interfaces, sorted.
func (r *RIB) Interfaces() []string { return slices.Sorted(maps.Keys(r.ifaces)) }
