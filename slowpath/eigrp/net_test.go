package eigrp

import (
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var epoch = time.Unix(1_000_000_000, 0)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func adr(s string) netip.Addr   { return netip.MustParseAddr(s) }

// world is routers joined by links, in virtual time.
type world struct {
	t     testing.TB
	rng   *rand.Rand
	now   time.Time
	queue happenings
	count int
	nodes []*node
	links []*link
	owner map[netip.Addr]*node

	packets, bytes int
	noLoopCheck    bool
	see            func(from, to *node, s Send)
	looped         func(p netip.Prefix, way []string) // takes what goes round; nil: that fails the test
}

type happening struct {
	at    time.Time
	order int
	node  *node
	ev    Event // nil: a deadline
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, j int) bool {
	return h[i].at.Before(h[j].at) || h[i].at.Equal(h[j].at) && h[i].order < h[j].order
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) }
func (h *happenings) Pop() any {
	x := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return x
}

// link is a segment that all of its ports hear.
type link struct {
	ports    []*port
	delay    time.Duration
	loss     float64
	cut      bool  // nothing passes
	spokesTo *node // if set, packets pass only to and from it
	last     map[[2]*node]time.Time
}

type port struct {
	node *node
	link *link
	st   InterfaceState
}

type node struct {
	w       *world
	name    string
	m       *Machine
	cfg     Config
	ports   map[string]*port
	order   []string
	routes  map[netip.Prefix]Route
	logs    []Log
	armed   time.Time
	seed    uint64
	changes int
	old     map[netip.Prefix]Route // of before a soft restart
	oldFrom time.Time              // when that was, or the first of several in a row
	oldEnd  time.Time              // of the last one
	cpu     time.Duration
	mute    func(PacketReceived) // takes packets in the machine's place
}

func newWorld(t testing.TB, seed uint64) *world {
	return &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: epoch, owner: map[netip.Addr]*node{}}
}

func (w *world) node(name string) *node {
	n := &node{w: w, name: name, ports: map[string]*port{}, routes: map[netip.Prefix]Route{}, seed: uint64(len(w.nodes)) + 1}
	n.m = NewSeeded(n.seed)
	n.cfg = Config{AS: 100, RouterID: netip.AddrFrom4([4]byte{192, 0, byte(len(w.nodes) >> 8), byte(len(w.nodes))})}
	w.nodes = append(w.nodes, n)
	return n
}

func (w *world) link() *link {
	l := &link{delay: time.Millisecond, last: map[[2]*node]time.Time{}}
	w.links = append(w.links, l)
	return l
}

// attach gives a node an interface; l may be nil.
func (n *node) attach(l *link, name, addr string, bw, delay uint64) *port {
	p := &port{node: n, link: l, st: InterfaceState{Name: name, Up: true, Addrs: []netip.Prefix{pfx(addr)}, Bandwidth: bw, Delay: delay}}
	n.ports[name] = p
	n.order = append(n.order, name)
	if l != nil {
		l.ports = append(l.ports, p)
	}
	n.w.owner[pfx(addr).Addr()] = n
	n.cfg.Interfaces = append(n.cfg.Interfaces, Interface{Name: name, Passive: l == nil})
	return p
}

// start configures a node and says what its interfaces are like.
func (n *node) start() {
	n.configure()
	for _, name := range n.order {
		n.handle(n.ports[name].st)
	}
}

func (n *node) configure() { n.effects(func() []Effect { return n.m.Configure(n.w.now, n.cfg) }) }

func (n *node) handle(ev Event) {
	n.effects(func() []Effect { return n.m.Handle(n.w.now, ev) })
}

// restart forgets all, and tells nobody.
func (n *node) restart() {
	n.seed += 1000
	n.m = NewSeeded(n.seed)
	n.old, n.oldEnd = nil, time.Time{}
	clear(n.routes)
	n.start()
}

// softRestart begins anew with the routes of before, which packets go on to go by until the machine has its own.
func (n *node) softRestart() {
	if !n.m.Restarting() {
		n.oldFrom = n.w.now
	}
	n.seed += 1000
	n.m = NewSeeded(n.seed)
	n.old = maps.Clone(n.routes)

	n.cfg.Restarting, n.cfg.Inherited = true, func(p netip.Prefix) (out []netip.Addr) {
		for _, h := range n.old[p].Hops {
			out = append(out, h.Addr)
		}
		return out
	}
	n.start()
	n.cfg.Restarting = false
}

func (n *node) setPort(name string, change func(*InterfaceState)) {
	p := n.ports[name]
	change(&p.st)
	n.handle(p.st)
}

