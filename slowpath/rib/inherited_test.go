package rib

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath/fib"
)

// installed is all that a fast path has, as the next control plane finds it.
func (f *fakeFIB) installed() (b fib.Batch) {
	for _, p := range f.ports {
		b.Ports = append(b.Ports, p)
	}
	for _, t := range f.tunnels {
		b.Tunnels = append(b.Tunnels, t)
	}
	for _, a := range f.adj {
		b.Adjacencies = append(b.Adjacencies, a)
	}
	for id, m := range f.groups {
		b.Groups = append(b.Groups, fib.Group{ID: id, Members: m})
	}
	for k, p := range f.routes {
		b.Routes = append(b.Routes, fib.Route{VRF: k.VRF, Prefix: k.Prefix, Paths: p})
	}
	for _, l := range f.labels {
		b.Labels = append(b.Labels, l)
	}
	return b
}

// world is what a RIB is told, in a state that chance makes.
type world struct {
	up      map[string]bool
	neigh   map[netip.Addr]bool
	bound   map[netip.Prefix]Binding
	mcast   map[netip.Addr]bool
	statics []StaticRoute
	learned map[learnedKey]Learned
}

// learnedKey is who says something of which prefix.
type learnedKey struct {
	p       netip.Prefix
	s       Source
	process uint32
}

func newWorld() *world {
	return &world{
		learned: map[learnedKey]Learned{},
		up:      map[string]bool{"Ethernet0": true, "Ethernet1": true, "Tunnel0": true},
		neigh:   map[netip.Addr]bool{}, bound: map[netip.Prefix]Binding{}, mcast: map[netip.Addr]bool{},
	}
}

// change makes something else of a world.
func (w *world) change(rng *rand.Rand) {
	nbma := func(k int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + k)}) }
	peer := func(k int) netip.Addr { return netip.AddrFrom4([4]byte{10, 255, 0, byte(10 + k)}) }
	k := rng.IntN(4)
	switch rng.IntN(9) {
	case 0:
		n := []string{"Ethernet0", "Ethernet1", "Tunnel0"}[rng.IntN(3)]
		w.up[n] = !w.up[n]
	case 1:
		w.neigh[nbma(k)] = !w.neigh[nbma(k)]
	case 2:
		p := netip.PrefixFrom(peer(k), 32)
		w.bound[p] = Binding{Iface: "Tunnel0", Prefix: p, NBMA: peerAt(nbma(rng.IntN(4))), NextHop: peer(k), Via: rng.IntN(2) == 0}
	case 3:
		delete(w.bound, netip.PrefixFrom(peer(k), 32))
	case 4:
		w.mcast[nbma(k)] = !w.mcast[nbma(k)]
	case 5:
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 50, byte(k), 0}), 24)
		if _, ok := w.bound[p]; ok {
			delete(w.bound, p)
		} else {
			w.bound[p] = Binding{Iface: "Tunnel0", Prefix: p, NBMA: peerAt(nbma(k)), NextHop: peer(k), Shortcut: true}
		}
	case 6:
		w.statics = nil
		for j := range rng.IntN(5) {
			s := StaticRoute{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 50, byte(j), 0}), 24)}
			if hop := []netip.Addr{peer(k), nbma(k), addr("10.50.9.9"), addr("10.50.0.1"), {}}[rng.IntN(5)]; hop.IsValid() {
				s.Hops = []NextHop{{Addr: hop}}
			}
			w.statics = append(w.statics, s)
		}
	case 7, 8:
		w.learn(rng, nbma, peer)
	}
}

// learn has a process of EIGRP, or the kernel, say something else of a prefix.
func (w *world) learn(rng *rand.Rand, nbma, peer func(k int) netip.Addr) {
	key := learnedKey{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 50, byte(rng.IntN(6)), 0}), 24), EIGRP, uint32(1 + rng.IntN(2))}
	l := Learned{Source: EIGRP, Process: key.process, Distance: []int{90, 90, 170}[rng.IntN(3)], Metric: 10*uint32(rng.IntN(5)) + key.process}
	if rng.IntN(4) == 0 {
		key.s, key.process = Kernel, 0
		l = Learned{Source: Kernel, Distance: []int{0, 110, 170}[rng.IntN(3)]}
	}
	switch rng.IntN(6) {
	case 0:
		delete(w.learned, key)
		return
	case 1:
		l.Distance, l.Discard = 5, true
	case 2:
		l.Hops = []NextHop{{Addr: addr("10.50.1.1")}, {Iface: "Ethernet0", Addr: nbma(rng.IntN(4))}}
	default:
		for range 1 + rng.IntN(4) {
			h := NextHop{Iface: "Tunnel0", Addr: peer(rng.IntN(4)), Share: uint8(rng.IntN(4))}
			if rng.IntN(2) == 0 {
				h.Iface, h.Addr = "Ethernet0", nbma(rng.IntN(4))
			}
			l.Hops = append(l.Hops, h)
		}
	}
	w.learned[key] = l
}

