package rib

import (
	"slices"

	"nave/fastpath/fib"
)

// disown takes an adjacency that goes away out of old routes and labels.
func (r *RIB) disown(id fib.AdjID) {
	if r.inherited == nil {
		return
	}
	for _, k := range r.inherited.byPath[id] {
		r.dropRoute(k)
	}
	delete(r.inherited.byPath, id)
	for _, in := range r.inherited.labelled[id] {
		r.dropLabel(in)
	}
	delete(r.inherited.labelled, id)
}

// dropLabel takes an old label away, unless one of this RIB's has its number by now and takes its place with the next batch.
func (r *RIB) dropLabel(in uint32) {
	if _, ok := r.inherited.labels[in]; !ok {
		return
	}
	delete(r.inherited.labels, in)
	r.delLabels[in] = struct{}{}
	if l := r.labels[in]; l != nil {
		r.dirtyLabels[l] = struct{}{}
	}
}

// DropInheritedSwaps takes away the old labels from first to last that are swapped and that nobody has set since: what they are swapped for is the business of others, who may
// give it another meaning.
func (r *RIB) DropInheritedSwaps(first, last uint32) {
	if r.inherited == nil {
		return
	}
	for in, l := range r.inherited.labels {
		if l.Action == fib.LabelSwap && first <= in && in <= last && r.labels[in] == nil {
			r.dropLabel(in)
		}
	}
}

// handBack leaves an adjacency that was taken over and is used no more to old labels, and old routes with labels, that still lead by it: they keep their meaning
// until they are gone themselves.
func (r *RIB) handBack(h *hop) bool {
	if r.inherited == nil || !h.installed || !leadsOn(&h.last) {
		return false
	}
	used := slices.ContainsFunc(r.inherited.labelled[h.id], func(in uint32) bool { _, ok := r.inherited.labels[in]; return ok })
	if !used && (len(h.last.Labels) == 0 || !slices.ContainsFunc(r.inherited.byPath[h.id], func(k fib.RouteKey) bool { _, ok := r.inherited.routes[k]; return ok })) {
		return false
	}
	r.forget(h)
	r.inherited.adjs[h.id] = h.last
	for _, sa := range sealsOf(&h.last) {
		r.inherited.sealed[sa] = append(r.inherited.sealed[sa], h.id)
	}
	if p, ok := r.inherited.placeOf(&h.last); ok {
		r.inherited.byPlace[p] = append(r.inherited.byPlace[p], h.id)
	}
	return true
}

// dropLabelled takes old adjacencies away that push labels on packets to an interface that takes none now.
func (r *RIB) dropLabelled(i *iface) {
	if r.inherited == nil || !r.inherited.pushes || i.switches() {
		return
	}
	r.dropAdjs(func(a *fib.Adjacency) bool {
		return len(a.Labels) > 0 && (i.Tunnel != nil && a.Tunnel == i.Tunnel.ID || i.Tunnel == nil && i.Port != 0 && a.Tunnel == 0 && a.Port == i.Port)
	})
}

// dropVRF takes away what is left of old of a VRF.
func (r *RIB) dropVRF(vrf fib.VRF) {
	if r.inherited == nil {
		return
	}
	for k := range r.inherited.routes {
		if k.VRF == vrf {
			r.dropRoute(k)
		}
	}
	for in, l := range r.inherited.labels {
		if l.Action == fib.LabelLookup && l.VRF == vrf {
			r.dropLabel(in)
		}
	}
	r.dropAdjs(func(a *fib.Adjacency) bool { return a.Kind == fib.AdjLookup && a.VRF == vrf })
}

// noPath is no path of any route.
const noPath = ^fib.AdjID(0)

func (r *RIB) dropRoute(k fib.RouteKey) {
	if _, ok := r.inherited.routes[k]; !ok {
		return
	}
	delete(r.inherited.routes, k)
	if e := r.entry(k); e != nil {
		if _, waits := r.inherited.waiting[e]; waits {
			delete(r.inherited.waiting, e)
			r.dirty[e] = struct{}{}
			e.in, e.special = true, noPath // the old one: it is replaced, or taken away
			return
		}
	}
	r.dropped[k] = struct{}{}
}

// dropAdj takes an old adjacency away that nothing has taken over, and the routes by it.
func (r *RIB) dropAdj(id fib.AdjID) {
	r.disown(id)
	delete(r.inherited.adjs, id)
	r.batch.DelAdjacencies = append(r.batch.DelAdjacencies, id)
	r.freed = append(r.freed, id)
}

