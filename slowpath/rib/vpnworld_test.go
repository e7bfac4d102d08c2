package rib

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath/fib"
)

// vpnWorld is what a RIB with VRFs and labels is told, in a state that chance makes.
type vpnWorld struct {
	ifaces  map[string]Interface
	neigh   map[spot]bool
	bound   map[spot]Binding
	statics map[fib.VRF][]StaticRoute
	learned map[fib.RouteKey]Learned
	lsps    map[netip.Prefix]map[spot]uint32
	labels  map[uint32]LabelUse
	pipe    bool
}

func newVPNWorld() *vpnWorld {
	w := &vpnWorld{
		ifaces: map[string]Interface{}, neigh: map[spot]bool{}, bound: map[spot]Binding{}, statics: map[fib.VRF][]StaticRoute{},
		learned: map[fib.RouteKey]Learned{}, lsps: map[netip.Prefix]map[spot]uint32{}, labels: map[uint32]LabelUse{},
	}
	for _, i := range []Interface{wan, lan, mpls(tun), core, ce, vpn} {
		w.ifaces[i.Name] = i
	}
	return w
}

func loop(k int) netip.Addr { return netip.AddrFrom4([4]byte{1, 1, 1, byte(1 + k)}) }

// nextHop is an address that routes go by: behind a label switched path, on a tunnel, on the core, inside a VRF, or nowhere.
func (w *vpnWorld) nextHop(rng *rand.Rand) netip.Addr {
	k := rng.IntN(3)
	return []netip.Addr{
		loop(k), netip.AddrFrom4([4]byte{10, 255, 0, byte(10 + k)}), netip.AddrFrom4([4]byte{172, 16, 0, byte(2 + k)}),
		netip.AddrFrom4([4]byte{192, 168, 1, byte(2 + k)}), netip.AddrFrom4([4]byte{10, 60, byte(k), 9}),
	}[rng.IntN(5)]
}

func (w *vpnWorld) hop(rng *rand.Rand) NextHop {
	switch rng.IntN(6) {
	case 0:
		return NextHop{Elsewhere: true, Table: fib.VRF(rng.IntN(3))}
	case 1:
		return NextHop{Addr: w.nextHop(rng)}
	case 2:
		l, _ := LabelsOf(uint32(100+rng.IntN(3)), uint32(200+rng.IntN(3)))
		return NextHop{Addr: w.nextHop(rng), Labels: l, Elsewhere: true}
	}
	l, _ := LabelsOf(uint32(100 + rng.IntN(3)))
	return NextHop{Addr: w.nextHop(rng), Labels: l, Elsewhere: true}
}

func (w *vpnWorld) prefix(rng *rand.Rand) netip.Prefix {
	k := rng.IntN(3)
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 60, byte(k), 0}), 24), pfx("10.60.0.0/16"),
		netip.PrefixFrom(loop(k), 32), pfx("198.51.100.0/24"), pfx("198.51.100.1/32"), pfx("192.168.1.0/24"),
	}[rng.IntN(6)]
}

