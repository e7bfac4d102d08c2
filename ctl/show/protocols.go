package show

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// Protocols is what the configuration says of routing protocols, and they need not know.
type Protocols struct {
	EIGRP []EIGRPConfigured
	BGP   []BGPConfigured // by VRF; the global table is VRF ""
}

// EIGRPConfigured is a process of EIGRP as it is configured.
type EIGRPConfigured struct {
	VRF          string
	AS           uint16
	Networks     []ProtocolNetwork
	Filters      []ProtocolFilter
	Redistribute []string          // as sourceText has them: "static", "bgp 65000"
	Passive      []string          // interfaces that are passive as they are configured; a loopback is it anyway
	KeyChains    map[string]string // of authentication, by interface
	Summaries    []ProtocolSummary
}

// ProtocolNetwork is `network`.
type ProtocolNetwork struct {
	Prefix   netip.Prefix
	Classful bool // no wildcard was written
}

func (n ProtocolNetwork) String() string {
	if n.Classful || n.Prefix.Bits() == 0 {
		return n.Prefix.Addr().String()
	}
	return n.Prefix.String()
}

// ProtocolFilter is `distribute-list`.
type ProtocolFilter struct {
	List  string // an access list, "(prefix-list) NAME" or "(route-map) NAME"
	Out   bool
	Iface string // empty: all, or with From those from another protocol
	From  string // as sourceText has it
}

// ProtocolSummary is `ip summary-address`.
type ProtocolSummary struct {
	Prefix netip.Prefix
	Iface  string
}

// BGPConfigured is BGP in a table as it is configured.
type BGPConfigured struct {
	VRF                                               string
	Networks                                          []ProtocolNetwork
	Redistribute                                      []string
	MaximumPaths                                      int
	DistanceExternal, DistanceInternal, DistanceLocal uint8
	Synchronization, AutoSummary                      bool
}

func (p *Protocols) eigrp(vrf string, as uint16) *EIGRPConfigured {
	for i := range p.EIGRP {
		if c := &p.EIGRP[i]; c.VRF == vrf && c.AS == as {
			return c
		}
	}
	return &EIGRPConfigured{}
}

func (p *Protocols) bgp(vrf string) *BGPConfigured {
	for i := range p.BGP {
		if p.BGP[i].VRF == vrf {
			return &p.BGP[i]
		}
	}
	return nil
}

// redistributing are the protocols that tell others of a route: those that redistribute its source, and EIGRP of its own.
func (s *Status) redistributing(vrf string, r *rib.Route) (out []string) {
	from := sourceText(r.Source, r.Process, s.BGPAS)
	switch r.Source {
	case rib.Local, rib.DHCP:
		from = family(r.Source)
	}
	froms := []string{from} // a connected route that EIGRP covers is of both
	for i := range s.Protocols.EIGRP {
		c := &s.Protocols.EIGRP[i]
		own := fmt.Sprintf("eigrp %d", c.AS)
		if c.VRF != vrf {
			continue
		}
		covers := s.covered(c, r)
		if covers {
			froms = append(froms, own)
		}
		if covers || from == own || slices.Contains(c.Redistribute, from) {
			out = append(out, own)
		}
	}
	if c := s.Protocols.bgp(vrf); c != nil && slices.ContainsFunc(c.Redistribute, func(r string) bool { return slices.Contains(froms, r) }) {
		out = append(out, fmt.Sprintf("bgp %d", s.BGPAS))
	}
	return out
}

// covered tells whether a `network` of EIGRP covers the interface that a connected route is of.
func (s *Status) covered(c *EIGRPConfigured, r *rib.Route) bool {
	if family(r.Source) != "connected" || len(r.Hops) == 0 {
		return false
	}
	for _, i := range s.Router.Interfaces {
		if i.Name != r.Hops[0].Iface {
			continue
		}
		for _, a := range i.Addrs {
			if a.Masked() == r.Prefix && slices.ContainsFunc(c.Networks, func(n ProtocolNetwork) bool { return n.Prefix.Contains(a.Addr()) }) {
				return true
			}
		}
	}
	return false
}

