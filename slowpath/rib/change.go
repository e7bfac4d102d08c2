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

// note has Changes look at an entry. What no route was ever told of is none: adjacencies and shortcuts come and go by thousands.
func (r *RIB) note(k fib.RouteKey, e *entry) {
	before, noted := r.changed[k]
	if noted && before != e {
		e.told = before.told // it went and came again
	}
	if noted || e.told != nil || e.routes() {
		r.changed[k] = e
	}
}

// routes tells whether somebody says more of a prefix than NHRP does.
func (e *entry) routes() bool {
	for i := range e.candidates {
		if s := e.candidates[i].source; s != Adjacency && s != Shortcut {
			return true
		}
	}
	return false
}

// Changes are the routes that changed since the last call, once somebody has asked: the first call gives all. It follows Flush. That
// a neighbour wants another label on packets for a next hop is no change. Slices of a Change are not to be changed.
func (r *RIB) Changes() []Change {
	if !r.watched {
		r.watched = true
		for vrf, t := range r.tables {
			for p, e := range t.entries {
				r.note(fib.RouteKey{VRF: vrf, Prefix: p}, e)
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
	slices.SortFunc(keys, func(a, b fib.RouteKey) int {
		return cmp.Or(cmp.Compare(a.VRF, b.VRF), a.Prefix.Compare(b.Prefix))
	})
	out := make([]Change, 0, len(keys))
	for _, k := range keys {
		if c, ok := r.change(k, r.changed[k]); ok {
			out = append(out, c)
		}
	}
	r.changed = emptied(r.changed)
	return out
}

// change compares a route with what was last told of it.
func (r *RIB) change(k fib.RouteKey, e *entry) (c Change, news bool) {
	told := e.told
	if best, ways := r.real(e, &search{}); best != nil {
		now := r.route(e, best, ways)
		if told != nil && told.equal(&now) {
			return c, false
		}
		if slices.Equal(now.Hops, r.lastHops) {
			now.Hops = r.lastHops
		} else {
			r.lastHops = now.Hops
		}
		e.told = &now
		return Change{VRF: k.VRF, Route: now}, true
	}
	e.told = nil
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
	e := r.changed[k] // it may be gone, which nobody was told yet
	if e == nil {
		e = r.entry(k)
	}
	if e == nil || e.told == nil {
		return c, false
	}
	return *e.told, true
}

// AllTold are the prefixes of a VRF that Changes has spoken of and that are not gone, in order.
func (r *RIB) AllTold(vrf fib.VRF) (out []netip.Prefix) {
	if t := r.tables[vrf]; t != nil {
		for p, e := range t.entries {
			if e.told != nil {
				out = append(out, p)
			}
		}
	}
	for k, e := range r.changed {
		if k.VRF == vrf && e.told != nil && r.entry(k) != e {
			out = append(out, k.Prefix)
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return out
}