// change makes something else of a world.
func (w *vpnWorld) change(rng *rand.Rand) {
	k := rng.IntN(3)
	name := []string{"Ethernet0", "Ethernet2", "Ethernet3", "Tunnel0", "Tunnel1"}[rng.IntN(5)]
	switch rng.IntN(12) {
	case 0:
		w.alter(rng, name)
	case 1, 2:
		at := []spot{{"Ethernet0", addr("192.0.2.254")}, {"Ethernet2", netip.AddrFrom4([4]byte{172, 16, 0, byte(2 + k)})}, {"Ethernet3", netip.AddrFrom4([4]byte{192, 168, 1, byte(2 + k)})}}[rng.IntN(3)]
		w.neigh[at] = !w.neigh[at]
	case 3, 4:
		b := Binding{Iface: "Tunnel0", NextHop: netip.AddrFrom4([4]byte{10, 255, 0, byte(10 + k)}), NBMA: peerAt(netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + rng.IntN(2))})), Via: rng.IntN(3) == 0}
		if rng.IntN(2) == 0 {
			b.Iface, b.NextHop = "Tunnel1", netip.AddrFrom4([4]byte{10, 254, 0, byte(10 + k)})
		}
		b.Prefix = netip.PrefixFrom(b.NextHop, 32)
		at := spot{b.Iface, b.NextHop}
		if _, ok := w.bound[at]; ok && rng.IntN(2) == 0 {
			delete(w.bound, at)
		} else {
			w.bound[at] = b
		}
	case 5:
		vrf := fib.VRF(rng.IntN(3))
		s := []StaticRoute{}
		for j := range rng.IntN(4) {
			s = append(s, StaticRoute{Prefix: netip.PrefixFrom(loop(j), 32), Hops: []NextHop{{Addr: w.nextHop(rng)}}})
		}
		if rng.IntN(2) == 0 {
			s = append(s, StaticRoute{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: []netip.Addr{addr("192.0.2.254"), addr("192.168.1.2"), loop(0)}[rng.IntN(3)]}}})
		}
		w.statics[vrf] = s
	case 6, 7:
		at := fib.RouteKey{VRF: fib.VRF(rng.IntN(3)), Prefix: w.prefix(rng)}
		if _, ok := w.learned[at]; ok && rng.IntN(2) == 0 {
			delete(w.learned, at)
			return
		}
		l := Learned{Source: BGP, Hops: []NextHop{w.hop(rng)}}
		for rng.IntN(3) == 0 {
			l.Hops = append(l.Hops, w.hop(rng))
			l.Hops[rng.IntN(len(l.Hops))].Share = uint8(rng.IntN(5))
		}
		w.learned[at] = l
	case 8, 9:
		w.bind(rng, netip.PrefixFrom(loop(k), 32))
	case 10:
		w.use(rng, uint32(16+rng.IntN(8)))
	case 11:
		w.pipe = rng.IntN(4) == 0
	}
}

// alter changes an interface: up or down, labels taken or not, or the VRF.
func (w *vpnWorld) alter(rng *rand.Rand, name string) {
	i := w.ifaces[name]
	switch rng.IntN(3) {
	case 0:
		i.Up = !i.Up
	case 1:
		i.MPLS = !i.MPLS
	case 2:
		if name == "Ethernet3" || name == "Tunnel1" {
			i.VRF = red + blue - i.VRF
		}
	}
	w.ifaces[name] = i
}

// bind has a neighbour bind a label to a prefix, another than before, or none.
func (w *vpnWorld) bind(rng *rand.Rand, p netip.Prefix) {
	at := []spot{{"Ethernet2", addr("172.16.0.2")}, {"Ethernet2", addr("172.16.0.3")}, {"Tunnel0", addr("10.255.0.10")}}[rng.IntN(3)]
	if w.lsps[p] == nil {
		w.lsps[p] = map[spot]uint32{}
	}
	if n := rng.IntN(4); n == 0 {
		delete(w.lsps[p], at)
	} else {
		w.lsps[p][at] = []uint32{0, fib.ImplicitNull, 1000, 1001}[n]
	}
}

// use gives a label of ours something to do, or takes it back.
func (w *vpnWorld) use(rng *rand.Rand, in uint32) {
	delete(w.labels, in)
	switch rng.IntN(5) {
	case 0:
		w.labels[in] = LabelUse{Lookup: true, VRF: fib.VRF(rng.IntN(3))}
	case 1:
		w.labels[in] = LabelUse{Forward: true, VRF: fib.VRF(rng.IntN(3)), Prefix: w.prefix(rng)}
	case 2:
		w.labels[in] = LabelUse{Swap: true, Prefix: netip.PrefixFrom(loop(rng.IntN(3)), 32)}
	case 3:
		h := w.hop(rng)
		h.Elsewhere = false
		w.labels[in] = LabelUse{Swap: true, Hop: h}
	}
}

