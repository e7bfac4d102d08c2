package show

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/eigrp/eigrpmsg"
)

// Links says which prefixes, and which of their paths, `show ip eigrp topology` shows.
type Links string

// What there is. Without one: prefixes with their successors and feasible successors.
const (
	LinksAll     Links = "all-links"
	LinksDetail  Links = "detail-links"
	LinksActive  Links = "active"
	LinksPassive Links = "passive"
	LinksPending Links = "pending"
	LinksZero    Links = "zero-successors"
	LinksSummary Links = "summary"
)

const topologyCodes = `Codes: P - Passive, A - Active, U - Update, Q - Query, R - Reply,
       r - reply Status, s - sia Status

`

// unreachable is a metric of what can't be reached.
const unreachable = math.MaxUint64

// ribScale is what a wide metric is divided by for the routing table (RFC 7868 section 5.6.2.5).
const ribScale = 128

// topologyTitle is the line that begins a topology table, and the one that names its VRF.
func (s *Status) topologyTitle(p *slowpath.EIGRPStatus, what string) string {
	name := ""
	if p.Name != "" {
		name = fmt.Sprintf(" VR(%s)", p.Name)
	}
	return fmt.Sprintf("EIGRP-IPv4%s %s for AS(%d)/ID(%s)", name, what, p.Key.AS, p.RouterID) + s.topologyVRF(p, "\n")
}

func (s *Status) topologyVRF(p *slowpath.EIGRPStatus, end string) string {
	if v := s.vrfName(p.Key.VRF); v != "" {
		return fmt.Sprintf("\n           Topology(base) TID(0) VRF(%s)\n", v)
	}
	return end
}

// EIGRPTopology is `show ip eigrp topology`.
func EIGRPTopology(s *Status, a *Answer, links Links) string {
	return each(a, func(b *strings.Builder, p *slowpath.EIGRPStatus) {
		b.WriteString(s.topologyTitle(p, "Topology Table"))
		if links == LinksSummary {
			topologySummary(b, p)
			return
		}
		b.WriteString(topologyCodes)
		for i := range p.Topology {
			if t := &p.Topology[i]; links.takes(t) {
				s.topologyLines(b, p, t, links == LinksAll || links == LinksDetail || t.Active || links == LinksZero)
			}
		}
	})
}

// takes tells whether a prefix is to be shown.
func (l Links) takes(t *eigrp.TopologyStatus) bool {
	switch l {
	case LinksActive:
		return t.Active
	case LinksPassive:
		return !t.Active
	case LinksPending:
		return t.Pending
	case LinksZero:
		return t.Successors == 0
	}
	return true
}

func topologySummary(b *strings.Builder, p *slowpath.EIGRPStatus) {
	pending, on, busy := 0, 0, 0
	var quiet []string
	for i := range p.Topology {
		pending += len(p.Topology[i].Waiting)
	}
	for i := range p.Interfaces {
		x := &p.Interfaces[i]
		if !x.Running || x.Passive {
			continue
		}
		on++
		if x.Neighbors > 0 {
			busy++
		}
		if x.Queue == 0 && x.Pending == 0 {
			quiet = append(quiet, shortName(x.Name))
		}
	}
	fmt.Fprintf(b, "%d routes, %d pending replies, 0 dummies\n", len(p.Topology), pending)
	fmt.Fprintf(b, "EIGRP-IPv4(%d) enabled on %d interfaces, %d neighbors present on %d interfaces\n", p.Key.AS, on, len(p.Neighbors), busy)
	if len(quiet) > 0 {
		fmt.Fprintf(b, "Quiescent interfaces:  %s\n", strings.Join(quiet, " "))
	}
}

// tagOf is the tag that comes with a prefix: that of its best path.
func tagOf(t *eigrp.TopologyStatus) uint32 {
	for i := range t.Paths {
		if x := &t.Paths[i]; x.Successor && x.External != nil {
			return x.External.Tag
		}
	}
	return 0
}

// originWords are who an active prefix is asked about for, by the origin of the query (RFC 7868 section 3.5).
var originWords = [...]string{"Clear", "Local origin", "Multiple Origins", "Successor Origin"}

// metricText is a composite metric.
func metricText(d uint64) string {
	if d == unreachable {
		return "Infinity"
	}
	return fmt.Sprint(d)
}

