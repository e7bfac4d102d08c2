package rib

import (
	"fmt"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
)

// Flush works out what changed since the last Flush and applies it in one batch. What the fast path has no room for
// is kept and shown by Refused; an error means that the batch was malformed, which is a bug, and changed nothing.
func (r *RIB) Flush() error {
	err := r.flush()
	if err == nil && r.retry && r.room > 0 { // what was refused may have the place of what the batch took away
		err = r.flush()
	}
	return err
}

func (r *RIB) flush() error {
	if r.retry {
		r.tryAgain()
	}
	if r.stale {
		r.retarget()
	}
	r.settleAll()
	if r.inherited != nil && len(r.inherited.waiting) > 0 { // their next hops are worked out now
		for e := range r.inherited.waiting {
			r.dirty[e] = struct{}{}
		}
		r.settleAll()
	}
	for len(r.dirty)+len(r.dirtyLabels) > 0 { // their old ways went just now
		r.settleAll()
	}
	for k := range r.dropped {
		r.batch.DelRoutes = append(r.batch.DelRoutes, k)
	}
	r.dropped = emptied(r.dropped)
	r.batchLabels()
	if r.batch.Empty() {
		return nil
	}
	b := r.batch
	r.batch = fib.Batch{}
	refused, err := r.apply(&b)
	for i := range b.SAs {
		clearKeys(&b.SAs[i])
	}
	if err == nil {
		err = r.account(&b, refused)
	}
	for _, id := range r.freed {
		r.ids.give(id)
	}
	r.freed = r.freed[:0]
	if err != nil {
		return fmt.Errorf("rib: %w", err)
	}
	return nil
}

// settleAll works out what something touched: routes, then labels, which may go by them, then the adjacencies of both.
func (r *RIB) settleAll() {
	var released []*hop
	r.touchLeaks()
	for e := range r.dirty {
		released = append(released, r.settle(e)...)
	}
	r.dirty = emptied(r.dirty)
	for l := range r.dirtyLabels {
		released = append(released, r.settleLabel(l)...)
	}
	r.dirtyLabels = emptied(r.dirtyLabels)
	for _, h := range released {
		r.unref(h)
	}
	r.settleHops()
}

// emptied is an empty map in the place of m: m itself, unless it has grown so large that it would cost time ever after to clear it.
func emptied[K comparable, V any](m map[K]V) map[K]V {
	if len(m) > 256 {
		return make(map[K]V)
	}
	clear(m)
	return m
}

// paths are the adjacencies of a route: those of its next hops, or a special one.
func paths(hops []*hop, special fib.AdjID) []fib.AdjID {
	if len(hops) == 0 {
		return []fib.AdjID{special}
	}
	ids := make([]fib.AdjID, len(hops))
	for i, h := range hops {
		ids[i] = h.id
	}
	return ids
}

// settle chooses the best candidate of an entry and notes the route for the batch. It returns the next hops that the
// entry does not use any more.
func (r *RIB) settle(e *entry) (released []*hop) {
	key := fib.RouteKey{VRF: e.vrf, Prefix: e.prefix}
	r.aimEntry(e)
	r.aimLeaks(e)
	var hops []*hop
	special := fib.Drop
	chosen, ways := r.best(e, &search{})
	e.chosen = chosen != nil
	if chosen != nil {
		e.by = chosen.source
		switch {
		case chosen.source == Local:
			special = fib.Receive
		case len(chosen.hops) == 0:
			special = fib.Null
		default:
			hops = r.resolve(ways, false, r.laid(key, e))
		}
	}
	installed := special != fib.Drop || len(hops) > 0
	same := false
	if r.inherited != nil {
		var wait bool
		same, wait = r.takeRoute(key, e, chosen, hops, special, installed)
		installed = installed && !wait
	}
	switch {
	case same:
	case installed && (!e.in || special != e.special || !slices.Equal(hops, e.installed)):
		delete(r.dropped, key)
		r.batch.Routes = append(r.batch.Routes, fib.Route{VRF: e.vrf, Prefix: e.prefix, Paths: paths(hops, special)})
	case !installed && (e.in || r.wasRefused(refusedKey{route: key})): // an older one may stand
		r.batch.DelRoutes = append(r.batch.DelRoutes, key)
	}
	released, e.installed, e.special, e.in = e.installed, hops, special, installed
	for l := range r.byRoute[key] {
		r.dirtyLabels[l] = struct{}{}
	}
	if r.watched {
		r.note(key, e)
	}
	if len(e.candidates) == 0 {
		t := r.tables[e.vrf]
		delete(t.entries, e.prefix)
		t.lpm.Delete(e.prefix)
	}
	return released
}

// laid is what the fast path has for a route by slots; nothing where that does not matter.
func (r *RIB) laid(key fib.RouteKey, e *entry) []fib.AdjID {
	if r.inherited != nil {
		if old := r.inherited.routes[key]; len(old) > 1 {
			return old
		}
	}
	if len(e.installed) < 2 {
		return nil
	}
	return paths(e.installed, fib.Drop)
}

