package slowpath

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
	"nave/testbed/ports"
)

// pe is a router with a speaker that has sockets: its address is one of the loopback network, which all are on as if by Ethernet, with labels.
type pe struct {
	t       testing.TB
	addr    netip.Addr
	speaker *bgp.Speaker
	engine  *vpnEngine
	todo    chan func()

	mu     sync.Mutex // whoever has it turns the crank
	router *Router
	config Config
}

// peHost is its Linux.
type peHost struct {
	host
	pe *pe
}

func (h *peHost) Log(Event)                      {}
func (h *peHost) EIGRP(fib.VRF, eigrp.Send)      {}
func (h *peHost) Routes([]rib.Change)            {}
func (h *peHost) Want(string, netip.Addr)        {}
func (h *peHost) Resolve(_ string, a netip.Addr) {}

func (h *peHost) Originate(announce []bgp.Local, retract []bgp.Key) {
	p := h.pe
	p.todo <- func() {
		if err := p.speaker.Retract(retract...); err != nil {
			p.t.Error(err)
		}
		if err := p.speaker.Announce(announce...); err != nil {
			p.t.Error(err)
		}
	}
}

func peAddr(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, byte(n), 1}) }

// newPE makes router n of those from 1 to all. Each has VRFs red and blue, with the same subnet in both.
func newPE(t testing.TB, n, all int, port uint16) *pe {
	p := &pe{t: t, addr: peAddr(n), engine: newVPNEngine(), todo: make(chan func(), 10_000)}
	p.router = NewSeeded(p.engine, &peHost{pe: p}, uint64(n))
	lan := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 1}), 24)
	p.config = Config{
		VRFs: []VRF{{ID: red, Name: "red"}, {ID: blue, Name: "blue"}},
		Interfaces: []Interface{
			{Interface: rib.Interface{Name: "Ethernet0", Addrs: []netip.Prefix{netip.PrefixFrom(p.addr, 16)}, Up: true, Port: 1, MAC: [6]byte{2, 0, 0, 0, 0, byte(n)}, MTU: 1500, MPLS: true}},
			{Interface: rib.Interface{Name: "Ethernet1", VRF: red, Addrs: []netip.Prefix{lan}, Up: true, Port: 2, MAC: [6]byte{2, 0, 0, 0, 1, byte(n)}, MTU: 1500}},
			{Interface: rib.Interface{Name: "Ethernet2", VRF: blue, Addrs: []netip.Prefix{lan}, Up: true, Port: 3, MAC: [6]byte{2, 0, 0, 0, 2, byte(n)}, MTU: 1500}},
		},
		Statics: map[fib.VRF][]rib.StaticRoute{},
		BGP: BGP{On: true, Redistribute: []Redistribute{
			{VRF: red, Source: rib.Connected}, {VRF: blue, Source: rib.Connected}, {VRF: red, Source: rib.Static}, {VRF: blue, Source: rib.Static},
		}},
	}
	p.config.BGP.Speaker = bgp.Config{AS: 1, RouterID: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), Port: port, Listen: []netip.Addr{p.addr}, VRFs: []bgp.VRF{vrfOf(t, "red", "1:1"), vrfOf(t, "blue", "2:2")}}
	p.speaker = bgp.New(bgp.Env{Deliver: p.deliver, Labels: p.router.Labels(time.Now)})
	t.Cleanup(p.speaker.Close)
	go func() {
		for f := range p.todo {
			f()
		}
	}()
	t.Cleanup(func() { close(p.todo) })
	p.configure()
	for k := 1; k <= all; k++ {
		p.turn(func(r *Router) { r.Neighbour("Ethernet0", peAddr(k), [6]byte{2, 0, 0, 0, 0, byte(k)}, true) })
	}
	return p
}

