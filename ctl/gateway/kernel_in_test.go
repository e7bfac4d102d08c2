package gateway

import (
	"fmt"
	"net/netip"
	"testing"

	"nave/slowpath"
	"nave/slowpath/host"
)

// The control plane is told of routes by interfaces of nave's, and that they are gone when they lead elsewhere.
func TestKernelRoutesTold(t *testing.T) {
	s := &space{name: "red"}
	s.vrf.Store(uint32(red))
	s.links.set(3, device{name: "Ethernet1", id: 1})
	s.tunnels.set(4, device{name: "Tunnel1"})
	k := &kernelImport{told: make(map[netip.Prefix]bool)}
	pfx, addr := netip.MustParsePrefix, netip.MustParseAddr
	tell := func(r host.OtherRoute) []slowpath.KernelRoute { return k.translate(s, []host.OtherRoute{r}) }
	for _, c := range []struct {
		name string
		in   host.OtherRoute
		want string
	}{
		{"by a tunnel", host.OtherRoute{Prefix: pfx("10.1.0.0/16"), Protocol: 188, Metric: 20, Hops: []host.OtherHop{{Link: 4, Gateway: addr("10.5.0.2"), Weight: 1}}},
			"[{7 10.1.0.0/16 188 20 [{Tunnel1 10.5.0.2 {0 [0 0 0]} false 0 0}] false false}]"},
		{"by a port too", host.OtherRoute{Prefix: pfx("10.1.0.0/16"), Protocol: 188, Metric: 20,
			Hops: []host.OtherHop{{Link: 4, Gateway: addr("10.5.0.2"), Weight: 256}, {Link: 3, Weight: 1}, {Link: 9, Weight: 1}}},
			"[{7 10.1.0.0/16 188 20 [{Tunnel1 10.5.0.2 {0 [0 0 0]} false 0 255} {Ethernet1 invalid IP {0 [0 0 0]} false 0 1}] false false}]"},
		{"by others now", host.OtherRoute{Prefix: pfx("10.1.0.0/16"), Protocol: 188, Hops: []host.OtherHop{{Link: 9, Weight: 1}}}, "[{7 10.1.0.0/16 0 0 [] false true}]"},
		{"by others still", host.OtherRoute{Prefix: pfx("10.1.0.0/16"), Protocol: 188, Hops: []host.OtherHop{{Link: 9, Weight: 1}}}, "[]"},
		{"gone, and never told", host.OtherRoute{Prefix: pfx("10.1.0.0/16"), Gone: true}, "[]"},
		{"to nowhere", host.OtherRoute{Prefix: pfx("10.2.0.0/16"), Protocol: 4, Discard: true}, "[{7 10.2.0.0/16 4 0 [] true false}]"},
		{"gone", host.OtherRoute{Prefix: pfx("10.2.0.0/16"), Gone: true}, "[{7 10.2.0.0/16 0 0 [] false true}]"},
	} {
		if got := fmt.Sprint(tell(c.in)); got != c.want {
			t.Errorf("%s: told %s, want %s", c.name, got, c.want)
		}
	}
	before := s.tunnels.generation()
	s.tunnels.set(4, device{name: "Tunnel1"})
	if s.tunnels.generation() != before {
		t.Error("the same again is a change")
	}
	s.tunnels.remove("Tunnel1")
	if got := tell(host.OtherRoute{Prefix: pfx("10.3.0.0/16"), Hops: []host.OtherHop{{Link: 4, Weight: 1}}}); len(got) != 0 || s.tunnels.generation() == before {
		t.Errorf("by a tunnel that is gone: %v", got)
	}
	s.vrf.Store(noVRF)
	if got := tell(host.OtherRoute{Prefix: pfx("10.4.0.0/16"), Discard: true}); got != nil {
		t.Errorf("of a table that is none: %v", got)
	}
}
