package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"

	"nave/ctl/config"
	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// noSets are the commands of a clause that can't be carried out where routes are only let through or not.
func noSets(c *config.RouteMapClause) []string {
	return append(bgpOnly(c), commands([]command{
		{c.SetMetric != nil || len(c.SetMetricEIGRP) > 0, "set metric"}, {c.SetTag != nil, "set tag"},
		{c.SetLocalPref != nil, "set local-preference"}, {len(c.SetCommunity) > 0, "set community"},
	})...)
}

// stub is `eigrp stub`.
func (x *eigrpTranslation) stub() {
	s := x.f.Stub
	if !s.Enabled {
		return
	}
	out := eigrp.Stub{Enabled: true, Connected: s.Connected, Static: s.Static, Summary: s.Summary, Redistributed: s.Redistributed, ReceiveOnly: s.ReceiveOnly}
	if s.LeakMap != "" {
		out.Leak = x.leak(s.LeakMap)
	}
	x.out.Run.Stub = out
}

// leak is a leak-map: which routes are told by an interface that would not be otherwise. One that is not defined leaks none, as in IOS.
func (x *eigrpTranslation) leak(name string) func(p netip.Prefix, iface string) bool {
	x.filtered = true
	m := x.policy(name, filterUse{what: x.name() + ": leak-map " + name, iface: true, sets: noSets})
	return func(p netip.Prefix, iface string) bool { return m.permit(&subject{prefix: p, iface: iface}) != nil }
}

// routeFilter is a distribute-list in force by an interface, "" for all.
type routeFilter struct {
	iface string
	lets  func(p netip.Prefix, iface string) bool
}

// distribute makes In and Out of the distribute-lists. A route has to pass that of its interface and that of all.
func (x *eigrpTranslation) distribute() {
	var in, out []routeFilter
	for _, d := range x.f.Distribute {
		f := routeFilter{d.Interface, x.list(&d)}
		switch {
		case d.Protocol != "": // that is redistribution's
		case d.Out:
			out = append(out, f)
		default:
			in = append(in, f)
		}
	}
	passes := func(list []routeFilter) func(string, netip.Prefix) bool {
		if len(list) == 0 {
			return nil
		}
		return func(iface string, p netip.Prefix) bool {
			return !slices.ContainsFunc(list, func(f routeFilter) bool { return (f.iface == "" || f.iface == iface) && !f.lets(p, iface) })
		}
	}
	x.out.Run.In, x.out.Run.Out = passes(in), passes(out)
}

// list is what a distribute-list filters by.
func (x *eigrpTranslation) list(d *config.DistributeList) func(p netip.Prefix, iface string) bool {
	x.filtered = true
	by := func(t prefixTest) func(netip.Prefix, string) bool {
		return func(p netip.Prefix, _ string) bool { return t(p) }
	}
	switch {
	case d.PrefixList != "":
		if !slices.ContainsFunc(x.tree.PrefixLists, func(l *config.PrefixList) bool { return l.Name == d.PrefixList }) {
			x.wrong("distribute-list prefix "+d.PrefixList, "the prefix-list is not defined, and lets all routes pass")
		}
		return by(x.prefixListTest(d.PrefixList))
	case d.AccessList != "":
		if x.accessListNamed(d.AccessList) == nil {
			x.wrong("distribute-list "+d.AccessList, "the access list is not defined, and lets all routes pass")
		}
		return by(x.aclTest(d.AccessList))
	}
	m := x.policy(d.RouteMap, filterUse{what: x.name() + ": distribute-list route-map " + d.RouteMap, iface: true, sets: noSets})
	return func(p netip.Prefix, iface string) bool { return m.permit(&subject{prefix: p, iface: iface}) != nil }
}

// routesOf is what `redistribute` means by a protocol; why says what is wrong where there is no such source in the table.
func (t *translation) routesOf(vrf string, r *config.Redistribute) (source rib.Source, process uint32, why string) {
	switch r.Protocol {
	case "connected":
		return rib.Connected, 0, ""
	case "static":
		return rib.Static, 0, ""
	case "kernel":
		return rib.Kernel, 0, ""
	case "bgp":
		if t.tree.BGP == nil || t.tree.BGP.AS != r.ID {
			return 0, 0, fmt.Sprintf("BGP with AS %d does not run: no route is taken; say `redistribute bgp` with the number of `router bgp`", r.ID)
		}
		return rib.BGP, 0, ""
	case "eigrp":
		for _, e := range t.tree.EIGRP {
			if slices.ContainsFunc(e.Families, func(f *config.EIGRPFamily) bool { return f.VRF == vrf && uint32(f.AS) == r.ID }) {
				return rib.EIGRP, r.ID, ""
			}
		}
		return 0, 0, fmt.Sprintf("EIGRP with AS %d does not run in %s: no route is taken; configure `router eigrp`", r.ID, table(vrf))
	}
	return 0, 0, "nave has no " + r.Protocol + " of its own: no route is taken; run FRR's daemon on the interfaces of the same names, and say `redistribute kernel`"
}

