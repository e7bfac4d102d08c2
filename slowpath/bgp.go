package slowpath

import (
	"net/netip"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// BGP takes what the speaker says. When it returns, the labels are installed. Each call is one step: whoever has very much to say says it in several.
func (r *Router) BGP(e bgp.Effects) {
	_ = r.step(func() {
		for i := range e.Swaps {
			r.swapLabel(&e.Swaps[i])
		}
		for i := range e.Routes {
			r.learnRoute(&e.Routes[i])
		}
		for _, s := range e.Sessions {
			if !r.border.quiet {
				r.linux.Log(s)
			}
		}
		if e.Settled {
			r.settleEIGRP()
			r.rib.DropInheritedSwaps(r.pool.Range()) // a neighbour that had the label behind one may use it for something else by now
		}
	}) // an error stands in Status
}

// swapLabel has a label of the speaker's lead where it says. What can't be carried out leads nowhere: a packet that came by a label never goes on without one by accident.
func (r *Router) swapLabel(w *bgp.Swap) {
	if w.VRF != "" {
		r.exportLabel(w)
		return
	}
	hop, ok := vpnHop(w.NextHop, w.Labels)
	if w.Removed || !ok {
		r.rib.DelLabel(w.Label)
		return
	}
	use := rib.LabelUse{Swap: true, VRF: fib.Global, Hop: hop}
	if w.Prefix.Addr().Is4() {
		use.Prefix = w.Prefix
	}
	r.rib.SetLabel(w.Label, use)
}

// exportLabel is swapLabel of a label for what a neighbour inside a VRF announces. The VRF's own label is used by others, too.
func (r *Router) exportLabel(w *bgp.Swap) {
	v, known := r.border.vrfs[w.VRF]
	shared, of := r.border.labels.Use(w.Label, w.VRF)
	switch {
	case shared:
		if known && of && !w.Removed {
			r.rib.SetLabel(w.Label, rib.LabelUse{Lookup: true, VRF: v.ID})
		}
	case w.Removed || !known || !w.Prefix.Addr().Is4():
		r.rib.DelLabel(w.Label)
	default:
		r.rib.SetLabel(w.Label, rib.LabelUse{Forward: true, VRF: v.ID, Prefix: w.Prefix})
	}
}

// learnRoute takes over what BGP says of a prefix. VRFs that are no more are nobody's concern: the speaker hears of that, too.
func (r *Router) learnRoute(e *bgp.Route) {
	table := fib.Global
	if e.VRF != "" {
		v, ok := r.border.vrfs[e.VRF]
		if !ok {
			return
		}
		table = v.ID
	}
	hop, ok := r.routeHop(e)
	communities := e.Extended
	if !ok || e.External && e.RD == 0 { // whoever is outside makes no route an internal one of EIGRP
		communities = nil
	}
	r.eigrp.noteCommunities(fib.RouteKey{VRF: table, Prefix: e.Prefix}, communities)
	if e.Withdrawn || !ok {
		r.rib.DelRoute(table, e.Prefix, rib.BGP, 0)
		return
	}
	r.rib.SetRoute(table, e.Prefix, rib.Learned{Source: rib.BGP, Distance: int(e.Distance), Metric: e.Metric, Hops: []rib.NextHop{hop}, External: e.External, Since: r.now})
}

// routeHop is the next hop of a route; ok is false where there is none that is safe: packets of a VPN route without a label would be looked up in the global table of
// whoever gets them.
func (r *Router) routeHop(e *bgp.Route) (hop rib.NextHop, ok bool) {
	switch {
	case e.Withdrawn:
		return hop, false
	case e.From != "":
		v, ok := r.border.vrfs[e.From]
		return rib.NextHop{Elsewhere: true, Table: v.ID}, ok
	case e.VRF != "" && e.RD != 0:
		return vpnHop(e.NextHop, e.Labels)
	}
	return rib.NextHop{Addr: e.NextHop}, e.NextHop.Is4() && !e.NextHop.IsUnspecified()
}

// vpnHop is a next hop of the global table that takes labels under what leads to it. A label of those that mean something to all (RFC 3032 section 2.1) names no VRF.
func vpnHop(addr netip.Addr, values []uint32) (hop rib.NextHop, ok bool) {
	labels, ok := rib.LabelsOf(values...)
	if !ok || len(values) == 0 || !addr.Is4() || addr.IsUnspecified() {
		return hop, false
	}
	for _, l := range values {
		if l < fib.FirstLabel {
			return hop, false
		}
	}
	return rib.NextHop{Addr: addr, Labels: labels, Elsewhere: true, Table: fib.Global}, true
}

// tickBGP gives labels back that have been out of use for long enough.
func (r *Router) tickBGP() {
	b := &r.border
	for len(b.resting) > 0 && !b.resting[0].until.After(r.now) {
		x := b.resting[0]
		b.resting = b.resting[1:]
		if l, ok := b.own[x.key]; ok && l.until.Equal(x.until) {
			delete(b.own, x.key)
			r.dropLabel(l.label)
		}
	}
}

// deadline is when a label can be given back.
func (b *border) deadline() time.Time {
	if len(b.resting) == 0 {
		return time.Time{}
	}
	return b.resting[0].until
}

// sendBGP tells the speaker what this router announces, once the labels in it are installed.
func (r *Router) sendBGP() {
	b := &r.border
	if len(b.announce)+len(b.retract) == 0 {
		return
	}
	announce, retract := b.announce, b.retract
	b.announce, b.retract = nil, nil
	r.linux.Originate(announce, retract)
}
