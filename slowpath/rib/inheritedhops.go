package rib

import (
	"maps"
	"net/netip"
	"slices"

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

// addressOf is the address of an interface as the fast path is to have it: without one it takes no transit. Until all is known that the configuration speaks of, leased addresses
// among it, an interface without an address has the one that it had.
func (r *RIB) addressOf(i *iface) netip.Addr {
	a := i.primary()
	if r.inherited == nil {
		return a
	}
	if a.IsValid() || !r.inherited.incomplete {
		delete(r.inherited.lent, i.Name)
		return a
	}
	if had, ok := r.inherited.lent[i.Name]; ok {
		return had
	}
	if t := i.Tunnel; t != nil {
		if old := r.inherited.tunnels[t.ID]; old.VRF == i.VRF {
			a = old.Addr
		}
	} else if old := r.inherited.ports[i.Port]; old.VRF == i.VRF && old.MAC == i.MAC && old.VLAN == i.VLAN {
		a = old.Addr
	}
	if a.IsValid() {
		r.inherited.lent[i.Name] = a
	}
	return a
}

// endLent takes away old addresses that nothing has taken the place of.
func (r *RIB) endLent() {
	for _, name := range slices.Sorted(maps.Keys(r.inherited.lent)) {
		if i := r.ifaces[name]; i != nil {
			r.describe(i)
		}
	}
	clear(r.inherited.lent)
}
