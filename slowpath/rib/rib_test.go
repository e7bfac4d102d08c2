package rib

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath/fib"
)

// wanted notes which neighbours are to be kept.
type wanted map[NextHop]int

func (w wanted) Want(iface string, a netip.Addr)   { w[NextHop{Iface: iface, Addr: a}]++ }
func (w wanted) Unwant(iface string, a netip.Addr) { w[NextHop{Iface: iface, Addr: a}]-- }

func addr(s string) netip.Addr  { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

var (
	wan = Interface{Name: "Ethernet0", Addrs: []netip.Prefix{pfx("192.0.2.1/24")}, Up: true, Port: 1, MAC: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500}
	lan = Interface{Name: "Ethernet1", Addrs: []netip.Prefix{pfx("10.1.0.1/24"), pfx("10.1.1.1/24")}, Up: true, Port: 2, MAC: [6]byte{2, 0, 0, 0, 0, 2}, MTU: 1500}
	tun = Interface{Name: "Tunnel0", Addrs: []netip.Prefix{pfx("10.255.0.2/24")}, Up: true, MTU: 1400, MSS: 1360,
		Tunnel: &Tunnel{ID: 1, Local: addr("192.0.2.1"), Key: 100, HasKey: true, TTL: 255, Network: 1}}
	gatewayMAC = [6]byte{2, 0, 0, 0, 9, 9}
)

func newTest(t testing.TB) (*RIB, *fakeFIB, wanted) {
	f, w := newFakeFIB(t), wanted{}
	r := New(f.apply, w)
	r.SetInterface(wan)
	r.SetInterface(lan)
	r.SetInterface(tun)
	return r, f, w
}

func flush(t testing.TB, r *RIB) {
	t.Helper()
	r.FlushGroups()
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
}

// path is the adjacency of the only path of a route.
func (f *fakeFIB) path(t testing.TB, p string) fib.Adjacency {
	t.Helper()
	paths, ok := f.routes[fib.RouteKey{Prefix: pfx(p)}]
	if !ok || len(paths) != 1 {
		t.Fatalf("route %s: paths %v", p, paths)
	}
	if paths[0] < fib.FirstAdj {
		return fib.Adjacency{ID: paths[0]}
	}
	return f.adj[paths[0]]
}

func TestConnected(t *testing.T) {
	r, f, _ := newTest(t)
	flush(t, r)
	for _, p := range []string{"192.0.2.1/32", "10.1.0.1/32", "10.1.1.1/32", "10.255.0.2/32"} {
		if a := f.path(t, p); a.ID != fib.Receive {
			t.Errorf("%s goes to adjacency %+v, want Receive", p, a)
		}
	}
	if a := f.path(t, "10.1.1.0/24"); a.Kind != fib.AdjGlean || a.Port != 2 || a.NextHop.IsValid() {
		t.Errorf("secondary subnet: %+v", a)
	}
	if a := f.path(t, "10.255.0.0/24"); a.Kind != fib.AdjGlean || a.Tunnel != 1 {
		t.Errorf("tunnel subnet: %+v", a)
	}
	down := lan
	down.Up = false
	r.SetInterface(down)
	flush(t, r)
	if _, ok := f.routes[fib.RouteKey{Prefix: pfx("10.1.0.0/24")}]; ok {
		t.Error("the subnet of a link that is down is still routed")
	}
	if a := f.path(t, "10.1.0.1/32"); a.ID != fib.Receive {
		t.Error("the address of a link that is down is not ours any more")
	}
}

func TestNeighbour(t *testing.T) {
	r, f, w := newTest(t)
	host := addr("10.1.0.7")
	r.Neighbour("Ethernet1", host, gatewayMAC, true)
	flush(t, r)
	a := f.path(t, "10.1.0.7/32")
	if a.Kind != fib.AdjLink || a.Port != 2 || !bytes.Equal(a.Outer[:6], gatewayMAC[:]) || !bytes.Equal(a.Outer[6:12], lan.MAC[:]) {
		t.Errorf("adjacency %+v", a)
	}
	if w[NextHop{Iface: "Ethernet1", Addr: host}] != 1 {
		t.Errorf("the neighbour is not kept: %v", w)
	}
	r.Neighbour("Ethernet1", host, [6]byte{}, false)
	flush(t, r)
	if _, ok := f.routes[fib.RouteKey{Prefix: pfx("10.1.0.7/32")}]; ok || w[NextHop{Iface: "Ethernet1", Addr: host}] != 0 {
		t.Error("the neighbour is gone and still routed or kept")
	}
}

func TestTunnelBinding(t *testing.T) {
	r, f, w := newTest(t)
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}},
		{Prefix: pfx("10.3.0.0/16"), Hops: []NextHop{{Addr: addr("10.255.0.3")}}},
	})
	flush(t, r)
	if a := f.path(t, "10.3.0.0/16"); a.Kind != fib.AdjGlean || a.NextHop != addr("10.255.0.3") || a.Tunnel != 1 {
		t.Fatalf("unbound next hop: %+v", a)
	}
	// First through the NHS, while the direct path is looked for.
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.3/32"), NBMA: peerAt(addr("198.51.100.1")), NextHop: addr("10.255.0.3"), Via: true})
	flush(t, r)
	if a := f.path(t, "10.3.0.0/16"); a.Kind != fib.AdjDrop {
		t.Fatalf("gateway not resolved, adjacency %+v", a)
	}
	if w[NextHop{Iface: "Ethernet0", Addr: addr("192.0.2.254")}] != 1 {
		t.Fatalf("the gateway towards the peer is not kept: %v", w)
	}
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	flush(t, r)
	a := f.path(t, "10.3.0.0/16")
	if a.Kind != fib.AdjTunnel || !a.Resolve || a.NextHop != addr("10.255.0.3") || a.Port != 1 || a.MTU != 1400 || a.LinkMTU != 1500 || a.MSS != 1360 {
		t.Fatalf("by the NHS: %+v", a)
	}
	if want := []byte{0x20, 0, 8, 0, 0, 0, 0, 100}; !bytes.Equal(a.Inner, want) {
		t.Errorf("GRE header % x, want % x", a.Inner, want)
	}
	if ip := a.Outer[14:]; len(a.Outer) != 34 || ip[0] != 0x45 || ip[8] != 255 || ip[9] != 47 ||
		!bytes.Equal(ip[12:16], []byte{192, 0, 2, 1}) || !bytes.Equal(ip[16:], []byte{198, 51, 100, 1}) {
		t.Errorf("outer header % x", a.Outer)
	}
	// Then directly: the same adjacency changes, no route moves.
	before, entries := a.ID, f.entries
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.3/32"), NBMA: peerAt(addr("198.51.100.3")), NextHop: addr("10.255.0.3")})
	flush(t, r)
	a = f.path(t, "10.3.0.0/16")
	if a.Resolve || a.ID != before || !bytes.Equal(a.Outer[30:], []byte{198, 51, 100, 3}) {
		t.Errorf("direct: %+v", a)
	}
	if f.entries-entries != 1 {
		t.Errorf("a changed binding wrote %d entries, want 1", f.entries-entries)
	}
	if host := f.path(t, "10.255.0.3/32"); host.ID != a.ID {
		t.Errorf("the peer itself has another adjacency: %+v", host)
	}
	r.Unbind("Tunnel0", pfx("10.255.0.3/32"))
	flush(t, r)
	if a := f.path(t, "10.3.0.0/16"); a.Kind != fib.AdjGlean {
		t.Errorf("after Unbind: %+v", a)
	}
}