func (s *Status) topologyLines(b *strings.Builder, p *slowpath.EIGRPStatus, t *eigrp.TopologyStatus, all bool) {
	state, fd := "P", metricText(t.FD)
	if t.Active {
		state = "A"
	}
	if !t.Active && t.Successors == 0 {
		fd = "Inaccessible"
	}
	flags := ""
	if tag := tagOf(t); tag != 0 {
		flags += fmt.Sprintf(", tag is %d", tag)
	}
	switch {
	case t.Active:
		flags += ", Q"
	case t.Pending:
		flags += ", U"
	}
	fmt.Fprintf(b, "%s %s, %d successors, FD is %s%s\n", state, t.Prefix, t.Successors, fd, flags)
	if t.Active {
		fmt.Fprintf(b, "    %d replies, active %s, query-origin: %s\n", len(t.Waiting), since(s.Time, t.Since), originWords[min(int(t.Origin), len(originWords)-1)])
	}
	var shown []netip.Addr
	for _, x := range sortedPaths(t) {
		if !all && !x.Successor && !x.Feasible {
			continue
		}
		waits := ""
		if slices.Contains(t.Waiting, x.From) {
			waits, shown = ", r", append(shown, x.From)
		}
		fmt.Fprintf(b, "        via %s\n", pathText(x, waits))
	}
	heading := false
	for _, n := range t.Waiting {
		if slices.Contains(shown, n) {
			continue
		}
		if !heading {
			b.WriteString("      Remaining replies:\n")
			heading = true
		}
		fmt.Fprintf(b, "         via %s, r%s\n", n, onIface(p, n))
	}
}

// onIface is the interface that a neighbor is on.
func onIface(p *slowpath.EIGRPStatus, a netip.Addr) string {
	for i := range p.Neighbors {
		if p.Neighbors[i].Addr == a {
			return ", " + p.Neighbors[i].Iface
		}
	}
	return ""
}

// sortedPaths are a prefix's paths: successors first, then by distance.
func sortedPaths(t *eigrp.TopologyStatus) []*eigrp.PathStatus {
	out := make([]*eigrp.PathStatus, 0, len(t.Paths))
	for i := range t.Paths {
		out = append(out, &t.Paths[i])
	}
	slices.SortStableFunc(out, func(x, y *eigrp.PathStatus) int {
		if x.Successor != y.Successor {
			if x.Successor {
				return -1
			}
			return 1
		}
		switch {
		case x.Distance < y.Distance:
			return -1
		case x.Distance > y.Distance:
			return 1
		}
		return x.From.Compare(y.From)
	})
	return out
}

// pathText is a path of the table, after "via ".
func pathText(x *eigrp.PathStatus, flags string) string {
	switch x.Kind {
	case "connected":
		return fmt.Sprintf("Connected%s, %s", flags, x.Iface)
	case "summary":
		return fmt.Sprintf("Summary (%s/0)%s, Null0", metricText(x.Distance), flags)
	case "redistributed":
		return fmt.Sprintf("%s (%s/0)%s", redistributedText(x), metricText(x.Distance), flags)
	}
	return fmt.Sprintf("%s (%s/%s)%s, %s", x.Hop, metricText(x.Distance), metricText(x.Reported), flags, x.Iface)
}

// redistributedText says where a path of ours came into EIGRP.
func redistributedText(x *eigrp.PathStatus) string {
	switch {
	case x.External == nil:
		return "VPNv4 Sourced"
	case x.External.Protocol == eigrpmsg.FromStatic:
		return "Rstatic"
	case x.External.Protocol == eigrpmsg.FromConnected:
		return "Rconnected"
	}
	return "Redistributed"
}

var protocolWords = map[eigrpmsg.Protocol]string{
	eigrpmsg.FromIGRP: "IGRP", eigrpmsg.FromEIGRP: "EIGRP", eigrpmsg.FromStatic: "Static", eigrpmsg.FromRIP: "RIP", eigrpmsg.FromHello: "Hello", eigrpmsg.FromOSPF: "OSPF",
	eigrpmsg.FromISIS: "IS-IS", eigrpmsg.FromEGP: "EGP", eigrpmsg.FromBGP: "BGP", eigrpmsg.FromIDRP: "IDRP", eigrpmsg.FromConnected: "Connected",
}

func protocolWord(p eigrpmsg.Protocol) string {
	if w, ok := protocolWords[p]; ok {
		return w
	}
	return fmt.Sprintf("Unknown protocol %d", p)
}

// EIGRPEntry is `show ip eigrp topology PREFIX`: what is known of the prefix, or of the one that fits a host's address best.
func EIGRPEntry(s *Status, q Query, a *Answer) string {
	return each(a, func(b *strings.Builder, p *slowpath.EIGRPStatus) {
		if len(p.Topology) == 0 {
			b.WriteString(s.topologyTitle(p, "Topology Entry"))
			what := q.Dest.String()
			if !q.Exact {
				what = q.Dest.Addr().String()
			}
			fmt.Fprintf(b, "%%Entry %s not in topology table\n", what)
			return
		}
		for i := range p.Topology {
			s.topologyEntry(b, p, &p.Topology[i])
		}
	})
}