func (r *RIB) dropTunnel(id fib.TunnelID) {
	delete(r.inherited.tunnels, id)
	r.batch.DelTunnels = append(r.batch.DelTunnels, id)
	r.dropAdjs(func(a *fib.Adjacency) bool { return a.Tunnel == id })
}

func (r *RIB) dropAdjs(which func(*fib.Adjacency) bool) {
	var ids []fib.AdjID
	for id, a := range r.inherited.adjs {
		if which(&a) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		r.dropAdj(id)
	}
	if len(ids) > 0 {
		r.rewriteGroups()
	}
}

// rewriteGroups has the lists of all tunnels written again with the next Flush, as old members of theirs go away with it.
func (r *RIB) rewriteGroups() {
	for name, i := range r.ifaces {
		if i.group != 0 {
			r.dirtyGroup[name] = struct{}{}
		}
	}
	for id, members := range r.inherited.groups { // of tunnels that have not come up yet
		left := slices.DeleteFunc(slices.Clone(members), func(m fib.AdjID) bool { return !r.isThere(m) })
		if len(left) != len(members) {
			r.inherited.groups[id] = left
			r.batch.Groups = replace(r.batch.Groups, fib.Group{ID: id, Members: left}, func(a, b fib.Group) bool { return a.ID == b.ID })
		}
	}
	r.FlushGroups()
}

func (r *RIB) isThere(id fib.AdjID) bool {
	_, old := r.inherited.adjs[id]
	h := r.byID[id]
	return old || h != nil && h.refs > 0
}

// Complete says whether all that the configuration speaks of is known: links, leased addresses. If so, old ports and tunnels that are not
// configured any more go, and what leads out by them; and so do old routes that lead nowhere by now. What leads on over an interface that is still there stays
// until Disinherit.
func (r *RIB) Complete(all bool) {
	if r.inherited == nil {
		return
	}
	if r.inherited.incomplete = !all; !all {
		return
	}
	r.endLent()
	for id := range r.inherited.tunnels {
		r.dropTunnel(id)
	}
	for id := range r.inherited.ports {
		delete(r.inherited.ports, id)
		r.batch.DelPorts = append(r.batch.DelPorts, id)
		r.dropAdjs(func(a *fib.Adjacency) bool { return a.Port == id })
	}
	for k, old := range r.inherited.routes {
		if e := r.entry(k); !r.pathsLead(old) && old[0] != fib.Null && (e == nil || len(e.candidates) == 0) { // a summary's Null0 keeps packets from a loop
			r.dropRoute(k)
		}
	}
	for h := range r.old() {
		r.dirtyHops[h] = struct{}{}
	}
}

// old are the next hops that go by their old adjacency.
func (r *RIB) old() map[*hop]struct{} {
	out := make(map[*hop]struct{})
	for _, h := range r.hops {
		if h.outlives {
			out[h] = struct{}{}
		}
	}
	return out
}

// Disinherit takes away all that is left of old: from now on the fast path has what it would have after a fresh start.
func (r *RIB) Disinherit() {
	if r.inherited == nil {
		return
	}
	r.Complete(true)
	for k := range r.inherited.routes {
		r.dropRoute(k)
	}
	for in := range r.inherited.labels {
		r.dropLabel(in)
	}
	r.dropAdjs(func(*fib.Adjacency) bool { return true })
	for h := range r.old() {
		h.outlives = false
		r.dirtyHops[h] = struct{}{}
	}
	for id := range r.inherited.groups {
		if !r.hasGroup(id) {
			r.batch.Groups = slices.DeleteFunc(r.batch.Groups, func(g fib.Group) bool { return g.ID == id })
			r.batch.DelGroups = append(r.batch.DelGroups, id)
			r.groups.give(id)
		}
	}
	clear(r.inherited.groups)
	r.rewriteGroups()
	r.inherited = nil
}

func (r *RIB) hasGroup(id fib.GroupID) bool {
	for _, i := range r.ifaces {
		if i.group == id {
			return true
		}
	}
	return false
}

// Inherits counts what is left of old: adjacencies and routes that nothing has taken over, and next hops that go by their old adjacency.
func (r *RIB) Inherits() (adjacencies, routes int) {
	if r.inherited == nil {
		return 0, 0
	}
	return len(r.inherited.adjs) + len(r.old()), len(r.inherited.routes)
}
