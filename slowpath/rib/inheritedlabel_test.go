package rib

import (
	"slices"
	"testing"

	"nave/fastpath/fib"
)

// restartVPN makes another RIB of the fast path of one with a VPN route, a label that is swapped, and one of a VRF.
func restartVPN(t *testing.T) (*RIB, *fakeFIB) {
	t.Helper()
	r, f := newVPN(t)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18))
	r.SetLabel(100, LabelUse{Lookup: true, VRF: red})
	r.SetLabel(101, LabelUse{Swap: true, Hop: NextHop{Addr: addr("1.1.1.1"), Labels: push(t, 18)}})
	flush(t, r)
	next := New(f.apply, wanted{})
	next.Inherit(f.installed())
	for _, i := range []Interface{wan, lan, mpls(tun), core, ce, vpn} {
		next.SetInterface(i)
	}
	next.SetStatics(0, []StaticRoute{{Prefix: pfx("1.1.1.1/32"), Hops: []NextHop{{Addr: addr("172.16.0.2")}}}})
	next.Neighbour("Ethernet2", addr("172.16.0.2"), gatewayMAC, true)
	next.Complete(true)
	return next, f
}

// Before LDP and BGP are there again, what they said before goes on; said again, it is the same; and what nobody says goes in the end.
func TestOldLabelsServe(t *testing.T) {
	r, f := restartVPN(t)
	old := f.one(red, "10.60.0.0/24")
	swaps := f.labels[101]
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18)) // BGP is first, LDP has no session yet
	flush(t, r)
	if a := f.one(red, "10.60.0.0/24"); !sameAdjacency(&a, &old) {
		t.Errorf("the route: %+v", a)
	}
	if got := r.InheritedLabels(); !slices.Equal(got, []uint32{100, 101}) || len(f.labels) != 2 {
		t.Errorf("inherited labels %v, there %v", got, f.labels)
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetLabel(101, LabelUse{Swap: true, Hop: NextHop{Addr: addr("1.1.1.1"), Labels: push(t, 18)}})
	entries := f.entries
	flush(t, r)
	if a := f.one(red, "10.60.0.0/24"); a.ID != old.ID || !slices.Equal(a.Labels, []uint32{17, 18}) {
		t.Errorf("said again, the route goes by %+v", a)
	}
	if now := f.labels[101]; !sameLabel(&now, &swaps) || f.entries > entries+1 { // the plain route to the next hop is labelled now
		t.Errorf("said again, the label does %+v, by %d entries", now, f.entries-entries)
	}
	if got := r.InheritedLabels(); !slices.Equal(got, []uint32{100}) {
		t.Errorf("inherited labels %v", got)
	}
	r.Disinherit()
	flush(t, r)
	if _, ok := f.labels[100]; ok || len(f.labels) != 1 || r.InheritedLabels() != nil {
		t.Errorf("in the end: %v", f.labels)
	}
}

// An old label leads by its adjacency as long as it stands, whatever the routes do that share it.
func TestOldLabelKeepsItsWay(t *testing.T) {
	r, f := restartVPN(t)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18))
	flush(t, r)
	id := f.one(red, "10.60.0.0/24").ID
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 28)) // the far end has restarted too
	flush(t, r)
	if a := f.one(red, "10.60.0.0/24"); a.ID == id || !slices.Equal(a.Labels, []uint32{17, 28}) {
		t.Errorf("the route: %+v", a)
	}
	if a := f.adj[f.labels[101].Paths[0]]; a.ID != id || !slices.Equal(a.Labels, []uint32{17, 18}) {
		t.Errorf("the old label leads by %+v", a)
	}
	r.SetRoute(red, pfx("10.61.0.0/24"), by(t, "1.1.1.1", 18)) // somebody goes that way again
	flush(t, r)
	if a := f.one(red, "10.61.0.0/24"); a.ID != id {
		t.Errorf("the other route: %+v", a)
	}
	r.DelRoute(red, pfx("10.61.0.0/24"), BGP, 0)
	r.DelLabel(101)
	r.Disinherit()
	flush(t, r)
	if _, ok := f.adj[id]; ok || len(f.labels) != 0 {
		t.Errorf("in the end there is %+v, labels %v", f.adj[id], f.labels)
	}
}

// A VRF that is gone takes along what is left of old in it.
func TestOldVRFGoes(t *testing.T) {
	r, f := restartVPN(t)
	other := ce
	other.VRF = blue
	r.SetInterface(other)
	r.RemoveVRF(red)
	flush(t, r)
	if _, ok := f.labels[100]; ok {
		t.Error("its label is left")
	}
	for k := range f.routes {
		if k.VRF == red {
			t.Errorf("route %v is left", k)
		}
	}
	if _, ok := f.labels[101]; !ok {
		t.Error("a label that has nothing to do with it is gone")
	}
}

// The labels of an interface that takes none any more are no way for packets of before either.
func TestOldLabelsWithoutMPLS(t *testing.T) {
	r, f := restartVPN(t)
	off := core
	off.MPLS = false
	r.SetInterface(off)
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18))
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil {
		t.Errorf("at once: %+v", got)
	}
	r.Disinherit()
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil || len(f.labels) != 0 || f.ports[3].MPLS {
		t.Errorf("route %+v, labels %v", got, f.labels)
	}
	for _, a := range f.adj {
		if len(a.Labels) > 0 && a.Kind != fib.AdjDrop {
			t.Errorf("packets get labels: %+v", a)
		}
	}
}

// When the neighbours have said all, what was swapped before and is not any more goes at once: their labels may mean something else. Labels of VRFs, of other ranges and
// those that are set again stay.
func TestOldSwapsGo(t *testing.T) {
	r, f := restartVPN(t)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18))
	flush(t, r)
	r.DropInheritedSwaps(102, 200)
	flush(t, r)
	if len(f.labels) != 2 {
		t.Errorf("labels of another range: %v", f.labels)
	}
	r.SetLabel(102, LabelUse{Swap: true, Hop: NextHop{Addr: addr("1.1.1.1"), Labels: push(t, 18)}})
	r.DropInheritedSwaps(16, 200)
	flush(t, r)
	if _, ok := f.labels[101]; ok || len(f.labels) != 2 || f.labels[100].Action != fib.LabelLookup || f.labels[102].Action != fib.LabelSwap {
		t.Errorf("labels %v", f.labels)
	}
	if a := f.one(red, "10.60.0.0/24"); !slices.Equal(a.Labels, []uint32{17, 18}) {
		t.Errorf("the route that shares its way: %+v", a)
	}
	r.Disinherit()
	flush(t, r)
	if len(f.labels) != 1 {
		t.Errorf("in the end: %v", f.labels)
	}
	r.DropInheritedSwaps(16, 200) // nothing is inherited any more
	flush(t, r)
	if len(f.labels) != 1 {
		t.Errorf("after the end: %v", f.labels)
	}
}
