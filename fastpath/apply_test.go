package fastpath

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// malformed is a batch that must not change anything, and a part of what is said about it.
type malformed struct {
	name string
	b    *fib.Batch
	want string
}

func (c *malformed) run(t *testing.T) {
	t.Run(c.name, func(t *testing.T) {
		r := newRig(t)
		gen, routes := r.e.Generation(), r.e.Counters().Routes
		// What is good in the batch must not be applied either.
		c.b.Routes = append(c.b.Routes, route("198.51.100.0/24", fib.Null))
		c.b.Adjacencies = append(c.b.Adjacencies, linkAdj(40, lan, lanMAC, hostMAC))
		refused, err := r.e.Apply(c.b)
		if err == nil || len(refused) != 0 || !strings.Contains(err.Error(), c.want) {
			t.Fatalf("refused %v, error %v, want %q", refused, err, c.want)
		}
		if r.e.Generation() != gen || r.e.Counters().Routes != routes || r.e.tables.Adj(40) != nil {
			t.Error("something was changed")
		}
	})
}

func TestMalformed(t *testing.T) {
	tun := func(f func(*fib.Tunnel)) *fib.Batch {
		a := rigBatch().Tunnels[0]
		a.ID, a.Key = 9, 9
		f(&a)
		return &fib.Batch{Tunnels: []fib.Tunnel{a}}
	}
	prt := func(f func(*fib.Port)) *fib.Batch {
		a := fib.Port{ID: 9, MTU: 1500}
		f(&a)
		return &fib.Batch{Ports: []fib.Port{a}}
	}
	rt := func(r ...fib.Route) *fib.Batch { return &fib.Batch{Routes: r} }
	for _, c := range []malformed{
		{"port 0", prt(func(p *fib.Port) { p.ID = 0 }), "port 0"},
		{"port too large", prt(func(p *fib.Port) { p.ID = 256 }), "port 256"},
		{"port VRF", prt(func(p *fib.Port) { p.VRF = 256 }), "VRF 256"},
		{"port MTU", prt(func(p *fib.Port) { p.MTU = 67 }), "MTU of 67"},
		{"port address", prt(func(p *fib.Port) { p.Addr = netip.MustParseAddr("::1") }), "not IPv4"},
		{"port twice", &fib.Batch{Ports: []fib.Port{{ID: 9, MTU: 99}, {ID: 9, MTU: 99}}}, "twice"},
		{"tunnel 0", tun(func(t *fib.Tunnel) { t.ID = 0 }), "tunnel 0"},
		{"tunnel VRF", tun(func(t *fib.Tunnel) { t.OuterVRF = 999 }), "VRF"},
		{"tunnel source", tun(func(t *fib.Tunnel) { t.Local = netip.Addr{} }), "source"},
		{"tunnel source 0", tun(func(t *fib.Tunnel) { t.Local = netip.IPv4Unspecified() }), "source"},
		{"tunnel destination", tun(func(t *fib.Tunnel) { t.Remote = netip.MustParseAddr("::1") }), "destination"},
		{"key and no key", tun(func(t *fib.Tunnel) { t.HasKey = false }), "HasKey"},
		{"tunnel MTU", tun(func(t *fib.Tunnel) { t.MTU = 0 }), "MTU"},
		{"tunnel twice", &fib.Batch{Tunnels: []fib.Tunnel{rigBatch().Tunnels[0], rigBatch().Tunnels[0]}}, "twice"},
		{"group 0", &fib.Batch{Groups: []fib.Group{{}}}, "group 0"},
		{"group twice", &fib.Batch{Groups: []fib.Group{{ID: 3}, {ID: 3}}}, "group 3"},
		{"member that the batch removes", &fib.Batch{Groups: []fib.Group{{ID: 3, Members: []fib.AdjID{17}}}, DelAdjacencies: []fib.AdjID{17}}, "member 17"},
		{"member Receive", &fib.Batch{Groups: []fib.Group{{ID: 3, Members: []fib.AdjID{fib.Receive}}}}, "member 1"},
		{"route VRF", rt(fib.Route{VRF: 256, Prefix: netip.MustParsePrefix("10.0.0.0/8"), Paths: []fib.AdjID{1}}), "VRF"},
		{"route IPv6", rt(route("2001:db8::/32", fib.Null)), "IPv4"},
		{"no prefix", rt(fib.Route{Paths: []fib.AdjID{1}}), "prefix"},
		{"route not masked", rt(route("10.0.0.1/8", fib.Null)), "10.0.0.0/8"},
		{"no paths", rt(route("10.0.0.0/8")), "0 paths"},
		{"too many paths", rt(route("10.0.0.0/8", slices.Repeat([]fib.AdjID{17}, fib.MaxPaths+1)...)), "17 paths"},
		{"path to a reserved number", rt(route("10.0.0.0/8", 5)), "adjacency 5"},
		{"route twice", rt(route("10.0.0.0/8", 17), route("10.0.0.0/8", 18)), "twice"},
		{"path to what the batch removes", &fib.Batch{Routes: []fib.Route{route("10.0.0.0/8", 17)}, DelAdjacencies: []fib.AdjID{17}}, "adjacency 17"},
		{"remove a route not masked", &fib.Batch{DelRoutes: []fib.RouteKey{{Prefix: netip.MustParsePrefix("10.0.0.1/8")}}}, "remove"},
		{"remove Receive", &fib.Batch{DelAdjacencies: []fib.AdjID{fib.Receive}}, "adjacency 1"},
	} {
		c.run(t)
	}
}