// tellLearned says what processes say, and takes back what they do not say any more.
func (w *world) tellLearned(r *RIB) (say []func()) {
	for third := range 6 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 50, byte(third), 0}), 24)
		for _, key := range []learnedKey{{p, EIGRP, 1}, {p, EIGRP, 2}, {p, Kernel, 0}} {
			say = append(say, func() {
				if l, ok := w.learned[key]; ok {
					r.SetRoute(0, p, l)
				} else {
					r.DelRoute(0, p, key.s, key.process)
				}
			})
		}
	}
	return say
}

// tell says all of a world to a RIB, in the order that chance gives, with batches in between.
func (w *world) tell(t *testing.T, r *RIB, rng *rand.Rand) { w.say(t, r, rng, 4) }

// say is tell with a batch after each n-th word or so.
func (w *world) say(t *testing.T, r *RIB, rng *rand.Rand, n int) {
	t.Helper()
	var say []func()
	for _, i := range []Interface{wan, lan, tun} {
		i.Up = w.up[i.Name]
		r.SetInterface(i)
	}
	say = append(say, func() { r.SetStatics(0, w.statics) })
	say = append(say, w.tellLearned(r)...)
	for a, ok := range w.neigh {
		say = append(say, func() { r.Neighbour("Ethernet0", a, gatewayMAC, ok) })
	}
	for _, b := range w.bound {
		say = append(say, func() { r.Bind(b) })
	}
	for a, ok := range w.mcast {
		say = append(say, func() { r.Multicast("Tunnel0", peerAt(a), ok) })
	}
	rng.Shuffle(len(say), func(i, j int) { say[i], say[j] = say[j], say[i] })
	for _, f := range say {
		f()
		if rng.IntN(n) == 0 {
			flush(t, r)
		}
	}
	flush(t, r)
}

// Whatever a RIB inherits and whatever it is told then, in the end the fast path has what it would have after a fresh start.
func TestInheritedGivesWay(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		f, w := newFakeFIB(t), newWorld()
		for range rng.IntN(60) {
			w.change(rng)
		}
		before := New(f.apply, wanted{})
		w.tell(t, before, rng)
		if seed%2 == 0 {
			for range rng.IntN(20) {
				w.change(rng)
			}
		}
		neighbours := wanted{}
		r := New(f.apply, neighbours)
		r.Inherit(f.installed())
		w.tell(t, r, rng)
		r.Complete(true)
		flush(t, r)
		for range rng.IntN(10) {
			w.change(rng)
		}
		w.tell(t, r, rng)
		for p := range w.bound { // what is bound no more is told, too
			r.Unbind("Tunnel0", p)
		}
		w.tell(t, r, rng)
		for p := range r.ifaces["Tunnel0"].bindings {
			if _, ok := w.bound[p]; !ok {
				r.Unbind("Tunnel0", p)
			}
		}
		r.Disinherit()
		flush(t, r)
		flush(t, r)
		compareFresh(t, seed, f, w, neighbours)
	}
}

func compareFresh(t *testing.T, seed uint64, f *fakeFIB, w *world, neighbours wanted) {
	t.Helper()
	ff, fw := newFakeFIB(t), wanted{}
	fresh := New(ff.apply, fw)
	w.tell(t, fresh, rand.New(rand.NewPCG(seed, 3)))
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
	if !maps.Equal(positive(neighbours), positive(fw)) {
		t.Fatalf("seed %d: neighbours kept %v, want %v", seed, positive(neighbours), positive(fw))
	}
}

