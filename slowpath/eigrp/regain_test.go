package eigrp

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// stranger says Hello from an address of a node's interface, and acknowledges what it is sent; it never gives an INIT.
type stranger struct {
	w    *world
	n    *node
	port string
	from netip.Addr
}

func (s stranger) say(p *eigrpmsg.Packet) {
	p.AS = 100
	b, err := p.Append(nil)
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.w.push(happening{at: s.w.now, node: s.n, ev: PacketReceived{Iface: s.port, From: s.from, Payload: b}})
}

// listen has it acknowledge.
func (s stranger) listen() {
	p := s.n.ports[s.port]
	fake := s.w.node("stranger")
	fake.ports["e"] = &port{node: fake, link: p.link, st: InterfaceState{Name: "e", Up: true, Addrs: []netip.Prefix{netip.PrefixFrom(s.from, 24)}}}
	p.link.ports = append(p.link.ports, fake.ports["e"])
	fake.mute = func(ev PacketReceived) {
		if q, _ := eigrpmsg.Parse(ev.Payload); q.Sequence != 0 && !ev.Multicast {
			s.say(&eigrpmsg.Packet{Opcode: eigrpmsg.Hello, Ack: q.Sequence})
		}
	}
}

func (s stranger) hello() {
	s.n.handle(PacketReceived{Iface: s.port, From: s.from, Multicast: true, Payload: helloOf(s.w.t.(*testing.T), nil)})
}

// Who says Hello, and acknowledges, but never goes on, does not keep a router from trusting what it has learned for ever.
func TestRegainingEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		first time.Duration // its first Hello, after the restart began
	}{{"from the beginning", 0}, {"later", 20 * time.Second}} {
		w := chain(t, 3).start()
		w.run(10 * time.Second)
		n := w.nodes[1]
		s := stranger{w, n, "left", adr("172.16.1.9")}
		s.listen()
		n.softRestart()
		w.run(c.first)
		for began := w.now; w.now.Sub(began) < 10*time.Minute; {
			s.hello()
			w.run(time.Second)
		}
		if n.m.regaining {
			t.Errorf("%s: it still waits", c.name)
		}
	}
}

// When all know the new table, what is as near as the ways of before is gone by, too.
func TestRegainedPathsAreUsed(t *testing.T) {
	w := newWorld(t, 1)
	a, b, c, d := w.node("a"), w.node("b"), w.node("c"), w.node("d")
	ab, ac, bd, cd := w.link(), w.link(), w.link(), w.link()
	a.attach(ab, "b", "172.16.1.1/24", 10000, 100)
	a.attach(ac, "c", "172.16.2.1/24", 10000, 100)
	b.attach(ab, "a", "172.16.1.2/24", 10000, 100)
	b.attach(bd, "d", "172.16.3.1/24", 10000, 100)
	c.attach(ac, "a", "172.16.2.2/24", 10000, 100)
	c.attach(cd, "d", "172.16.4.1/24", 10000, 100)
	d.attach(bd, "b", "172.16.3.2/24", 10000, 100)
	d.attach(cd, "c", "172.16.4.2/24", 10000, 100)
	d.attach(nil, "lo", "10.9.0.1/24", 10000, 10)
	w.start()
	w.run(10 * time.Second)
	p := pfx("10.9.0.0/24")
	if len(a.routes[p].Hops) != 2 {
		t.Fatalf("%+v", a.routes[p])
	}
	d.setPort("c", func(s *InterfaceState) { s.Up = false })
	w.run(time.Second)
	a.softRestart()
	w.run(time.Second)
	d.setPort("c", func(s *InterfaceState) { s.Up = true })
	w.run(time.Minute)
	if a.m.regaining || len(a.routes[p].Hops) != 2 {
		t.Errorf("regaining %v, %+v", a.m.regaining, a.routes[p])
	}
}

// Two neighbors that tell all again while a router restarts are not told the end of a table that has not begun.
func TestSoftClearWhileRestarting(t *testing.T) {
	w := newWorld(t, 1)
	l := w.link()
	n, a, b := w.node("n"), w.node("a"), w.node("b")
	for i, x := range w.nodes {
		x.attach(l, "lan", []string{"172.16.0.1/24", "172.16.0.2/24", "172.16.0.3/24"}[i], 10000, 100)
	}
	n.attach(nil, "lo", "10.9.0.1/24", 10000, 10)
	w.start()
	w.run(10 * time.Second)
	before := w.changes(n)
	n.softRestart()
	w.run(2500 * time.Millisecond)
	if !n.m.Restarting() || len(n.up()) != 2 {
		t.Fatalf("%v %v", n.m.Restarting(), n.up())
	}
	for _, x := range []*node{a, b} {
		x.effects(func() []Effect {
			x.m.begin(w.now)
			to := x.m.ifaces["lan"].byAddr[adr("172.16.0.1")]
			r, _ := x.m.routeFor(x.m.ifaces["lan"], pfx("172.16.0.0/24"), false)
			x.m.enqueue(to, &message{op: eigrpmsg.Update, flags: eigrpmsg.FlagInit | eigrpmsg.FlagRestart, seq: x.m.nextSequence(), body: r.Append(nil)})
			return x.m.end()
		})
	}
	w.run(time.Second)
	if !n.m.Restarting() {
		t.Fatal("restarted already")
	}
	if w.changes(n) != before || !a.has("10.9.0.0/24") {
		t.Errorf("%d changes, %+v", w.changes(n)-before, a.routes)
	}
}

