package eigrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// downs counts neighbors that went down, of all nodes.
func (w *world) downs() (sum int) {
	for _, n := range w.nodes {
		for _, l := range n.logs {
			if l.Kind == LogNeighborDown {
				sum++
			}
		}
	}
	return sum
}

// The subnet of a secondary address is told; a neighbor on it is none.
func TestSecondaryAddresses(t *testing.T) {
	w := chain(t, 3)
	w.nodes[1].ports["right"].st.Addrs = append(w.nodes[1].ports["right"].st.Addrs, pfx("172.30.0.1/24"))
	w.start()
	w.run(5 * time.Second)
	if !w.nodes[0].has("172.30.0.0/24") || w.nodes[2].has("172.30.0.0/24") { // split horizon
		t.Errorf("%v", w.nodes[0].routes)
	}
	w.nodes[1].handle(PacketReceived{Iface: "right", From: adr("172.30.0.9"), Multicast: true, Payload: helloOf(t, nil)})
	if len(w.nodes[1].m.Neighbors()) != 2 || !w.nodes[1].logged(LogNotOnSubnet, 0) {
		t.Errorf("%+v", w.nodes[1].m.Neighbors())
	}
	w.nodes[1].setPort("right", func(s *InterfaceState) { s.Addrs = s.Addrs[:1] })
	w.run(time.Second)
	if w.nodes[0].has("172.30.0.0/24") || w.downs() != 0 {
		t.Errorf("%v, %d down", w.nodes[0].routes, w.downs())
	}
}

// Two addresses are a subnet, one is none.
func TestNarrowSubnets(t *testing.T) {
	for bits, want := range map[int]int{31: 1, 32: 0} {
		w := newWorld(t, 1)
		l := w.link()
		for i := range 2 {
			n := w.node(fmt.Sprintf("r%d", i))
			n.attach(l, "e0", fmt.Sprintf("10.0.0.%d/%d", i, bits), 10000, 10)
			n.attach(nil, "lo", fmt.Sprintf("10.%d.0.1/24", i+1), 10000, 10)
		}
		w.start()
		w.run(5 * time.Second)
		if got := len(w.nodes[0].up()); got != want || w.nodes[0].has("10.2.0.0/24") != (want > 0) || w.nodes[0].logged(LogNotOnSubnet, 0) != (want == 0) {
			t.Errorf("/%d: %d neighbors, %+v", bits, got, w.nodes[0].logs)
		}
	}
}

// What can change without neighbors noticing does not take them down: MTU, timers, distribute lists, variance.
func TestChangesOnTheFly(t *testing.T) {
	w := chain(t, 3)
	for i := range 100 { // more than a small packet holds
		w.nodes[2].ports["lo"].st.Addrs = append(w.nodes[2].ports["lo"].st.Addrs, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i), 1}), 24))
	}
	w.start()
	w.run(5 * time.Second)
	mid := w.nodes[1]
	largest, small := 0, false
	w.see = func(from, _ *node, s Send) {
		if small && from == mid {
			largest = max(largest, len(s.Payload)+20)
		}
	}
	small = true
	mid.setPort("left", func(s *InterfaceState) { s.MTU = 576 })
	mid.setPort("right", func(s *InterfaceState) { s.MTU = 576 })
	w.run(3 * time.Second)
	if largest > 576 || largest < 400 {
		t.Errorf("packets of %d bytes", largest)
	}
	for _, s := range w.nodes[0].m.Topology() {
		if s.Prefix == pfx("10.9.7.0/24") && s.Paths[0].Metric.MTU != 576 {
			t.Errorf("an MTU of %d is told", s.Paths[0].Metric.MTU)
		}
	}
	// A longer interval, with a hold time that goes with it; and back.
	for _, hello := range []time.Duration{40 * time.Second, 2 * time.Second} {
		mid.iface("left").Hello, mid.iface("left").Hold = hello, 3*hello
		mid.configure()
		w.run(3 * time.Minute)
		for _, s := range w.nodes[0].m.Neighbors() {
			if s.Hold != 3*hello {
				t.Errorf("hold time %s, want %s", s.Hold, 3*hello)
			}
		}
	}
	mid.cfg.In = func(_ string, p netip.Prefix) bool { return p != pfx("10.9.7.0/24") }
	mid.cfg.Variance, mid.cfg.MaximumPaths = 4, 2
	mid.configure()
	w.run(time.Second)
	if w.nodes[0].has("10.9.7.0/24") || !w.nodes[0].has("10.9.8.0/24") {
		t.Error("the list filters otherwise")
	}
	mid.cfg.In = nil
	mid.configure()
	w.run(time.Second)
	if !w.nodes[0].has("10.9.7.0/24") || w.downs() != 0 {
		t.Errorf("%d neighbors went down", w.downs())
	}
}

// A route may pass as many routers as `metric maximum-hops` says.
func TestMaximumHops(t *testing.T) {
	w := chain(t, 7)
	for _, n := range w.nodes {
		n.cfg.MaximumHops = 4
	}
	w.start()
	w.run(5 * time.Second)
	for i, n := range w.nodes {
		if got := n.has("10.6.0.0/24"); got != (i >= 2 && i < 6) {
			t.Errorf("r%d: %v", i, got)
		}
	}
}

// One that says Hello and nothing else is forgotten, whatever hold time it asks for.
func TestHalfANeighbor(t *testing.T) {
	w := chain(t, 2)
	w.nodes[0].start()
	w.nodes[0].handle(PacketReceived{Iface: "right", From: adr("172.16.1.9"), Multicast: true, Payload: helloOf(t, func(p *eigrpmsg.Packet) { p.Parameters.Hold = 0xffff })})
	if len(w.nodes[0].m.Neighbors()) != 1 {
		t.Fatal("no neighbor")
	}
	w.run(2 * time.Minute)
	if got := w.nodes[0].m.Neighbors(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// A point-to-point link with borrowed addresses: the two have no subnet in common, are neighbors, and tell no subnet of the link.
func TestUnnumbered(t *testing.T) {
	for _, unicast := range []bool{false, true} {
		w := newWorld(t, 1)
		l := w.link()
		for i := range 2 {
			n := w.node(fmt.Sprintf("r%d", i))
			n.attach(l, "Tunnel0", fmt.Sprintf("192.168.%d.1/32", i), 10000, 10).st.Unnumbered = true
			n.attach(nil, "lo", fmt.Sprintf("192.168.%d.1/24", i), 10000, 10)
			if unicast {
				n.iface("Tunnel0").Neighbors = []netip.Addr{adr(fmt.Sprintf("192.168.%d.1", 1-i))}
			}
			w.owner[pfx(fmt.Sprintf("192.168.%d.1/24", i)).Addr()] = n
		}
		w.start()
		w.run(5 * time.Second)
		n := w.nodes[0]
		if r := n.routes[pfx("192.168.1.0/24")]; len(n.routes) != 1 || len(r.Hops) != 1 || r.Hops[0].Addr != adr("192.168.1.1") || n.logged(LogNotOnSubnet, 0) {
			t.Errorf("routes %v, %+v", n.routes, n.logs)
		}
		// An address of its own takes the link out of that.
		n.setPort("Tunnel0", func(s *InterfaceState) { s.Unnumbered = false })
		w.run(time.Second)
		if len(n.up()) != 0 || len(n.routes) != 0 {
			t.Errorf("with an address of its own: neighbors %v, routes %v", n.up(), n.routes)
		}
	}
}