// redistributed are the sources that the family takes routes from.
func (x *eigrpTranslation) redistributed() {
	for _, r := range x.f.Redistribute {
		line := "redistribute " + r.Protocol
		if r.ID != 0 {
			line += fmt.Sprintf(" %d", r.ID)
		}
		source, process, why := x.routesOf(x.f.VRF, &r)
		if source == rib.EIGRP && r.ID == uint32(x.f.AS) {
			why = "that is the family itself: no route is taken"
		}
		if why != "" {
			x.wrong(line, why)
			continue
		}
		to := slowpath.EIGRPSource{Source: source, Process: process, Set: metricOf(slowpath.EIGRPAttributes{}, r.Metric)}
		if !to.Set.HasMetric && source != rib.EIGRP {
			to.Set = metricOf(to.Set, x.f.DefaultMetric)
		}
		to.Permit = x.permitted(line, &r, to.Set)
		x.out.Redistribute = append(x.out.Redistribute, to)
	}
}

// metricOf sets the five values of a metric, if they are given.
func metricOf(set slowpath.EIGRPAttributes, five []uint32) slowpath.EIGRPAttributes {
	if len(five) != 5 {
		return set
	}
	set.Bandwidth, set.Delay, set.Reliability, set.Load, set.MTU = uint64(five[0]), uint64(five[1]), uint8(five[2]), uint8(five[3]), five[4]
	set.HasMetric = true
	return set
}

// permitted is what a route-map and the distribute-lists about the source let pass; nil where there are none.
func (x *eigrpTranslation) permitted(line string, r *config.Redistribute, base slowpath.EIGRPAttributes) func(netip.Prefix, *rib.Route) (slowpath.EIGRPAttributes, bool) {
	var lets []func(netip.Prefix, string) bool
	for _, d := range x.f.Distribute {
		if d.Protocol == r.Protocol && d.ID == r.ID && d.Out {
			lets = append(lets, x.list(&d))
		}
	}
	if r.RouteMap == "" && len(lets) == 0 {
		return nil
	}
	x.filtered = true
	set := func(netip.Prefix, *rib.Route) (slowpath.EIGRPAttributes, bool) { return base, true }
	if r.RouteMap != "" {
		set = x.mapped(r.RouteMap, x.name()+": "+line, base)
	}
	return func(p netip.Prefix, route *rib.Route) (slowpath.EIGRPAttributes, bool) {
		if slices.ContainsFunc(lets, func(l func(netip.Prefix, string) bool) bool { return !l(p, "") }) {
			return slowpath.EIGRPAttributes{}, false
		}
		return set(p, route)
	}
}

// mapped is the route-map of a source. base is what holds where the map sets nothing.
func (x *eigrpTranslation) mapped(name, what string, base slowpath.EIGRPAttributes) func(netip.Prefix, *rib.Route) (slowpath.EIGRPAttributes, bool) {
	m := x.policy(name, filterUse{what: what, route: true, sets: func(c *config.RouteMapClause) []string {
		return append(bgpOnly(c), commands([]command{
			{c.SetMetric != nil, "set metric VALUE"}, {c.SetLocalPref != nil, "set local-preference"}, {len(c.SetCommunity) > 0, "set community"},
		})...)
	}})
	return func(p netip.Prefix, r *rib.Route) (slowpath.EIGRPAttributes, bool) {
		c := m.permit(&subject{prefix: p, route: r})
		if c == nil {
			return slowpath.EIGRPAttributes{}, false
		}
		set := metricOf(base, c.SetMetricEIGRP)
		if c.SetTag != nil {
			set.Tag, set.HasTag = *c.SetTag, true
		}
		return set, true
	}
}

// fingerprint stands for all that the functions of the family are made of.
func (x *eigrpTranslation) fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%+v\n%+v\n%+v\n%+v\n", x.tree.FilterText(), x.f.Distribute, x.f.Redistribute, x.f.DefaultMetric, x.f.Stub)
	for _, i := range x.out.Run.Interfaces {
		s := x.e.Settings(x.f, x.find(i.Name))
		fmt.Fprintf(h, "%s %+v\n", i.Name, s.Summaries)
	}
	return hex.EncodeToString(h.Sum(nil))
}