// tell says all of a world to a RIB that may have been told another, in the order that chance gives, with a batch after each n-th word or so.
func (w *vpnWorld) tell(t *testing.T, r *RIB, rng *rand.Rand, n int) {
	t.Helper()
	var say []func()
	for _, i := range w.ifaces {
		say = append(say, func() { r.SetInterface(i) })
	}
	if n > 1<<20 || len(r.ifaces) == 0 { // at first the interfaces are there
		for _, f := range say {
			f()
		}
		say = nil
	}
	for at, ok := range w.neigh {
		say = append(say, func() { r.Neighbour(at.iface, at.addr, gatewayMAC, ok) })
	}
	for _, i := range r.ifaces {
		for p := range i.bindings {
			if _, ok := w.bound[spot{i.Name, p.Addr()}]; !ok {
				say = append(say, func() { r.Unbind(i.Name, p) })
			}
		}
	}
	for _, b := range w.bound {
		say = append(say, func() { r.Bind(b) })
	}
	for vrf := range fib.VRF(3) {
		say = append(say, func() { r.SetStatics(vrf, w.statics[vrf]) })
		if tab := r.tables[vrf]; tab != nil {
			for p := range tab.entries {
				if _, ok := w.learned[fib.RouteKey{VRF: vrf, Prefix: p}]; !ok {
					say = append(say, func() { r.DelRoute(vrf, p, BGP, 0) })
				}
			}
		}
	}
	for k, l := range w.learned {
		say = append(say, func() { r.SetRoute(k.VRF, k.Prefix, l) })
	}
	for p, at := range r.bound {
		for a := range at {
			if _, ok := w.lsps[p][a]; !ok {
				say = append(say, func() { r.UnbindLabel(p, a.iface, a.addr) })
			}
		}
	}
	for p, at := range w.lsps {
		for a, out := range at {
			say = append(say, func() { r.BindLabel(p, a.iface, a.addr, out) })
		}
	}
	for in := range r.labels {
		if _, ok := w.labels[in]; !ok {
			say = append(say, func() { r.DelLabel(in) })
		}
	}
	for in, u := range w.labels {
		say = append(say, func() { r.SetLabel(in, u) })
	}
	say = append(say, func() { r.SetPipe(w.pipe) })
	rng.Shuffle(len(say), func(i, j int) { say[i], say[j] = say[j], say[i] })
	for _, f := range say {
		f()
		if rng.IntN(n) == 0 {
			flush(t, r)
		}
	}
	flush(t, r)
}

// safe fails the test if a labelled packet could reach somebody else than the next hop that its labels are of, or a packet of a VRF a link of another.
func (w *vpnWorld) safe(t *testing.T, seed uint64, f *fakeFIB) {
	t.Helper()
	for _, a := range f.adj {
		if a.Kind == fib.AdjTunnel && len(a.Labels) > 0 {
			b, ok := w.bound[spot{map[fib.TunnelID]string{1: "Tunnel0", 2: "Tunnel1"}[a.Tunnel], a.NextHop}]
			if !ok || b.Via || a.Resolve || a.OuterTo() != b.NBMA.Addr {
				t.Fatalf("seed %d: labels for %v go to %v: %+v, binding %+v", seed, a.NextHop, a.OuterTo(), a, b)
			}
		}
		if (a.Kind == fib.AdjLink || a.Kind == fib.AdjTunnel) && len(a.Labels) > 0 && a.VRF != fib.Global {
			t.Fatalf("seed %d: labels leave by an interface of VRF %d: %+v", seed, a.VRF, a)
		}
	}
	for k, paths := range f.routes {
		for _, id := range paths {
			a, ok := f.adj[id]
			if ok && a.Kind == fib.AdjLink && a.VRF != k.VRF && len(a.Labels) == 0 && !w.leadsTo(k.VRF, a.VRF) {
				t.Fatalf("seed %d: a packet of %v leaves unlabelled by VRF %d: %+v", seed, k, a.VRF, a)
			}
		}
	}
	for in, l := range f.labels {
		if l.Action != fib.LabelSwap {
			continue
		}
		for _, id := range l.Paths {
			if a := f.adj[id]; a.Kind == fib.AdjTunnel && a.Resolve {
				t.Fatalf("seed %d: packets with label %d go by the server: %+v", seed, in, a)
			}
		}
	}
}

// leadsTo tells whether routes say that packets of one VRF leave unlabelled by another.
func (w *vpnWorld) leadsTo(from, to fib.VRF) bool {
	reached := map[fib.VRF]bool{from: true}
	for range 3 {
		for k, l := range w.learned {
			for _, n := range l.Hops {
				if reached[k.VRF] && n.Elsewhere && n.Labels.n == 0 {
					reached[n.Table] = true
				}
			}
		}
	}
	return reached[to]
}

