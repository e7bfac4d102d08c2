package slowpath

import (
	"net/netip"

	"nave/fastpath/fib"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// Routes lists the routes of a VRF.
func (r *Router) Routes(vrf fib.VRF) []rib.Route { return r.rib.Routes(vrf) }

// Route is the route of a prefix, or (exact false) to the first address of it.
func (r *Router) Route(vrf fib.VRF, p netip.Prefix, exact bool) (rib.Route, bool) {
	if exact {
		return r.rib.Exact(vrf, p)
	}
	return r.rib.Longest(vrf, p.Addr())
}

// Resolved finds what packets to a destination of a VRF take: the prefix, and its ways.
func (r *Router) Resolved(vrf fib.VRF, dst netip.Addr) (netip.Prefix, []rib.Path, bool) {
	return r.rib.Resolved(vrf, dst)
}

// Dependents counts the next hops, of what all tables have, that are resolved by a route.
func (r *Router) Dependents(vrf fib.VRF, p netip.Prefix) int { return r.rib.Dependents(vrf, p) }

// Reach says whether labelled packets come to a next hop of the global table.
func (r *Router) Reach(addr netip.Addr) rib.Reach { return r.rib.Reach(addr) }

// LabelTable lists the labels of ours and what they are for.
func (r *Router) LabelTable() []rib.LabelEntry { return r.rib.LabelTable() }

// Prefixes counts the prefixes of a VRF that something is known of.
func (r *Router) Prefixes(vrf fib.VRF) int { return r.rib.Prefixes(vrf) }

// ClearLDP ends the session with a neighbour of LDP, by its router ID, or (the zero Addr) with all; they begin anew.
func (r *Router) ClearLDP(id netip.Addr) { r.LDP(ldp.Clear{Neighbor: id}) }