func TestMalformedAdjacency(t *testing.T) {
	adj := func(f func(*fib.Adjacency)) *fib.Batch {
		a := tunnelAdj(30, spoke1NBMA)
		f(&a)
		return &fib.Batch{Adjacencies: []fib.Adjacency{a}}
	}
	for _, c := range []malformed{
		{"reserved adjacency", adj(func(a *fib.Adjacency) { a.ID = 15 }), "adjacency 15"},
		{"kind", adj(func(a *fib.Adjacency) { a.Kind = 9 }), "kind 9"},
		{"inner too long", adj(func(a *fib.Adjacency) { a.Inner = make([]byte, 33) }), "33"},
		{"outer too long", adj(func(a *fib.Adjacency) { a.Outer = make([]byte, 65) }), "65"},
		{"no port", adj(func(a *fib.Adjacency) { a.Port = 0 }), "no port"},
		{"port out of range", adj(func(a *fib.Adjacency) { a.Port = 256 }), "out of range"},
		{"tunnel out of range", adj(func(a *fib.Adjacency) { a.Tunnel = 64 }), "out of range"},
		{"MTU", adj(func(a *fib.Adjacency) { a.MTU = 0 }), "MTU of 0"},
		{"link MTU", adj(func(a *fib.Adjacency) { a.LinkMTU = 9 }), "link MTU"},
		{"short Ethernet", adj(func(a *fib.Adjacency) { a.Outer = a.Outer[:13] }), "Ethernet"},
		{"no outer IP", adj(func(a *fib.Adjacency) { a.Outer = a.Outer[:33] }), "IPv4"},
		{"outer without TTL", adj(func(a *fib.Adjacency) { a.Outer[packet.EthernetLen+8] = 0 }), "TTL"},
		{"outer carries UDP", adj(func(a *fib.Adjacency) { a.Outer[packet.EthernetLen+9] = 17 }), "GRE"},
		{"no GRE", adj(func(a *fib.Adjacency) { a.Inner = nil }), "GRE"},
		{"GRE without its key", adj(func(a *fib.Adjacency) { a.Inner = a.Inner[:4] }), "key"},
		{"GRE with a sequence", adj(func(a *fib.Adjacency) { a.Inner[0] |= 0x10 }), "key"},
		{"link with an inner header", adj(func(a *fib.Adjacency) { a.Kind = fib.AdjLink }), "link"},
		{"next hop", adj(func(a *fib.Adjacency) { a.NextHop = netip.MustParseAddr("::1") }), "next hop"},
		{"adjacency twice", &fib.Batch{Adjacencies: []fib.Adjacency{tunnelAdj(30, spoke1NBMA), tunnelAdj(30, spoke1NBMA)}}, "twice"},
	} {
		c.run(t)
	}
}

func TestIdempotent(t *testing.T) {
	r := newRig(t)
	gen, used := r.e.Generation(), r.e.Counters().ArenaUsed
	for range 3 {
		r.apply(rigBatch())
	}
	if r.e.Generation() != gen || r.e.Counters().ArenaUsed != used {
		t.Errorf("generation %d to %d, %d to %d bytes", gen, r.e.Generation(), used, r.e.Counters().ArenaUsed)
	}
	del := &fib.Batch{
		DelRoutes: []fib.RouteKey{{Prefix: netip.MustParsePrefix("10.1.0.0/24")}, {Prefix: netip.MustParsePrefix("9.9.9.0/24")}},
		DelGroups: []fib.GroupID{1, 77}, DelAdjacencies: []fib.AdjID{17, 99}, DelTunnels: []fib.TunnelID{1, 60000}, DelPorts: []fib.PortID{1, 60000},
	}
	r.apply(del)
	gen = r.e.Generation()
	r.apply(del)
	if r.e.Generation() != gen {
		t.Error("removing twice changed something")
	}
}

