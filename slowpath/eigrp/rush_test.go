package eigrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// rush is routes of another protocol that come at once, more than a packet holds.
func rush(n int) (ev Redistributed) {
	for i := range n {
		ev.Changed = append(ev.Changed, ExternalRoute{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i), 0}), 24), Bandwidth: 10000, Delay: 100, Reliability: 255, Load: 1, MTU: 1500,
		})
	}
	return ev
}

// Changes that take several packets come while the second of two neighbors waits to be sent the table.
func TestRushWhileOneJoins(t *testing.T) {
	w := newWorld(t, 1)
	l := w.link()
	hub, a, b := w.node("hub"), w.node("a"), w.node("b")
	for i, n := range []*node{hub, a, b} {
		n.attach(l, "lan", fmt.Sprintf("172.16.0.%d/24", i+1), 10000, 100)
	}
	hub.start()
	a.start()
	w.run(5 * time.Second)
	b.start()
	w.runUntil(10*time.Second, "b is up at the hub", func() bool { return len(hub.up()) == 2 })
	hub.handle(rush(200))
	w.run(10 * time.Second)
	for _, n := range []*node{a, b} {
		if len(n.routes) != 200 {
			t.Errorf("%s has %d routes", n.name, len(n.routes))
		}
	}
}

// Tables and changes of several packets, neighbors that come, go and begin anew, and links that lose packets: whatever of that meets, in the end all know what there is.
func TestRushes(t *testing.T) {
	for seed := range uint64(40) {
		w := newWorld(t, seed)
		w.noLoopCheck = true
		l := w.link()
		for i := range 2 + w.rng.IntN(4) {
			n := w.node(fmt.Sprint("n", i))
			n.attach(l, "lan", fmt.Sprintf("172.16.0.%d/24", i+1), 10000, 100)
			n.cfg.Wide = w.rng.IntN(4) == 0
			if w.rng.IntN(4) == 0 {
				n.iface("lan").NoSplitHorizon = true
			}
			n.start()
		}
		hub, has := w.nodes[0], 0
		change := func() {
			to := w.rng.IntN(250)
			ev := rush(to)
			for i := to; i < has; i++ {
				ev.Gone = append(ev.Gone, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i), 0}), 24))
			}
			for i := range ev.Changed {
				ev.Changed[i].Delay += w.rng.Uint64N(3)
			}
			has = to
			hub.handle(ev)
		}
		for range 60 {
			n := w.nodes[w.rng.IntN(len(w.nodes))]
			switch w.rng.IntN(9) {
			case 0, 1, 2:
				change()
			case 3:
				n.setPort("lan", func(s *InterfaceState) { s.Up = !s.Up })
			case 4:
				if n != hub {
					n.restart()
				}
			case 5:
				if n != hub {
					n.softRestart()
				}
			case 6:
				l.loss = float64(w.rng.IntN(2)) * 0.3
			case 7:
				n.handle(Clear{})
			case 8:
				n.cfg.Stub.Enabled = n != hub && !n.cfg.Stub.Enabled
				n.configure()
			}
			w.run(time.Duration(w.rng.IntN(6)*w.rng.IntN(80)) * time.Millisecond)
		}
		l.loss = 0
		for _, n := range w.nodes {
			n.setPort("lan", func(s *InterfaceState) { s.Up = true })
		}
		change()
		w.run(3 * time.Minute)
		for _, n := range w.nodes[1:] {
			if len(n.routes) != has || len(n.up()) != len(w.nodes)-1 {
				t.Fatalf("seed %d: %s has %d routes of %d, and %d neighbors of %d", seed, n.name, len(n.routes), has, len(n.up()), len(w.nodes)-1)
			}
		}
		if hub.m.active != 0 || len(hub.m.Topology()) != has+1 {
			t.Fatalf("seed %d: the hub has %d prefixes of %d, %d active", seed, len(hub.m.Topology()), has+1, hub.m.active)
		}
	}
}
