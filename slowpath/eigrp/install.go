package eigrp

import (
	"cmp"
	"slices"
)

// maxShare is the most that one path of a route may have of another's traffic.
const maxShare = 128

// install gives the RIB the route of a prefix, if it is not the one that it has.
func (m *Machine) install(e *entry) {
	want := m.routeOf(e)
	switch {
	case want == nil && e.installed != nil:
		m.do(RouteGone{e.prefix})
	case want != nil && !want.same(e.installed):
		r := *want
		r.Hops = slices.Clone(r.Hops)
		m.do(r)
	}
	e.installed = want
}

func (r *Route) same(o *Route) bool {
	return o != nil && r.Prefix == o.Prefix && r.Kind == o.Kind && r.Distance == o.Distance && r.Metric == o.Metric && r.Tag == o.Tag && slices.Equal(r.Hops, o.Hops)
}

// routeOf is what the RIB is to have; nil: nothing. While a prefix is active it is the successor of before alone.
func (m *Machine) routeOf(e *entry) *Route {
	s := e.succ
	if s == nil || s.dist == infinity || e.cut {
		return nil
	}
	r := &Route{Prefix: e.prefix, Metric: m.rib(s.dist), Distance: m.distance(s), Tag: s.ext.Tag}
	switch {
	case s.kind == fromSummary:
		sum := m.summaries[e.prefix]
		if sum == nil || sum.distance == unusable {
			return nil
		}
		r.Kind, r.Distance = Discard, sum.distance
		return r
	case s.nbr == nil:
		return nil
	case s.external:
		r.Kind = External
	}
	hops := []*path{s}
	if !e.active {
		hops = m.usable(e)
	}
	worst := hops[len(hops)-1].dist
	for _, p := range hops {
		r.Hops = append(r.Hops, Hop{Iface: p.ifc.name, Addr: p.hop, Metric: m.rib(p.dist), Share: share(worst, p.dist)})
	}
	reduce(r.Hops)
	return r
}

// usable are the paths that carry traffic: the successor first, and feasible ones within the variance, the shortest first.
func (m *Machine) usable(e *entry) []*path {
	s := e.succ
	limit := s.dist * uint64(m.cfg.Variance)
	if limit/uint64(m.cfg.Variance) != s.dist {
		limit = infinity - 1
	}
	var out []*path
	for _, p := range e.paths {
		if p == s || p.nbr != nil && p.dist <= limit && p.external == s.external && e.feasible(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *path) int {
		if (a == s) != (b == s) {
			if a == s {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.dist, b.dist), cmp.Compare(a.ifc.name, b.ifc.name), a.hop.Compare(b.hop))
	})
	kept := out[:0]
	for _, p := range out {
		if !slices.ContainsFunc(kept, func(k *path) bool { return k.ifc == p.ifc && k.hop == p.hop }) && len(kept) < m.cfg.MaximumPaths {
			kept = append(kept, p)
		}
	}
	return kept
}

// share is how often a path is taken where the longest one is taken 16 times.
func share(worst, dist uint64) int {
	q, r := worst/dist, worst%dist
	if q >= maxShare {
		return maxShare * 16
	}
	return max(int(q)*16+int(float64(r)/float64(dist)*16+0.5), 1)
}

// reduce divides shares by what all have in common, and keeps them small.
func reduce(hops []Hop) {
	g, most := 0, 0
	for _, h := range hops {
		for a := h.Share; a != 0; {
			g, a = a, g%a
		}
		most = max(most, h.Share)
	}
	for most/g > maxShare {
		g++
	}
	for i := range hops {
		hops[i].Share = max(hops[i].Share/g, 1)
	}
}
