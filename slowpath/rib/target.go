package rib

import (
	"maps"
	"net/netip"
	"slices"

	"nave/fastpath/fib"
)

// targetKey is an address that is looked up in a table: a next hop, or a tunnel's peer.
type targetKey struct {
	vrf  fib.VRF
	addr netip.Addr
}

// target is such an address, what was found, and who goes by it. However many routes share a next hop, it is looked up once.
type target struct {
	key     targetKey
	found   found
	entries map[*entry]struct{}
	hops    map[*hop]struct{}
	labels  map[*label]struct{}
	leaks   []*target // found by way of these
	leaking int       // how many others are found by way of this
}

// look is seek, which trusts what was found before as long as that is right.
func (r *RIB) look(k targetKey, s *search) found {
	if t := r.targets[k]; t != nil && len(s.on) == 0 && !r.stale {
		return t.found
	}
	return r.seek(k, s)
}

// aim finds or makes a target. Who makes it puts itself on one of its lists.
func (r *RIB) aim(k targetKey) *target {
	t := r.targets[k]
	if t != nil {
		return t
	}
	t = &target{key: k}
	r.targets[k] = t
	r.table(k.vrf).targets.Insert(netip.PrefixFrom(k.addr, k.addr.BitLen()), t)
	r.work(t)
	return t
}

// work looks a target up. It tells whether something else was found than before.
func (r *RIB) work(t *target) bool {
	s := search{}
	f := r.seek(t.key, &s)
	r.loops = r.loops || s.loops
	var leaks []*target
	for _, k := range s.leaks {
		if k == t.key {
			continue
		}
		l := r.aim(k)
		l.leaking++
		leaks = append(leaks, l)
	}
	old := t.leaks
	t.leaks = leaks
	for _, l := range old {
		l.leaking--
		r.forsake(l)
	}
	if f.bits == t.found.bits && slices.Equal(f.ways, t.found.ways) {
		return false
	}
	t.found = f
	return true
}

// forsake forgets a target that nobody goes by any more.
func (r *RIB) forsake(t *target) {
	if len(t.entries)+len(t.hops)+len(t.labels)+t.leaking > 0 || r.targets[t.key] != t {
		return
	}
	delete(r.targets, t.key)
	r.table(t.key.vrf).targets.Delete(netip.PrefixFrom(t.key.addr, t.key.addr.BitLen()))
	for _, l := range t.leaks {
		l.leaking--
		r.forsake(l)
	}
	t.leaks = nil
}

// retarget looks all targets up again, and touches what goes by those that lead elsewhere now.
func (r *RIB) retarget() {
	r.stale, r.loops = false, false
	for _, t := range slices.Collect(maps.Values(r.targets)) {
		if r.targets[t.key] != t || !r.work(t) {
			continue
		}
		r.moves++
		for e := range t.entries {
			r.dirty[e] = struct{}{}
		}
		for h := range t.hops {
			r.dirtyHops[h] = struct{}{}
		}
		for l := range t.labels {
			r.dirtyLabels[l] = struct{}{}
		}
	}
}

// affects tells whether some target may be found by way of an entry that changes. One that has a longer prefix to go by is not,
// as long as no next hops lead through one another.
func (r *RIB) affects(e *entry) bool {
	t := r.tables[e.vrf]
	if t == nil || t.targets.Size() == 0 {
		return false
	}
	for _, o := range t.targets.Subnets(e.prefix) {
		if r.loops || o.found.bits <= e.prefix.Bits() {
			return true
		}
	}
	return false
}

// aimEntry puts an entry on the lists of the next hops that its candidates have to look up.
func (r *RIB) aimEntry(e *entry) {
	same, n := true, 0
	for i := range e.candidates {
		for k := range e.candidates[i].hops {
			if key, ok := e.candidates[i].hops[k].target(e.vrf); ok {
				same = same && n < len(e.targets) && e.targets[n].key == key
				n++
			}
		}
	}
	if same && n == len(e.targets) {
		return
	}
	old := e.targets
	e.targets = nil
	for i := range e.candidates {
		for k := range e.candidates[i].hops {
			key, ok := e.candidates[i].hops[k].target(e.vrf)
			if !ok {
				continue
			}
			t := r.aim(key)
			if t.entries == nil {
				t.entries = make(map[*entry]struct{})
			}
			t.entries[e] = struct{}{}
			e.targets = append(e.targets, t)
		}
	}
	for _, t := range old {
		if !slices.Contains(e.targets, t) {
			delete(t.entries, e)
			r.forsake(t)
		}
	}
}

// target is what a next hop has to be looked up by; ok is false for one that is on an interface, or is no address.
func (n *NextHop) target(vrf fib.VRF) (k targetKey, ok bool) {
	if n.Elsewhere {
		vrf = n.Table
	}
	return targetKey{vrf, n.Addr}, n.Iface == "" && n.Addr.Is4()
}

// aimHop makes these the targets that a next hop's adjacency is built by.
func (r *RIB) aimHop(h *hop, keys ...targetKey) {
	if slices.EqualFunc(h.targets, keys, func(t *target, k targetKey) bool { return t.key == k }) {
		return
	}
	old := h.targets
	h.targets = nil
	for _, k := range keys {
		t := r.aim(k)
		if t.hops == nil {
			t.hops = make(map[*hop]struct{})
		}
		t.hops[h] = struct{}{}
		h.targets = append(h.targets, t)
	}
	for _, t := range old {
		if !slices.Contains(h.targets, t) {
			delete(t.hops, h)
			r.forsake(t)
		}
	}
}
