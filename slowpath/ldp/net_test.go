package ldp

import (
	"bytes"
	"container/heap"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// The network of these tests: routers with a machine each, on links that carry Hellos, with TCP between them, in virtual time.

var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func ip(s string) netip.Addr    { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

const latency = time.Millisecond

type event struct {
	at  time.Time
	seq int
	do  func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// simnet is the network.
type simnet struct {
	t     testing.TB
	now   time.Time
	boxes []*box
	queue queue
	seq   int
	mute  map[string]bool // links that carry nothing of Hellos
	hub   *box            // if set, Hellos go to it or come from it, as with the multicast lists of DMVPN
	cut   bool            // TCP carries nothing, and nobody is told
	wire  func(from, to *box, raw ldpmsg.Raw)
	last  Conn // inbound
}

func newNet(t testing.TB) *simnet { return &simnet{t: t, now: epoch, mute: map[string]bool{}} }

func (n *simnet) after(d time.Duration, do func()) {
	n.seq++
	heap.Push(&n.queue, event{n.now.Add(d), n.seq, do})
}

// run lets time pass.
func (n *simnet) run(d time.Duration) {
	n.t.Helper()
	end := n.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 2_000_000 {
			n.t.Fatal("the network does not come to rest")
		}
		at, due := end.Add(1), (*box)(nil)
		for _, b := range n.boxes {
			if d := b.m.Deadline(); !b.dead && !d.IsZero() && d.Before(at) {
				at, due = d, b
			}
		}
		if len(n.queue) > 0 && !n.queue[0].at.After(at) {
			if n.queue[0].at.After(end) {
				break
			}
			e := heap.Pop(&n.queue).(event)
			n.now = e.at
			e.do()
			continue
		}
		if due == nil {
			break
		}
		if at.After(n.now) {
			n.now = at
		}
		due.handle(Tick{})
	}
	n.now = end
}

// pipe is one end of a connection.
type pipe struct {
	box    *box
	conn   Conn
	other  *pipe
	closed bool
}

type bindKey struct {
	prefix netip.Prefix
	hop    NextHop
}

type port struct {
	link string
	addr netip.Addr
}

// box is a router: a machine and what its effects have made of it.
type box struct {
	name      string
	net       *simnet
	m         *Machine
	cfg       Config
	ports     map[string]port
	listening map[netip.Addr]bool
	keys      map[[2]netip.Addr]Secret
	pipes     map[Conn]*pipe
	binds     map[bindKey]uint32
	labels    map[netip.Prefix]uint32
	rested    map[uint32]netip.Prefix // the prefix that had a label last
	freed     map[uint32]time.Time
	logs      []Log
	connects  []time.Time
	hellos    int
	effects   []Effect // of the last step
	dead      bool     // killed: neither reads nor writes
	refuse    bool     // connections to it fail
}

// add puts a router on the network: its router ID, which is its loopback, and its interfaces as "Tunnel0 core 10.0.0.1".
func (n *simnet) add(name, router string, ports ...[3]string) *box {
	b := &box{name: name, net: n, cfg: Config{RouterID: ip(router)}, ports: map[string]port{}}
	for _, p := range ports {
		b.ports[p[0]] = port{p[1], ip(p[2])}
		b.cfg.Interfaces = append(b.cfg.Interfaces, Interface{Name: p[0]})
	}
	n.boxes = append(n.boxes, b)
	return b
}

// start begins with an empty machine.
func (b *box) start() {
	b.m = NewSeeded(uint64(len(b.name)) + uint64(b.name[0]))
	b.dead = false
	b.listening, b.keys, b.pipes = map[netip.Addr]bool{}, map[[2]netip.Addr]Secret{}, map[Conn]*pipe{}
	b.binds, b.labels = map[bindKey]uint32{}, map[netip.Prefix]uint32{}
	b.rested, b.freed = map[uint32]netip.Prefix{}, map[uint32]time.Time{}
	b.handle(InterfaceState{Name: "Loopback0", Up: true, Addrs: []netip.Addr{b.cfg.RouterID}})
	for _, name := range b.portNames() {
		b.handle(InterfaceState{Name: name, Up: true, Addrs: []netip.Addr{b.ports[name].addr}})
	}
	b.configure(b.cfg)
	b.route(FromConnected, b.cfg.RouterID.String()+"/32")
}

func (b *box) portNames() []string {
	var names []string
	for _, i := range b.cfg.Interfaces {
		names = append(names, i.Name)
	}
	return names
}

func (b *box) configure(c Config) {
	b.cfg = c
	b.do(b.m.Configure(b.net.now, c))
}

func (b *box) handle(ev Event) []Effect {
	effects := b.m.Handle(b.net.now, ev)
	b.do(effects)
	return effects
}

// route gives a route: hops as "Tunnel0 10.0.0.2" in turn.
func (b *box) route(src Source, prefix string, hops ...string) []Effect {
	r := Route{Prefix: pfx(prefix), Source: src}
	for i := 0; i+1 < len(hops); i += 2 {
		r.NextHops = append(r.NextHops, NextHop{hops[i], ip(hops[i+1])})
	}
	return b.handle(Routes{Changed: []Route{r}})
}

func (b *box) gone(prefix string) []Effect {
	return b.handle(Routes{Gone: []netip.Prefix{pfx(prefix)}})
}

// kill ends a router as the power does: nobody is told anything.
func (b *box) kill() {
	b.dead = true
	for _, p := range b.pipes {
		p.closed = true
	}
}

func (b *box) do(effects []Effect) {
	n := b.net
	n.t.Helper()
	b.effects = effects
	for _, e := range effects {
		switch e := e.(type) {
		case Hello:
			b.hellos++
			b.hello(e)
		case Listen:
			if b.listening[e.Local] == e.On {
				n.t.Fatalf("%s: %+v again", b.name, e)
			}
			b.listening[e.Local] = e.On
		case Key:
			b.keys[[2]netip.Addr{e.Local, e.Peer}] = e.Key
		case Connect:
			b.connects = append(b.connects, n.now)
			n.after(latency, func() { b.connect(e) })
		case Send:
			b.send(e)
		case Close:
			if p := b.pipes[e.Conn]; p != nil {
				p.close()
			}
		case Log:
			b.logs = append(b.logs, e)
		default:
			b.table(e)
		}
	}
}

// table checks that what stands is taken back, and nothing else.
func (b *box) table(e Effect) {
	t := b.net.t
	t.Helper()
	switch e := e.(type) {
	case Bind:
		k := bindKey{e.Prefix, e.NextHop}
		if old, ok := b.binds[k]; ok && old == e.Out {
			t.Fatalf("%s: %+v again", b.name, e)
		}
		b.binds[k] = e.Out
	case Unbind:
		k := bindKey{e.Prefix, e.NextHop}
		if _, ok := b.binds[k]; !ok {
			t.Fatalf("%s: %+v of nothing", b.name, e)
		}
		delete(b.binds, k)
	case LocalLabel:
		if _, ok := b.labels[e.Prefix]; ok || e.In < 16 || e.In > ldpmsg.MaxLabel {
			t.Fatalf("%s: %+v again, or reserved", b.name, e)
		}
		for p, l := range b.labels {
			if l == e.In {
				t.Fatalf("%s: label %d for %s and %s", b.name, l, p, e.Prefix)
			}
		}
		grace := b.cfg.withDefaults().LabelGrace
		if old, ok := b.rested[e.In]; ok && old != e.Prefix && b.net.now.Sub(b.freed[e.In]) < grace {
			t.Fatalf("%s: label %d of %s is given to %s after %s", b.name, e.In, old, e.Prefix, b.net.now.Sub(b.freed[e.In]))
		}
		b.labels[e.Prefix] = e.In
	case LocalLabelGone:
		if b.labels[e.Prefix] != e.In {
			t.Fatalf("%s: %+v of nothing", b.name, e)
		}
		delete(b.labels, e.Prefix)
		b.rested[e.In], b.freed[e.In] = e.Prefix, b.net.now
	}
}

// hello carries a Hello to the others on the link.
func (b *box) hello(e Hello) {
	n := b.net
	from := b.ports[e.Iface]
	for _, o := range n.boxes {
		for name, p := range o.ports {
			if o != b && p.link == from.link && !n.mute[p.link] && (n.hub == nil || b == n.hub || o == n.hub) {
				n.after(latency, func() {
					if !o.dead && o.m != nil {
						o.handle(HelloReceived{name, e.From, e.Payload})
					}
				})
			}
		}
	}
}

func (b *box) connect(e Connect) {
	n := b.net
	if n.cut || b.dead {
		return
	}
	for _, o := range n.boxes {
		if o.m == nil || o.dead || !o.listening[e.Remote.Addr()] {
			continue
		}
		if o.refuse {
			break
		}
		if want := o.keys[[2]netip.Addr{e.Remote.Addr(), e.Local}]; !bytes.Equal(want, e.Key) {
			return // the segments are dropped
		}
		n.last++
		a, c := &pipe{box: b, conn: e.Conn}, &pipe{box: o, conn: n.last | Inbound}
		a.other, c.other = c, a
		b.pipes[a.conn], o.pipes[c.conn] = a, c
		local := netip.AddrPortFrom(e.Local, uint16(11000+n.last))
		o.handle(Accepted{c.conn, e.Remote, local, len(e.Key) > 0})
		b.handle(Connected{a.conn, local, e.Remote, len(e.Key) > 0})
		return
	}
	b.handle(Closed{e.Conn})
}

// send carries bytes, in pieces of odd lengths.
func (b *box) send(e Send) {
	n := b.net
	p := b.pipes[e.Conn]
	if p == nil || p.closed {
		return
	}
	b.spy(p, e.Bytes)
	for data := e.Bytes; len(data) > 0; {
		k := min(len(data), 1+int(n.seq*7919%1460))
		part := data[:k]
		data = data[k:]
		n.after(latency, func() {
			if o := p.other; !o.closed && !o.box.dead && !n.cut {
				o.box.handle(Data{o.conn, part})
			} else if o.box.dead && !n.cut && !p.closed {
				p.closed = true // its system does not know the connection any more
				p.box.handle(Closed{p.conn})
			}
		})
	}
}

// spy shows messages to the test; all that is sent must be readable.
func (b *box) spy(p *pipe, data []byte) {
	n := b.net
	for len(data) > 0 {
		size, err := ldpmsg.Frame(data, ownMaxPDU)
		if err != nil || size == 0 {
			n.t.Fatalf("%s sends %x: %v", b.name, data, err)
		}
		_, body, err := ldpmsg.ParsePDU(data, ownMaxPDU)
		for err == nil && len(body) > 0 {
			var raw ldpmsg.Raw
			if raw, body, err = ldpmsg.Next(body); err == nil && n.wire != nil {
				n.wire(b, p.other.box, raw)
			}
		}
		if err != nil {
			n.t.Fatalf("%s sends %x: %v", b.name, data, err)
		}
		data = data[size:]
	}
}

func (p *pipe) close() {
	n := p.box.net
	p.closed = true
	n.after(latency, func() {
		if o := p.other; !o.closed && !o.box.dead && !n.cut {
			o.closed = true
			o.box.handle(Closed{o.conn})
		}
	})
}

// reset breaks the connections of two routers for both.
func (n *simnet) reset(a, b *box) {
	for _, p := range a.pipes {
		if p.other.box == b && !p.closed {
			p.closed, p.other.closed = true, true
			a.handle(Closed{p.conn})
			b.handle(Closed{p.other.conn})
		}
	}
}

func (b *box) neighbor(router string) (NeighborStatus, bool) {
	for _, st := range b.m.Neighbors() {
		if st.Peer.LSR == ip(router) {
			return st, true
		}
	}
	return NeighborStatus{}, false
}

func (b *box) state(router string) State {
	st, _ := b.neighbor(router)
	return st.State
}

// out is the label that is bound for a prefix by a next hop; -1 for none.
func (b *box) out(prefix, iface, hop string) int {
	if l, ok := b.binds[bindKey{pfx(prefix), NextHop{iface, ip(hop)}}]; ok {
		return int(l)
	}
	return -1
}

func (b *box) logged(k LogKind, code Code, received bool) int {
	n := 0
	for _, l := range b.logs {
		if l.Kind == k && l.Code == code && l.Received == received {
			n++
		}
	}
	return n
}

// pair are two routers on a link, with the first one's loopback reachable by the second and back.
func pair(t testing.TB) (n *simnet, a, b *box) {
	n = newNet(t)
	a = n.add("a", "10.9.9.1", [3]string{"Tunnel0", "core", "10.0.0.1"})
	b = n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
	return n, a, b
}

func startAll(n *simnet) {
	for _, b := range n.boxes {
		b.start()
	}
}

func (b *box) expect(t testing.TB, prefix, iface, hop string, label int) {
	t.Helper()
	if got := b.out(prefix, iface, hop); got != label {
		t.Fatalf("%s: %s by %s %s has label %d, not %d; binds %v", b.name, prefix, iface, hop, got, label, b.binds)
	}
}

func sorted(ps []string) []string { slices.Sort(ps); return ps }
