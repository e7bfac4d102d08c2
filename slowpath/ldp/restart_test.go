package ldp

import (
	"slices"
	"testing"
	"time"
)

// graceful are two routers that restart gracefully; b has routes, which a reaches by it.
func graceful(t *testing.T, prefixes ...string) (n *simnet, a, b *box) {
	n, a, b = pair(t)
	a.cfg.GracefulRestart, b.cfg.GracefulRestart = true, true
	startAll(n)
	for _, p := range prefixes {
		b.route(FromIGP, p, "Ethernet0/0", "172.16.0.9")
		a.route(FromIGP, p, "Tunnel0", "10.0.0.2")
	}
	n.run(3 * time.Second)
	for _, p := range prefixes {
		a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	}
	return n, a, b
}

// lose breaks the connection between a router that was killed and another.
func (n *simnet) lose(dead, other *box) {
	for _, p := range slices.Clone(sortedPipes(other)) {
		if p.other.box == dead && !p.closed {
			p.closed = true
			other.handle(Closed{p.conn})
		}
	}
}

func sortedPipes(b *box) (out []*pipe) {
	for _, p := range b.pipes {
		out = append(out, p)
	}
	slices.SortFunc(out, func(x, y *pipe) int { return int(x.conn) - int(y.conn) })
	return out
}

// A router that restarts and forwards on keeps its place: its labels serve until it has told others, and what it does not tell again goes after the recovery time.
func TestRestart(t *testing.T) {
	const kept, dropped = "192.168.1.0/24", "192.168.2.0/24"
	n, a, b := graceful(t, kept, dropped)
	old := map[string]int{kept: int(b.labels[pfx(kept)]), dropped: int(b.labels[pfx(dropped)])}
	b.kill()
	n.run(time.Second)
	n.lose(b, a)
	for p, l := range old {
		a.expect(t, p, "Tunnel0", "10.0.0.2", l)
	}
	n.run(time.Second)
	b.start()
	b.handle(Inherited{[]LocalLabel{{In: uint32(old[kept])}, {In: uint32(old[dropped])}}})
	unbound := 0
	for range 4000 {
		n.run(time.Millisecond)
		if a.out(kept, "Tunnel0", "10.0.0.2") < 0 {
			unbound++
		}
	}
	if unbound > 0 || a.state("10.9.9.2") != StateOperational {
		t.Fatalf("%d ms without a label, session %v", unbound, a.state("10.9.9.2"))
	}
	b.route(FromIGP, kept, "Ethernet0/0", "172.16.0.9")
	n.run(settleTime)
	a.expect(t, kept, "Tunnel0", "10.0.0.2", int(b.labels[pfx(kept)]))
	if int(b.labels[pfx(kept)]) == old[kept] {
		t.Error("the label of before is given again")
	}
	a.expect(t, dropped, "Tunnel0", "10.0.0.2", old[dropped])
	n.run(keepTime)
	a.expect(t, dropped, "Tunnel0", "10.0.0.2", -1)
	a.expect(t, kept, "Tunnel0", "10.0.0.2", int(b.labels[pfx(kept)]))
	n.reset(a, b) // what was confirmed is kept again
	a.expect(t, kept, "Tunnel0", "10.0.0.2", int(b.labels[pfx(kept)]))
	if st, _ := a.neighbor("10.9.9.2"); st.Bindings != 2 || len(st.Addresses) == 0 { // and the loopback
		t.Errorf("%+v", st)
	}
}

