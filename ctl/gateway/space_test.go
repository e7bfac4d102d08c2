package gateway

import (
	"net/netip"
	"testing"

	"nave/fastpath/fib"
)

// TestTapName: a subinterface's netdev is told from others in Linux's 15 characters.
func TestTapName(t *testing.T) {
	g := &Gateway{ports: map[string]*port{"Ethernet0/0": {netdev: "eth0"}, "Ethernet1/0": {netdev: "enp132s0f1np10"}, "Ethernet2/0": {netdev: "enp132s0f1np11"}}}
	for name, want := range map[string]string{
		"Ethernet0/0.10": "eth0.10", "Ethernet0/0.4294967295": "eth0.4294967295", "Ethernet1/0.1000": "32s0f1np10.1000", "Ethernet2/0.1000": "32s0f1np11.1000",
		"Ethernet1/0.4294967295": "np10.4294967295", "Ethernet9/0.7": "Ethernet9_0.7",
	} {
		if got := g.tapName(name); got != want || len(got) > 15 {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestIndices: a netdev that has moved on is not found where it was.
func TestIndices(t *testing.T) {
	var x indices
	x.set(3, device{"Ethernet0", 1})
	x.set(5, device{"Ethernet1", 2})
	x.set(7, device{"Ethernet0", 1}) // it has another index now
	if _, ok := x.find(3); ok {
		t.Error("the old index is still an interface")
	}
	if d, ok := x.find(7); !ok || d.name != "Ethernet0" || d.id != 1 {
		t.Errorf("found %+v, %v", d, ok)
	}
	x.remove("Ethernet0")
	if _, ok := x.find(7); ok {
		t.Error("it was removed")
	}
	if d, ok := x.find(5); !ok || d.id != 2 {
		t.Errorf("found %+v, %v", d, ok)
	}
}

// TestSlots: sockets stand where the program of the port looks for them, whatever number the fast path has for the port: subinterfaces have numbers, too.
func TestSlots(t *testing.T) {
	var s slots
	s.set(200, 1)
	s.set(3, 2)
	for id, number := range map[fib.PortID]uint32{200: 1, 3: 2} {
		if got := s.of(id, 5); got != slot(number, 5) || got != number*queuesPerPort+5 {
			t.Errorf("queue 5 of port %d: slot %d", id, got)
		}
	}
}

// TestNeighbourSet: what is not wanted any more is not asked for again.
func TestNeighbourSet(t *testing.T) {
	n := make(neighbourSet)
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	n.set("Ethernet0", a, false)
	n.set("Ethernet0", a, true)
	n.set("Ethernet0", b, true)
	n.set("Ethernet0", a, false)
	n.set("Ethernet1", a, true)
	if len(n["Ethernet0"]) != 1 || !n["Ethernet0"][b] || !n["Ethernet1"][a] {
		t.Errorf("%v", n)
	}
}
