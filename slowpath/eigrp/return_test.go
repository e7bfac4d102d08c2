package eigrp

import (
	"net/netip"
	"testing"
	"time"
)

// A prefix that is lost and comes again another way, before the neighbors of an interface have been told that it was lost, is not left with them for ever.
func TestLostAndBackBeforeToldSo(t *testing.T) {
	w := newWorld(t, 1)
	x, y := w.link(), w.link()
	hub, a, s1, s2 := w.node("hub"), w.node("a"), w.node("s1"), w.node("s2")
	hub.attach(x, "x", "172.16.1.1/24", 10000, 100)
	hub.attach(y, "y", "172.16.2.1/24", 10000, 100)
	a.attach(x, "x", "172.16.1.2/24", 10000, 100)
	s1.attach(y, "y", "172.16.2.2/24", 10000, 100)
	s2.attach(y, "y", "172.16.2.3/24", 10000, 100)
	for _, s := range []*node{s1, s2} {
		s.cfg.Stub = Stub{Enabled: true, Redistributed: true, Connected: true}
	}
	y.spokesTo = hub
	w.start()
	w.run(5 * time.Second)
	p := "10.200.0.0/24"
	gone := Redistributed{Gone: []netip.Prefix{pfx(p)}}
	other := rush(2)
	other.Changed = other.Changed[1:]
	a.handle(rush(1))
	w.run(2 * time.Second)
	if !s2.has(p) {
		t.Fatal("no route")
	}
	a.handle(gone)
	hub.handle(other) // the neighbors on y are told of it; what comes next waits for the next packet
	w.runUntil(50*time.Millisecond, "lost at the hub", func() bool { return hub.m.entries[pfx(p)] == nil })
	if len(hub.m.ifaces["y"].pending) == 0 {
		t.Fatal("y has been told already")
	}
	s1.m.ifaces["y"].lastFlush = time.Time{} // it has had nothing to tell lately
	s1.handle(rush(1))
	w.run(time.Second)
	if !hub.has(p) {
		t.Fatal("the hub has no route by the stub")
	}
	s1.handle(gone)
	w.run(5 * time.Second)
	for _, n := range w.nodes {
		if n.has(p) {
			t.Errorf("%s has a route by %s", n.name, n.routes[pfx(p)].Hops[0].Addr)
		}
	}
}