// Told the same as before, a RIB changes nothing at all.
func TestInheritedStays(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 4))
		f, w := newFakeFIB(t), newWorld()
		for range rng.IntN(60) {
			w.change(rng)
		}
		w.tell(t, New(f.apply, wanted{}), rng)
		was := f.describe()
		adjs := maps.Clone(f.adj)
		r := New(f.apply, wanted{})
		r.Inherit(f.installed())
		w.say(t, r, rng, 1<<30) // all at once, as after a restart
		r.Complete(true)
		flush(t, r)
		if now := f.describe(); !slices.Equal(was, now) {
			t.Fatalf("seed %d: forwarding changed:\nwas %s\nis  %s", seed, diff(was, now), diff(now, was))
		}
		for id, a := range adjs {
			b := f.adj[id]
			if leadsOn(&a) && !sameAdjacency(&a, &b) {
				t.Fatalf("seed %d: adjacency %d was\n%+v and is\n%+v", seed, id, a, b)
			}
		}
	}
}

// restart makes another RIB of the fast path of one that has a peer and a neighbour.
func restart(t *testing.T) (*RIB, *fakeFIB) {
	t.Helper()
	r, f, _ := newTest(t)
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}},
		{Prefix: pfx("10.5.0.0/16"), Hops: []NextHop{{Addr: addr("10.255.0.5")}}},
	})
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr("198.51.100.5")), NextHop: addr("10.255.0.5")})
	r.Multicast("Tunnel0", peerAt(addr("198.51.100.5")), true)
	flush(t, r)
	next := New(f.apply, wanted{})
	next.Inherit(f.installed())
	return next, f
}

// Until anything is known of a next hop, packets go on by the old adjacency; then by the new one, for good.
func TestOldAdjacencyServes(t *testing.T) {
	r, f := restart(t)
	old := f.path(t, "10.5.0.0/16")
	flush(t, r)
	if a := f.path(t, "10.5.0.0/16"); !sameAdjacency(&a, &old) {
		t.Fatalf("nothing was said yet, and the adjacency is %+v", a)
	}
	for _, i := range []Interface{wan, lan, tun} {
		r.SetInterface(i)
	}
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}},
		{Prefix: pfx("10.5.0.0/16"), Hops: []NextHop{{Addr: addr("10.255.0.5")}}},
	})
	r.Complete(true)
	flush(t, r)
	if a := f.path(t, "10.5.0.0/16"); !sameAdjacency(&a, &old) || old.Kind != fib.AdjTunnel {
		t.Fatalf("NHRP knows nothing yet, and the adjacency is %+v", a)
	}
	if a := f.path(t, "10.255.0.5/32"); a.ID != old.ID {
		t.Errorf("the host is reached by %+v", a)
	}
	if g := f.groups[f.tunnels[1].Group]; len(g) != 1 {
		t.Errorf("multicast goes to %v", g)
	}
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr("198.51.100.77")), NextHop: addr("10.255.0.5")})
	flush(t, r)
	a := f.path(t, "10.5.0.0/16")
	if to := a.OuterTo(); to != addr("198.51.100.77") || a.ID != old.ID {
		t.Fatalf("the peer has moved, and the adjacency is %+v", a)
	}
	r.Unbind("Tunnel0", pfx("10.255.0.5/32"))
	flush(t, r)
	if a := f.path(t, "10.5.0.0/16"); a.Kind != fib.AdjGlean {
		t.Errorf("after the binding has gone: %+v", a)
	}
	r.Disinherit()
	flush(t, r)
	if _, ok := f.routes[fib.RouteKey{Prefix: pfx("10.255.0.5/32")}]; ok || len(f.groups[f.tunnels[1].Group]) != 0 {
		t.Error("old routes or members are left")
	}
}

// A mapping that is learned again is the same adjacency with another expiry, for who comes next; no route is touched.
func TestBindingExpires(t *testing.T) {
	r, f := restart(t)
	for _, i := range []Interface{wan, lan, tun} {
		r.SetInterface(i)
	}
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}}})
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	b := Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr("198.51.100.5")), NextHop: addr("10.255.0.5")}
	r.Bind(b)
	r.Complete(true)
	flush(t, r)
	for n, at := range []time.Time{time.Unix(1_800_000_000, 5), time.Unix(1_800_000_600, 0), {}} {
		before := f.entries
		b.Expires, b.Unique = at, n == 1
		r.Bind(b)
		flush(t, r)
		want := max(at.Unix(), 0)
		if a := f.path(t, "10.255.0.5/32"); a.Expires != want || a.Unique != b.Unique || f.entries != before+1 {
			t.Errorf("%v: %+v, after %d entries", at, a, f.entries-before)
		}
	}
}

