package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"nave/fastpath/fib"
	"nave/hwprofiles"
)

// module is the number of the one module that is emulated: it has the forwarding engine, the route processor and the crypto module.
const module = "1"

// Section is a part of `show platform hardware capacity`.
type Section string

// The sections, in the words of the command.
const (
	SectionCPU        Section = "cpu"
	SectionVLAN       Section = "vlan"
	SectionForwarding Section = "forwarding"
	SectionNetFlow    Section = "netflow"
	SectionRateLimit  Section = "rate-limit"
	SectionCrypto     Section = "crypto"
)

// sections are all of them, in the order in which they are shown.
var sections = []struct {
	name Section
	text func(*strings.Builder, *Status, *Hardware)
	json func(*Status, *Hardware) any
}{
	{SectionCPU, cpuCapacity, cpuJSON}, {SectionVLAN, vlanCapacity, vlanJSON}, {SectionForwarding, forwardingCapacity, forwardingJSON}, {SectionNetFlow, netflowCapacity, netflowJSON},
	{SectionRateLimit, limiterCapacity, limitersUsedJSON}, {SectionCrypto, cryptoCapacity, cryptoModuleJSON},
}

// HardwareCapacity is `show platform hardware capacity`: how much of the emulated hardware is used. An empty section is all of them.
func HardwareCapacity(s *Status, only Section) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		first := true
		for _, x := range sections {
			if only != "" && x.name != only {
				continue
			}
			if !first {
				b.WriteString("\n")
			}
			first = false
			x.text(b, s, h)
		}
	})
}

// cpuCapacity: the second number of a utilization is that of interrupts, which is where CEF forwards.
func cpuCapacity(b *strings.Builder, s *Status, h *Hardware) {
	b.WriteString("CPU Resources\n")
	all, interrupts := busy(h)
	fmt.Fprintf(b, "  CPU utilization: Module             5 seconds\n                   %s  RP %19s\n", module, fmt.Sprintf("%d%% / %d%%", all, interrupts))
	loadTable(b, s, h, "  Route processor", fib.CEF, fib.Process, fib.Exception)
}

// busy is how much of the route processor's time packets take, in percent, and how much of that its interrupts.
func busy(h *Hardware) (all, interrupts int) {
	share := func(k fib.Budget) float64 { return 100 * ratio(h.Loads[k].PerSecond, h.Meters[k].Rate) }
	cef := share(fib.CEF)
	return int(min(100, cef+share(fib.Process))), int(min(100, cef))
}

// tableRow is a row of the tables of this command.
func tableRow(b *strings.Builder, label string, cells ...string) {
	fmt.Fprintf(b, "%-43s%11s%12s%12s\n", label, cells[0], cells[1], cells[2])
}

// levelRows is a table of one row.
func levelRows(b *strings.Builder, label string, l hwprofiles.Level) {
	tableRow(b, "             "+label+" usage:", "Total", "Used", "%Used")
	tableRow(b, "", size(l.Size), fmt.Sprint(l.Used), percent(l.Used, l.Size))
}

func vlanCapacity(b *strings.Builder, _ *Status, h *Hardware) {
	b.WriteString("VLAN Resources\n")
	levelRows(b, "Internal VLANs", h.Usage.TunnelVLANs)
}

func forwardingCapacity(b *strings.Builder, s *Status, h *Hardware) {
	u := &h.Usage
	b.WriteString("L2 Forwarding Resources\n")
	levelRows(b, "VPN CAM", u.AggregateLabels)
	b.WriteString("\nL3 Forwarding Resources\n")
	tableRow(b, "             FIB TCAM usage:", "Total", "Used", "%Used")
	for _, t := range widths(u) {
		tableRow(b, fmt.Sprintf("%43s", t.name()), size(t.Size), fmt.Sprint(t.Used), percent(t.Used, t.Size))
	}
	protocolRows(b, u)
	b.WriteString("\n")
	levelRows(b, "Adjacency", u.Adjacencies)
	l := h.Loads[fib.Engine]
	fmt.Fprintf(b, "\n%-21s\n%-21s%-6s%10s%11s%30s\n", "     Forwarding engine load:", "", "Module", "pps", "peak-pps", "peak-time")
	fmt.Fprintf(b, "%-21s%-6s%10d%11d%30s\n\n", "", module, units(fib.Engine, l.PerSecond), units(fib.Engine, l.Peak), clock(l.PeakTime))
	loadTable(b, s, h, "     Load", fib.Engine)
}