// One that has not forwarded on says so, and what is kept of it goes as soon as it is there again; one that stays away is forgotten when its Hellos are missed.
func TestRestartCold(t *testing.T) {
	const p = "192.168.1.0/24"
	n, a, b := graceful(t, p)
	b.kill()
	n.lose(b, a)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	b.start()
	n.run(5 * time.Second)
	if a.state("10.9.9.2") != StateOperational {
		t.Fatal(a.state("10.9.9.2"))
	}
	a.expect(t, p, "Tunnel0", "10.0.0.2", -1)
	b.route(FromIGP, p, "Ethernet0/0", "172.16.0.9")
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	b.kill()
	n.lose(b, a)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	n.run(DefaultHelloHold + time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", -1)
	if _, ok := a.neighbor("10.9.9.2"); ok {
		t.Error("the neighbor is known still")
	}
}

// Nothing is kept of a peer that ends the session aloud, nor where one of the two does not restart gracefully.
func TestNoRestart(t *testing.T) {
	const p = "192.168.1.0/24"
	n, a, b := graceful(t, p)
	b.handle(Shutdown{})
	n.run(100 * time.Millisecond)
	a.expect(t, p, "Tunnel0", "10.0.0.2", -1)
	for _, who := range []string{"a", "b"} {
		n, a, b := pair(t)
		a.cfg.GracefulRestart, b.cfg.GracefulRestart = who == "a", who == "b"
		startAll(n)
		b.route(FromIGP, p, "Ethernet0/0", "172.16.0.9")
		a.route(FromIGP, p, "Tunnel0", "10.0.0.2")
		n.run(3 * time.Second)
		b.kill()
		n.lose(b, a)
		a.expect(t, p, "Tunnel0", "10.0.0.2", -1)
	}
}

// A connection that breaks while both live costs nothing: both say that they forward on. Twice in a row, what was not confirmed goes.
func TestRestartTwice(t *testing.T) {
	const p = "192.168.1.0/24"
	n, a, b := graceful(t, p)
	l := int(b.labels[pfx(p)])
	n.reset(a, b)
	for range 5000 {
		n.run(time.Millisecond)
		a.expect(t, p, "Tunnel0", "10.0.0.2", l)
	}
	if a.state("10.9.9.2") != StateOperational {
		t.Fatal(a.state("10.9.9.2"))
	}
	b.kill()
	n.lose(b, a)
	b.start()
	b.handle(Inherited{[]LocalLabel{{In: uint32(l)}}})
	n.run(4 * time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", l)
	b.kill()
	n.lose(b, a)
	a.expect(t, p, "Tunnel0", "10.0.0.2", -1)
}

// A router that has restarted tells a label when it has one to swap it for: the one of before goes on meanwhile. What never gets one is told a little later.
func TestRestartInTheMiddle(t *testing.T) {
	const far, untagged = "192.168.1.0/24", "192.168.2.0/24"
	n, a, b := pair(t)
	c := n.add("c", "10.9.9.3", [3]string{"Tunnel1", "other", "10.1.0.3"})
	b.ports["Tunnel1"] = port{"other", ip("10.1.0.2")}
	b.cfg.Interfaces = append(b.cfg.Interfaces, Interface{Name: "Tunnel1"})
	for _, x := range n.boxes {
		x.cfg.GracefulRestart = true
	}
	startAll(n)
	routes := func() {
		b.route(FromIGP, far, "Tunnel1", "10.1.0.3")
		b.route(FromIGP, untagged, "Ethernet0/0", "172.16.0.9")
	}
	routes()
	c.route(FromIGP, far, "Ethernet0/0", "172.16.0.9")
	for _, p := range []string{far, untagged} {
		a.route(FromIGP, p, "Tunnel0", "10.0.0.2")
	}
	n.run(5 * time.Second)
	old := map[string]int{far: int(b.labels[pfx(far)]), untagged: int(b.labels[pfx(untagged)])}
	b.expect(t, far, "Tunnel1", "10.1.0.3", int(c.labels[pfx(far)]))
	b.kill()
	n.lose(b, a)
	n.lose(b, c)
	c.dead = true // says nothing for a while
	b.start()
	b.handle(Inherited{[]LocalLabel{{In: uint32(old[far])}, {In: uint32(old[untagged])}}})
	routes()
	n.run(4 * time.Second)
	if a.state("10.9.9.2") != StateOperational {
		t.Fatal(a.state("10.9.9.2"))
	}
	for p, l := range old {
		a.expect(t, p, "Tunnel0", "10.0.0.2", l)
	}
	c.dead = false
	for range 10000 {
		n.run(time.Millisecond)
		if l := a.out(far, "Tunnel0", "10.0.0.2"); l != old[far] && (l != int(b.labels[pfx(far)]) || b.out(far, "Tunnel1", "10.1.0.3") < 0) {
			t.Fatalf("label %d, of before %d; b has %v and binds %v", l, old[far], b.labels, b.binds)
		}
	}
	a.expect(t, far, "Tunnel0", "10.0.0.2", int(b.labels[pfx(far)]))
	n.run(settleTime)
	a.expect(t, untagged, "Tunnel0", "10.0.0.2", int(b.labels[pfx(untagged)]))
}