// IPProtocols is `show ip protocols`: of a VRF, or of the global table. a has EIGRP with its topology, BGP where it runs, and the routes of the table.
func IPProtocols(s *Status, q Query, a *Answer) string {
	var b strings.Builder
	for i := range a.EIGRP {
		p := &a.EIGRP[i]
		c := s.Protocols.eigrp(q.VRF, p.Key.AS)
		fmt.Fprintf(&b, "Routing Protocol is \"eigrp %d\"\n", p.Key.AS)
		filterLines(&b, c.Filters, true)
		filterLines(&b, c.Filters, false)
		b.WriteString("  Default networks flagged in outgoing updates\n  Default networks accepted from incoming updates\n")
		if len(c.Redistribute) > 0 {
			fmt.Fprintf(&b, "  Redistributing: %s\n", strings.Join(c.Redistribute, ", "))
		}
		eigrpProtocol(&b, p)
		b.WriteString("\n")
		eigrpSummaries(&b, p, c)
		fmt.Fprintf(&b, "  Maximum path: %d\n", p.MaximumPaths)
		networkLines(&b, c.Networks)
		passiveLines(&b, p, c)
		s.gateways(&b, a.Routes, int(p.Internal), func(r *rib.Route) bool { return r.Source == rib.EIGRP && r.Process == uint32(p.Key.AS) })
		fmt.Fprintf(&b, "  Distance: internal %d external %d\n\n", p.Internal, p.External)
	}
	if c := s.Protocols.bgp(q.VRF); c != nil && a.BGP != nil {
		s.bgpProtocol(&b, c, a)
	}
	return b.String()
}

// filterLines is what filters routes in one direction.
func filterLines(b *strings.Builder, list []ProtocolFilter, out bool) {
	way, all := "Incoming", "not set"
	if out {
		way = "Outgoing"
	}
	for _, f := range list {
		if f.Out == out && f.Iface == "" && f.From == "" {
			all = f.List
		}
	}
	fmt.Fprintf(b, "  %s update filter list for all interfaces is %s\n", way, all)
	for _, f := range list {
		switch {
		case f.Out != out:
		case f.Iface != "":
			fmt.Fprintf(b, "    %s filtered by %s (per-user), default is %s\n", f.Iface, f.List, all)
		case f.From != "":
			fmt.Fprintf(b, "    Redistributed %s filtered by %s\n", f.From, f.List)
		}
	}
}

// eigrpProtocol is what EIGRP runs by, as `show eigrp protocols` and `show ip protocols` have it.
func eigrpProtocol(b *strings.Builder, p *slowpath.EIGRPStatus) {
	name, k6 := "", ""
	if p.Name != "" {
		name = fmt.Sprintf(" VR(%s) Address-Family", p.Name)
	}
	if p.Wide {
		k6 = fmt.Sprintf(" K6=%d", p.K[5])
	}
	fmt.Fprintf(b, "  EIGRP-IPv4%s Protocol for AS(%d)\n", name, p.Key.AS)
	fmt.Fprintf(b, "    Metric weight K1=%d, K2=%d, K3=%d, K4=%d, K5=%d%s\n", p.K[0], p.K[1], p.K[2], p.K[3], p.K[4], k6)
	if p.Wide {
		fmt.Fprintf(b, "    Metric rib-scale %d\n    Metric version 64bit\n", ribScale)
	}
	fmt.Fprintf(b, "    Router-ID: %s\n", p.RouterID)
	if p.Stub {
		var told []string
		for _, x := range []struct {
			on   bool
			word string
		}{{p.Connected, "connected"}, {p.Static, "static"}, {p.Summary, "summary"}, {p.Redistributed, "redistributed"}, {p.ReceiveOnly, "receive-only"}} {
			if x.on {
				told = append(told, x.word)
			}
		}
		fmt.Fprintf(b, "    Stub, %s\n", strings.Join(told, ", "))
	}
	active := "disabled"
	if !p.ActiveDisabled {
		active = minutes(p.ActiveTime)
	}
	fmt.Fprintf(b, "    Topology : 0 (base)\n      Active Timer: %s\n      Distance: internal %d external %d\n", active, p.Internal, p.External)
	fmt.Fprintf(b, "      Maximum path: %d\n      Maximum hopcount %d\n      Maximum metric variance %d\n", p.MaximumPaths, p.MaximumHops, p.Variance)
}

// minutes is a time in minutes, or in seconds where it is not whole.
func minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d sec", d/time.Second)
}

func eigrpSummaries(b *strings.Builder, p *slowpath.EIGRPStatus, c *EIGRPConfigured) {
	fmt.Fprintf(b, "  Automatic Summarization: %s\n", enabled(p.AutoSummary))
	if len(c.Summaries) == 0 {
		return
	}
	b.WriteString("  Address Summarization:\n")
	list := slices.Clone(c.Summaries)
	slices.SortStableFunc(list, func(x, y ProtocolSummary) int { return x.Prefix.Compare(y.Prefix) })
	for len(list) > 0 {
		prefix, ifaces := list[0].Prefix, []string(nil)
		for len(list) > 0 && list[0].Prefix == prefix {
			ifaces, list = append(ifaces, shortName(list[0].Iface)), list[1:]
		}
		fmt.Fprintf(b, "    %s for %s\n", prefix, strings.Join(ifaces, ", "))
		if n, dist := components(p, prefix); n == 1 {
			fmt.Fprintf(b, "      Summarizing 1 component with metric %d\n", dist)
		} else if n > 1 {
			fmt.Fprintf(b, "      Summarizing %d components with metric %d\n", n, dist)
		}
	}
}

