package gateway

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/ctl/config"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// filter is the route-map that a neighbour's route-map, prefix-list and distribute-list come to; "" where there is none of them. self says that the route-map's
// next hop is this router itself, which is done by other means.
func (x *bgpTranslation) filter(routeMap, prefixList, acl string, self bool, line string) string {
	if routeMap == "" && prefixList == "" && acl == "" {
		return ""
	}
	var lists []string
	name := routeMap
	if prefixList != "" {
		name += " prefix-list " + prefixList
		if _, ok := x.out.PrefixLists[prefixList]; ok {
			lists = append(lists, prefixList) // one that is not there lets all pass, as in IOS
		} else {
			x.wrong(line, "prefix-list "+prefixList+" is not defined, and lets all routes pass")
		}
	}
	if acl != "" {
		name += " distribute-list " + acl
		list, ok := x.accessList(acl)
		if !ok {
			x.wrong(line+" distribute-list "+acl, "only standard access lists with masks of neighbouring bits can be carried out: no route passes")
			x.out.RouteMaps[name] = bgp.RouteMap{{Deny: true}}
			return name
		}
		if list != "" {
			lists = append(lists, list)
		}
	}
	rest := bgp.RouteMap{{}}
	if routeMap != "" {
		if rest = x.routeMap(routeMap, self); rest == nil {
			rest, lists = bgp.RouteMap{{Deny: true}}, nil
		}
		if self {
			name += " self"
		}
	}
	var all bgp.RouteMap
	for _, l := range lists {
		all = append(all, bgp.Clause{Deny: true, PrefixLists: []string{x.complement(l)}, Match: true})
	}
	x.out.RouteMaps[name] = append(all, rest...)
	return name
}

// complement is a list of what another is not about.
func (x *bgpTranslation) complement(name string) string {
	not := "not " + name
	var out bgp.PrefixList
	for _, r := range x.out.PrefixLists[name] {
		r.Deny = !r.Deny
		out = append(out, r)
	}
	x.out.PrefixLists[not] = append(out, bgp.PrefixRule{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), LE: 32})
	return not
}

// accessList makes a prefix-list of a standard access list, which is about the address of a route, whatever its mask; "" where the list is not defined, which lets all pass. ok is
// false for lists that can't be said so.
func (x *bgpTranslation) accessList(name string) (list string, ok bool) {
	a := x.accessListNamed(name)
	switch {
	case a == nil:
		return "", true
	case a.Extended:
		return "", false
	}
	out := bgp.PrefixList{}
	for _, e := range a.Entries {
		if e.Remark != "" {
			continue
		}
		p, ok := region(e.Source)
		if !ok {
			return "", false
		}
		out = append(out, bgp.PrefixRule{Deny: !e.Permit, Prefix: p, LE: 32})
		for n := p.Bits() - 1; n >= 0; n-- { // shorter ones that begin with the same address
			if q := netip.PrefixFrom(p.Addr(), n); q == q.Masked() {
				out = append(out, bgp.PrefixRule{Deny: !e.Permit, Prefix: q})
			}
		}
	}
	list = "access-list " + name
	x.out.PrefixLists[list] = out
	return list, true
}

// region is what an address and a wildcard are about, if that is a prefix.
func region(m config.AddressMatch) (netip.Prefix, bool) {
	if !m.Addr.IsValid() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
	}
	if !m.Addr.Is4() {
		return netip.Prefix{}, false
	}
	bits := 32
	if m.Wildcard.IsValid() && m.Wildcard.Is4() {
		b := m.Wildcard.As4()
		w := binary.BigEndian.Uint32(b[:])
		if w&(w+1) != 0 {
			return netip.Prefix{}, false
		}
		for ; w != 0; w >>= 1 {
			bits--
		}
	}
	return netip.PrefixFrom(m.Addr, bits).Masked(), true
}

// nextHopSelf tells whether all that a route-map permits gets this router's own address as next hop.
func (x *bgpTranslation) nextHopSelf(name string) bool {
	m := x.mapNamed(name)
	permits := false
	for i := 0; m != nil && i < len(m.Clauses); i++ {
		c := m.Clauses[i]
		if c.Permit && !c.SetNextHopSelf && !c.SetNextHopPeer {
			return false
		}
		permits = permits || c.Permit
	}
	return permits
}

// routeMap is a route-map as BGP takes it; nil where it is not defined. A clause that says more than can be carried out refuses what it matches.
func (x *bgpTranslation) routeMap(name string, self bool) bgp.RouteMap {
	m := x.mapNamed(name)
	if m == nil {
		x.wrong("route-map "+name, "it is not defined, and refuses all routes")
		return nil
	}
	out := bgp.RouteMap{}
	for _, c := range m.Clauses {
		to, cant := x.clause(c, self)
		if len(cant) > 0 {
			x.problem(clauseName(m, c), "`"+strings.Join(cant, "`, `")+"` can't be carried out: the clause refuses what its other conditions match")
			to = bgp.Clause{Deny: true, PrefixLists: to.PrefixLists, Match: to.Match}
		}
		out = append(out, to)
	}
	return out
}

func clauseName(m *config.RouteMap, c *config.RouteMapClause) string {
	kind := "deny"
	if c.Permit {
		kind = "permit"
	}
	return fmt.Sprintf("route-map %s %s %d", m.Name, kind, c.Seq)
}