func (s *Status) topologyEntry(b *strings.Builder, p *slowpath.EIGRPStatus, t *eigrp.TopologyStatus) {
	title := s.topologyTitle(p, "Topology Entry")
	if s.vrfName(p.Key.VRF) != "" {
		fmt.Fprintf(b, "%sEIGRP-IPv4(%d): Topology base(0) entry for %s\n", title, p.Key.AS, t.Prefix)
	} else {
		fmt.Fprintf(b, "%s for %s\n", strings.TrimSuffix(title, "\n"), t.Prefix)
	}
	state, origin := "Passive", 1
	if t.Active {
		state, origin = "Active", int(t.Origin)
	}
	fmt.Fprintf(b, "  State is %s, Query origin flag is %d, %d Successor(s), FD is %s", state, origin, t.Successors, metricText(t.FD))
	if p.Wide && t.FD != unreachable {
		fmt.Fprintf(b, ", RIB is %d", max(t.FD/ribScale, 1))
	}
	b.WriteString("\n")
	if t.Active {
		fmt.Fprintf(b, "  Waiting for %d replies, active %s, query-origin: %s\n", len(t.Waiting), since(s.Time, t.Since), originWords[min(origin, len(originWords)-1)])
		for _, n := range t.Waiting {
			fmt.Fprintf(b, "    from %s%s\n", n, onIface(p, n))
		}
	}
	b.WriteString("  Descriptor Blocks:\n")
	for _, x := range sortedPaths(t) {
		s.descriptorBlock(b, p, x)
	}
}

func (s *Status) descriptorBlock(b *strings.Builder, p *slowpath.EIGRPStatus, x *eigrp.PathStatus) {
	reported, kind := "0", "Internal"
	switch x.Kind {
	case "connected":
		fmt.Fprintf(b, "  0.0.0.0 (%s), from Connected, Send flag is 0x0\n", x.Iface)
	case "summary":
		b.WriteString("  0.0.0.0 (Null0), from 0.0.0.0, Send flag is 0x0\n")
	case "redistributed":
		fmt.Fprintf(b, "  0.0.0.0, from %s, Send flag is 0x0\n", redistributedText(x))
		if x.External == nil {
			kind += " (VPNv4 Sourced)"
		}
	default:
		fmt.Fprintf(b, "  %s (%s), from %s, Send flag is 0x0\n", x.Hop, x.Iface, x.From)
		reported = metricText(x.Reported)
	}
	if x.External != nil {
		kind = "External"
	}
	fmt.Fprintf(b, "      Composite metric is (%s/%s), route is %s\n", metricText(x.Distance), reported, kind)
	m := vectorOf(x)
	b.WriteString("      Vector metric:\n")
	fmt.Fprintf(b, "        Minimum bandwidth is %d Kbit\n", m.bandwidth)
	fmt.Fprintf(b, "        Total delay is %s\n", m.delay)
	fmt.Fprintf(b, "        Reliability is %d/255\n        Load is %d/255\n        Minimum MTU is %d\n        Hop count is %d\n", x.Metric.Reliability, x.Metric.Load, x.Metric.MTU, x.Metric.Hops)
	switch {
	case x.External != nil && x.External.Router.IsValid():
		fmt.Fprintf(b, "        Originating router is %s\n", x.External.Router)
	case x.Kind == "connected" || x.Kind == "summary":
		fmt.Fprintf(b, "        Originating router is %s\n", p.RouterID)
	}
	if e := x.External; e != nil {
		b.WriteString("      External data:\n")
		if e.Router == p.RouterID {
			fmt.Fprintf(b, "        Originating router is %s (this system)\n", e.Router)
		}
		fmt.Fprintf(b, "        AS number of route is %d\n", e.AS)
		fmt.Fprintf(b, "        External protocol is %s, external metric is %d\n", protocolWord(e.Protocol), e.Metric)
		fmt.Fprintf(b, "        Administrator tag is %d (0x%08X)\n", e.Tag, e.Tag)
	}
}

// vector is a path's metric in the units that IOS shows: kbit/s, and microseconds or, of wide metrics, picoseconds.
type vector struct {
	bandwidth uint64
	delay     string
	micro     uint64 // the delay in microseconds
}

// classicBandwidth is what the classic form of a metric divides the bandwidth of kbit/s into.
const classicBandwidth = 10_000_000 * 256

func vectorOf(x *eigrp.PathStatus) vector {
	m := x.Metric
	if x.Wide {
		if m.Delay >= eigrpmsg.WideInfinity {
			return vector{delay: "Infinity"}
		}
		return vector{bandwidth: m.Bandwidth, delay: fmt.Sprintf("%d picoseconds", m.Delay), micro: m.Delay / 1_000_000}
	}
	if m.Delay >= eigrpmsg.ClassicInfinity {
		return vector{delay: "Infinity"}
	}
	v := vector{micro: m.Delay * 10 / 256}
	if m.Bandwidth > 0 {
		v.bandwidth = classicBandwidth / m.Bandwidth
	}
	v.delay = fmt.Sprintf("%d microseconds", v.micro)
	return v
}