func (n *node) effects(step func() []Effect) {
	w := n.w
	start := time.Now()
	out := step()
	n.cpu += time.Since(start)
	var touched []netip.Prefix
	for _, e := range out {
		switch e := e.(type) {
		case Send:
			w.carry(n, e)
		case Route:
			if before := n.routes[e.Prefix]; !e.same(&before) {
				n.changes++
			}
			n.routes[e.Prefix] = e
			delete(n.old, e.Prefix)
			touched = append(touched, e.Prefix)
		case RouteGone:
			if _, ok := n.routes[e.Prefix]; !ok {
				w.t.Fatalf("%s: %s is taken back twice", n.name, e.Prefix)
			}
			delete(n.routes, e.Prefix)
			n.changes++
		case Log:
			n.logs = append(n.logs, e)
		}
	}
	if n.old != nil && !n.m.Restarting() { // what has not been taken over goes
		for p := range n.old {
			delete(n.routes, p)
			n.changes++
		}
		n.old, n.oldEnd = nil, w.now
	}
	if !w.noLoopCheck {
		for _, p := range touched {
			if w.looped == nil {
				w.noLoop(p)
			} else if way := w.loop(p); way != nil {
				w.looped(p, way)
			}
		}
	}
	if d := n.m.Deadline(); !d.IsZero() && !d.Equal(n.armed) {
		n.armed = d
		w.push(happening{at: d, node: n})
	}
}

func (w *world) push(h happening) {
	if h.at.Before(w.now) {
		h.at = w.now
	}
	w.count++
	h.order = w.count
	heap.Push(&w.queue, h)
}

func (w *world) carry(from *node, s Send) {
	p := from.ports[s.Iface]
	if p == nil || p.link == nil || !p.st.Up {
		return
	}
	l := p.link
	for _, to := range l.ports {
		if to == p || s.To != Group && s.To != to.st.Addrs[0].Addr() || l.spokesTo != nil && from != l.spokesTo && to.node != l.spokesTo {
			continue
		}
		w.packets++
		w.bytes += len(s.Payload) + 20
		if w.see != nil {
			w.see(from, to.node, s)
		}
		if l.cut || !to.st.Up || w.rng.Float64() < l.loss {
			continue
		}
		at := w.now.Add(l.delay + time.Duration(w.rng.Int64N(int64(l.delay)+1)))
		// A link keeps the order of what passes by it.
		if last := l.last[[2]*node{from, to.node}]; last.After(at) {
			at = last
		}
		l.last[[2]*node{from, to.node}] = at
		w.push(happening{at: at, node: to.node, ev: PacketReceived{Iface: to.st.Name, From: s.From, Multicast: s.To == Group, Payload: s.Payload}})
	}
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for len(w.queue) > 0 && !w.queue[0].at.After(end) {
		w.step()
	}
	w.now = end
}

func (w *world) step() {
	h := heap.Pop(&w.queue).(happening)
	w.now = h.at
	n := h.node
	if h.ev == nil {
		if !h.at.Equal(n.armed) {
			return // it has moved
		}
		n.armed = time.Time{}
		n.handle(Tick{})
		return
	}
	if p, ok := h.ev.(PacketReceived); ok && n.mute != nil {
		n.mute(p)
		return
	}
	n.handle(h.ev)
}

// runUntil lets time pass until something is so, and says how long it took.
func (w *world) runUntil(limit time.Duration, what string, ok func() bool) time.Duration {
	w.t.Helper()
	start := w.now
	for next := w.now; !ok(); {
		if w.now.Sub(start) > limit || len(w.queue) == 0 {
			w.t.Fatalf("not %s after %s", what, w.now.Sub(start))
		}
		next = next.Add(10 * time.Millisecond)
		for len(w.queue) > 0 && !w.queue[0].at.After(next) {
			w.step()
		}
		w.now = next
	}
	return w.now.Sub(start)
}

// noLoop sees to it that the routes of a prefix lead round nowhere.
func (w *world) noLoop(p netip.Prefix) {
	if way := w.loop(p); way != nil {
		for _, n := range w.nodes {
			w.t.Logf("%s: restarting %v, %s, %+v", n.name, n.m.Restarting(), n.m.about(p), n.routes[p].Hops)
		}
		w.t.Fatalf("%s: %s goes round: %v", w.now.Sub(epoch), p, way)
	}
}

// loop follows the routes of a prefix, where both ends know of each other, or where the next hop is one that a neighbor told of; nil: they lead round nowhere. Where only one knows,
// as the other has begun anew or lost it and the news has not come, no protocol could know better.
func (w *world) loop(p netip.Prefix) (round []string) {
	const visiting, done = 1, 2
	state := map[*node]int{}
	var visit func(n *node, way []string)
	visit = func(n *node, way []string) {
		way = append(way, n.name)
		switch state[n] {
		case visiting:
			round = slices.Clone(way[slices.Index(way, n.name):])
			return
		case done:
			return
		}
		state[n] = visiting
		if r, ok := n.routes[p]; ok {
			_, inherited := n.old[p]
			for _, h := range r.Hops {
				next := w.owner[h.Addr]
				if next == nil {
					continue
				}
				x := next.knows(h.Addr, n.ports[h.Iface])
				if inherited && x != nil && next.keeps(x, n) || !inherited && (x != nil || n.m.ifaces[h.Iface].byAddr[h.Addr] == nil) {
					visit(next, way)
				}
			}
		}
		state[n] = done
	}
	for _, n := range w.nodes {
		if visit(n, nil); round != nil {
			return round
		}
	}
	return nil
}