// clause is a clause, and what of it can't be carried out.
func (x *bgpTranslation) clause(c *config.RouteMapClause, self bool) (to bgp.Clause, cant []string) {
	to = bgp.Clause{
		Deny: !c.Permit, NextHop: c.SetNextHop, LocalPref: c.SetLocalPref, Metric: c.SetMetric, Additive: c.SetCommunityAdd,
		Targets: targets(c.SetExtRT), TargetsAdded: c.SetExtRTAdd, PrefixLists: slices.Clone(c.MatchPrefix),
	}
	for _, name := range c.MatchACL {
		list, ok := x.accessList(name)
		switch {
		case !ok:
			cant = append(cant, "match ip address "+name)
		case list == "":
			to.PrefixLists = append(to.PrefixLists, "access-list "+name) // not there: it matches all
		default:
			to.PrefixLists = append(to.PrefixLists, list)
		}
	}
	to.Match = len(to.PrefixLists) > 0
	if slices.ContainsFunc(cant, func(s string) bool { return strings.HasPrefix(s, "match") }) {
		to.PrefixLists, to.Match = nil, false // which routes it would be about is not known: all
	}
	cant = append(cant, commands([]command{
		{c.Continue != 0, "continue"},
		{len(c.MatchNextHop) > 0, "match ip next-hop"},
		{len(c.MatchNextHopPL) > 0, "match ip next-hop prefix-list"},
		{len(c.MatchInterface) > 0, "match interface"},
		{len(c.MatchTag) > 0, "match tag"},
		{len(c.MatchMetric) > 0, "match metric"},
		{c.Permit && c.SetWeight != nil, "set weight"},
		{c.Permit && c.SetNextHopSelf && !self, "set ip next-hop self"},
		{c.Permit && c.SetNextHopPeer && !self, "set ip next-hop peer-address"},
		{c.Permit && c.SetNextHop.IsValid() && !c.SetNextHop.Is4(), "set ip next-hop " + c.SetNextHop.String()},
		{c.Permit && len(c.SetMetricEIGRP) > 0, "set metric BANDWIDTH DELAY RELIABILITY LOAD MTU"},
	})...)
	if !c.Permit {
		return bgp.Clause{Deny: true, PrefixLists: to.PrefixLists, Match: to.Match}, cant
	}
	for _, s := range c.SetCommunity {
		v, ok := community(s)
		if !ok {
			cant = append(cant, "set community "+s)
			continue
		}
		to.Communities = append(to.Communities, v)
	}
	if len(c.SetPrepend) > 0 {
		if slices.ContainsFunc(c.SetPrepend, func(as uint32) bool { return as != c.SetPrepend[0] }) {
			cant = append(cant, "set as-path prepend")
		}
		to.Prepend = bgp.Prepend{AS: c.SetPrepend[0], Times: uint8(min(len(c.SetPrepend), 255))}
	}
	switch c.SetOrigin {
	case "igp":
		to.Origin, to.SetOrigin = bgp.OriginIGP, true
	case "incomplete":
		to.Origin, to.SetOrigin = bgp.OriginIncomplete, true
	}
	return to, cant
}

// community reads a community, by number or by its well-known name (RFC 1997).
func community(s string) (uint32, bool) {
	switch s {
	case "no-export":
		return 0xffffff01, true
	case "no-advertise":
		return 0xffffff02, true
	case "local-AS":
		return 0xffffff03, true
	case "internet":
		return 0, true
	}
	var as, n uint32
	if _, err := fmt.Sscanf(s, "%d:%d", &as, &n); err != nil || as > 0xffff || n > 0xffff {
		return 0, false
	}
	return as<<16 | n, true
}

// announced is a route-map of `network` and `redistribute`: whether a route is announced, and with what. base is what holds where the map sets nothing. Of what is announced by
// `network` only the prefix is known.
func (x *bgpTranslation) announced(name string, base slowpath.Attributes, what string, known bool) func(netip.Prefix, *rib.Route) (slowpath.Attributes, bool) {
	m := x.policy(name, filterUse{what: what, route: known, sets: func(c *config.RouteMapClause) []string {
		cant := append(bgpOnly(c), commands([]command{{len(c.SetMetricEIGRP) > 0, "set metric BANDWIDTH DELAY RELIABILITY LOAD MTU"}})...)
		for _, s := range c.SetCommunity {
			if _, ok := community(s); !ok {
				cant = append(cant, "set community "+s)
			}
		}
		return cant
	}})
	return func(p netip.Prefix, r *rib.Route) (slowpath.Attributes, bool) {
		c := m.permit(&subject{prefix: p, route: r})
		if c == nil {
			return slowpath.Attributes{}, false
		}
		set := base
		if c.SetMetric != nil {
			set.Metric, set.HasMetric = *c.SetMetric, true
		}
		if c.SetLocalPref != nil {
			set.LocalPref = *c.SetLocalPref
		}
		if len(c.SetCommunity) > 0 {
			set.Communities = nil
		}
		for _, s := range c.SetCommunity {
			v, _ := community(s)
			set.Communities = append(set.Communities, v)
		}
		return set, true
	}
}
