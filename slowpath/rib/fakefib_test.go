package rib

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"nave/fastpath/fib"
)

// fakeFIB applies batches as the engine does, and complains of what the engine would refuse.
type fakeFIB struct {
	t       testing.TB
	adj     map[fib.AdjID]fib.Adjacency
	routes  map[fib.RouteKey][]fib.AdjID
	groups  map[fib.GroupID][]fib.AdjID
	tunnels map[fib.TunnelID]fib.Tunnel
	ports   map[fib.PortID]fib.Port
	labels  map[uint32]fib.Label
	refuse  func(*fib.Batch) []fib.Refusal // takes what it refuses out of the batch
	batches int
	entries int
}

func newFakeFIB(t testing.TB) *fakeFIB {
	return &fakeFIB{t: t, adj: map[fib.AdjID]fib.Adjacency{}, routes: map[fib.RouteKey][]fib.AdjID{},
		groups: map[fib.GroupID][]fib.AdjID{}, tunnels: map[fib.TunnelID]fib.Tunnel{}, ports: map[fib.PortID]fib.Port{}, labels: map[uint32]fib.Label{}}
}

func (f *fakeFIB) apply(b *fib.Batch) ([]fib.Refusal, error) {
	f.batches++
	var refused []fib.Refusal
	if f.refuse != nil {
		refused = f.refuse(b)
	}
	f.entries += len(b.Adjacencies) + len(b.Routes) + len(b.DelRoutes) + len(b.DelAdjacencies)
	f.sane(b)
	for _, p := range b.Ports {
		f.ports[p.ID] = p
	}
	for _, t := range b.Tunnels {
		f.tunnels[t.ID] = t
	}
	for _, a := range b.Adjacencies {
		f.adj[a.ID] = a
	}
	for _, g := range b.Groups {
		f.groups[g.ID] = g.Members
	}
	for _, r := range b.Routes {
		f.routes[fib.RouteKey{VRF: r.VRF, Prefix: r.Prefix}] = r.Paths
	}
	for _, l := range b.Labels {
		f.labels[l.In] = l
	}
	for _, k := range b.DelRoutes {
		delete(f.routes, k)
	}
	for _, in := range b.DelLabels {
		delete(f.labels, in)
	}
	for _, id := range b.DelGroups {
		delete(f.groups, id)
	}
	for _, id := range b.DelAdjacencies {
		delete(f.adj, id)
	}
	for _, id := range b.DelTunnels {
		delete(f.tunnels, id)
	}
	for _, id := range b.DelPorts {
		delete(f.ports, id)
	}
	f.check()
	return refused, nil
}

// sane looks for what the engine takes no batch with.
func (f *fakeFIB) sane(b *fib.Batch) {
	f.t.Helper()
	adjs, labels, routes, gone := map[fib.AdjID]bool{}, map[uint32]bool{}, map[fib.RouteKey]bool{}, map[fib.AdjID]bool{}
	for _, id := range b.DelAdjacencies {
		gone[id] = true
	}
	uses := func(what any, paths []fib.AdjID) {
		for _, id := range paths {
			if gone[id] {
				f.t.Fatalf("%v uses adjacency %d, which the batch removes", what, id)
			}
		}
	}
	for _, a := range b.Adjacencies {
		if adjs[a.ID] || a.ID < fib.FirstAdj || len(a.Outer) > fib.MaxOuter || len(a.Labels) > fib.MaxLabels {
			f.t.Fatalf("adjacency %+v is twice in a batch, or malformed", a)
		}
		if (a.Kind == fib.AdjLink || a.Kind == fib.AdjTunnel) && (a.Port == 0 || int(a.MTU) < 68+4*len(a.Labels)) {
			f.t.Fatalf("malformed adjacency %+v", a)
		}
		adjs[a.ID] = true
	}
	for _, l := range b.Labels {
		if labels[l.In] || l.Action == fib.LabelLookup && len(l.Paths) > 0 || l.Action != fib.LabelLookup && (len(l.Paths) == 0 || l.VRF != 0) {
			f.t.Fatalf("label %+v is twice in a batch, or malformed", l)
		}
		labels[l.In] = true
		uses(l, l.Paths)
	}
	for _, in := range b.DelLabels {
		if labels[in] {
			f.t.Fatalf("label %d is installed and removed by one batch", in)
		}
	}
	for _, e := range b.Routes {
		k := fib.RouteKey{VRF: e.VRF, Prefix: e.Prefix}
		if routes[k] {
			f.t.Fatalf("route %v twice in a batch", k)
		}
		routes[k] = true
		uses(k, e.Paths)
	}
	for _, k := range b.DelRoutes {
		if routes[k] {
			f.t.Fatalf("route %v is installed and removed by one batch", k)
		}
	}
}

// check looks for dangling references. While the fast path refuses, there may be some: what leads to a refused adjacency drops its packets.
func (f *fakeFIB) check() {
	f.t.Helper()
	if f.refuse != nil {
		return
	}
	for k, paths := range f.routes {
		for _, id := range paths {
			if _, ok := f.adj[id]; !ok && id >= fib.FirstAdj {
				f.t.Fatalf("route %v uses adjacency %d, which is not installed", k, id)
			}
		}
	}
	for in, l := range f.labels {
		for _, id := range l.Paths {
			if _, ok := f.adj[id]; !ok {
				f.t.Fatalf("label %d uses adjacency %d, which is not installed", in, id)
			}
		}
	}
	for g, members := range f.groups {
		for _, id := range members {
			if _, ok := f.adj[id]; !ok {
				f.t.Fatalf("group %d has adjacency %d, which is not installed", g, id)
			}
		}
	}
}

// describe is the forwarding state without the numbers of adjacencies, so that two histories can be compared.
func (f *fakeFIB) describe() []string {
	name := func(id fib.AdjID) string {
		a, ok := f.adj[id]
		if !ok {
			return fmt.Sprint(id)
		}
		a.ID = 0
		return fmt.Sprintf("%+v", a)
	}
	names := func(ids []fib.AdjID) (out []string) {
		for _, id := range ids {
			out = append(out, name(id))
		}
		slices.Sort(out)
		return out
	}
	shares := func(ids []fib.AdjID) map[string]float64 { // slots may be more or fewer for the same
		out := make(map[string]float64)
		for _, id := range ids {
			out[name(id)] += 1 / float64(len(ids))
		}
		for k, s := range out {
			out[k] = math.Round(s*1e6) / 1e6
		}
		return out
	}
	var out []string
	for k, p := range f.routes {
		out = append(out, fmt.Sprintf("route %v %v", k, shares(p)))
	}
	for _, l := range f.labels {
		out = append(out, fmt.Sprintf("label %d %d %d %v %v %v", l.In, l.Action, l.VRF, l.Pipe, l.CopyEXP, shares(l.Paths)))
	}
	for _, t := range f.tunnels {
		members := names(f.groups[t.Group])
		t.Group = 0
		out = append(out, fmt.Sprintf("tunnel %+v %v", t, members))
	}
	for _, p := range f.ports {
		out = append(out, fmt.Sprintf("port %+v", p))
	}
	slices.Sort(out)
	return out
}