// knows is the router at a port as a node has it as a neighbor of the interface with an address of its own; nil: it does not.
func (n *node) knows(own netip.Addr, port *port) *neighbor {
	for _, ifc := range n.m.order {
		if x := ifc.byAddr[port.st.Addrs[0].Addr()]; x != nil && (x.up || x.resyncing) && ifc.isOwn(own) {
			return x
		}
	}
	return nil
}

// keeps says whether a node keeps what it knew of a neighbor before that restarted; or goes by what it did then, as it restarts, too. One that has begun anew is in no one's debt,
// and who forwards to it as before cannot know until the restart is over: that is the only loop that there may be.
func (n *node) keeps(x *neighbor, restarting *node) bool {
	return x.since.Before(restarting.oldFrom) || n.m.Restarting() || !x.since.After(n.oldEnd)
}

// distances are what each node should have for a prefix that a node has at a metric of its own, where all links have the same bandwidth.
func (w *world) distances(origin *port) map[*node]uint64 {
	d := map[*node]uint64{origin.node: origin.st.Delay}
	for {
		changed := false
		for _, l := range w.links {
			for _, from := range l.ports {
				have, ok := d[from.node]
				if !ok || l.cut || !from.st.Up {
					continue
				}
				for _, to := range l.ports {
					if !to.st.Up || to == from {
						continue
					}
					if v, ok := d[to.node]; !ok || have+to.st.Delay < v {
						d[to.node], changed = have+to.st.Delay, true
					}
				}
			}
		}
		if !changed {
			return d
		}
	}
}

// check compares all routes with distances.
func (w *world) check(bw uint64) error {
	for _, at := range w.nodes {
		for _, name := range slices.Sorted(maps.Keys(at.ports)) {
			p := at.ports[name]
			if p.link != nil {
				continue
			}
			prefix := p.st.Addrs[0].Masked()
			want := map[*node]uint64{}
			if p.st.Up {
				want = w.distances(p)
			}
			for _, n := range w.nodes {
				if n == at {
					continue
				}
				d, reach := want[n]
				r, ok := n.routes[prefix]
				if ok != reach {
					return fmt.Errorf("%s: route to %s: %v, want %v", n.name, prefix, ok, reach)
				}
				exp := uint32(256 * (10_000_000/bw + d))
				if n.cfg.Wide {
					exp = uint32(65536 * (10_000_000/bw + 10*d) / 128)
				}
				if ok && r.Metric != exp {
					return fmt.Errorf("%s: %s at %d, want %d", n.name, prefix, r.Metric, exp)
				}
			}
		}
	}
	for _, n := range w.nodes {
		if n.m.active != 0 {
			return fmt.Errorf("%s: %d active", n.name, n.m.active)
		}
	}
	return nil
}

// random is a world of nodes with a prefix each, links between two and some segments of more.
func random(t testing.TB, seed uint64, nodes, extra int) *world {
	w := newWorld(t, seed)
	net := 0
	ports := map[*node]int{}
	join := func(l *link, net int, ns ...*node) {
		for i, n := range ns {
			n.attach(l, fmt.Sprintf("e%d", ports[n]), fmt.Sprintf("172.%d.%d.%d/24", 16+net/256, net%256, i+1), 10000, 10+uint64(w.rng.IntN(1000)))
			ports[n]++
		}
	}
	for i := range nodes {
		n := w.node(fmt.Sprintf("r%d", i))
		n.attach(nil, "lo", fmt.Sprintf("10.%d.0.1/24", i), 10000, uint64(1+i))
		if i > 0 {
			join(w.link(), net, n, w.nodes[w.rng.IntN(i)])
			net++
		}
	}
	for range extra {
		l := w.link()
		ns := slices.Clone(w.nodes)
		w.rng.Shuffle(len(ns), func(i, j int) { ns[i], ns[j] = ns[j], ns[i] })
		join(l, net, ns[:2+w.rng.IntN(3)]...)
		net++
	}
	return w
}

// about is what a machine knows of a prefix, for when a test fails.
func (m *Machine) about(p netip.Prefix) string {
	e := m.entries[p]
	if e == nil {
		return "nothing"
	}
	s := fmt.Sprintf("active %v origin %d fd %d", e.active, e.origin, e.fd)
	for _, x := range e.paths {
		s += fmt.Sprintf("; %s %s dist %d rd %d successor %v", pathKindNames[x.kind], x.hop, x.dist, x.rd, x == e.succ)
	}
	return s
}