func TestShortcutWinsAndHides(t *testing.T) {
	r, f, _ := newTest(t)
	r.Neighbour("Ethernet0", addr("192.0.2.1"), gatewayMAC, true)
	r.Neighbour("Ethernet0", addr("192.0.2.3"), gatewayMAC, true)
	r.Neighbour("Ethernet0", addr("192.0.2.9"), gatewayMAC, true)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.1/32"), NBMA: peerAt(addr("192.0.2.9")), NextHop: addr("10.255.0.1")})
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("10.3.0.0/24"), Hops: []NextHop{{Addr: addr("10.255.0.1")}}}})
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.3/32"), NBMA: peerAt(addr("192.0.2.3")), NextHop: addr("10.255.0.3")})
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.3.0.0/24"), NBMA: peerAt(addr("192.0.2.3")), NextHop: addr("10.255.0.3"), Shortcut: true})
	flush(t, r)
	if a := f.path(t, "10.3.0.0/24"); !bytes.Equal(a.Outer[30:], []byte{192, 0, 2, 3}) {
		t.Errorf("the shortcut does not win: %+v", a)
	}
	got, ok := r.Lookup(0, addr("10.3.0.1"))
	if !ok || got.Source != Static || len(got.Hops) != 1 || got.Hops[0] != (NextHop{Iface: "Tunnel0", Addr: addr("10.255.0.1")}) {
		t.Errorf("Lookup sees %+v, must see what routing says", got)
	}
	if got, _ := r.Lookup(0, addr("10.255.0.3")); got.Source != Connected {
		t.Errorf("Lookup of a peer: %+v", got)
	}
	var sources []Source
	for _, x := range r.Routes(0) {
		if x.Prefix == pfx("10.3.0.0/24") {
			sources = append(sources, x.Source)
		}
	}
	if !slices.Equal(sources, []Source{Shortcut, Static}) && !slices.Equal(sources, []Source{Static, Shortcut}) {
		t.Errorf("routes shown for the prefix: %v", sources)
	}
	r.Unbind("Tunnel0", pfx("10.3.0.0/24"))
	flush(t, r)
	if a := f.path(t, "10.3.0.0/24"); !bytes.Equal(a.Outer[30:], []byte{192, 0, 2, 9}) {
		t.Errorf("after the shortcut: %+v", a)
	}
}

