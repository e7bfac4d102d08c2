package rib

import (
	"cmp"
	"net/netip"
	"slices"

	"nave/fastpath/fib"
)

// Change is a route that is new, is not as it was, or (Gone) is none any more. Adjacencies and shortcuts are none.
type Change struct {
	VRF fib.VRF
	Route
	Gone bool // only VRF and Prefix are set
}

// Changes are the routes that changed since the last call, once somebody has asked: the first call gives all. It follows Flush. That
// a neighbour wants another label on packets for a next hop is no change. Slices of a Change are not to be changed.
func (r *RIB) Changes() []Change {
	if !r.watched {
		r.watched = true
		for vrf, t := range r.tables {
			for p := range t.entries {
				r.changed[fib.RouteKey{VRF: vrf, Prefix: p}] = struct{}{}
			}
		}
	}
	if len(r.changed) == 0 {
		return nil
	}
	keys := make([]fib.RouteKey, 0, len(r.changed))
	for k := range r.changed {
		keys = append(keys, k)
	}
	r.changed = emptied(r.changed)
	slices.SortFunc(keys, func(a, b fib.RouteKey) int {
		return cmp.Or(cmp.Compare(a.VRF, b.VRF), a.Prefix.Compare(b.Prefix))
	})
	var out []Change
	for _, k := range keys {
		if c, ok := r.change(k); ok {
			out = append(out, c)
		}
	}
	return out
}

// change compares a route with what was last told of it.
func (r *RIB) change(k fib.RouteKey) (c Change, news bool) {
	told := r.told[k]
	if e := r.entry(k); e != nil {
		if best, ways := r.real(e, &search{}); best != nil {
			now := r.route(e, best, ways)
			if told != nil && told.equal(&now) {
				return c, false
			}
			r.told[k] = &now
			return Change{VRF: k.VRF, Route: now}, true
		}
	}
	delete(r.told, k)
	return Change{VRF: k.VRF, Route: Route{Prefix: k.Prefix}, Gone: true}, told != nil
}

func (a *Route) equal(b *Route) bool {
	return a.Prefix == b.Prefix && a.Source == b.Source && a.Distance == b.Distance && a.Metric == b.Metric && a.Tag == b.Tag &&
		a.Process == b.Process && a.External == b.External &&
		slices.EqualFunc(a.Hops, b.Hops, sameNextHop) && slices.Equal(a.Via, b.Via)
}

func sameNextHop(a, b NextHop) bool {
	a.Labels, b.Labels = Labels{}, Labels{}
	return a == b
}

// Told is what Changes last said of a route; ok is false where it has said nothing, or that the route is gone.
func (r *RIB) Told(k fib.RouteKey) (c Route, ok bool) {
	if t := r.told[k]; t != nil {
		return *t, true
	}
	return c, false
}

// AllTold are the prefixes of a VRF that Changes has spoken of and that are not gone, in order.
func (r *RIB) AllTold(vrf fib.VRF) (out []netip.Prefix) {
	for k := range r.told {
		if k.VRF == vrf {
			out = append(out, k.Prefix)
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return out
}
