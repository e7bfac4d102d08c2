package show

import (
	"fmt"
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

var routeLetter = map[rib.Source]string{rib.Connected: "C", rib.Static: "S", rib.DHCP: "S", rib.Shortcut: "H"}

// Routes is `show ip route`: the table of a VRF, by its number.
func Routes(s *Status, vrf fib.VRF) string {
	var b strings.Builder
	b.WriteString(routeCodes)
	routes := s.Router.Routes[vrf]
	last := "Gateway of last resort is not set\n\n"
	for _, r := range routes {
		if r.Prefix.Bits() == 0 && len(r.Hops) > 0 {
			via := r.Hops[0].Addr.String()
			if !r.Hops[0].Addr.IsValid() {
				via = "0.0.0.0"
			}
			last = fmt.Sprintf("Gateway of last resort is %s to network 0.0.0.0\n\n", via)
			break
		}
	}
	b.WriteString(last)
	for _, r := range routes {
		if r.Source != rib.Local {
			routeLine(&b, r)
		}
	}
	return b.String()
}

func routeLine(b *strings.Builder, r rib.Route) {
	code := routeLetter[r.Source]
	if r.Prefix.Bits() == 0 {
		code += "*"
	}
	head := fmt.Sprintf("%-5s%s", code, r.Prefix)
	switch {
	case len(r.Hops) == 0:
		fmt.Fprintf(b, "%s is directly connected, Null0\n", head)
		return
	case r.Source == rib.Connected:
		fmt.Fprintf(b, "%s is directly connected, %s\n", head, r.Hops[0].Iface)
		return
	}
	metric := 0
	if r.Source == rib.Shortcut {
		metric = 1
	}
	for k, h := range r.Hops {
		if k > 0 {
			head = strings.Repeat(" ", len(head))
		}
		if h.Addr.IsValid() {
			fmt.Fprintf(b, "%s [%d/%d] via %s, %s\n", head, r.Distance, metric, h.Addr, h.Iface)
		} else {
			fmt.Fprintf(b, "%s is directly connected, %s\n", head, h.Iface)
		}
	}
}