func TestDistanceAndEqualCost(t *testing.T) {
	r, f, _ := newTest(t)
	a, b := addr("192.0.2.10"), addr("10.1.0.10")
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("10.9.0.0/16"), Hops: []NextHop{{Addr: a}}},
		{Prefix: pfx("10.9.0.0/16"), Hops: []NextHop{{Addr: b}}},
		{Prefix: pfx("10.8.0.0/16"), Hops: []NextHop{{Addr: a}}, Distance: 200},
		{Prefix: pfx("10.8.0.0/16"), Hops: []NextHop{{Addr: b}}, Distance: 5},
		{Prefix: pfx("10.7.0.0/16")},
		{Prefix: pfx("10.6.0.0/16"), Hops: []NextHop{{Addr: addr("10.9.1.1")}}},   // recursive, by both
		{Prefix: pfx("10.5.0.0/16"), Hops: []NextHop{{Addr: addr("172.31.0.1")}}}, // leads nowhere
	})
	flush(t, r)
	if n := len(f.routes[fib.RouteKey{Prefix: pfx("10.9.0.0/16")}]); n != 2 {
		t.Errorf("equal cost: %d paths", n)
	}
	if x := f.path(t, "10.8.0.0/16"); x.Port != 2 {
		t.Errorf("the greater distance won: %+v", x)
	}
	if x := f.path(t, "10.7.0.0/16"); x.ID != fib.Null {
		t.Errorf("Null0: %+v", x)
	}
	if n := len(f.routes[fib.RouteKey{Prefix: pfx("10.6.0.0/16")}]); n != 2 {
		t.Errorf("recursive: %d paths", n)
	}
	if _, ok := f.routes[fib.RouteKey{Prefix: pfx("10.5.0.0/16")}]; ok {
		t.Error("a next hop that leads nowhere is routed")
	}
	// One of the two links goes: the recursive route follows.
	down := lan
	down.Up = false
	r.SetInterface(down)
	flush(t, r)
	if n := len(f.routes[fib.RouteKey{Prefix: pfx("10.6.0.0/16")}]); n != 1 {
		t.Errorf("recursive after a link went down: %d paths", n)
	}
}

