package show

import (
	"fmt"
	"slices"
	"strings"

	"nave/fastpath/fib"
	"nave/slowpath/rib"
)

// CEFTable is `show ip cef`: every route with where packets go by it.
func CEFTable(s *Status, vrf string, routes []rib.Route) string {
	var b strings.Builder
	if vrf != "" && len(routes) == 0 {
		fmt.Fprintf(&b, "%% VRF %s has no routes\n", vrf)
	}
	b.WriteString("Prefix              Next Hop             Interface\n")
	for i := range routes {
		r := &routes[i]
		lead := fmt.Sprintf("%-19s", r.Prefix)
		if r.Source == rib.Local {
			fmt.Fprintf(&b, "%s receive\n", lead)
			continue
		}
		if len(r.Hops) == 0 {
			fmt.Fprintf(&b, "%s attached             Null0\n", lead)
		}
		for k, h := range r.Hops {
			if k > 0 {
				lead = strings.Repeat(" ", len(lead))
			}
			hop, out := "attached", h.Iface
			if h.Addr.IsValid() {
				hop = h.Addr.String()
			}
			if h.Iface == "" && h.Elsewhere {
				out = "VRF-" + s.vrfOr(h.Table, "global")
			}
			fmt.Fprintf(&b, "%s %-20s %s\n", lead, hop, out)
		}
	}
	return b.String()
}

// CEFEntry is `show ip cef PREFIX`: what packets to a destination take.
func CEFEntry(s *Status, q Query, a *Answer) string {
	c := a.CEF
	if c == nil {
		return "%Prefix not found\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, version %d, epoch 0%s\n", c.Prefix, s.Fastpath.Generation, c.kind())
	n := s.carried(c)
	fmt.Fprintf(&b, "%d packets, %d bytes\n", n.Packets, n.Bytes)
	c.tags(&b, q.VRF != "")
	for i := range c.Paths {
		s.cefPath(&b, c, &c.Paths[i])
	}
	if len(c.Paths) == 0 {
		b.WriteString("  via 0.0.0.0, 0 dependencies\n    next hop 0.0.0.0\n    valid drop adjacency\n")
	}
	return b.String()
}

// kind is what the first line ends with.
func (c *CEF) kind() string {
	switch {
	case len(c.Paths) > 1 && c.Paths[0].Slots > 0:
		return ", per-destination sharing"
	case len(c.Paths) != 1:
		return ""
	}
	switch p := &c.Paths[0]; {
	case p.Adjacency == fib.Receive:
		return ", receive"
	case p.attached():
		return ", attached, connected"
	}
	return ""
}

// attached tells whether the destination itself is on the link.
func (p *CEFPath) attached() bool {
	return !p.NextHop.IsValid() && !p.Addr.IsValid() && p.Iface != "" && len(p.Out) == 0
}

// carried sums up what the adjacencies of an entry have carried; others may use them, too.
func (s *Status) carried(c *CEF) (n struct{ Packets, Bytes uint64 }) {
	var seen []fib.AdjID
	for i := range c.Paths {
		id := c.Paths[i].Adjacency
		if id < fib.FirstAdj || slices.Contains(seen, id) {
			continue
		}
		seen = append(seen, id)
		count := s.Fastpath.Adjacencies[id]
		n.Packets += count.Packets
		n.Bytes += count.Bytes
	}
	return n
}

// tags is what an entry says of labels.
func (c *CEF) tags(b *strings.Builder, vpn bool) {
	k := slices.IndexFunc(c.Paths, func(p CEFPath) bool { return len(p.Out) > 0 })
	if k < 0 && !c.HasLocal {
		return
	}
	b.WriteString("  tag information set\n")
	switch {
	case c.HasLocal:
		fmt.Fprintf(b, "    local tag: %s\n", tagName(c.Local))
	case vpn:
		b.WriteString("    local tag: VPN-route-head\n")
	}
	if k >= 0 {
		p := &c.Paths[k]
		fmt.Fprintf(b, "    fast tag rewrite with %s, %s, tags imposed: %s\n", shortName(p.Iface), p.hop(), stack(p.Out))
	}
}

// hop is the next hop on the interface.
func (p *CEFPath) hop() string {
	if p.Addr.IsValid() {
		return p.Addr.String()
	}
	return "point2point"
}

func (s *Status) cefPath(b *strings.Builder, c *CEF, p *CEFPath) {
	switch {
	case p.Adjacency == fib.Receive:
		return
	case p.Leak != "":
		fmt.Fprintf(b, "  via VRF %s, %d dependencies\n    valid lookup adjacency: packets are looked up again in VRF %s\n", p.Leak, c.Dependencies, p.Leak)
		return
	case p.Adjacency == fib.Null, p.Adjacency == fib.Drop && p.Iface == "":
		kind := map[bool]string{true: "null", false: "drop"}[p.Adjacency == fib.Null]
		fmt.Fprintf(b, "  via 0.0.0.0, %d dependencies\n    next hop 0.0.0.0\n    valid %s adjacency\n", c.Dependencies, kind)
		return
	case p.attached():
		fmt.Fprintf(b, "  via %s, %d dependencies\n    valid glean adjacency\n", p.Iface, c.Dependencies)
		return
	}
	share := ""
	if len(c.Paths) > 1 && p.Slots > 0 {
		share = fmt.Sprintf("    traffic share %d\n", p.Slots)
	}
	recursive := p.NextHop.IsValid() && p.Through.IsValid()
	if recursive {
		fmt.Fprintf(b, "  via %s, %d dependencies, recursive\n%s", p.NextHop, c.Dependencies, share)
		fmt.Fprintf(b, "    next hop %s, %s via %s\n", p.hop(), p.Iface, p.Through)
	} else {
		fmt.Fprintf(b, "  via %s, %s, %d dependencies\n%s", p.hop(), p.Iface, c.Dependencies, share)
		fmt.Fprintf(b, "    next hop %s, %s\n", p.hop(), p.Iface)
	}
	state := "valid adjacency"
	if p.Adjacency < fib.FirstAdj {
		state = "no adjacency: dropped"
	}
	fmt.Fprintf(b, "    %s\n", state)
	if len(p.Out) > 0 {
		fmt.Fprintf(b, "    tag rewrite with %s, %s, tags imposed: %s\n", shortName(p.Iface), p.hop(), stack(p.Out))
	}
}
