package rib

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath/fib"
)

func TestSlots(t *testing.T) {
	for _, c := range []struct {
		shares []float64
		want   []int
	}{
		{[]float64{1}, []int{1}},
		{[]float64{1, 1}, []int{1, 1}},
		{[]float64{.5, .5, .5}, []int{2, 2, 2}},
		{[]float64{7, 7, 7, 7}, []int{3, 3, 3, 3}},
		{[]float64{1, 1, 1, 1, 1}, []int{3, 3, 3, 3, 3}},
		{[]float64{1, 1, 1, 1, 1, 1, 1, 1, 1}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{[]float64{2, 1}, []int{10, 5}},
		{[]float64{3, 1}, []int{12, 4}},
		{[]float64{128, 1}, []int{15, 1}},
		{[]float64{1, 1, 2}, []int{4, 4, 8}},
		{[]float64{100, 100, 1, 1, 1, 1}, []int{6, 6, 1, 1, 1, 1}},
	} {
		if got := slots(c.shares, 0); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.shares, got, c.want)
		}
	}
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		shares := make([]float64, 1+rng.IntN(fib.MaxPaths))
		sum, least := 0.0, math.Inf(1)
		for i := range shares {
			shares[i] = float64(1 + rng.IntN(1+rng.IntN(128)))
			sum += shares[i]
			least = min(least, shares[i])
		}
		counts := slots(shares, 0)
		all := 0
		for _, n := range counts {
			all += n
			if n < 1 {
				t.Fatalf("%v: %v", shares, counts)
			}
		}
		if all > fib.MaxPaths {
			t.Fatalf("%v: %v", shares, counts)
		}
		for i, n := range counts {
			off := math.Abs(float64(n)/float64(all) - shares[i]/sum)
			if least/sum >= 1.0/fib.MaxPaths && off > 1.0/fib.MaxPaths {
				t.Errorf("%v: %v: a path is off by %.3f of all traffic", shares, counts, off)
			}
		}
	}
}

// moves is how much of all traffic takes another way than before, of what could stay where it was.
func moves(before, after []*hop) float64 {
	const flows = 5040
	moved, could := 0, 0
	for f := range flows {
		a, b := before[f*len(before)/flows], after[f*len(after)/flows]
		if !slices.Contains(after, a) {
			continue
		}
		could++
		if a != b {
			moved++
		}
	}
	return float64(moved) / float64(could)
}

func lay(hops []*hop, was []*hop, shares ...float64) []*hop {
	for len(shares) < len(hops) {
		shares = append(shares, 1)
	}
	if len(hops) == 1 {
		return hops
	}
	return arrange(hops, slots(shares, len(was)), paths(was, fib.Drop))
}

// When one of several ways goes, flows of the others stay: all of them with up to four equal ways, most of them otherwise.
func TestSlotsStay(t *testing.T) {
	var hops []*hop
	for i := range 8 {
		hops = append(hops, &hop{id: fib.FirstAdj + fib.AdjID(i)})
	}
	for n := 2; n <= 8; n++ {
		for gone := range n {
			before := lay(hops[:n], nil)
			after := lay(slices.Delete(slices.Clone(hops[:n]), gone, gone+1), before)
			limit := 0.0
			if n > 4 {
				limit = 0.3
			}
			if m := moves(before, after); m > limit {
				t.Errorf("%d ways, %d goes: %.2f of the others' flows move", n, gone, m)
			}
			again := lay(hops[:n], after)
			if n <= 4 {
				moved := 0
				for i, h := range after {
					for k := range len(again) / len(after) {
						if o := again[i*len(again)/len(after)+k]; o != h && o != hops[gone] {
							moved++
						}
					}
				}
				if moved > 0 && len(after) > 1 {
					t.Errorf("%d ways, %d comes again: %d slots move between the others", n, gone, moved)
				}
			}
			for _, h := range hops[:n] {
				if slotsOf(again, h)*len(before) != slotsOf(before, h)*len(again) {
					t.Errorf("%d ways, %d comes again: %v", n, gone, paths(again, 0))
				}
			}
			if got := lay(hops[:n], before); !slices.Equal(got, before) {
				t.Errorf("%d ways said again: %v, was %v", n, paths(got, 0), paths(before, 0))
			}
		}
	}
	before := lay(hops[:3], nil, 4, 2, 1)
	if m := moves(before, lay(hops[:2], before, 4, 2)); m > 0.2 {
		t.Errorf("unequal ways: %.2f of the others' flows move", m)
	}
}

