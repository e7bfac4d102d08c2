package rib

import (
	"errors"
	"net/netip"
	"testing"

	"nave/fastpath/fib"
)

// refuseAll has a fast path without room for anything.
func refuseAll(b *fib.Batch) (out []fib.Refusal) {
	full := errors.New("full")
	for _, p := range b.Ports {
		out = append(out, fib.Refusal{What: "port", Err: full, Port: p.ID})
	}
	for _, t := range b.Tunnels {
		out = append(out, fib.Refusal{What: "tunnel", Err: full, Tunnel: t.ID})
	}
	for _, a := range b.Adjacencies {
		out = append(out, fib.Refusal{What: "adjacency", Err: full, Adj: a.ID})
	}
	for _, e := range b.Routes {
		out = append(out, fib.Refusal{What: "route", Err: full, Route: fib.RouteKey{VRF: e.VRF, Prefix: e.Prefix}})
	}
	b.Ports, b.Tunnels, b.Adjacencies, b.Routes = nil, nil, nil, nil
	return out
}

// An interface that the fast path does not take into its new VRF is not left in the old one, nor are the adjacencies out of it, and a tunnel that is to be protected does
// not go on in clear: for as long as there is no room, nothing goes on.
func TestRefusedLeavesNoOldInterface(t *testing.T) {
	r, f := newVPN(t)
	sub := Interface{Name: "Ethernet3.10", VRF: red, Addrs: []netip.Prefix{pfx("192.168.7.1/24")}, Up: true, Port: 5, Parent: 4, VLAN: 10, MAC: ce.MAC, MTU: 1500}
	r.SetInterface(sub)
	r.Neighbour(sub.Name, addr("192.168.7.2"), gatewayMAC, true)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.3/32"), NBMA: peerAt(addr("203.0.113.3"))})
	flush(t, r)
	old := f.paths(red, "192.168.7.2/32")
	peer := f.path(t, "10.255.0.3/32")
	if len(old) != 1 || f.ports[5].VRF != red || peer.Kind != fib.AdjTunnel {
		t.Fatalf("before: %+v, %+v, %+v", old, f.ports[5], peer)
	}
	f.refuse = refuseAll
	sub.VRF, sub.VLAN = blue, 20
	closed := mpls(tun)
	sealed := *tun.Tunnel
	sealed.Protected, sealed.Protection = true, 3
	closed.Tunnel = &sealed
	r.SetInterface(sub)
	r.SetInterface(closed)
	for range 3 {
		flush(t, r)
		if p, ok := f.ports[5]; ok {
			t.Errorf("the port stands: %+v", p)
		}
		if i, ok := f.tunnels[1]; ok {
			t.Errorf("the tunnel stands: %+v", i)
		}
		for _, id := range []fib.AdjID{old[0].ID, peer.ID} {
			if a, ok := f.adj[id]; ok && leadsOn(&a) {
				t.Errorf("the adjacency stands: %+v", a)
			}
		}
	}
	batches := f.batches
	if flush(t, r); f.batches != batches {
		t.Error("what is refused is tried again for no reason")
	}
	f.refuse = nil
	r.SetStatics(0, nil) // a route goes: there is room
	flush(t, r)
	flush(t, r)
	if f.ports[5].VRF != blue || f.ports[5].VLAN != 20 || !f.tunnels[1].Protected || len(r.Refused()) != 0 {
		t.Errorf("when there was room: %+v, %+v, refused %v", f.ports[5], f.tunnels[1], r.Refused())
	}
	if now := f.paths(blue, "192.168.7.2/32"); len(now) != 1 || now[0].Outer[15] != 20 {
		t.Errorf("the host in its new VRF: %+v", now)
	}
}

// What was refused only for the old entry in its place has that room at once.
func TestRefusedHasTheRoomOfTheOld(t *testing.T) {
	r, f := newVPN(t)
	flush(t, r)
	once := true
	f.refuse = func(b *fib.Batch) []fib.Refusal {
		if !once {
			return nil
		}
		once = false
		return refuseAll(b)
	}
	moved := ce
	moved.VRF = blue
	r.SetInterface(moved)
	flush(t, r)
	if f.ports[4].VRF != blue || len(r.Refused()) != 0 {
		t.Errorf("port %+v, refused %v", f.ports[4], r.Refused())
	}
}

// A link too small for the labels outside is no way, and no malformed batch either.
func TestOuterLabelsOnSmallLink(t *testing.T) {
	r, f := newVPN(t)
	small := core
	small.MTU = minTunnelMTU + labelLen - 1
	r.SetInterface(small)
	over := mpls(tun)
	r.SetInterface(over)
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("203.0.113.0/24"), Hops: []NextHop{{Addr: addr("172.16.0.2")}}}})
	r.BindLabel(pfx("203.0.113.0/24"), "Ethernet2", addr("172.16.0.2"), 17)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.3/32"), NBMA: peerAt(addr("203.0.113.3"))})
	flush(t, r)
	if a := f.path(t, "10.255.0.3/32"); a.Kind != fib.AdjDrop {
		t.Errorf("%+v", a)
	}
	small.MTU++
	r.SetInterface(small)
	flush(t, r)
	if a := f.path(t, "10.255.0.3/32"); a.Kind != fib.AdjTunnel || len(a.OuterStack()) != labelLen {
		t.Errorf("%+v", a)
	}
}
