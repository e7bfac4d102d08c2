package rib

import (
	"cmp"
	"maps"
	"slices"

	"nave/fastpath/fib"
)

// refusedKey names an entry that the fast path did not install.
type refusedKey struct {
	port   fib.PortID
	tunnel fib.TunnelID
	adj    fib.AdjID
	group  fib.GroupID
	route  fib.RouteKey
	sa     fib.SAID
}

// account notes which entries of a batch were refused, and forgets earlier refusals of those that were not. A refused
// entry counts as not installed, so that it is said again.
func (r *RIB) account(b *fib.Batch, refused []fib.Refusal) {
	if len(r.refused) > 0 {
		r.forgive(b)
	}
	for _, f := range refused {
		r.refused[refusedKey{f.Port, f.Tunnel, f.Adj, f.Group, f.Route, f.SA}] = f
		if f.SA != 0 {
			r.refusedSAs = append(r.refusedSAs, f.SA) // whoever has its keys decides
		}
		if h := r.byID[f.Adj]; f.Adj != 0 && h != nil {
			h.installed = false
		}
		if e := r.entry(f.Route); e != nil {
			e.in = false
		}
	}
	gone := len(b.DelSAs) + len(b.DelRoutes) + len(b.DelGroups) + len(b.DelAdjacencies) + len(b.DelTunnels) + len(b.DelPorts)
	r.retry = len(r.refused) > 0 && (r.retry || gone > 0)
}

// entry is what is known of a route; nil for the zero key and for what is not there.
func (r *RIB) entry(k fib.RouteKey) *entry {
	if t := r.tables[k.VRF]; t != nil && k.Prefix.IsValid() {
		return t.entries[k.Prefix]
	}
	return nil
}

// forgive forgets the refusals of entries that a batch says again or takes away.
func (r *RIB) forgive(b *fib.Batch) {
	for _, sa := range b.SAs {
		delete(r.refused, refusedKey{sa: sa.ID})
	}
	for _, id := range b.DelSAs {
		delete(r.refused, refusedKey{sa: id})
	}
	for _, p := range b.Ports {
		delete(r.refused, refusedKey{port: p.ID})
	}
	for _, t := range b.Tunnels {
		delete(r.refused, refusedKey{tunnel: t.ID})
	}
	for _, a := range b.Adjacencies {
		delete(r.refused, refusedKey{adj: a.ID})
	}
	for _, g := range b.Groups {
		delete(r.refused, refusedKey{group: g.ID})
	}
	for _, e := range b.Routes {
		delete(r.refused, refusedKey{route: fib.RouteKey{VRF: e.VRF, Prefix: e.Prefix}})
	}
	for _, k := range b.DelRoutes {
		delete(r.refused, refusedKey{route: k})
	}
	for _, id := range b.DelGroups {
		delete(r.refused, refusedKey{group: id})
	}
	for _, id := range b.DelAdjacencies {
		delete(r.refused, refusedKey{adj: id})
	}
	for _, id := range b.DelTunnels {
		delete(r.refused, refusedKey{tunnel: id})
	}
	for _, id := range b.DelPorts {
		delete(r.refused, refusedKey{port: id})
	}
}

func (r *RIB) wasRefused(k refusedKey) bool {
	_, ok := r.refused[k]
	return ok
}

// tryAgain has everything that was refused said again with the next batch.
func (r *RIB) tryAgain() {
	r.retry = false
	for k := range r.refused {
		if h := r.byID[k.adj]; h != nil {
			r.dirtyHops[h] = struct{}{}
		}
		if e := r.entry(k.route); e != nil {
			r.dirty[e] = struct{}{}
		}
		for _, i := range r.ifaces {
			switch {
			case k.group != 0 && i.group == k.group:
				r.dirtyGroup[i.Name] = struct{}{}
			case k.port != 0 && i.Port == k.port, k.tunnel != 0 && i.Tunnel != nil && i.Tunnel.ID == k.tunnel:
				r.describe(i)
			}
		}
	}
}

// Refused lists what the fast path has not installed, and why.
func (r *RIB) Refused() []fib.Refusal {
	return slices.SortedFunc(maps.Values(r.refused), func(a, b fib.Refusal) int { return cmp.Compare(a.What, b.What) })
}
