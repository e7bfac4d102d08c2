package rib

import (
	"errors"
	"slices"
	"testing"

	"nave/fastpath/fib"
)

// Whoever is on a link gets packets for its own addresses there, and for no others.
func TestNeighbourOutOfPlace(t *testing.T) {
	r, f, _ := newTest(t)
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}}})
	for _, a := range []string{"8.8.8.8", "10.1.0.77", "192.0.2.255", "192.0.2.0"} {
		r.Neighbour("Ethernet0", addr(a), gatewayMAC, true)
	}
	r.Neighbour("Ethernet1", addr("10.1.0.78"), [6]byte{255, 255, 255, 255, 255, 255}, true)
	flush(t, r)
	for _, a := range []string{"8.8.8.8/32", "10.1.0.77/32", "192.0.2.255/32", "192.0.2.0/32", "10.1.0.78/32"} {
		if _, ok := f.routes[fib.RouteKey{Prefix: pfx(a)}]; ok {
			t.Errorf("%s is routed to a host that has no business with it", a)
		}
	}
	// The link gets the subnet: now the host is where it belongs.
	with := wan
	with.Addrs = append(slices.Clone(wan.Addrs), pfx("10.1.0.65/28"))
	r.SetInterface(with)
	flush(t, r)
	if a := f.path(t, "10.1.0.77/32"); a.Port != 1 {
		t.Errorf("adjacency %+v", a)
	}
	r.SetInterface(wan)
	flush(t, r)
	if _, ok := f.routes[fib.RouteKey{Prefix: pfx("10.1.0.77/32")}]; ok {
		t.Error("the subnet is gone from the link, and the host is still routed there")
	}
}

// A binding of NHRP routes a peer's address inside the tunnel's subnet only.
func TestBindingOutOfPlace(t *testing.T) {
	r, f, _ := newTest(t)
	r.Neighbour("Ethernet0", addr("192.0.2.5"), gatewayMAC, true)
	for _, a := range []string{"10.1.0.77/32", "8.8.8.8/32", "10.255.0.255/32"} {
		r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx(a), NBMA: peerAt(addr("192.0.2.5")), NextHop: pfx(a).Addr()})
		flush(t, r)
		if _, ok := f.routes[fib.RouteKey{Prefix: pfx(a)}]; ok {
			t.Errorf("%s is routed into the tunnel because a peer said so", a)
		}
	}
}

func TestFloatingStatic(t *testing.T) {
	r, f, _ := newTest(t)
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("10.9.0.0/16"), Hops: []NextHop{{Iface: "Ethernet0", Addr: addr("192.0.2.9")}}},
		{Prefix: pfx("10.9.0.0/16"), Hops: []NextHop{{Iface: "Ethernet1", Addr: addr("10.1.0.9")}}, Distance: 200},
	})
	flush(t, r)
	if a := f.path(t, "10.9.0.0/16"); a.Port != 1 {
		t.Errorf("at first: %+v", a)
	}
	down := wan
	down.Up = false
	r.SetInterface(down)
	flush(t, r)
	if a := f.path(t, "10.9.0.0/16"); a.Port != 2 {
		t.Errorf("the first way is gone: %+v", a)
	}
	r.SetStatics(0, nil)
	flush(t, r)
	if _, ok := f.routes[fib.RouteKey{Prefix: pfx("10.9.0.0/16")}]; ok {
		t.Error("the routes are gone, and something is left")
	}
}

// A tunnel takes whatever way to its peer there is: not the one by a link that is down, nor only the first of two.
func TestUnderlay(t *testing.T) {
	r, f, _ := newTest(t)
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	r.Neighbour("Ethernet1", addr("10.1.0.254"), gatewayMAC, true)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr("198.51.100.5")), NextHop: addr("10.255.0.5")})
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("198.51.100.0/24"), Hops: []NextHop{{Addr: addr("172.31.0.1")}}}, // recursive
		{Prefix: pfx("172.31.0.0/16"), Hops: []NextHop{{Iface: "Ethernet1", Addr: addr("10.1.0.254")}}},
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}},
	})
	flush(t, r)
	if a := f.path(t, "10.255.0.5/32"); a.Kind != fib.AdjTunnel || a.Port != 2 {
		t.Fatalf("by the recursive route: %+v", a)
	}
	r.SetStatics(0, []StaticRoute{ // the gateway of the recursive route moves
		{Prefix: pfx("198.51.100.0/24"), Hops: []NextHop{{Addr: addr("172.31.0.1")}}},
		{Prefix: pfx("172.31.0.0/16"), Hops: []NextHop{{Iface: "Ethernet0", Addr: addr("192.0.2.254")}}},
	})
	flush(t, r)
	if a := f.path(t, "10.255.0.5/32"); a.Kind != fib.AdjTunnel || a.Port != 1 {
		t.Fatalf("after the gateway moved: %+v", a)
	}
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("198.51.100.0/24"), Hops: []NextHop{{Iface: "Ethernet1", Addr: addr("10.1.0.254")}}},
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}},
	})
	down := lan
	down.Up = false
	r.SetInterface(down)
	flush(t, r)
	if a := f.path(t, "10.255.0.5/32"); a.Kind != fib.AdjTunnel || a.Port != 1 {
		t.Errorf("the specific route's link is down, the default is up: %+v", a)
	}
}

// A port that is down is none for the fast path.
func TestPortDown(t *testing.T) {
	r, f, _ := newTest(t)
	flush(t, r)
	down := lan
	down.Up = false
	r.SetInterface(down)
	flush(t, r)
	if _, ok := f.ports[2]; ok {
		t.Error("the fast path still has the port")
	}
	r.SetInterface(lan)
	flush(t, r)
	if f.ports[2].MAC != lan.MAC {
		t.Errorf("up again: %+v", f.ports[2])
	}
}

// What the fast path had no room for is said again once something went away, and shown until then.
func TestRefused(t *testing.T) {
	r, f, _ := newTest(t)
	flush(t, r)
	full := errors.New("no room")
	f.refuse = func(b *fib.Batch) (out []fib.Refusal) {
		for _, a := range b.Adjacencies {
			out = append(out, fib.Refusal{What: "adjacency", Err: full, Adj: a.ID})
		}
		for _, e := range b.Routes {
			out = append(out, fib.Refusal{What: "route " + e.Prefix.String(), Err: full, Route: fib.RouteKey{VRF: e.VRF, Prefix: e.Prefix}})
		}
		b.Adjacencies, b.Routes = nil, nil
		return out
	}
	one := StaticRoute{Prefix: pfx("10.9.0.0/16"), Hops: []NextHop{{Addr: addr("192.0.2.9")}}}
	r.SetStatics(0, []StaticRoute{one})
	flush(t, r)
	if got := r.Refused(); len(got) != 2 || got[1].What != "route 10.9.0.0/16" {
		t.Fatalf("refused: %+v", got)
	}
	f.refuse = nil
	r.SetStatics(0, []StaticRoute{one, {Prefix: pfx("10.8.0.0/16")}})
	r.SetStatics(0, []StaticRoute{one})
	flush(t, r)
	r.SetStatics(0, []StaticRoute{one, {Prefix: pfx("10.8.0.0/16")}})
	flush(t, r)
	r.SetStatics(0, []StaticRoute{one}) // a route goes: there is room
	flush(t, r)
	flush(t, r)
	if a := f.path(t, "10.9.0.0/16"); a.Kind != fib.AdjGlean || len(r.Refused()) != 0 {
		t.Errorf("after there was room: %+v, refused %+v", a, r.Refused())
	}
}