// hopAt is a next hop on a link.
func hopAt(n int, share uint8) NextHop {
	return NextHop{Iface: "Ethernet0", Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), Share: share}
}

func withHosts(t testing.TB) (*RIB, *fakeFIB) {
	r, f, _ := newTest(t)
	tellHosts(r)
	return r, f
}

func tellHosts(r *RIB) {
	for n := 10; n < 40; n++ {
		r.Neighbour("Ethernet0", hopAt(n, 0).Addr, [6]byte{2, 0, 0, 0, 9, byte(n)}, true)
	}
}

// spread is how many slots of a route each of the hosts has, by the last byte of its address.
func (f *fakeFIB) spread(p string) map[int]int {
	out := map[int]int{}
	for _, id := range f.routes[fib.RouteKey{Prefix: pfx(p)}] {
		if id < fib.FirstAdj {
			out[-int(id)]++
			continue
		}
		out[int(f.adj[id].NextHop.As4()[3])]++
	}
	return out
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func eigrp(process uint32, metric uint32, hops ...NextHop) Learned {
	return Learned{Source: EIGRP, Process: process, Distance: 90, Metric: metric, Hops: hops}
}

func TestUnequalShares(t *testing.T) {
	r, f := withHosts(t)
	p := pfx("10.40.0.0/16")
	r.Changes()
	r.SetRoute(0, p, eigrp(1, 100, hopAt(10, 3), hopAt(11, 1)))
	flush(t, r)
	want(t, "3 to 1", f.spread("10.40.0.0/16"), map[int]int{10: 12, 11: 4})
	changes := r.Changes()
	want(t, "as others are told", changes[len(changes)-1].Hops, []NextHop{hopAt(10, 3), hopAt(11, 1)})
	if _, paths, ok := r.Resolved(0, addr("10.40.1.1")); !ok || len(paths) != 2 || paths[0].Slots+paths[1].Slots != 16 || paths[0].Slots == paths[1].Slots {
		t.Errorf("as shown: %+v", paths)
	}
	r.SetRoute(0, p, eigrp(1, 100, hopAt(10, 1), hopAt(11, 1)))
	flush(t, r)
	want(t, "1 to 1", f.spread("10.40.0.0/16"), map[int]int{10: 8, 11: 8})
	if changes = r.Changes(); len(changes) != 1 || changes[0].Hops[0].Share != 0 {
		t.Errorf("changes %+v", changes)
	}
	// A next hop that is looked up: its share is that of its ways together.
	r.SetRoute(0, p, eigrp(1, 100, hopAt(10, 2), hopAt(11, 1)))
	r.SetRoute(0, pfx("10.41.0.0/16"), Learned{Source: BGP, Hops: []NextHop{{Addr: addr("10.40.0.9")}, hopAt(12, 0)}})
	flush(t, r)
	want(t, "by another route", f.spread("10.41.0.0/16"), map[int]int{10: 4, 11: 2, 12: 6})
	// The same way by two next hops has both shares.
	r.SetRoute(0, pfx("10.42.0.0/16"), eigrp(1, 100, hopAt(12, 1), hopAt(13, 1), hopAt(12, 1)))
	flush(t, r)
	want(t, "twice the same", f.spread("10.42.0.0/16"), map[int]int{12: 10, 13: 5})
	r.DelRoute(0, p, EIGRP, 1)
	r.DelRoute(0, pfx("10.41.0.0/16"), BGP, 0)
	r.DelRoute(0, pfx("10.42.0.0/16"), EIGRP, 1)
	flush(t, r)
	if len(f.adj) != len(r.hops) {
		t.Errorf("%d adjacencies for %d next hops", len(f.adj), len(r.hops))
	}
	for k, h := range r.hops {
		if h.refs < 1 {
			t.Errorf("%v is used by nothing", k)
		}
	}
	for n := 10; n < 14; n++ { // each goes by its own host route, and by nothing else
		if h := r.hops[hopKey{iface: "Ethernet0", addr: hopAt(n, 0).Addr}]; h == nil || h.refs != 1 {
			t.Errorf("host %d: %+v", n, h)
		}
	}
}

// Of more ways than the fast path takes those with the larger shares stay.
func TestTooManyWays(t *testing.T) {
	r, f := withHosts(t)
	var hops []NextHop
	for n := 10; n < 32; n++ {
		hops = append(hops, hopAt(n, uint8(40-n)))
	}
	r.SetRoute(0, pfx("10.40.0.0/16"), eigrp(1, 100, hops...))
	flush(t, r)
	got := f.spread("10.40.0.0/16")
	if len(got) != fib.MaxPaths || got[10] == 0 || got[25] == 0 {
		t.Errorf("paths %v", got)
	}
}

// Processes of EIGRP have a prefix side by side: the lower distance wins, then the lower metric, then who was first.
func TestProcesses(t *testing.T) {
	r, f := withHosts(t)
	const p = "10.40.0.0/16"
	set := func(l Learned) {
		t.Helper()
		r.SetRoute(0, pfx(p), l)
		flush(t, r)
	}
	goes := func(what string, host int) {
		t.Helper()
		want(t, what, f.spread(p), map[int]int{host: 1})
	}
	external := eigrp(1, 10, hopAt(10, 1))
	external.Distance, external.External = 170, true
	set(external)
	goes("alone", 10)
	set(eigrp(2, 500, hopAt(11, 1)))
	goes("internal before external", 11)
	set(eigrp(3, 400, hopAt(12, 1)))
	goes("the lower metric", 12)
	set(eigrp(4, 400, hopAt(13, 1)))
	goes("the older one", 12)
	set(eigrp(3, 400, hopAt(14, 1)))
	goes("the older one, by another way", 14)
	if route, ok := r.Lookup(0, addr("10.40.0.1")); !ok || route.Process != 3 || route.Distance != 90 || route.External {
		t.Errorf("route %+v", route)
	}
	set(Learned{Source: EIGRP, Process: 3})
	goes("the next one", 13)
	set(Learned{Source: EIGRP, Process: 2})
	set(Learned{Source: EIGRP, Process: 4})
	goes("the external one again", 10)
	if route, ok := r.Lookup(0, addr("10.40.0.1")); !ok || !route.External || route.Process != 1 || route.Distance != 170 {
		t.Errorf("route %+v", route)
	}
	r.DelRoute(0, pfx(p), EIGRP, 1)
	flush(t, r)
	want(t, "none", f.spread(p), map[int]int{})
}

// Sources of one distance come in the same order, whoever spoke first.
func TestTies(t *testing.T) {
	say := []func(*RIB){
		func(r *RIB) {
			r.SetRoute(0, pfx("10.40.0.0/16"), Learned{Source: Kernel, Distance: 90, Metric: 1, Hops: []NextHop{hopAt(10, 0)}})
		},
		func(r *RIB) { r.SetRoute(0, pfx("10.40.0.0/16"), eigrp(1, 1000, hopAt(11, 1))) },
		func(r *RIB) {
			r.SetRoute(0, pfx("10.40.0.0/16"), Learned{Source: BGP, Distance: 90, Hops: []NextHop{hopAt(12, 0)}})
		},
		func(r *RIB) {
			r.SetStatics(0, []StaticRoute{{Prefix: pfx("10.40.0.0/16"), Distance: 90, Hops: []NextHop{hopAt(13, 0)}}})
		},
	}
	for seed := range uint64(24) {
		r, f := withHosts(t)
		rng := rand.New(rand.NewPCG(seed, 9))
		rng.Shuffle(len(say), func(i, j int) { say[i], say[j] = say[j], say[i] })
		for _, s := range append(slices.Clone(say), say[rng.IntN(len(say))]) {
			s(r)
			flush(t, r)
		}
		want(t, "static first", f.spread("10.40.0.0/16"), map[int]int{13: 1})
		r.SetStatics(0, nil)
		flush(t, r)
		want(t, "then the kernel's", f.spread("10.40.0.0/16"), map[int]int{10: 1})
		r.DelRoute(0, pfx("10.40.0.0/16"), Kernel, 0)
		flush(t, r)
		want(t, "then EIGRP", f.spread("10.40.0.0/16"), map[int]int{11: 1})
	}
}

// A summary of EIGRP leads to Null0: packets, next hops and what leaks.
func TestDiscard(t *testing.T) {
	r, f := withHosts(t)
	summary := Learned{Source: EIGRP, Process: 1, Distance: 5, Metric: 128256, Discard: true}
	r.Changes()
	r.SetRoute(0, pfx("10.40.0.0/16"), summary)
	r.SetRoute(0, pfx("10.40.7.0/24"), eigrp(1, 100, hopAt(10, 1)))
	r.SetRoute(0, pfx("10.50.0.0/16"), Learned{Source: BGP, Hops: []NextHop{{Addr: addr("10.40.1.1")}}})
	r.SetRoute(red, pfx("10.40.0.0/16"), Learned{Source: BGP, Hops: []NextHop{{Elsewhere: true}}})
	flush(t, r)
	want(t, "the summary", f.spread("10.40.0.0/16"), map[int]int{-int(fib.Null): 1})
	want(t, "what is longer", f.spread("10.40.7.0/24"), map[int]int{10: 1})
	if route, ok := r.Lookup(0, addr("10.40.1.1")); !ok || len(route.Hops) != 0 || route.Distance != 5 || route.Source != EIGRP || route.Prefix != pfx("10.40.0.0/16") {
		t.Errorf("Lookup: %+v", route)
	}
	if p, paths, ok := r.Resolved(0, addr("10.40.1.1")); !ok || p != pfx("10.40.0.0/16") || len(paths) != 1 || paths[0].Adjacency != fib.Null {
		t.Errorf("Resolved: %v %+v", p, paths)
	}
	for _, k := range []fib.RouteKey{{Prefix: pfx("10.50.0.0/16")}, {VRF: red, Prefix: pfx("10.40.0.0/16")}} {
		if paths, ok := f.routes[k]; ok {
			t.Errorf("%v by the summary: %v", k, paths)
		}
	}
	n := 0
	for _, c := range r.Changes() {
		if c.Prefix == pfx("10.40.0.0/16") && c.VRF == 0 {
			n++
			if c.Gone || len(c.Hops) != 0 || c.Source != EIGRP {
				t.Errorf("change %+v", c)
			}
		}
	}
	want(t, "changes", n, 1)
	batches := f.batches
	r.SetRoute(0, pfx("10.40.0.0/16"), summary)
	flush(t, r)
	if f.batches != batches || len(r.Changes()) != 0 {
		t.Error("said again, it is news")
	}
	r.SetRoute(0, pfx("10.40.0.0/16"), eigrp(1, 100, hopAt(10, 1)))
	flush(t, r)
	want(t, "no summary any more", f.spread("10.40.0.0/16"), map[int]int{10: 1})
	want(t, "by what is there instead", f.spread("10.50.0.0/16"), map[int]int{10: 1})
}

// What others have put into the kernel's table goes by an interface of ours, or by another route.
func TestKernelRoute(t *testing.T) {
	r, f := withHosts(t)
	r.SetRoute(0, pfx("10.40.0.0/16"), Learned{Source: Kernel, Distance: 110, Metric: 20, Hops: []NextHop{hopAt(10, 0)}})
	r.SetRoute(0, pfx("10.41.0.0/16"), Learned{Source: Kernel, Hops: []NextHop{{Addr: addr("10.40.0.1")}}})
	r.SetRoute(0, pfx("10.42.0.0/16"), Learned{Source: Kernel, Discard: true})
	flush(t, r)
	want(t, "by a gateway", f.spread("10.40.0.0/16"), map[int]int{10: 1})
	want(t, "by another route", f.spread("10.41.0.0/16"), map[int]int{10: 1})
	want(t, "blackhole", f.spread("10.42.0.0/16"), map[int]int{-int(fib.Null): 1})
	if route, _ := r.Lookup(0, addr("10.41.0.1")); route.Distance != 1 || route.Source != Kernel {
		t.Errorf("route %+v", route)
	}
	r.SetRoute(0, pfx("10.40.0.0/16"), eigrp(1, 5, hopAt(11, 1)))
	flush(t, r)
	want(t, "EIGRP's is nearer", f.spread("10.41.0.0/16"), map[int]int{11: 1})
}

// A fast path that goes on under another control plane keeps routes with shares, and those to Null0, as they are: before EIGRP has said anything, and when it says the same.
func TestSharesTakenOver(t *testing.T) {
	old, f := withHosts(t)
	say := func(r *RIB) {
		r.SetRoute(0, pfx("10.40.0.0/16"), eigrp(1, 100, hopAt(10, 3), hopAt(11, 2), hopAt(12, 1)))
		r.SetRoute(0, pfx("10.41.0.0/16"), eigrp(1, 100, hopAt(10, 1), hopAt(11, 1), hopAt(13, 1)))
		r.SetRoute(0, pfx("10.42.0.0/16"), Learned{Source: EIGRP, Process: 1, Distance: 5, Discard: true})
	}
	r := old
	say(r)
	r.SetRoute(0, pfx("10.41.0.0/16"), eigrp(1, 100, hopAt(10, 1), hopAt(11, 1), hopAt(12, 1), hopAt(13, 1)))
	flush(t, r)
	say(r) // one of the ways goes, so that the slots have a history
	flush(t, r)
	next := New(f.apply, wanted{})
	next.Inherit(f.installed())
	was, batches, entries := maps.Clone(f.routes), f.batches, f.entries
	for _, i := range []Interface{wan, lan, tun} {
		next.SetInterface(i)
	}
	tellHosts(next)
	next.Complete(true)
	flush(t, next)
	want(t, "before EIGRP has come", maps.Clone(f.routes), was)
	say(next)
	flush(t, next)
	next.Disinherit()
	flush(t, next)
	want(t, "when it has", maps.Clone(f.routes), was)
	if f.entries != entries {
		t.Errorf("%d entries in %d batches", f.entries-entries, f.batches-batches)
	}
	next.SetRoute(0, pfx("10.40.0.0/16"), eigrp(1, 100, hopAt(10, 3), hopAt(11, 2), hopAt(12, 1), hopAt(14, 1)))
	next.DelRoute(0, pfx("10.42.0.0/16"), EIGRP, 1)
	flush(t, next)
	want(t, "more ways", len(f.spread("10.40.0.0/16")), 4)
	want(t, "no summary", f.spread("10.42.0.0/16"), map[int]int{})
	// What EIGRP does not say again goes in the end.
	last := New(f.apply, wanted{})
	last.Inherit(f.installed())
	for _, i := range []Interface{wan, lan, tun} {
		last.SetInterface(i)
	}
	tellHosts(last)
	last.Complete(true)
	flush(t, last)
	want(t, "with two minutes left", len(f.spread("10.40.0.0/16")), 4)
	last.Disinherit()
	flush(t, last)
	want(t, "and with none", f.spread("10.40.0.0/16"), map[int]int{})
}
