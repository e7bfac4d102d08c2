package gateway

import (
	"net/netip"

	"nave/ctl/config"
	"nave/slowpath/rib"
)

// static is a static route, in its VRF. A route leaves by interfaces of its own VRF: from one into another only route targets lead.
func (t *translation) static(s *config.StaticRoute) {
	what := "ip route " + s.Prefix.String()
	if s.VRF != "" {
		what = "ip route vrf " + s.VRF + " " + s.Prefix.String()
	}
	vrf, ok := t.vrfNumber(s.VRF)
	out := t.find(s.Interface)
	switch {
	case s.VRF != "" && t.tree.VRF(s.VRF) == nil || !ok:
		t.problem(what, "VRF "+s.VRF+" is not defined: the route is left out; say `ip vrf "+s.VRF+"`")
		return
	case s.Global && s.VRF != "":
		t.problem(what, "`global` is not carried out: routes leak from one table into another by route targets of BGP only; the route is left out")
		return
	case out != nil && out.VRF != s.VRF:
		t.problem(what, out.Name+" is in "+table(out.VRF)+": routes leak from one table into another by route targets of BGP only; the route is left out")
		return
	}
	r := rib.StaticRoute{Prefix: s.Prefix, Distance: int(s.Distance), Tag: s.Tag, Source: rib.Static}
	switch {
	case s.Interface == "Null0":
	case s.DHCP:
		for _, i := range t.leased() {
			if g := t.facts.Leases[i.Name].Gateway; g.IsValid() && i.VRF == s.VRF && (out == nil || out == i) {
				r.Hops = append(r.Hops, rib.NextHop{Iface: i.Name, Addr: g})
			}
		}
		if len(r.Hops) == 0 {
			return // no lease yet
		}
	default:
		r.Hops = []rib.NextHop{{Iface: s.Interface, Addr: s.NextHop}}
	}
	t.out.Statics[vrf] = append(t.out.Statics[vrf], r)
}

// dhcpRoutes are default routes by the gateways that DHCP gave, with the distance that IOS gives them, each in the VRF of its interface.
func (t *translation) dhcpRoutes() {
	for _, i := range t.leased() {
		vrf, ok := t.vrfNumber(i.VRF)
		if g := t.facts.Leases[i.Name].Gateway; ok && g.IsValid() {
			t.out.Statics[vrf] = append(t.out.Statics[vrf], rib.StaticRoute{
				Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Hops: []rib.NextHop{{Iface: i.Name, Addr: g}}, Source: rib.DHCP,
			})
		}
	}
}

// leased lists the interfaces that have a lease, want one and are in a table, in order.
func (t *translation) leased() []*config.Interface {
	var out []*config.Interface
	for _, i := range t.tree.Interfaces {
		if _, ok := t.facts.Leases[i.Name]; ok && i.DHCP && misplaced(t.tree, i) == "" {
			out = append(out, i)
		}
	}
	return out
}