func TestRefusals(t *testing.T) {
	r := newRig(t, func(c *Config, b *fib.Batch) { c.MaxRoutes = len(b.Routes) + 1; c.MaxGroups = 4 })
	far := tunnelAdj(5000, spoke1NBMA)
	again := rigBatch().Tunnels[0]
	again.ID = 2
	refused, err := r.e.Apply(&fib.Batch{
		Tunnels:     []fib.Tunnel{again},
		Adjacencies: []fib.Adjacency{far, tunnelAdj(30, spoke1NBMA)},
		Groups:      []fib.Group{{ID: 4}, {ID: 3, Members: []fib.AdjID{30}}, {ID: 2, Members: []fib.AdjID{30, 5000}}},
		Routes:      []fib.Route{route("10.20.0.0/16", 5000), route("10.23.0.0/16", 30, 99), route("10.21.0.0/16", 30), route("10.22.0.0/16", 30), route("10.1.0.0/24", 30)},
	})
	if err != nil {
		t.Fatal(err)
	}
	key := func(s string) fib.RouteKey { return fib.RouteKey{Prefix: netip.MustParsePrefix(s)} }
	want := map[string]fib.Refusal{
		"tunnel 2": {Tunnel: 2}, "adjacency 5000": {Err: ErrFull, Adj: 5000},
		"group 4": {Err: ErrFull, Group: 4}, "group 2": {Err: ErrNoAdjacency, Group: 2},
		"route 0 10.20.0.0/16": {Err: ErrNoAdjacency, Route: key("10.20.0.0/16")},
		"route 0 10.23.0.0/16": {Err: ErrNoAdjacency, Route: key("10.23.0.0/16")},
		"route 0 10.22.0.0/16": {Err: ErrFull, Route: key("10.22.0.0/16")},
	}
	for _, f := range refused {
		x, ok := want[f.What]
		if !ok || x.Err != nil && !errors.Is(f.Err, x.Err) {
			t.Errorf("refused %s: %v", f.What, f.Err)
		}
		if f.Port != x.Port || f.Tunnel != x.Tunnel || f.Adj != x.Adj || f.Group != x.Group || f.Route != x.Route {
			t.Errorf("refused %s, and the numbers say %+v", f.What, f)
		}
		delete(want, f.What)
	}
	if len(want) != 0 {
		t.Errorf("not refused: %v", want)
	}
	r.fromLAN(toLAN(ipv4(hostIP, ip4("10.21.0.1"), nil)), toLAN(ipv4(hostIP, behind1, nil)))
	if n := r.e.AdjacencyCount(30); n.Packets != 2 {
		t.Errorf("%d packets by what was accepted", n.Packets)
	}
}

// TestLaterBatch: a batch that leads to what an earlier one could not install loses those entries and nothing else, and
// succeeds once there is room.
func TestLaterBatch(t *testing.T) {
	r := newRig(t)
	b := &fib.Batch{
		Groups: []fib.Group{{ID: 3, Members: []fib.AdjID{50}}},
		Routes: []fib.Route{route("10.20.0.0/16", 50), route("10.21.0.0/16", adjSpoke1)},
	}
	refused, err := r.e.Apply(b)
	if err != nil || len(refused) != 2 || refused[0].Group != 3 || refused[1].Route.Prefix != b.Routes[0].Prefix {
		t.Fatalf("refused %v, error %v", refused, err)
	}
	if n := r.e.Counters().Routes; n != 8+1 || r.e.tables.HasGroup(3) {
		t.Errorf("%d routes installed", n)
	}
	b.Adjacencies = []fib.Adjacency{tunnelAdj(50, spoke1NBMA)}
	r.apply(b)
	r.fromLAN(toLAN(ipv4(hostIP, ip4("10.20.0.1"), nil)))
	if n := r.e.AdjacencyCount(50); n.Packets != 1 {
		t.Errorf("%d packets by the adjacency that came later", n.Packets)
	}
}

// TestArenaFull: when the region is full, entries are refused and forwarding goes on.
func TestArenaFull(t *testing.T) {
	r := newRig(t, func(c *Config, _ *fib.Batch) { c.ArenaBytes = 3 << 20; c.MaxRoutes = 1 << 20 })
	var refused []fib.Refusal
	n := 0
	for i := 0; len(refused) == 0; i++ {
		b := &fib.Batch{}
		for j := range 200 {
			b.Routes = append(b.Routes, fib.Route{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i), byte(j), 1}), 32), Paths: []fib.AdjID{adjSpoke1}})
		}
		var err error
		if refused, err = r.e.Apply(b); err != nil {
			t.Fatal(err)
		}
		n += len(b.Routes) - len(refused)
	}
	if !errors.Is(refused[0].Err, ErrFull) || r.e.Counters().Routes != n+8 {
		t.Errorf("%v; %d routes, want %d", refused[0], r.e.Counters().Routes, n+8)
	}
	r.fromLAN(toLAN(ipv4(hostIP, behind1, nil)), toLAN(ipv4(hostIP, ip4("11.0.7.1"), nil)))
	if len(r.wan.out) != 2 {
		t.Errorf("%d packets forwarded", len(r.wan.out))
	}
}