// components counts the prefixes that a summary stands for, and says which metric it has.
func components(p *slowpath.EIGRPStatus, summary netip.Prefix) (n int, metric uint64) {
	for i := range p.Topology {
		t := &p.Topology[i]
		for k := range t.Paths {
			if t.Prefix == summary && t.Paths[k].Kind == "summary" {
				metric = t.Paths[k].Distance
			}
		}
		if t.Prefix.Bits() > summary.Bits() && summary.Contains(t.Prefix.Addr()) && t.Successors > 0 {
			n++
		}
	}
	if metric == 0 {
		return 0, 0
	}
	return n, metric
}

func networkLines(b *strings.Builder, list []ProtocolNetwork) {
	b.WriteString("  Routing for Networks:\n")
	for _, n := range list {
		fmt.Fprintf(b, "    %s\n", n)
	}
}

func passiveLines(b *strings.Builder, p *slowpath.EIGRPStatus, c *EIGRPConfigured) {
	for k, name := range c.passive(p) {
		if k == 0 {
			b.WriteString("  Passive Interface(s):\n")
		}
		fmt.Fprintf(b, "    %s\n", name)
	}
}

// passive are the interfaces of a process that are configured to be passive.
func (c *EIGRPConfigured) passive(p *slowpath.EIGRPStatus) []string {
	out := []string{}
	for i := range p.Interfaces {
		if name := p.Interfaces[i].Name; slices.Contains(c.Passive, name) {
			out = append(out, name)
		}
	}
	return out
}

// gateways are the next hops of routes, each with the time since the last of its routes came.
func (s *Status) gateways(b *strings.Builder, routes []rib.Route, distance int, of func(*rib.Route) bool) {
	b.WriteString("  Routing Information Sources:\n    Gateway         Distance      Last Update\n")
	last := make(map[netip.Addr]time.Time)
	var list []netip.Addr
	for i := range routes {
		r := &routes[i]
		if !of(r) {
			continue
		}
		for _, h := range named(r) {
			if h.Addr.IsValid() {
				list = append(list, h.Addr)
				if r.Since.After(last[h.Addr]) {
					last[h.Addr] = r.Since
				}
			}
		}
	}
	for _, g := range addrList(list) {
		d := distance
		for i := range routes {
			if r := &routes[i]; distance == 0 && of(r) && slices.ContainsFunc(named(r), func(h rib.NextHop) bool { return h.Addr == g }) {
				d = r.Distance
			}
		}
		fmt.Fprintf(b, "    %-15s %8d      %s\n", g, d, since(s.Time, last[g]))
	}
}

// bgpProtocol is what `show ip protocols` says of BGP.
func (s *Status) bgpProtocol(b *strings.Builder, c *BGPConfigured, a *Answer) {
	fmt.Fprintf(b, "Routing Protocol is \"bgp %d\"\n", s.BGPAS)
	filterLines(b, nil, true)
	filterLines(b, nil, false)
	fmt.Fprintf(b, "  IGP synchronization is %s\n", enabled(c.Synchronization))
	fmt.Fprintf(b, "  Automatic route summarization is %s\n", enabled(c.AutoSummary))
	if len(c.Redistribute) > 0 {
		fmt.Fprintf(b, "  Redistributing: %s\n", strings.Join(c.Redistribute, ", "))
	}
	first := true
	for i := range a.BGP.Neighbours {
		n := &a.BGP.Neighbours[i]
		k := slices.IndexFunc(n.Families, func(f bgp.FamilyStatus) bool { return f.Family == bgp.IPv4Unicast })
		if n.VRF != c.VRF || k < 0 {
			continue
		}
		if first {
			b.WriteString("  Neighbor(s):\n    Address          FiltIn FiltOut DistIn DistOut Weight RouteMap\n")
			first = false
		}
		f := &n.Families[k]
		in, out := readFilter(f.In), readFilter(f.Out)
		line := fmt.Sprintf("    %-16s %-6s %-7s %-6s %-7s %-6s %s", n.Address, "", "", in.accessList, out.accessList, "", strings.TrimSpace(in.routeMap+" "+out.routeMap))
		fmt.Fprintf(b, "%s\n", strings.TrimRight(line, " "))
	}
	fmt.Fprintf(b, "  Maximum path: %d\n", max(c.MaximumPaths, 1))
	networkLines(b, c.Networks)
	s.gateways(b, a.Routes, 0, func(r *rib.Route) bool { return r.Source == rib.BGP })
	fmt.Fprintf(b, "  Distance: external %d internal %d local %d\n\n", orNumber(int(c.DistanceExternal), 20), orNumber(int(c.DistanceInternal), 200), orNumber(int(c.DistanceLocal), 200))
}

// EIGRPProtocols is `show eigrp protocols`.
func EIGRPProtocols(_ *Status, a *Answer) string {
	return each(a, func(b *strings.Builder, p *slowpath.EIGRPStatus) { eigrpProtocol(b, p) })
}
