package show

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/fastpath/fib"
	"nave/slowpath/rib"
)

const routeCodes = `Codes: C - connected, S - static, R - RIP, M - mobile, B - BGP
       D - EIGRP, EX - EIGRP external, O - OSPF, IA - OSPF inter area
       N1 - OSPF NSSA external type 1, N2 - OSPF NSSA external type 2
       E1 - OSPF external type 1, E2 - OSPF external type 2
       i - IS-IS, su - IS-IS summary, L1 - IS-IS level-1, L2 - IS-IS level-2
       ia - IS-IS inter area, * - candidate default, U - per-user static route
       o - ODR, P - periodic downloaded static route, H - NHRP, K - kernel

`

var routeLetter = map[rib.Source]string{
	rib.Connected: "C", rib.Local: "C", rib.Static: "S", rib.DHCP: "S", rib.BGP: "B", rib.Shortcut: "H", rib.EIGRP: "D", rib.Kernel: "K",
}

// routeCode is what a route's line begins with: its letter, a star for the default route, and whether EIGRP has it from another protocol.
func routeCode(r *rib.Route) string {
	code := routeLetter[r.Source]
	star := r.Prefix.Bits() == 0
	switch {
	case r.Source == rib.EIGRP && r.External && star:
		return code + "*EX"
	case r.Source == rib.EIGRP && r.External:
		return code + " EX"
	case star:
		return code + "*"
	}
	return code
}

// globalTable is what IOS calls the table of what is in no VRF.
const globalTable = "Default-IP-Routing-Table"

// Routes is `show ip route`: the table of a VRF, or the global one.
func Routes(s *Status, vrf string, routes []rib.Route) string {
	var b strings.Builder
	if vrf != "" {
		fmt.Fprintf(&b, "Routing Table: %s\n", vrf)
	}
	b.WriteString(routeCodes)
	last := "Gateway of last resort is not set\n\n"
	for i := range routes {
		if r := &routes[i]; r.Prefix.Bits() == 0 {
			via := "0.0.0.0"
			if hops := named(r); len(hops) > 0 && hops[0].Addr.IsValid() {
				via = hops[0].Addr.String()
			}
			last = fmt.Sprintf("Gateway of last resort is %s to network 0.0.0.0\n\n", via)
			break
		}
	}
	b.WriteString(last)
	s.routeLines(&b, routes, RouteSelect{})
	return b.String()
}

// routeLines writes the routes that are selected.
func (s *Status) routeLines(b *strings.Builder, routes []rib.Route, sel RouteSelect) {
	for i := range routes {
		if r := &routes[i]; s.isListed(r) && sel.takes(s, r) {
			s.routeLine(b, r)
		}
	}
}

// isListed tells whether a route stands in the table that is shown: addresses in the subnet of an interface do not.
func (s *Status) isListed(r *rib.Route) bool { return r.Source != rib.Local || s.isHostRoute(r) }

// isHostRoute tells whether an address of this box is a route of its own, as a loopback's is: its mask has 32 bits. One that another interface borrows is in the subnet
// of the lender.
func (s *Status) isHostRoute(r *rib.Route) bool {
	all := s.Router.Interfaces
	k := slices.IndexFunc(all, func(i rib.Interface) bool { return len(r.Hops) > 0 && i.Name == r.Hops[0].Iface })
	if k < 0 || !slices.Contains(all[k].Addrs, r.Prefix) {
		return false
	}
	return !slices.ContainsFunc(all, func(i rib.Interface) bool {
		return i.VRF == all[k].VRF && slices.ContainsFunc(i.Addrs, func(a netip.Prefix) bool { return a.Addr() == r.Prefix.Addr() && !a.IsSingleIP() })
	})
}

// named are the next hops to show: of a route of BGP those that BGP named, else those that packets take.
func named(r *rib.Route) []rib.NextHop {
	if r.Source == rib.BGP && len(r.Via) > 0 {
		return r.Via
	}
	return r.Hops
}

// metric is the metric to show.
func metric(r *rib.Route) uint32 {
	if r.Source == rib.Shortcut {
		return 1
	}
	return r.Metric
}

// age is ", " and since when a route stands, where that is known.
func (s *Status) age(r *rib.Route) string {
	if r.Since.IsZero() {
		return ""
	}
	return ", " + elapsed(s.Time.Sub(r.Since))
}

func (s *Status) routeLine(b *strings.Builder, r *rib.Route) {
	head := fmt.Sprintf("%-5s%s", routeCode(r), r.Prefix)
	hops, age := named(r), s.age(r)
	switch {
	case len(hops) == 0 && r.Source == rib.EIGRP:
		fmt.Fprintf(b, "%s is a summary%s, Null0\n", head, age)
		return
	case len(hops) == 0:
		fmt.Fprintf(b, "%s is directly connected, Null0\n", head)
		return
	case r.Source == rib.Connected || r.Source == rib.Local:
		fmt.Fprintf(b, "%s is directly connected, %s\n", head, hops[0].Iface)
		return
	}
	for k, h := range hops {
		if k > 0 {
			head = strings.Repeat(" ", len(head))
		}
		from := ""
		if h.Elsewhere && h.Table != fib.Global {
			from = fmt.Sprintf(" (%s)", s.vrfName(h.Table))
		}
		switch {
		case h.Addr.IsValid() && h.Iface != "":
			fmt.Fprintf(b, "%s [%d/%d] via %s%s%s, %s\n", head, r.Distance, metric(r), h.Addr, from, age, h.Iface)
		case h.Addr.IsValid():
			fmt.Fprintf(b, "%s [%d/%d] via %s%s%s\n", head, r.Distance, metric(r), h.Addr, from, age)
		case h.Elsewhere:
			fmt.Fprintf(b, "%s is directly connected (%s)%s\n", head, s.vrfOr(h.Table, "default"), age)
		default:
			fmt.Fprintf(b, "%s is directly connected, %s\n", head, h.Iface)
		}
	}
}
