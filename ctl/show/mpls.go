package show

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/rib"
)

// MPLS is what is configured of labels, and runs.
type MPLS struct {
	Off            bool // `no mpls ip`
	LDP            bool // it runs
	First, Last    uint32
	LDPFirst       uint32 // LDP's part of the range
	LDPLast        uint32
	Pipe           bool // `no mpls ip propagate-ttl`
	HelloInterval  time.Duration
	HelloHold      time.Duration
	SessionHold    time.Duration
	BackoffFirst   time.Duration
	BackoffMax     time.Duration
	PasswordsForID []netip.Addr // router IDs of neighbours that have one
}

// LabelSelect is what `show mpls forwarding-table` is narrowed down to.
type LabelSelect struct {
	Prefix      netip.Prefix // zero: all
	Host        bool         // Prefix is a host: labels of prefixes that it is in
	First, Last uint32       // with Labels
	Labels      bool
	VRF         string
	Iface       string
	Detail      bool
}

func (l *LabelSelect) takes(s *Status, e *Label) bool {
	switch {
	case l.Prefix.IsValid() && !l.Host && e.Prefix != l.Prefix,
		l.Host && !(e.Prefix.IsValid() && e.Prefix.Contains(l.Prefix.Addr())),
		l.Labels && (e.In < l.First || e.In > l.Last),
		l.VRF != "" && (e.VRF == fib.Global || s.vrfName(e.VRF) != l.VRF):
		return false
	case l.Iface == "":
		return true
	}
	for _, p := range e.Paths {
		if p.Iface == l.Iface {
			return true
		}
	}
	return false
}

// MPLSInterfaces is `show mpls interfaces`: all with `mpls ip`, or one.
func MPLSInterfaces(s *Status, iface string, detail bool) string {
	var b strings.Builder
	if !detail {
		b.WriteString("Interface              IP            Tunnel   BGP Static Operational\n")
	}
	for _, i := range s.Router.Interfaces {
		c := s.Interfaces[i.Name]
		if iface != "" && i.Name != iface || !c.MPLS && !c.BGPLabels && !i.MPLS {
			continue
		}
		if detail {
			s.mplsInterface(&b, &i, c)
			continue
		}
		ip := "No"
		if c.MPLS {
			ip = "Yes (ldp)"
		}
		fmt.Fprintf(&b, "%-22s %-13s %-8s %-3s %-6s %s\n", i.Name, ip, "No", yes(c.BGPLabels), "No", yes(i.MPLS && i.Up))
	}
	return b.String()
}

func (s *Status) mplsInterface(b *strings.Builder, i *rib.Interface, c Configured) {
	fmt.Fprintf(b, "Interface %s:\n", i.Name)
	if c.MPLS {
		b.WriteString("        IP labeling enabled (ldp):\n          Interface config\n")
	} else {
		b.WriteString("        IP labeling not enabled\n")
	}
	b.WriteString("        LSP Tunnel labeling not enabled\n")
	fmt.Fprintf(b, "        BGP labeling%s enabled\n", notUnless(c.BGPLabels))
	fmt.Fprintf(b, "        MPLS%s operational\n", notUnless(i.MPLS && i.Up))
	fmt.Fprintf(b, "        MTU = %d\n", i.MTU) // `mpls mtu` is not carried out
}

func notUnless(b bool) string {
	if b {
		return ""
	}
	return " not"
}

// ForwardingTable is `show mpls forwarding-table`.
func ForwardingTable(s *Status, a *Answer, sel LabelSelect) string {
	var b strings.Builder
	b.WriteString("Local  Outgoing    Prefix            Bytes tag  Outgoing   Next Hop\n")
	b.WriteString("tag    tag or VC   or Tunnel Id      switched   interface\n")
	for i := range a.Labels {
		if e := &a.Labels[i]; sel.takes(s, e) {
			s.labelLines(&b, e, sel.Detail)
		}
	}
	return b.String()
}

// labelPrefix is the column of the prefix: VPN routes are marked.
func (s *Status) labelPrefix(e *Label) string {
	switch {
	case e.VRF != fib.Global && !e.Prefix.IsValid():
		return "IPv4 VRF[V]"
	case e.VRF != fib.Global:
		return e.Prefix.String() + "[V]"
	case e.RD != 0:
		return e.RD.String() + ":" + e.Prefix.String()
	case e.Prefix.IsValid():
		return e.Prefix.String()
	}
	return "-"
}

// outTag is the outgoing tag of one way: the one that takes the place of ours.
func outTag(e *Label, p *rib.LabelPath) string {
	switch {
	case p == nil && e.Lookup:
		return "Aggregate"
	case p == nil, len(p.Out) == 0 && (e.Forward || e.Leaves):
		return "Untagged"
	case len(p.Out) == 0:
		return "Pop tag"
	}
	return strconv.Itoa(int(p.Out[len(p.Out)-1]))
}

func (s *Status) labelLines(b *strings.Builder, e *Label, detail bool) {
	prefix := s.labelPrefix(e)
	row := func(local, out, bytes, iface, hop string) {
		lead := fmt.Sprintf("%-6s %-11s %-17s", local, out, prefix)
		if len(prefix) > 17 || e.Lookup {
			fmt.Fprintf(b, "%-6s %-11s %s  \\\n", local, out, prefix)
			lead = strings.Repeat(" ", 36)
		}
		fmt.Fprintf(b, "%s\n", strings.TrimRight(fmt.Sprintf("%s %-10s %-10s %s", lead, bytes, iface, hop), " "))
	}
	local, bytes := strconv.Itoa(int(e.In)), strconv.FormatUint(e.Count.Bytes, 10)
	if len(e.Paths) == 0 {
		iface := "drop"
		if e.Lookup {
			iface = ""
		}
		row(local, outTag(e, nil), bytes, iface, "")
		s.labelDetail(b, e, nil, detail)
	}
	for k := range e.Paths {
		p := &e.Paths[k]
		hop := "point2point"
		if p.Addr.IsValid() {
			hop = p.Addr.String()
		}
		row(local, outTag(e, p), bytes, shortName(p.Iface), hop)
		s.labelDetail(b, e, p, detail)
		local = "" // further ways of the same label
	}
}

func (s *Status) labelDetail(b *strings.Builder, e *Label, p *rib.LabelPath, detail bool) {
	if !detail {
		return
	}
	if p != nil {
		for _, i := range s.Router.Interfaces {
			if i.Name == p.Iface {
				fmt.Fprintf(b, "        MRU=%d, Tag Stack%s\n", int(i.MTU)-4*max(0, len(p.Out)-1), stack(p.Out))
			}
		}
	}
	if e.VRF != fib.Global {
		fmt.Fprintf(b, "        VPN route: %s\n", s.vrfName(e.VRF))
	}
	b.WriteString("        No output feature configured\n")
	if len(e.Paths) > 1 {
		b.WriteString("    Per-destination load-sharing\n")
	}
}

// stack is labels as IOS writes them, the outermost first: {17 18}.
func stack(labels []uint32) string {
	var words []string
	for _, l := range labels {
		words = append(words, tagName(l))
	}
	return "{" + strings.Join(words, " ") + "}"
}

// tagName is a label as IOS names it.
func tagName(l uint32) string {
	switch l {
	case fib.ImplicitNull:
		return "imp-null"
	case 0:
		return "exp-null"
	}
	return strconv.Itoa(int(l))
}