// resolve makes next hops of ways, as many as they are to have slots, which packets take themselves or, if direct, not otherwise than to the next hop. was is what the slots led to before.
func (r *RIB) resolve(ways []way, direct bool, was []fib.AdjID) []*hop {
	if len(ways) > 1 {
		ways = mergeWays(ways)
	}
	hops := make([]*hop, len(ways))
	for i := range ways {
		k := ways[i].key()
		k.direct = k.direct || direct
		hops[i] = r.hop(k)
	}
	if len(hops) < 2 {
		return hops
	}
	shares := make([]float64, len(ways))
	for i := range ways {
		shares[i] = ways[i].share
	}
	counts := slots(shares, len(was))
	for i, h := range hops {
		h.refs += counts[i] - 1
	}
	return arrange(hops, counts, was)
}

// settleHops rebuilds the adjacencies that something touched, and takes away those that nothing uses.
func (r *RIB) settleHops() {
	unlisted := false
	for h := range r.dirtyHops {
		if h.refs == 0 {
			if r.handBack(h) {
				continue
			}
			r.disown(h.id)
			unlisted = unlisted || r.inherited != nil && r.inherited.listed[h.id]
			r.forget(h)
			refused := r.wasRefused(refusedKey{adj: h.id})
			if h.installed || refused {
				r.batch.DelAdjacencies = append(r.batch.DelAdjacencies, h.id)
			}
			if refused && !h.stood {
				r.ids.spare = append(r.ids.spare, h.id)
			} else {
				r.freed = append(r.freed, h.id)
			}
			continue
		}
		a, on := r.build(h)
		r.watch(h, on)
		if r.outlives(h, &a) {
			continue
		}
		if !h.installed || !sameAdjacency(&a, &h.last) {
			h.last, h.stood, h.installed = a, h.stood || h.installed, true
			r.batch.Adjacencies = append(r.batch.Adjacencies, a)
		}
	}
	r.dirtyHops = emptied(r.dirtyHops)
	if unlisted {
		r.rewriteGroups()
	}
}

// Multicast puts a peer on the replication list of a tunnel, or takes it off. The list itself is written by
// FlushGroups.
func (r *RIB) Multicast(name string, at nbma.Address, add bool) {
	i := r.ifaces[name]
	if i == nil || i.Tunnel == nil {
		return
	}
	_, had := i.multicast[at]
	if had == add {
		return
	}
	k := hopKey{iface: name, nbma: at}
	if add {
		i.multicast[at] = struct{}{}
		r.hop(k)
	} else {
		delete(i.multicast, at)
		i.leaving = append(i.leaving, r.hops[k]) // it stays until the list is written without it
	}
	r.dirtyGroup[name] = struct{}{}
}

// GroupsWait tells whether replication lists have changed since FlushGroups.
func (r *RIB) GroupsWait() bool { return len(r.dirtyGroup) > 0 }

// FlushGroups notes the replication lists that changed for the next Flush. A list is written as a whole, so that is for
// now and then, not for every member that comes or goes.
func (r *RIB) FlushGroups() {
	for name := range r.dirtyGroup {
		i := r.ifaces[name]
		if i == nil {
			continue
		}
		if i.group == 0 && i.Tunnel != nil {
			i.group = r.adoptGroup(i.Tunnel.ID)
		}
		if i.group == 0 {
			i.group = r.groups.take()
			r.describe(i)
		}
		r.batch.Groups = replace(r.batch.Groups, fib.Group{ID: i.group, Members: r.members(i)}, func(a, b fib.Group) bool { return a.ID == b.ID })
		r.left(i)
	}
	clear(r.dirtyGroup)
}

// left lets go of the members that are on no list any more.
func (r *RIB) left(i *iface) {
	for _, h := range i.leaving {
		r.unref(h)
	}
	i.leaving = nil
}

// dropGroup takes a tunnel's list away.
func (r *RIB) dropGroup(i *iface) {
	r.left(i)
	delete(r.dirtyGroup, i.Name)
	if i.group != 0 {
		r.batch.Groups = slices.DeleteFunc(r.batch.Groups, func(g fib.Group) bool { return g.ID == i.group })
		r.batch.DelGroups = append(r.batch.DelGroups, i.group)
		r.groups.give(i.group)
		i.group = 0
	}
}

func (r *RIB) members(i *iface) []fib.AdjID {
	ids := make([]fib.AdjID, 0, len(i.multicast))
	for a := range i.multicast {
		if h := r.hops[hopKey{iface: i.Name, nbma: a}]; h != nil {
			ids = append(ids, h.id)
		}
	}
	ids = append(ids, r.oldMembers(i.group)...)
	slices.Sort(ids)
	return ids
}
