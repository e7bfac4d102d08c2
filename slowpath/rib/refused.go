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
	label  uint32
}

// account notes which entries of a batch were refused, and forgets earlier refusals of those that were not. A refused
// entry counts as not installed, so that it is said again. Until then an older entry of its name must not go on. Routes and labels may use numbers that the batch took
// away, and mean something else when those are given again; an adjacency may have another network's labels, tag or underlay; a port or tunnel may be in another VRF,
// or take in clear what is to be sealed.
func (r *RIB) account(b *fib.Batch, refused []fib.Refusal) (err error) {
	before := len(r.refused)
	older := r.olderInterfaces(refused)
	interfaces := len(older.DelPorts) + len(older.DelTunnels)
	if before > 0 {
		r.forgive(b)
	}
	for _, f := range refused {
		r.refused[refusedKey{f.Port, f.Tunnel, f.Adj, f.Group, f.Route, f.SA, f.Label}] = f
		switch {
		case f.SA != 0:
			r.refusedSAs = append(r.refusedSAs, f.SA) // whoever has its keys decides
		case f.Adj != 0:
			h := r.byID[f.Adj]
			if h == nil {
				continue
			}
			h.installed = false
			if h.stood {
				older.DelAdjacencies = append(older.DelAdjacencies, f.Adj)
			}
		case f.Label != 0:
			if l := r.labels[f.Label]; l != nil {
				l.installed = false
			}
			older.DelLabels = append(older.DelLabels, f.Label)
		case f.Route.Prefix.IsValid():
			if e := r.entry(f.Route); e != nil {
				e.in = false
			}
			older.DelRoutes = append(older.DelRoutes, f.Route)
		}
	}
	if !older.Empty() {
		_, err = r.apply(&older)
	}
	gone := interfaces + len(b.DelSAs) + len(b.DelRoutes) + len(b.DelLabels) + len(b.DelGroups) + len(b.DelAdjacencies) + len(b.DelTunnels) + len(b.DelPorts)
	r.room = gone
	r.retry = len(r.refused) > 0 && (r.retry || gone > 0 || len(r.refused) < before)
	return err
}

// olderInterfaces takes away the ports and tunnels that stand by refused numbers: those that were not refused before. That is room for the new ones.
func (r *RIB) olderInterfaces(refused []fib.Refusal) (b fib.Batch) {
	for _, f := range refused {
		switch {
		case f.Port != 0 && !r.wasRefused(refusedKey{port: f.Port}):
			b.DelPorts = append(b.DelPorts, f.Port)
		case f.Tunnel != 0 && !r.wasRefused(refusedKey{tunnel: f.Tunnel}):
			b.DelTunnels = append(b.DelTunnels, f.Tunnel)
		}
	}
	return b
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
	for _, l := range b.Labels {
		delete(r.refused, refusedKey{label: l.In})
	}
	for _, in := range b.DelLabels {
		delete(r.refused, refusedKey{label: in})
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

// againAtOnce is how many refused entries are said again with one batch, besides as many as were taken away. There may be tens of thousands, and room for a few.
const againAtOnce = 512

// tryAgain has what was refused said again with the next batch.
func (r *RIB) tryAgain() {
	r.retry = false
	n := 0
	for k := range r.refused {
		if n++; n > againAtOnce+2*r.room {
			break
		}
		if h := r.byID[k.adj]; h != nil {
			r.renumber(h)
			r.dirtyHops[h] = struct{}{}
		}
		if e := r.entry(k.route); e != nil {
			r.dirty[e] = struct{}{}
		}
		if l := r.labels[k.label]; l != nil {
			r.dirtyLabels[l] = struct{}{}
		}
		if k.group == 0 && k.port == 0 && k.tunnel == 0 {
			continue
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

// renumber gives a next hop that was refused from the first a number that has been in use: its own may be too large. Nothing is installed that names it.
func (r *RIB) renumber(h *hop) {
	if h.stood || h.installed || !r.ids.rested() {
		return
	}
	delete(r.byID, h.id)
	delete(r.refused, refusedKey{adj: h.id})
	r.ids.spare = append(r.ids.spare, h.id)
	h.id = r.ids.take()
	r.byID[h.id] = h
}

// Refused lists what the fast path has not installed, and why.
func (r *RIB) Refused() []fib.Refusal {
	return slices.SortedFunc(maps.Values(r.refused), func(a, b fib.Refusal) int { return cmp.Compare(a.What, b.What) })
}