// TestCountersStartAnew: an adjacency or tunnel that gets a number which another had before starts at zero.
func TestCountersStartAnew(t *testing.T) {
	r := newRig(t)
	send := func() { r.fromLAN(toLAN(ipv4(hostIP, behind1, nil))) }
	send()
	r.apply(&fib.Batch{DelAdjacencies: []fib.AdjID{adjSpoke1}, DelTunnels: []fib.TunnelID{tunnelID}})
	if n := r.e.AdjacencyCount(adjSpoke1); n != (Count{}) {
		t.Errorf("an adjacency that is gone counts %+v", n)
	}
	r.apply(rigBatch())
	if n := r.e.AdjacencyCount(adjSpoke1); n != (Count{}) {
		t.Errorf("a new adjacency counts %+v", n)
	}
	send()
	s := r.e.Counters()
	if s.Adjacencies[adjSpoke1].Packets != 1 || s.Tunnels[tunnelID].Tx.Packets != 1 {
		t.Errorf("adjacency %+v, tunnel %+v", s.Adjacencies[adjSpoke1], s.Tunnels[tunnelID])
	}
	changed := tunnelAdj(adjSpoke1, spoke1NBMA)
	changed.MTU = 1300
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{changed}})
	send()
	if n := r.e.AdjacencyCount(adjSpoke1); n.Packets != 2 {
		t.Errorf("an adjacency that changed counts %+v", n)
	}
}

func TestConcurrentCallers(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				p := route(netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(g), byte(i), 0}), 24).String(), adjSpoke1)
				if _, err := r.e.Apply(&fib.Batch{Routes: []fib.Route{p}}); err != nil {
					t.Error(err)
				}
				_ = r.e.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, behind1, nil)})
				r.e.Counters()
			}
		}()
	}
	for range 500 {
		r.fromLAN(toLAN(ipv4(hostIP, ip4("20.1.5.5"), nil)))
	}
	wg.Wait()
	r.poll()
	if n := r.e.Counters().Routes; n != 8+600 {
		t.Errorf("%d routes", n)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []Config{
		{Workers: -1}, {Workers: 65}, {Burst: 257}, {MaxVRFs: 1 << 17}, {SlotSize: 64}, {ArenaBytes: 1 << 12}, {ArenaBytes: 1 << 33}, {MaxAdjacencies: 3},
		{MaxAdjacencies: 1 << 27}, {RedirectInterval: -1}, {ArenaBytes: 1 << 18},
	} {
		c.Private = true
		if e, err := New(c); err == nil {
			t.Errorf("%+v: no error", c)
			_ = e.Close()
		}
	}
	for _, c := range []Config{{PuntSlots: 3}, {SlotSize: 257}, {ArenaBytes: 6 << 20}} {
		c.Private = true
		e, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.NewWorker(port.NewPool(make([]byte, 1<<16), 2048)); err == nil {
			t.Errorf("a worker with %+v: no error", c)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	r := newRig(t)
	if _, err := r.e.NewWorker(r.w.pool); err == nil {
		t.Error("more workers than configured")
	}
	if r.e.Worker(1) != nil || r.e.Worker(-1) != nil || r.e.Worker(0) != r.w {
		t.Error("workers are mixed up")
	}
}

// TestTunnelsTradePlaces: a tunnel takes the packets of one that goes in the same batch, and two exchange theirs.
func TestTunnelsTradePlaces(t *testing.T) {
	r := newRig(t)
	in := toWAN(grePacket(spoke1NBMA, packet.TypeIPv4, ipv4(behind1, hubTunnel, nil)))
	two := rigBatch().Tunnels[0]
	two.ID = 2
	r.apply(&fib.Batch{Tunnels: []fib.Tunnel{two}, DelTunnels: []fib.TunnelID{tunnelID}})
	r.fromWAN(in)
	one := rigBatch().Tunnels[0]
	one.Key++
	r.apply(&fib.Batch{Tunnels: []fib.Tunnel{one}})
	r.fromWAN(in)
	one.Key, two.Key = two.Key, one.Key
	r.apply(&fib.Batch{Tunnels: []fib.Tunnel{one, two}})
	r.fromWAN(in)
	for i, want := range []fib.TunnelID{2, 2, tunnelID} {
		if got := r.punts[i].Tunnel; got != want {
			t.Errorf("packet %d came out of tunnel %d, want %d", i, got, want)
		}
	}
}
