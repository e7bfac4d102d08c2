package rib

import (
	"net/netip"

	"nave/fastpath/fib"
)

// InheritedHops are the next hops that packets for a prefix still go to by a route that was inherited and that nothing has taken over; none where there is no such route.
func (r *RIB) InheritedHops(k fib.RouteKey) (out []netip.Addr) {
	if r.inherited == nil {
		return nil
	}
	for _, id := range r.inherited.routes[k] {
		a, ok := r.inherited.adjs[id]
		if h := r.byID[id]; !ok && h != nil {
			a = h.last
		}
		if leadsOn(&a) && a.NextHop.IsValid() {
			out = append(out, a.NextHop)
		}
	}
	return out
}