// A peer that is known to be elsewhere by now gets nothing at its old address any more, whether or not the way to the new one is known; where the new
// address is only that of a server for the time being, or covers a whole network, the old way goes on.
func TestOldAdjacencyOfOneThatMoved(t *testing.T) {
	for _, c := range []struct {
		name   string
		bind   Binding
		serves bool
	}{
		{"elsewhere", Binding{Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr("198.51.100.77"))}, false},
		{"at a server for now", Binding{Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr("198.51.100.77")), Via: true}, true},
		{"at a server like all", Binding{Prefix: pfx("10.255.0.0/24"), NBMA: peerAt(addr("198.51.100.77"))}, true},
		{"where it was", Binding{Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr("198.51.100.5"))}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, f := restart(t)
			old := f.path(t, "10.5.0.0/16")
			if to := old.OuterTo(); to != addr("198.51.100.5") {
				t.Fatalf("it led to %v", to)
			}
			for _, i := range []Interface{wan, lan, tun} {
				r.SetInterface(i)
			}
			r.SetStatics(0, []StaticRoute{
				{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}}, // whose MAC address nobody has said
				{Prefix: pfx("10.5.0.0/16"), Hops: []NextHop{{Addr: addr("10.255.0.5")}}},
			})
			c.bind.Iface, c.bind.NextHop = "Tunnel0", addr("10.255.0.5")
			r.Bind(c.bind)
			r.Complete(true)
			flush(t, r)
			a := f.path(t, "10.255.0.5/32")
			if serves := sameAdjacency(&a, &old); serves != c.serves || !serves && leadsOn(&a) {
				t.Errorf("it goes by %+v", a)
			}
		})
	}
}

// What is configured no more goes at once when all is known; what is not known yet stays.
func TestOldInterfacesGo(t *testing.T) {
	r, f := restart(t)
	down := tun
	down.Up, down.Tunnel = false, &Tunnel{ID: 1, Key: 100, HasKey: true, TTL: 255, Network: 1} // its source is not known yet
	r.SetInterface(wan)
	r.SetInterface(down)
	r.Complete(false)
	flush(t, r)
	if a := f.path(t, "10.5.0.0/16"); a.Kind != fib.AdjTunnel || f.tunnels[1].Local != addr("192.0.2.1") || len(f.ports) != 2 {
		t.Fatalf("while the source is not known: %+v, tunnel %+v", a, f.tunnels[1])
	}
	r.Complete(true)
	flush(t, r)
	if len(f.tunnels) != 0 || len(f.ports) != 1 {
		t.Errorf("tunnels %v, ports %v", f.tunnels, f.ports)
	}
	for _, p := range []string{"10.5.0.0/16", "10.255.0.5/32", "10.1.0.0/24", "10.1.0.1/32"} {
		if _, ok := f.routes[fib.RouteKey{Prefix: pfx(p)}]; ok {
			t.Errorf("%s leads out by an interface that is gone", p)
		}
	}
	if a := f.path(t, "0.0.0.0/0"); a.Kind != fib.AdjLink {
		t.Errorf("the default route's link is there: %+v", a)
	}
	r.Disinherit()
	flush(t, r)
	if _, ok := f.routes[fib.RouteKey{Prefix: pfx("0.0.0.0/0")}]; ok || len(f.groups) != 0 {
		t.Error("old routes or groups are left")
	}
}

// A tunnel that is another one now takes nothing of the old one along: neither next hops nor members.
func TestOldTunnelIsAnother(t *testing.T) {
	for name, change := range map[string]func(*Interface){
		"key":       func(i *Interface) { i.Tunnel.Key = 101 },
		"protected": func(i *Interface) { i.Tunnel.Protected, i.Tunnel.Protection = true, 1 },
		"number":    func(i *Interface) { i.Tunnel.ID = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			r, f := restart(t)
			other := tun
			tunnel := *tun.Tunnel
			other.Tunnel = &tunnel
			change(&other)
			r.SetInterface(wan)
			r.SetInterface(lan)
			r.SetInterface(other)
			r.SetStatics(0, []StaticRoute{{Prefix: pfx("10.5.0.0/16"), Hops: []NextHop{{Addr: addr("10.255.0.5")}}}})
			flush(t, r)
			if a := f.path(t, "10.5.0.0/16"); a.Kind == fib.AdjTunnel {
				t.Errorf("packets leave by %+v", a)
			}
			if len(f.tunnels) != 1 {
				t.Errorf("tunnels %v", f.tunnels)
			}
			for id, g := range f.groups {
				if len(g) != 0 && id == f.tunnels[other.Tunnel.ID].Group {
					t.Errorf("multicast goes to %v", g)
				}
			}
		})
	}
}

