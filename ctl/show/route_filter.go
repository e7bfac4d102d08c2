package show

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/fastpath/fib"
	"nave/slowpath/rib"
)

// RouteSelect says which routes are shown; the zero value: all.
type RouteSelect struct {
	Of string // "connected", "static", "bgp", "eigrp", "kernel" or "nhrp"; empty: all
	AS uint32 // of bgp and eigrp; 0: any
}

// takes tells whether a route is selected.
func (f RouteSelect) takes(s *Status, r *rib.Route) bool {
	return f.Of == "" || family(r.Source) == f.Of && (f.AS == 0 || f.AS == processOf(s, r))
}

// family is the word that selects routes of a source.
func family(source rib.Source) string {
	switch source {
	case rib.Local:
		return "connected"
	case rib.DHCP:
		return "static"
	}
	return source.String()
}

// processOf is the AS of the process that a route is of; 0: its protocol has no processes.
func processOf(s *Status, r *rib.Route) uint32 {
	if r.Source == rib.BGP {
		return s.BGPAS
	}
	return r.Process
}

// sourceText is a source with its process, as IOS has it: eigrp 1, bgp 65000, static.
func sourceText(source rib.Source, process, bgpAS uint32) string {
	switch source {
	case rib.EIGRP:
		return fmt.Sprintf("eigrp %d", process)
	case rib.BGP:
		return fmt.Sprintf("bgp %d", bgpAS)
	}
	return source.String()
}

// RoutesOf is `show ip route` of one protocol: its routes alone, without the letters' meaning.
func RoutesOf(s *Status, vrf string, routes []rib.Route, sel RouteSelect) string {
	var b strings.Builder
	if vrf != "" {
		fmt.Fprintf(&b, "Routing Table: %s\n", vrf)
	}
	s.routeLines(&b, routes, sel)
	return b.String()
}

// Selected are the routes that RoutesOf shows.
func Selected(s *Status, routes []rib.Route, sel RouteSelect) (out []rib.Route) {
	for i := range routes {
		if r := &routes[i]; sel.takes(s, r) {
			out = append(out, *r)
		}
	}
	return out
}

// summaryRow counts the routes of one protocol.
type summaryRow struct {
	name               string
	networks, subnets  int // routes of whole networks of class A, B or C, or of several; and of parts of one
	internal, external int
	typed              string // how IOS counts the kinds: "External: %d Internal: %d Local: 0"; empty: not at all
}

// RouteSummary is `show ip route summary`: how many routes there are of each protocol.
func RouteSummary(s *Status, vrf string, routes []rib.Route) string {
	var b strings.Builder
	name, id := globalTable, fib.VRF(0)
	if v := s.vrf(vrf); v != nil {
		name, id = v.Name, v.ID
	}
	fmt.Fprintf(&b, "IP routing table name is %s(%d)\n", name, id)
	fmt.Fprintf(&b, "IP routing table maximum-paths is %d\n", fib.MaxPaths)
	b.WriteString("Route Source    Networks    Subnets\n")
	rows, majors := s.summaryRows(routes)
	total := summaryRow{networks: majors}
	for _, r := range rows {
		fmt.Fprintf(&b, "%-15s %-11d %d\n", r.name, r.networks, r.subnets)
		if r.typed != "" {
			fmt.Fprintf(&b, r.typed, r.external, r.internal)
		}
		total.networks += r.networks
		total.subnets += r.subnets
	}
	fmt.Fprintf(&b, "%-15s %d\n", "internal", majors)
	fmt.Fprintf(&b, "%-15s %-11d %d\n", "Total", total.networks, total.subnets)
	return b.String()
}

// summaryRows counts routes, and the networks that some are subnets of. Connected and static ones have a row where there are none, too.
func (s *Status) summaryRows(routes []rib.Route) (rows []*summaryRow, majors int) {
	rows = []*summaryRow{{name: "connected"}, {name: "static"}}
	networks := make(map[netip.Prefix]bool)
	for i := range routes {
		r := &routes[i]
		if !s.isListed(r) {
			continue
		}
		name := sourceText(r.Source, r.Process, s.BGPAS)
		switch r.Source {
		case rib.Local, rib.DHCP:
			name = family(r.Source)
		}
		k := slices.IndexFunc(rows, func(o *summaryRow) bool { return o.name == name })
		if k < 0 {
			k = len(rows)
			rows = append(rows, &summaryRow{name: name})
		}
		row, major := rows[k], classful(r.Prefix.Addr())
		if r.Prefix.Bits() > major.Bits() {
			networks[major] = true
			row.subnets++
		} else {
			row.networks++
		}
		if r.Source == rib.BGP {
			row.typed = "  External: %d Internal: %d Local: 0\n"
			if r.Distance < 200 {
				row.external++
			} else {
				row.internal++
			}
		}
	}
	slices.SortStableFunc(rows[2:], func(x, y *summaryRow) int { return cmp.Compare(x.name, y.name) })
	return rows, len(networks)
}

// classful is the network of class A, B or C that an address is of.
func classful(a netip.Addr) netip.Prefix {
	bits := 24
	switch first := a.As4()[0]; {
	case first < 128:
		bits = 8
	case first < 192:
		bits = 16
	}
	return netip.PrefixFrom(a, bits).Masked()
}
