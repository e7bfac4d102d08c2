package show

import (
	"fmt"
	"slices"
	"strings"

	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// RouteEntry is `show ip route PREFIX`: the route to a host, or of a prefix. Of one of EIGRP's, a has its path, too.
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
	s.knownVia(&b, r)
	if to := s.redistributing(q.VRF, r); len(to) > 0 {
		fmt.Fprintf(&b, "  Redistributing via %s\n", strings.Join(to, ", "))
	}
	ago := ""
	if !r.Since.IsZero() {
		ago = fmt.Sprintf(", %s ago", elapsed(s.Time.Sub(r.Since)))
		switch hops := named(r); {
		case len(hops) == 0 || !hops[0].Addr.IsValid():
		case r.Source == rib.EIGRP:
			fmt.Fprintf(&b, "  Last update from %s on %s%s\n", hops[0].Addr, hops[0].Iface, ago)
		default:
			fmt.Fprintf(&b, "  Last update from %s %s ago\n", hops[0].Addr, elapsed(s.Time.Sub(r.Since)))
		}
	}
	b.WriteString("  Routing Descriptor Blocks:\n")
	s.descriptors(&b, a, r, ago)
	return b.String()
}

// knownVia is what an entry says of the protocol that its route is of.
func (s *Status) knownVia(b *strings.Builder, r *rib.Route) {
	known, tail, second := sourceText(r.Source, r.Process, s.BGPAS), "", ""
	candidate := ""
	if r.Prefix.Bits() == 0 {
		candidate = ", candidate default path"
	}
	if r.Source == rib.Local {
		known = "connected"
	}
	kind := func(external bool) string {
		if external {
			return ", type external"
		}
		return ", type internal"
	}
	switch {
	case r.Source == rib.EIGRP && r.Tag != 0: // IOS has the tag on a line of its own, and the type behind it
		second = fmt.Sprintf("  Tag %d%s\n", r.Tag, kind(r.External))
	case r.Source == rib.EIGRP:
		tail, candidate = candidate+kind(r.External), ""
	case r.Tag != 0:
		tail = fmt.Sprintf(", tag %d", r.Tag)
	}
	if r.Source == rib.BGP {
		tail += kind(r.Distance < 200)
	}
	if r.Source == rib.Connected || r.Source == rib.Local {
		tail += " (connected, via interface)"
	}
	fmt.Fprintf(b, "  Known via %q, distance %d, metric %d%s%s\n%s", known, r.Distance, metric(r), tail, candidate, second)
}

func (s *Status) descriptors(b *strings.Builder, a *Answer, r *rib.Route, ago string) {
	hops := named(r)
	if len(hops) == 0 {
		b.WriteString("  * directly connected, via Null0\n")
		if r.Source == rib.EIGRP {
			fmt.Fprintf(b, "      Route metric is %d, traffic share count is 1\n", metric(r))
		}
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
		path := pathOf(a, r, h)
		if path != nil && path.From.IsValid() {
			table += fmt.Sprintf(", from %s", path.From)
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
		pathMetric(b, a, r, path, max(h.Share, 1))
		if l := h.Labels.Values(); len(l) > 0 {
			fmt.Fprintf(b, "      MPLS label: %s\n", strings.Trim(stack(l), "{}"))
		}
	}
}

// pathMetric is what a descriptor says of the metric of a way, and how much of the traffic takes it. Without path it is the route's.
func pathMetric(b *strings.Builder, a *Answer, r *rib.Route, path *eigrp.PathStatus, share uint8) {
	m := metric(r)
	if path != nil && path.Distance != unreachable {
		d := path.Distance
		if path.Wide {
			d = max(d/ribScale, 1)
		}
		m = uint32(min(d, 1<<32-1))
	}
	fmt.Fprintf(b, "      Route metric is %d, traffic share count is %d\n", m, share)
	if path == nil {
		return
	}
	v := vectorOf(path)
	fmt.Fprintf(b, "      Total delay is %d microseconds, minimum bandwidth is %d Kbit\n", v.micro, v.bandwidth)
	fmt.Fprintf(b, "      Reliability %d/255, minimum MTU %d bytes\n", path.Metric.Reliability, path.Metric.MTU)
	fmt.Fprintf(b, "      Loading %d/255, Hops %d\n", path.Metric.Load, path.Metric.Hops)
	if r.Tag != 0 {
		fmt.Fprintf(b, "      Route tag %d\n", r.Tag)
	}
}

// pathOf is EIGRP's path of a route by a next hop.
func pathOf(a *Answer, r *rib.Route, h rib.NextHop) *eigrp.PathStatus {
	if r.Source != rib.EIGRP {
		return nil
	}
	p := slices.IndexFunc(a.EIGRP, func(p slowpath.EIGRPStatus) bool { return uint32(p.Key.AS) == r.Process })
	if p < 0 {
		return nil
	}
	for i := range a.EIGRP[p].Topology {
		t := &a.EIGRP[p].Topology[i]
		if t.Prefix != r.Prefix {
			continue
		}
		for k := range t.Paths {
			if x := &t.Paths[k]; x.Kind == "neighbor" && x.Hop == h.Addr && x.Iface == h.Iface {
				return x
			}
		}
	}
	return nil
}