func TestRecursionLoop(t *testing.T) {
	r, f, _ := newTest(t)
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("10.20.0.0/16"), Hops: []NextHop{{Addr: addr("10.21.0.1")}}},
		{Prefix: pfx("10.21.0.0/16"), Hops: []NextHop{{Addr: addr("10.20.0.1")}}},
		{Prefix: pfx("10.22.0.0/16"), Hops: []NextHop{{Addr: addr("10.22.0.1")}}},
	})
	flush(t, r)
	for k := range f.routes {
		if k.Prefix.Addr().As4()[1] >= 20 && k.Prefix.Addr().As4()[1] <= 22 {
			t.Errorf("%v is routed in a circle", k.Prefix)
		}
	}
}

func TestMulticast(t *testing.T) {
	r, f, _ := newTest(t)
	a, b := addr("192.0.2.5"), addr("192.0.2.6")
	for _, n := range []netip.Addr{a, b} {
		r.Neighbour("Ethernet0", n, gatewayMAC, true)
		r.Multicast("Tunnel0", peerAt(n), true)
	}
	flush(t, r)
	g := f.tunnels[1].Group
	if len(f.groups[g]) != 2 || f.adj[f.groups[g][0]].Kind != fib.AdjTunnel {
		t.Fatalf("group %d: %v", g, f.groups[g])
	}
	// A member that leaves keeps its adjacency until the list is written without it.
	gone := f.groups[g][0]
	r.Multicast("Tunnel0", peerAt(a), false)
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.adj[gone]; !ok || len(f.groups[g]) != 2 || !r.GroupsWait() {
		t.Fatalf("before FlushGroups: adjacency there %v, group %v", ok, f.groups[g])
	}
	flush(t, r)
	if len(f.groups[g]) != 1 || r.GroupsWait() {
		t.Errorf("after FlushGroups: %v", f.groups[g])
	}
	if _, ok := f.adj[gone]; ok {
		t.Error("nothing uses the adjacency, and it is still there")
	}
	r.RemoveInterface("Tunnel0")
	flush(t, r)
	if len(f.groups) != 0 || len(f.tunnels) != 0 {
		t.Errorf("after the tunnel: groups %v, tunnels %v", f.groups, f.tunnels)
	}
}

func TestPathMTU(t *testing.T) {
	r, f, _ := newTest(t)
	pmtud := tun
	tt := *tun.Tunnel
	tt.PathMTU = true
	pmtud.Tunnel = &tt
	r.SetInterface(pmtud)
	r.Neighbour("Ethernet0", addr("192.0.2.5"), gatewayMAC, true)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr("192.0.2.5")), NextHop: addr("10.255.0.5")})
	flush(t, r)
	if r.PathMTU("Tunnel0", peerAt(addr("192.0.2.77")), 1000) {
		t.Error("a path MTU to nobody was believed")
	}
	if !r.PathMTU("Tunnel0", peerAt(addr("192.0.2.5")), 1300) || r.PathMTU("Tunnel0", peerAt(addr("192.0.2.5")), 1350) {
		t.Error("a smaller one must be news, a larger one must not")
	}
	flush(t, r)
	if a := f.path(t, "10.255.0.5/32"); a.MTU != 1300-28 || !a.CopyDF {
		t.Errorf("path MTU 1300: adjacency takes %d", a.MTU)
	}
	r.PathMTU("Tunnel0", peerAt(addr("192.0.2.5")), 0)
	flush(t, r)
	if a := f.path(t, "10.255.0.5/32"); a.MTU != 1400 {
		t.Errorf("path MTU forgotten: adjacency takes %d", a.MTU)
	}
}