func vrfOf(t testing.TB, name, id string) bgp.VRF {
	d, err := bgp.ParseRD(id)
	if err != nil {
		t.Fatal(err)
	}
	rt, err := bgp.ParseRouteTarget(id)
	if err != nil {
		t.Fatal(err)
	}
	return bgp.VRF{Name: name, RD: d, Import: []bgp.RouteTarget{rt}, Export: []bgp.RouteTarget{rt}}
}

func (p *pe) turn(f func(r *Router)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p.router.At(time.Now()))
}

// deliver takes what the speaker says in portions, as the gateway does.
func (p *pe) deliver(e bgp.Effects) {
	for w := range slices.Chunk(e.Swaps, 1000) {
		p.turn(func(r *Router) { r.BGP(bgp.Effects{Swaps: w}) })
	}
	for x := range slices.Chunk(e.Routes, 1000) {
		p.turn(func(r *Router) { r.BGP(bgp.Effects{Routes: x}) })
	}
}

func (p *pe) configure() {
	p.t.Helper()
	p.turn(func(r *Router) {
		if err := r.Configure(p.config); err != nil {
			p.t.Error(err)
		}
	})
	if err := p.speaker.Configure(p.config.BGP.Speaker); err != nil {
		p.t.Error(err)
	}
}

// with makes another a neighbour.
func (p *pe) with(o *pe, client bool, out string) {
	c := &p.config.BGP.Speaker
	c.Neighbours = append(c.Neighbours, bgp.Neighbour{
		Address: o.addr, RemoteAS: 1, UpdateSource: p.addr, Client: client, ConnectRetry: time.Second, Families: []bgp.Activation{{Family: bgp.VPNv4, Out: out}},
	})
}

// hop is the adjacency of a route.
func (p *pe) hop(vrf fib.VRF, prefix string) (a fib.Adjacency, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := p.engine.tables[fib.RouteKey{VRF: vrf, Prefix: pfx(prefix)}]
	if len(ids) == 0 {
		return a, false
	}
	a, ok = p.engine.adjacencies[ids[0]]
	return a, ok
}

// label is an entry of its label table, with the adjacency that it leads to.
func (p *pe) label(n uint32) (l fib.Label, a fib.Adjacency) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l = p.engine.labels[n]; len(l.Paths) > 0 {
		a = p.engine.adjacencies[l.Paths[0]]
	}
	return l, a
}

// installed counts labels and routes.
func (p *pe) installed() (labels, routes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.engine.labels), len(p.engine.tables)
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// star is a hub that reflects, and spokes; out is the hub's route-map.
func star(t testing.TB, spokes int, out string) (hub *pe, all []*pe) {
	port := ports.TCP(t)
	hub = newPE(t, 1, spokes+1, port)
	hub.config.BGP.Speaker.RouteMaps = map[string]bgp.RouteMap{"NEXTHOP": {{NextHop: hub.addr}}}
	for n := range spokes {
		s := newPE(t, n+2, spokes+1, port)
		s.with(hub, false, "")
		hub.with(s, true, out)
		all = append(all, s)
	}
	hub.configure()
	for _, s := range all {
		s.configure()
	}
	return hub, all
}

// reaches follows the labels of a packet from a router until they are used up: where it comes out, and in which VRF.
func reaches(t *testing.T, from *pe, vrf fib.VRF, prefix string, all []*pe) (string, fib.VRF) {
	a, ok := from.hop(vrf, prefix)
	if !ok {
		return "no route", 0
	}
	for range 4 {
		if len(a.Labels) != 1 {
			return fmt.Sprintf("labels %v", a.Labels), 0
		}
		next := all[a.Outer[5]-1] // the last byte of the MAC address is its number
		l, on := next.label(a.Labels[0])
		switch {
		case l.In == 0:
			return fmt.Sprintf("%s does not know label %d", next.addr, a.Labels[0]), 0
		case l.Action == fib.LabelLookup:
			return next.addr.String(), l.VRF
		case l.Action == fib.LabelForward:
			return next.addr.String(), on.VRF
		}
		a = on
	}
	return "a loop", 0
}