// Whatever the order of changes, the fast path ends up as if the last state had been said at once; and no batch in between breaks it.
func TestVPNAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		f, w, neighbours := newFakeFIB(t), newVPNWorld(), wanted{}
		r := New(f.apply, neighbours)
		for range 12 {
			for range 1 + rng.IntN(12) {
				w.change(rng)
			}
			w.tell(t, r, rng, 3)
			w.safe(t, seed, f)
			w.compare(t, seed, f, neighbours)
		}
		w.follow(t, seed, r)
	}
}

// compare tells a fresh RIB the world and compares what comes of it.
func (w *vpnWorld) compare(t *testing.T, seed uint64, f *fakeFIB, neighbours wanted) {
	t.Helper()
	ff, fw := newFakeFIB(t), wanted{}
	w.tell(t, New(ff.apply, fw), rand.New(rand.NewPCG(seed, 6)), 1<<30)
	if got, want := f.describe(), ff.describe(); !slices.Equal(got, want) {
		t.Fatalf("seed %d: forwarding differs from a fresh start:\ngot  %s\nwant %s", seed, diff(got, want), diff(want, got))
	}
	if len(f.adj) != len(ff.adj) {
		t.Fatalf("seed %d: %d adjacencies, a fresh start has %d", seed, len(f.adj), len(ff.adj))
	}
	maps.DeleteFunc(neighbours, func(_ NextHop, n int) bool { return n == 0 })
	if !maps.Equal(neighbours, fw) {
		t.Fatalf("seed %d: neighbours kept %v, want %v", seed, neighbours, fw)
	}
}

// follow compares the routes that Changes tells of with those that are there, over more changes.
func (w *vpnWorld) follow(t *testing.T, seed uint64, r *RIB) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 7))
	told := map[fib.RouteKey]Route{}
	for range 6 {
		for _, c := range r.Changes() {
			k := fib.RouteKey{VRF: c.VRF, Prefix: c.Prefix}
			_, had := told[k]
			if c.Gone && !had {
				t.Fatalf("seed %d: %v is gone, and never was", seed, k)
			}
			if told[k] = c.Route; c.Gone {
				delete(told, k)
			}
		}
		n := 0
		for vrf := range r.tables {
			for _, now := range r.Routes(vrf) {
				if now.Source == Shortcut {
					continue
				}
				n++
				if was, ok := told[fib.RouteKey{VRF: vrf, Prefix: now.Prefix}]; !ok || !was.equal(&now) {
					t.Fatalf("seed %d: route of VRF %d is %+v, told %+v", seed, vrf, now, was)
				}
			}
		}
		if n != len(told) {
			t.Fatalf("seed %d: %d routes, told of %d", seed, n, len(told))
		}
		if c := r.Changes(); len(c) != 0 {
			t.Fatalf("seed %d: nothing changed, and told %+v", seed, c)
		}
		w.change(rng)
		w.tell(t, r, rng, 3)
	}
}

// Whatever a RIB inherits and is told then, in the end the fast path has what it would have after a fresh start; told the same, nothing changes.
func TestVPNInherited(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 8))
		f, w := newFakeFIB(t), newVPNWorld()
		for range rng.IntN(120) {
			w.change(rng)
		}
		w.tell(t, New(f.apply, wanted{}), rng, 4)
		was, labels := f.describe(), slices.Sorted(maps.Keys(f.labels))
		neighbours := wanted{}
		r := New(f.apply, neighbours)
		r.Inherit(f.installed())
		if got := slices.DeleteFunc(labels, func(in uint32) bool { return in == fib.ExplicitNull }); !slices.Equal(got, r.InheritedLabels()) {
			t.Fatalf("seed %d: inherited labels %v, want %v", seed, r.InheritedLabels(), got)
		}
		same := seed%2 == 0
		if same {
			w.tell(t, r, rng, 1<<30)
			if now := f.describe(); !slices.Equal(was, now) {
				t.Fatalf("seed %d: forwarding changed:\nwas %s\nis  %s", seed, diff(was, now), diff(now, was))
			}
		}
		for range rng.IntN(20) {
			w.change(rng)
		}
		w.tell(t, r, rng, 4)
		r.Complete(true)
		flush(t, r)
		r.Disinherit()
		flush(t, r)
		flush(t, r)
		if got := r.InheritedLabels(); got != nil {
			t.Fatalf("seed %d: labels %v are left", seed, got)
		}
		w.safe(t, seed, f)
		w.compare(t, seed, f, neighbours)
	}
}