// A route that takes another way now waits for it while the old way leads on.
func TestOldRouteUntilTheNewOneLeadsOn(t *testing.T) {
	r, f := restart(t)
	for _, i := range []Interface{wan, lan, tun} {
		r.SetInterface(i)
	}
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}},
		{Prefix: pfx("10.5.0.0/16"), Hops: []NextHop{{Addr: addr("10.255.0.6")}}},
	})
	r.Complete(true)
	flush(t, r)
	if a := f.path(t, "10.5.0.0/16"); a.Kind != fib.AdjTunnel || a.NextHop != addr("10.255.0.5") {
		t.Fatalf("before the new next hop is known: %+v", a)
	}
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.6/32"), NBMA: peerAt(addr("198.51.100.6")), NextHop: addr("10.255.0.6")})
	flush(t, r)
	if a := f.path(t, "10.5.0.0/16"); a.NextHop != addr("10.255.0.6") {
		t.Fatalf("after: %+v", a)
	}

	r, f = restart(t) // never known: in the end the configuration counts
	for _, i := range []Interface{wan, lan, tun} {
		r.SetInterface(i)
	}
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("10.5.0.0/16"), Hops: []NextHop{{Addr: addr("10.255.0.6")}}}})
	flush(t, r)
	r.Disinherit()
	flush(t, r)
	if a := f.path(t, "10.5.0.0/16"); a.Kind != fib.AdjGlean || a.NextHop != addr("10.255.0.6") {
		t.Errorf("in the end: %+v", a)
	}
}

// An association that goes takes the adjacencies with it that nothing else has taken the place of: fail closed.
func TestOldAssociationGoes(t *testing.T) {
	r, f, sealed := newProtected(t)
	r.InstallSA(sa(5))
	r.Secure("Tunnel0", peerAt(addr(spoke)), esp(5))
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.5/32"), NBMA: peerAt(addr(spoke)), NextHop: addr("10.255.0.5")})
	flush(t, r)
	if a := f.path(t, "10.255.0.5/32"); a.SA != 5 {
		t.Fatalf("at first: %+v", a)
	}
	next := New(sealed.apply, wanted{})
	next.Inherit(f.installed())
	for _, name := range r.Interfaces() {
		i, _ := r.Interface(name)
		next.SetInterface(i)
	}
	next.SetStatics(0, []StaticRoute{{Prefix: pfx("10.7.0.0/16"), Hops: []NextHop{{Addr: addr("10.255.0.5")}}}})
	next.Complete(true)
	flush(t, next)
	if a := f.path(t, "10.7.0.0/16"); a.SA != 5 {
		t.Fatalf("after the restart: %+v", a)
	}
	next.RemoveSA(5)
	flush(t, next)
	if a := f.path(t, "10.7.0.0/16"); a.Kind == fib.AdjTunnel {
		t.Errorf("the association is gone, and packets leave by %+v", a)
	}
}

// An interface whose leased address is not known yet has the one that it had: without one it would take no transit. It is the end of that when all is known, or nothing came in time.
func TestOldAddressUntilTheLease(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(r *RIB)
		want netip.Addr
	}{
		{"the lease comes", func(r *RIB) { r.SetInterface(wan) }, wan.Addrs[0].Addr()},
		{"another lease comes", func(r *RIB) {
			other := wan
			other.Addrs = []netip.Prefix{pfx("198.51.100.7/24")}
			r.SetInterface(other)
		}, addr("198.51.100.7")},
		{"it has none", func(r *RIB) { r.Complete(true) }, netip.Addr{}},
		{"nothing comes", func(r *RIB) { r.Disinherit() }, netip.Addr{}},
	} {
		r, f := restart(t)
		bare := wan
		bare.Addrs = nil
		r.SetInterface(bare)
		bare.MTU = 1400 // it is told twice
		r.SetInterface(bare)
		r.Complete(false)
		flush(t, r)
		if p := f.ports[wan.Port]; p.Addr != wan.Addrs[0].Addr() || p.MTU != 1400 {
			t.Fatalf("%s: before that %+v", c.name, p)
		}
		c.do(r)
		flush(t, r)
		if p := f.ports[wan.Port]; p.Addr != c.want {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}