// Routes of a spoke's VRFs come to another spoke with labels that lead there, by the hub's own labels where it changes the next hop and without them where it does not, and never
// into the other VRF, which has the same addresses. When they are withdrawn, nothing is left.
func TestSpeakers(t *testing.T) {
	for _, c := range []struct {
		name, out string
		byHub     bool
	}{{"the hub swaps labels", "NEXTHOP", true}, {"the hub reflects only", "", false}} {
		t.Run(c.name, func(t *testing.T) {
			hub, spokes := star(t, 2, c.out)
			a, b := spokes[0], spokes[1]
			all := []*pe{hub, a, b}
			for _, vrf := range []fib.VRF{red, blue} {
				for _, way := range []struct {
					from   *pe
					prefix string
					to     *pe
				}{{b, "10.2.0.0/24", a}, {a, "10.3.0.0/24", b}, {a, "10.1.0.0/24", hub}, {hub, "10.3.0.0/24", b}} {
					var at string
					var in fib.VRF
					eventually(t, fmt.Sprintf("%s in VRF %d from %s", way.prefix, vrf, way.from.addr), func() bool {
						at, in = reaches(t, way.from, vrf, way.prefix, all)
						return at == way.to.addr.String()
					})
					if in != vrf {
						t.Errorf("%s in VRF %d from %s comes out in VRF %d", way.prefix, vrf, way.from.addr, in)
					}
				}
			}
			ad, _ := b.hop(red, "10.2.0.0/24")
			if byHub := ad.Outer[5] == 1; byHub != c.byHub {
				t.Errorf("by the hub: %v", byHub)
			}
			first := ad.Labels[0]
			a.config.Interfaces[1].Up = false
			a.configure()
			eventually(t, "the withdrawal", func() bool { _, there := b.hop(red, "10.2.0.0/24"); return !there })
			if l, _ := hub.label(first); c.byHub && l.In != 0 {
				eventually(t, "the label's end", func() bool { l, _ := hub.label(first); return l.In == 0 })
			}
			if at, in := reaches(t, b, blue, "10.2.0.0/24", all); at != a.addr.String() || in != blue {
				t.Errorf("blue went with red: %s, VRF %d", at, in)
			}
			a.config.Interfaces[1].Up = true
			a.configure()
			eventually(t, "the route's return", func() bool {
				at, in := reaches(t, b, red, "10.2.0.0/24", all)
				return at == a.addr.String() && in == red
			})
		})
	}
}

// BenchmarkReflectedRoutes moves VPN prefixes of a spoke through a hub that swaps labels into its label table, and into the routing table of another spoke. Routers, RIBs and batches are
// as they run; the tables that the batches go to are maps.
func BenchmarkReflectedRoutes(b *testing.B) {
	count := 100_000
	if testing.Short() {
		count = 5_000
	}
	for b.Loop() {
		hub, spokes := star(b, 2, "NEXTHOP")
		eventually(b, "the sessions", func() bool {
			_, one := spokes[1].hop(red, "10.2.0.0/24")
			_, two := spokes[0].hop(red, "10.3.0.0/24")
			return one && two
		})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		locals := make([]bgp.Local, count)
		for i := range locals {
			locals[i] = bgp.Local{VRF: "red", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32), Label: uint32(100 + i)}
		}
		if err := spokes[0].speaker.Announce(locals...); err != nil {
			b.Fatal(err)
		}
		inLabels, inRoutes := time.Duration(0), time.Duration(0)
		for end := began.Add(5 * time.Minute); (inRoutes == 0 || inLabels == 0) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if l, r := hub.installed(); l >= count && inLabels == 0 {
				inLabels = time.Since(began)
			} else if _, r = spokes[1].installed(); r >= count && inRoutes == 0 {
				inRoutes = time.Since(began)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(inLabels.Seconds(), "s-to-labels")
		b.ReportMetric(inRoutes.Seconds(), "s-to-routes")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB-of-three")
		b.ReportMetric(0, "ns/op")
	}
}