// protocolRows says which protocol has how much of the table. Of IPv6 and multicast nave has no routes there.
func protocolRows(b *strings.Builder, u *hwprofiles.Usage) {
	row := func(label, protocol, used, share string) {
		fmt.Fprintf(b, "%28s%6s%-20s%12s%12s\n", label, "", protocol, used, share)
	}
	b.WriteString("\n")
	row("detail:", "Protocol", "Used", "%Used")
	narrow := 0
	for _, t := range widths(u) {
		if t.width == 1 {
			narrow = t.Size
		}
	}
	for _, r := range []struct {
		name string
		used int
	}{{"IPv4", u.IPv4.Hardware}, {"MPLS", u.MPLS.Hardware}, {"EoM", 0}, {}, {"IPv6", 0}, {"IPv4 mcast", 0}, {"IPv6 mcast", 0}} {
		if r.name == "" {
			b.WriteString("\n")
			continue
		}
		row("", r.name, fmt.Sprint(r.used), percent(r.used, narrow))
	}
}

// widthUsage is what entries of one width have of the FIB TCAM.
type widthUsage struct {
	width int // units of 72 bits
	kinds []string
	hwprofiles.Level
}

// name of the entries, as IOS has it for those that the hardware has.
func (t *widthUsage) name() string {
	of := strings.Join(t.kinds, ", ")
	switch t.width {
	case 1:
		of = "IPv4, MPLS, EoM"
	case 2:
		of = "IP mcast, IPv6"
	}
	return fmt.Sprintf("%d bits (%s)", 72*t.width, of)
}

// widths sums the parts of the table up by the width of their entries.
func widths(u *hwprofiles.Usage) []widthUsage {
	var out []widthUsage
	for _, r := range u.Rooms {
		at := slices.IndexFunc(out, func(t widthUsage) bool { return t.width == r.Width })
		if at < 0 {
			out = append(out, widthUsage{width: r.Width})
			at = len(out) - 1
		}
		t := &out[at]
		t.kinds, t.Used, t.Size = append(t.kinds, r.Kinds...), t.Used+r.Used, t.Size+r.Size
	}
	if len(out) == 0 { // nothing is known of its size
		out = append(out, widthUsage{width: 1, Level: hwprofiles.Level{Used: u.IPv4.Hardware + u.MPLS.Hardware}})
	}
	slices.SortFunc(out, func(a, b widthUsage) int { return cmp.Compare(a.width, b.width) })
	return out
}

// flowTable is the emulated table of flows: what it holds of those that nave remembers, and what had to make room there for others.
func flowTable(s *Status, h *Hardware) (held, failed, entries int) {
	n := &h.Profile.NetFlow
	held = int(s.Fastpath.Flows.Live)
	for _, most := range []hwprofiles.Number{n.Entries, n.Effective} {
		if most.Over(held) {
			held = most.Int()
		}
	}
	return held, int(s.Fastpath.Flows.Evicted), n.Entries.Int()
}

func netflowCapacity(b *strings.Builder, s *Status, h *Hardware) {
	row := func(label, module, created, failed, share string) {
		fmt.Fprintf(b, "%-34s%-6s%14s%12s%12s\n", label, module, created, failed, share)
	}
	b.WriteString("Netflow Resources\n")
	held, failed, entries := flowTable(s, h)
	row("          TCAM utilization:", "Module", "Created", "Failed", "%Used")
	row("", module, fmt.Sprint(held), fmt.Sprint(failed), percent(held, entries))
	if s.Fastpath.Flows.Capacity == 0 {
		b.WriteString("          No flows are remembered; `fastpath flows NUMBER` and a restart turn that on\n")
	}
}

// registers counts the registers of a layer that rate limiters have: some share one.
func registers(h *Hardware, layer2 bool) int {
	var used []string
	for _, l := range h.Limited {
		if l.Register && l.Layer2 == layer2 && l.Place != "" && !slices.Contains(used, l.Place) {
			used = append(used, l.Place)
		}
	}
	return len(used)
}

func limiterCapacity(b *strings.Builder, _ *Status, h *Hardware) {
	row := func(label, total, used, reserved, share string) {
		fmt.Fprintf(b, "%26s%13s%13s%14s%12s\n", label, total, used, reserved, share)
	}
	b.WriteString("CPU Rate Limiters Resources\n")
	fmt.Fprintf(b, "%27s%12s%13s%14s%12s\n", "Rate limiters:", "Total", "Used", "Reserved", "%Used")
	for _, x := range []struct {
		label  string
		most   hwprofiles.Number
		layer2 bool
	}{{"Layer 3", h.Profile.RateLimiters.L3, false}, {"Layer 2", h.Profile.RateLimiters.L2, true}} {
		used, total := registers(h, x.layer2), x.most.Int()
		row(x.label, size(total), fmt.Sprint(used), "0", percent(used, total))
	}
}

func cryptoCapacity(b *strings.Builder, s *Status, h *Hardware) {
	u := &h.Usage
	fmt.Fprintf(b, "Crypto Module Resources: %s\n", moduleName(h.Profile))
	levelRows(b, "IPsec tunnels", u.CryptoTunnels)
	fmt.Fprintf(b, "             Refused associations: %d\n\n", u.CryptoRefused)
	loadTable(b, s, h, "     Load", fib.Crypto)
}
