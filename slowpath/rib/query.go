package rib

import (
	"net/netip"

	"nave/fastpath/fib"
)

// Exact is the route of a prefix as Routes has it: an address of ours or a shortcut before what routing says.
func (r *RIB) Exact(vrf fib.VRF, p netip.Prefix) (Route, bool) {
	t := r.tables[vrf]
	if t == nil {
		return Route{}, false
	}
	e := t.entries[p.Masked()]
	if e == nil {
		return Route{}, false
	}
	for i := range e.candidates {
		c := &e.candidates[i]
		if c.source == Adjacency {
			continue
		}
		if c.ends() {
			return r.route(e, c, nil), true
		}
		if ways := r.ways(e, c, c.hops, &search{}); len(ways) > 0 {
			return r.route(e, c, ways), true
		}
	}
	return Route{}, false
}

// From is what a source says of a prefix, if packets can go by it, whether or not another source has a better route.
func (r *RIB) From(k fib.RouteKey, s Source) (Route, bool) {
	e := r.entry(k)
	if e == nil {
		return Route{}, false
	}
	for i := range e.candidates {
		c := &e.candidates[i]
		if c.source != s {
			continue
		}
		if c.ends() {
			return r.route(e, c, nil), true
		}
		if ways := r.ways(e, c, c.hops, &search{}); len(ways) > 0 {
			return r.route(e, c, ways), true
		}
	}
	return Route{}, false
}

// Longest is the route to a host as Routes has it. Other than Lookup it finds shortcuts, too.
func (r *RIB) Longest(vrf fib.VRF, dst netip.Addr) (Route, bool) {
	for bits := dst.BitLen(); bits >= 0; bits-- {
		p, err := dst.Prefix(bits)
		if err != nil {
			break
		}
		if route, ok := r.Exact(vrf, p); ok {
			return route, true
		}
	}
	return Route{}, false
}

// Dependents counts the next hops, of routes of all tables, that are resolved by a route.
func (r *RIB) Dependents(vrf fib.VRF, p netip.Prefix) (n int) {
	t := r.tables[vrf]
	if t == nil {
		return 0
	}
	for _, o := range t.targets.Subnets(p) {
		if o.found.bits == p.Bits() {
			n += len(o.entries)
		}
	}
	return n
}

// Reach says whether labelled packets come to a next hop of the global table.
type Reach uint8

// What there may be.
const (
	ReachLabelled Reach = iota // along a label switched path, or it stands on the subnet of an `mpls ip` interface
	ReachNoRoute               // there is no route, or one to nowhere
	ReachNoMPLS                // it stands on the subnet of an interface that takes no labels
	ReachNoLabel               // no neighbour has bound a label to the route
)

// Reach looks a next hop of labelled routes up.
func (r *RIB) Reach(addr netip.Addr) Reach {
	_, c, ways := r.match(fib.Global, addr, &search{})
	for _, w := range ways {
		if w.switched {
			return ReachLabelled
		}
	}
	switch {
	case len(ways) == 0:
		return ReachNoRoute
	case c.source == Connected:
		return ReachNoMPLS
	}
	return ReachNoLabel
}
