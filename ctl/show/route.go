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
       o - ODR, P - periodic downloaded static route, H - NHRP

`

var routeLetter = map[rib.Source]string{rib.Connected: "C", rib.Local: "C", rib.Static: "S", rib.DHCP: "S", rib.BGP: "B", rib.Shortcut: "H"}

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
		if r := &routes[i]; r.Prefix.Bits() == 0 && len(r.Hops) > 0 {
			via := "0.0.0.0"
			if hops := named(r); hops[0].Addr.IsValid() {
				via = hops[0].Addr.String()
			}
			last = fmt.Sprintf("Gateway of last resort is %s to network 0.0.0.0\n\n", via)
			break
		}
	}
	b.WriteString(last)
	for i := range routes {
		if r := &routes[i]; r.Source != rib.Local || s.isHostRoute(r) {
			s.routeLine(&b, vrf, r)
		}
	}
	return b.String()
}

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

func (s *Status) routeLine(b *strings.Builder, vrf string, r *rib.Route) {
	code := routeLetter[r.Source]
	if r.Prefix.Bits() == 0 {
		code += "*"
	}
	head := fmt.Sprintf("%-5s%s", code, r.Prefix)
	hops := named(r)
	switch {
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
		age := ""
		if !r.Since.IsZero() {
			age = ", " + elapsed(s.Time.Sub(r.Since))
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

// RouteEntry is `show ip route PREFIX`: the route to a host, or of a prefix.
func RouteEntry(s *Status, q Query, a *Answer) string {
	if len(a.Routes) == 0 {
		if q.Exact {
			return "% Subnet not in table\n"
		}
		return "% Network not in table\n"
	}
	var b strings.Builder
	r := &a.Routes[0]
	if q.VRF != "" {
		fmt.Fprintf(&b, "Routing Table: %s\n", q.VRF)
	}
	fmt.Fprintf(&b, "Routing entry for %s\n", r.Prefix)
	known := r.Source.String()
	switch r.Source {
	case rib.BGP:
		known = fmt.Sprintf("bgp %d", s.BGPAS)
	case rib.Local:
		known = "connected"
	}
	tail := ""
	if r.Tag != 0 {
		tail = fmt.Sprintf(", tag %d", r.Tag)
	}
	if r.Source == rib.BGP {
		tail += ", type internal"
		if r.Distance < 200 {
			tail = strings.Replace(tail, "internal", "external", 1)
		}
	}
	if r.Source == rib.Connected || r.Source == rib.Local {
		tail += " (connected, via interface)"
	}
	if r.Prefix.Bits() == 0 {
		tail += ", candidate default path"
	}
	fmt.Fprintf(&b, "  Known via %q, distance %d, metric %d%s\n", known, r.Distance, metric(r), tail)
	ago := ""
	if !r.Since.IsZero() {
		ago = fmt.Sprintf(", %s ago", elapsed(s.Time.Sub(r.Since)))
		if hops := named(r); len(hops) > 0 && hops[0].Addr.IsValid() {
			fmt.Fprintf(&b, "  Last update from %s %s ago\n", hops[0].Addr, elapsed(s.Time.Sub(r.Since)))
		}
	}
	b.WriteString("  Routing Descriptor Blocks:\n")
	s.descriptors(&b, r, ago)
	return b.String()
}

func (s *Status) descriptors(b *strings.Builder, r *rib.Route, ago string) {
	hops := named(r)
	if len(hops) == 0 {
		b.WriteString("  * directly connected, via Null0\n")
	}
	for k, h := range hops {
		star := " "
		if k == 0 {
			star = "*"
		}
		table := ""
		if h.Elsewhere {
			table = fmt.Sprintf(" (%s)", s.vrfOr(h.Table, globalTable))
		}
		switch {
		case h.Addr.IsValid() && h.Iface != "":
			fmt.Fprintf(b, "  %s %s%s%s, via %s\n", star, h.Addr, table, ago, h.Iface)
		case h.Addr.IsValid():
			fmt.Fprintf(b, "  %s %s%s%s\n", star, h.Addr, table, ago)
		case h.Elsewhere:
			fmt.Fprintf(b, "  %s directly connected%s%s\n", star, table, ago)
		default:
			fmt.Fprintf(b, "  %s directly connected, via %s\n", star, h.Iface)
		}
		fmt.Fprintf(b, "      Route metric is %d, traffic share count is 1\n", metric(r))
		if l := h.Labels.Values(); len(l) > 0 {
			fmt.Fprintf(b, "      MPLS label: %s\n", strings.Trim(stack(l), "{}"))
		}
	}
}