// Whatever the order of changes, the fast path ends up as if the last state had been set up at once; nothing leaks.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r, f, w := newTest(t)
		type state struct {
			up      map[string]bool
			neigh   map[netip.Addr]bool
			bound   map[int]Binding
			mcast   map[int]bool
			statics []StaticRoute
		}
		s := state{up: map[string]bool{"Ethernet0": true, "Ethernet1": true, "Tunnel0": true}, neigh: map[netip.Addr]bool{}, bound: map[int]Binding{}, mcast: map[int]bool{}}
		nbma := func(k int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + k)}) }
		peer := func(k int) netip.Addr { return netip.AddrFrom4([4]byte{10, 255, 0, byte(10 + k)}) }
		ifaces := map[string]Interface{"Ethernet0": wan, "Ethernet1": lan, "Tunnel0": tun}
		set := func(r *RIB, name string, up bool) {
			i := ifaces[name]
			i.Up = up
			r.SetInterface(i)
		}
		for range 200 {
			k := rng.IntN(4)
			switch rng.IntN(7) {
			case 0:
				n := []string{"Ethernet0", "Ethernet1", "Tunnel0"}[rng.IntN(3)]
				s.up[n] = !s.up[n]
				set(r, n, s.up[n])
			case 1:
				s.neigh[nbma(k)] = !s.neigh[nbma(k)]
				r.Neighbour("Ethernet0", nbma(k), gatewayMAC, s.neigh[nbma(k)])
			case 2:
				b := Binding{Iface: "Tunnel0", Prefix: netip.PrefixFrom(peer(k), 32), NBMA: peerAt(nbma(rng.IntN(4))), NextHop: peer(k), Via: rng.IntN(2) == 0}
				s.bound[k] = b
				r.Bind(b)
			case 3:
				r.Unbind("Tunnel0", netip.PrefixFrom(peer(k), 32))
				delete(s.bound, k)
			case 4:
				s.mcast[k] = !s.mcast[k]
				r.Multicast("Tunnel0", peerAt(nbma(k)), s.mcast[k])
			case 5:
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 50, byte(k), 0}), 24)
				b := Binding{Iface: "Tunnel0", Prefix: p, NBMA: peerAt(nbma(k)), NextHop: peer(k), Shortcut: true}
				if _, ok := s.bound[100+k]; ok {
					r.Unbind("Tunnel0", p)
					delete(s.bound, 100+k)
				} else {
					r.Bind(b)
					s.bound[100+k] = b
				}
			case 6:
				s.statics = nil
				for j := range rng.IntN(5) {
					s.statics = append(s.statics, StaticRoute{
						Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 50, byte(j), 0}), 24),
						Hops:   []NextHop{{Addr: []netip.Addr{peer(k), nbma(k), addr("10.50.9.9"), addr("10.50.0.1")}[rng.IntN(4)]}},
					})
				}
				r.SetStatics(0, s.statics)
			}
			if rng.IntN(3) == 0 {
				flush(t, r)
			}
		}
		flush(t, r)
		fresh, ff, fw := newTest(t)
		for n, up := range s.up {
			set(fresh, n, up)
		}
		fresh.SetStatics(0, s.statics)
		for a, ok := range s.neigh {
			fresh.Neighbour("Ethernet0", a, gatewayMAC, ok)
		}
		for _, b := range s.bound {
			fresh.Bind(b)
		}
		for k, ok := range s.mcast {
			fresh.Multicast("Tunnel0", peerAt(nbma(k)), ok)
		}
		flush(t, fresh)
		if got, want := f.describe(), ff.describe(); !slices.Equal(got, want) {
			t.Fatalf("seed %d: forwarding differs from a fresh start:\ngot  %s\nwant %s", seed, diff(got, want), diff(want, got))
		}
		if len(f.adj) != len(ff.adj) {
			t.Fatalf("seed %d: %d adjacencies, a fresh start has %d", seed, len(f.adj), len(ff.adj))
		}
		positive := func(m wanted) map[NextHop]bool {
			out := map[NextHop]bool{}
			for k, n := range m {
				if n != 0 {
					out[k] = true
				}
			}
			return out
		}
		if !maps.Equal(positive(w), positive(fw)) {
			t.Fatalf("seed %d: neighbours kept %v, want %v", seed, positive(w), positive(fw))
		}
	}
}

func diff(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// Registering ten thousand peers costs the same for the last as for the first.
func BenchmarkBind(b *testing.B) {
	r, f, _ := newTest(b)
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}}})
	_ = f
	n := 0
	for b.Loop() {
		p := netip.AddrFrom4([4]byte{10, 255, byte(n >> 8), byte(n)})
		r.Bind(Binding{Iface: "Tunnel0", Prefix: netip.PrefixFrom(p, 32), NBMA: peerAt(netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)})), NextHop: p})
		if n%100 == 99 {
			if err := r.Flush(); err != nil {
				b.Fatal(err)
			}
		}
		n++
	}
}
