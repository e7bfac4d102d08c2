package gateway

import (
	"net/netip"
	"testing"

	"nave/fastpath/fib"
)

func old() *fib.Batch {
	a := netip.MustParseAddr
	return &fib.Batch{
		Ports: []fib.Port{{ID: 3, MAC: [6]byte{2, 3}, Addr: a("192.0.2.1")}, {ID: 1, MAC: [6]byte{2, 1}, Addr: a("198.51.100.50")}},
		Tunnels: []fib.Tunnel{
			{ID: 2, Local: a("192.0.2.1"), Key: 7, HasKey: true, Protected: true, Protection: 5},
			{ID: 4, Local: a("192.0.2.1"), Remote: a("203.0.113.9"), Protected: true, Protection: 6},
		},
		SAs: []fib.SA{{ID: 1, Protection: 1}},
		Adjacencies: []fib.Adjacency{
			{ID: 16, Kind: fib.AdjGlean, Port: 1}, {ID: 17, Kind: fib.AdjLink, Port: 1, NextHop: a("198.51.100.254")}, {ID: 18, Kind: fib.AdjGlean, Port: 3},
			{ID: 19, Kind: fib.AdjTunnel, Port: 1, Tunnel: 2, NextHop: a("10.0.0.1")},
		},
		Routes: []fib.Route{
			{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Paths: []fib.AdjID{16}}, {Prefix: netip.MustParsePrefix("0.0.0.0/0"), Paths: []fib.AdjID{17}},
			{Prefix: netip.MustParsePrefix("198.51.0.0/16"), Paths: []fib.AdjID{16}}, {Prefix: netip.MustParsePrefix("192.0.2.0/28"), Paths: []fib.AdjID{18}},
			{Prefix: netip.MustParsePrefix("198.51.100.254/32"), Paths: []fib.AdjID{17}}, {Prefix: netip.MustParsePrefix("10.0.0.0/8"), Paths: []fib.AdjID{19}},
			{Prefix: netip.MustParsePrefix("10.9.0.0/16"), Paths: []fib.AdjID{16, 17}},
		},
	}
}

// What the fast path has is found again by what it is, whatever it is called and in whatever order; what is new takes no number of old.
func TestNumbersOfBefore(t *testing.T) {
	n := newNumbers()
	n.inherit(old())
	a := netip.MustParseAddr
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"a new port", int(n.port("Ethernet7", [6]byte{2, 9})), 2}, {"a port of before", int(n.port("Ethernet0", [6]byte{2, 3})), 3}, {"the other", int(n.port("Ethernet1", [6]byte{2, 1})), 1},
		{"the same again", int(n.port("Ethernet0", [6]byte{2, 77})), 3},
		{"a new tunnel", int(n.tunnel("Tunnel0", fib.Tunnel{Local: a("192.0.2.1"), Key: 8, HasKey: true})), 1},
		{"a tunnel of before, its source not known", int(n.tunnel("Tunnel9", fib.Tunnel{Key: 7, HasKey: true})), 2},
		{"one that looks like it", int(n.tunnel("Tunnel8", fib.Tunnel{Key: 7, HasKey: true})), 3},
		{"a point-to-point tunnel of before", int(n.tunnel("Tunnel1", fib.Tunnel{Local: a("192.0.2.1"), Remote: a("203.0.113.9")})), 4},
		{"a protection of before", int(n.protection("Tunnel9 vpn", 2)), 5}, {"one of a new tunnel", int(n.protection("Tunnel0 vpn", 1)), 2},
		{"one that two tunnels share now", int(n.protection("Tunnel9 vpn", 4)), 5},
	} {
		if c.got != c.want {
			t.Errorf("%s: number %d, want %d", c.what, c.got, c.want)
		}
	}
	n.disinherit()
	if got := n.protection("another", 1); got != 1 {
		t.Errorf("after all is taken over: number %d", got)
	}
}

func TestPresumedLeases(t *testing.T) {
	var p presumed
	p.inherit(old())
	want := Lease{Address: netip.MustParsePrefix("198.51.100.50/24"), Gateway: netip.MustParseAddr("198.51.100.254")}
	if p.leases[1] != want {
		t.Errorf("port 1: %+v", p.leases[1])
	}
	if p.leases[3] != (Lease{Address: netip.MustParsePrefix("192.0.2.1/28")}) {
		t.Errorf("port 3: %+v", p.leases[3])
	}
}

// A lease is read off the routes of the VRF that its port is in, and of no other.
func TestPresumedLeasesOfVRFs(t *testing.T) {
	b := old()
	b.Ports[1].VRF = 3
	for _, vrf := range []fib.VRF{3, 0} {
		for k := range b.Routes {
			b.Routes[k].VRF = vrf
		}
		var p presumed
		p.inherit(b)
		if got := p.leases[1].Address.IsValid(); got != (vrf == 3) {
			t.Errorf("routes of VRF %d: %+v", vrf, p.leases[1])
		}
	}
}
