package rib

import (
	"slices"

	"nave/fastpath/fib"
)

// leaks tells whether a next hop is that of a route which leaks from another table.
func (n *NextHop) leaks() bool { return n.Elsewhere && n.Iface == "" && !n.Addr.IsValid() }

// leak adds the ways of a route that leaks from another table. They are those of the very prefix there: longer prefixes of that table, and what it has itself of a
// third one, are not what leaks; if they counted, a default route would open all of the table and of those that leak into it. Only what is attached there
// (hosts of a subnet, addresses of ours) is looked up there. Null0 there leads nowhere from here, too.
func (r *RIB) leak(out []way, k fib.RouteKey, s *search) []way {
	if n := len(s.on); n > 0 { // for an address, which depends on that table now
		s.leaks, s.loops = append(s.leaks, targetKey{k.VRF, s.on[n-1].addr}), true
	}
	e := r.entry(k)
	if e == nil {
		return out
	}
	for i := range e.candidates {
		c := &e.candidates[i]
		switch {
		case c.source == Adjacency || c.source == Shortcut:
			continue
		case c.source == Connected || c.source == Local:
			return append(out, way{leak: true, vrf: k.VRF, share: 1})
		case c.ends():
			return out
		}
		hops := c.hops
		if slices.ContainsFunc(hops, func(n NextHop) bool { return n.leaks() }) {
			hops = slices.DeleteFunc(slices.Clone(hops), func(n NextHop) bool { return n.leaks() })
		}
		ways := r.ways(e, c, hops, s)
		switch {
		case len(ways) == 0:
		case slices.ContainsFunc(ways, r.isSubnet):
			return append(out, way{leak: true, vrf: k.VRF, share: 1})
		default:
			return append(out, ways...)
		}
	}
	return out
}

// isSubnet tells whether a way leads to whoever is on its interface, so that the table of that knows the hosts.
func (r *RIB) isSubnet(w way) bool {
	i := r.ifaces[w.iface]
	return !w.leak && !w.addr.IsValid() && i != nil && (i.Tunnel == nil || !i.Tunnel.Remote.IsValid())
}

// aimLeaks puts an entry on the lists of the routes that it leaks from.
func (r *RIB) aimLeaks(e *entry) {
	var keys []fib.RouteKey
	for i := range e.candidates {
		for k := range e.candidates[i].hops {
			n := &e.candidates[i].hops[k]
			if from := (fib.RouteKey{VRF: n.Table, Prefix: e.prefix}); n.leaks() && n.Table != e.vrf && !slices.Contains(keys, from) {
				keys = append(keys, from)
			}
		}
	}
	if slices.Equal(keys, e.leaks) {
		return
	}
	for _, k := range e.leaks {
		if delete(r.leakers[k], e); len(r.leakers[k]) == 0 {
			delete(r.leakers, k)
		}
	}
	for _, k := range keys {
		if r.leakers[k] == nil {
			r.leakers[k] = make(map[*entry]struct{})
		}
		r.leakers[k][e] = struct{}{}
	}
	e.leaks = keys
}

// touchLeaks has the routes worked out again that leak from those which are. What leaks does not leak on, so that is all of them.
func (r *RIB) touchLeaks() {
	if len(r.leakers) == 0 {
		return
	}
	var more []*entry
	for e := range r.dirty {
		for o := range r.leakers[fib.RouteKey{VRF: e.vrf, Prefix: e.prefix}] {
			more = append(more, o)
		}
	}
	for _, e := range more {
		r.dirty[e] = struct{}{}
	}
}