// A neighbor that gives one INIT after the other has one answer on its way, whatever the line takes.
func TestINITsWithoutEnd(t *testing.T) {
	w := chain(t, 2)
	n := w.nodes[0]
	n.ports["right"].st.Bandwidth = 9
	n.start()
	s := stranger{w, n, "right", adr("172.16.1.9")}
	s.hello()
	for seq := range uint32(1000) {
		s.say(&eigrpmsg.Packet{Opcode: eigrpmsg.Update, Flags: eigrpmsg.FlagInit, Sequence: 100 + seq})
	}
	w.run(time.Second)
	if waits := len(n.m.ifaces["right"].fifo); waits > 1 {
		t.Errorf("%d packets wait", waits)
	}
}

// A prefix that nothing is forwarded to, and that an interface is of, keeps nobody waiting.
func TestMartianInterface(t *testing.T) {
	w := chain(t, 3)
	w.nodes[1].attach(nil, "x", "127.1.0.1/24", 10000, 10)
	w.start()
	w.run(10 * time.Second)
	n := w.nodes[1]
	n.setPort("x", func(s *InterfaceState) { s.Up = false })
	w.run(5 * time.Second)
	if n.m.active != 0 || w.nodes[0].has("127.1.0.0/24") {
		t.Errorf("%s", n.m.about(pfx("127.1.0.0/24")))
	}
}

// What comes and goes while a router restarts is no more than what neighbors may have told.
func TestPathsOfARestartAreBounded(t *testing.T) {
	w := chain(t, 2)
	n := w.nodes[0]
	n.cfg.MaxPaths, n.cfg.Awaiting = 10, true
	n.softRestart()
	w.nodes[1].start()
	w.run(3 * time.Second)
	for i := range 40 {
		w.nodes[1].handle(Redistributed{Changed: []ExternalRoute{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i), 0}), 24), Bandwidth: 10000, Delay: 10}}})
		w.run(200 * time.Millisecond)
		w.nodes[1].handle(Redistributed{Gone: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i), 0}), 24)}})
		if i%5 == 0 {
			w.nodes[1].handle(Clear{})
		}
		w.run(time.Second)
	}
	if !n.m.Restarting() || len(n.m.entries) > 2*n.cfg.MaxPaths {
		t.Errorf("%v, %d prefixes", n.m.Restarting(), len(n.m.entries))
	}
}

// A neighbor that comes up again while a Query for all waits to go is asked once.
func TestAskedOnce(t *testing.T) {
	w := newWorld(t, 1)
	l := w.link()
	for i, name := range []string{"n", "a", "b"} {
		w.node(name).attach(l, "lan", []string{"172.16.0.1/24", "172.16.0.2/24", "172.16.0.3/24"}[i], 10000, 100)
	}
	n := w.nodes[0]
	n.attach(nil, "lo", "10.9.0.1/24", 10000, 10)
	w.start()
	w.run(10 * time.Second)
	asked := w.queries(pfx("10.9.0.0/24"))
	ifc := n.m.ifaces["lan"]
	ifc.lastFlush = w.now
	n.setPort("lo", func(s *InterfaceState) { s.Up = false })
	if len(ifc.changes) == 0 {
		t.Fatal("nothing waits")
	}
	n.effects(func() []Effect {
		n.m.begin(w.now)
		n.m.askAgain(ifc.nbrs[0])
		return n.m.end()
	})
	w.run(5 * time.Second)
	if asked[[2]string{"n", "a"}] != 1 || asked[[2]string{"n", "b"}] != 1 || n.m.active != 0 {
		t.Errorf("asked: %v", asked)
	}
}

// Who asks while a router restarts, and then begins anew itself, waits for no reply.
func TestAskerThatRestarts(t *testing.T) {
	w := chain(t, 2).start()
	w.run(10 * time.Second)
	n := w.nodes[0]
	n.cfg.Awaiting = true
	n.softRestart()
	w.run(5 * time.Second)
	w.nodes[1].setPort("lo", func(s *InterfaceState) { s.Delay += 1000 })
	n.effects(func() []Effect {
		n.m.begin(w.now)
		x := n.m.ifaces["right"].nbrs[0]
		n.m.evaluate(n.m.entries[pfx("10.1.0.0/24")], x)
		n.m.resync(x)
		return n.m.end()
	})
	if e := n.m.entries[pfx("10.1.0.0/24")]; !e.asked || len(e.askers) != 0 {
		t.Errorf("%v, %d ask", e.asked, len(e.askers))
	}
}
