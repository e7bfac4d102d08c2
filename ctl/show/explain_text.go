package show

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// explainStep is one step of a packet's way, for people.
type explainStep struct {
	Name  string   `json:"step"`
	Lines []string `json:"text"`
}

func (s *explainStep) say(format string, args ...any) {
	s.Lines = append(s.Lines, fmt.Sprintf(format, args...))
}

// Explain is `explain`: what would become of a packet, step by step.
func Explain(x *Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Packet  %s\n\n", x.packet())
	for i, s := range x.steps() {
		for k, line := range s.Lines {
			if k == 0 {
				fmt.Fprintf(&b, "%2d  %-11s %s\n", i+1, s.Name, line)
			} else {
				fmt.Fprintf(&b, "%15s %s\n", "", line)
			}
		}
	}
	b.WriteString("\n" + x.verdict() + "\n")
	for _, line := range x.beside() {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// protocolName is an IP protocol as people call it.
func protocolName(p uint8) string {
	switch p {
	case 1:
		return "ICMP"
	case 6:
		return "TCP"
	case 17:
		return "UDP"
	case 47:
		return "GRE"
	case 50:
		return "ESP"
	case 51:
		return "AH"
	case 88:
		return "EIGRP"
	case 89:
		return "OSPF"
	}
	return fmt.Sprintf("IP protocol %d", p)
}

func (x *Explanation) packet() string {
	p := &x.Packet
	kind, from, to := protocolName(p.Proto), p.Src.String(), p.Dst.String()
	switch p.Proto {
	case 1:
		kind = "ICMP echo"
	case 6, 17:
		if p.Proto == 6 {
			kind = "TCP SYN"
		}
		from, to = fmt.Sprintf("%s:%d", from, p.Ports[0]), fmt.Sprintf("%s:%d", to, p.Ports[1])
	}
	text := fmt.Sprintf("%s %s > %s, %d bytes, TTL %d", kind, from, to, p.Length, p.TTL)
	if p.TOS != 0 {
		text += fmt.Sprintf(", TOS 0x%02x", p.TOS)
	}
	if p.DF {
		text += ", do not fragment"
	}
	return text
}

// steps are the packet's way.
func (x *Explanation) steps() (list []explainStep) {
	add := func(s explainStep) {
		if len(s.Lines) > 0 {
			list = append(list, s)
		}
	}
	add(x.arrival())
	add(x.labelStep())
	for i := range x.Packet.Looks {
		add(x.routeStep(i))
	}
	if x.Packet.Members > 0 || x.Packet.Group != 0 {
		add(x.groupStep())
	} else {
		for i := range x.Packet.Ways {
			w := &x.Packet.Ways[i]
			add(x.wayStep(w))
			add(x.sizeStep(w))
			add(x.sealStep(w))
		}
	}
	add(x.priceStep())
	for i := range x.Packet.Ways {
		if w := &x.Packet.Ways[i]; x.Packet.Members == 0 {
			add(x.outStep(w))
		}
	}
	return list
}

func (x *Explanation) arrival() explainStep {
	s := explainStep{Name: "In"}
	f := &x.Packet.From
	if f.Own {
		s.say("this box sends it, in the %s", x.table(f.VRF))
		return s
	}
	how := "as asked"
	if x.Back.IsValid() {
		how = fmt.Sprintf("the way back to %s (%s)", x.Packet.Src, x.Back)
	}
	s.say("%s, %s", x.iface(f.Port, f.Tunnel), how)
	if f.Tunnel != 0 {
		peer := "a peer that is not known"
		if f.Peer.IsValid() {
			peer = f.Peer.String()
		}
		switch {
		case f.SA != 0 && !f.Peer.IsValid():
			s.say("out of GRE, opened by a security association of the tunnel: nothing says which peer %s is behind", x.Packet.Src)
		case f.SA != 0:
			s.say("out of GRE from %s, opened by security association %d", peer, f.SA)
		default:
			s.say("out of GRE from %s, in clear", peer)
		}
	}
	if f.VRF != fib.Global {
		s.say("of the %s", x.table(f.VRF))
	}
	return s
}

func (x *Explanation) labelStep() explainStep {
	s := explainStep{Name: "Label"}
	for i := range x.Packet.Labels {
		l := &x.Packet.Labels[i]
		text := fmt.Sprintf("%d", l.Label)
		switch {
		case !l.Known && l.Label == fib.ExplicitNull:
			text += " (explicit null): taken off"
		case !l.Known:
			text += ": nobody was given it"
		case l.Action == fib.LabelLookup:
			text += ": taken off, what is under it is looked up in the " + x.table(l.VRF)
		case l.Action == fib.LabelForward:
			text += ": taken off, what is under it goes the label's own way"
		default:
			text += ": swapped, by " + plural(len(distinct(l.Paths)), "way")
		}
		if l.Software {
			text += "; it has no room in the emulated table"
		}
		s.say("%s", text)
		for k := range x.Labels {
			if e := &x.Labels[k]; e.In == l.Label && e.Prefix.IsValid() {
				s.say("it stands for %s in the %s", e.Prefix, x.table(e.VRF))
			}
		}
	}
	if x.Chosen && len(s.Lines) > 0 {
		s.say("(packets from there come with a label of ours, and this is one)")
	}
	return s
}

func distinct(ids []fib.AdjID) []fib.AdjID {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (x *Explanation) routeStep(i int) explainStep {
	s := explainStep{Name: "Route"}
	l := &x.Packet.Looks[i]
	if !l.Found {
		s.say("the %s has no route to %s", x.table(l.VRF), x.Packet.Dst)
		return s
	}
	var r ExplainedRoute
	if i < len(x.Routes) {
		r = x.Routes[i]
	}
	s.say("%s in the %s%s", l.Prefix, x.table(l.VRF), x.routeOf(l, &r))
	switch {
	case l.Chosen == fib.Receive:
		s.say("an address of this box")
	case l.Chosen == fib.Null:
		s.say("leads to Null0")
	case l.Chosen == fib.Drop:
		s.say("leads nowhere at the moment: no next hop of it can be used")
	}
	if ways := distinct(l.Paths); len(ways) > 1 {
		share := 0
		for _, id := range l.Paths {
			if id == l.Chosen {
				share++
			}
		}
		s.say("%s; the hash of this flow takes one that has %d of %d shares", plural(len(ways), "way"), share, len(l.Paths))
	}
	if f := &x.Packet.Flow; i == 0 && f.Known {
		stale := ""
		if f.Stale {
			stale = ", by routes that have changed since"
		}
		s.say("worker %d remembers the flow%s", f.Worker, stale)
	}
	if l.Software {
		s.say("it has no room in the emulated table: the route processor forwards its packets")
	}
	return s
}

// routeOf says who a route is of.
func (x *Explanation) routeOf(l *fastpath.RouteUse, e *ExplainedRoute) string {
	r := &e.Route
	switch {
	case !e.Known && l.Prefix.Bits() == 32:
		return ", of a neighbor"
	case !e.Known:
		return ""
	case r.Prefix != l.Prefix:
		return fmt.Sprintf(", of a neighbor within %s (%s)", r.Prefix, x.source(r))
	}
	text := ", " + x.source(r)
	if r.Source != rib.Local && r.Source != rib.Connected {
		text += fmt.Sprintf(" [%d/%d]", r.Distance, metric(r))
	}
	if !r.Since.IsZero() {
		text += fmt.Sprintf(", since %s", elapsed(x.Time.Sub(r.Since)))
	}
	return text
}

func (x *Explanation) source(r *rib.Route) string {
	if r.Source == rib.Shortcut {
		return "nhrp shortcut"
	}
	return sourceText(r.Source, r.Process, x.BGPAS)
}

// target is what a tunnel's NHRP knows the next hop of a way by.
func (x *Explanation) target(w *fastpath.Way) netip.Addr {
	for i := len(x.Packet.Looks) - 1; i >= 0; i-- {
		if i < len(x.Routes) && x.Packet.Looks[i].Chosen == w.Adj && x.Routes[i].Hop.IsValid() {
			return x.Routes[i].Hop
		}
	}
	if w.NextHop.IsValid() {
		return w.NextHop
	}
	return x.Packet.Dst
}

// hopOf is the next hop that a way takes, as far as it is known; "": the destination itself.
func (x *Explanation) hopOf(w *fastpath.Way) string {
	if hop := x.target(w); hop != x.Packet.Dst {
		return hop.String()
	}
	return ""
}

func (x *Explanation) wayStep(w *fastpath.Way) explainStep {
	s := explainStep{Name: "Adjacency"}
	name, hop := x.iface(w.Port, w.Tunnel), x.hopOf(w)
	to := cmp.Or(hop, x.Packet.Dst.String()+" itself")
	switch w.Kind {
	case fib.AdjLink:
		s.say("%s, next hop %s%s", name, to, frameTo(w))
	case fib.AdjTunnel:
		key := "without a key"
		if w.HasKey {
			key = fmt.Sprintf("with key %d", w.Key)
		}
		s.say("%s, next hop %s: GRE %s to %s", name, to, key, w.Peer)
	case fib.AdjGlean:
		s.say("%s, next hop %s, which is not resolved yet", name, cmp.Or(hop, x.Packet.Dst.String()))
	case fib.AdjLookup:
		s.say("looked up again in the %s", x.table(w.VRF))
	default:
		s.say("drops what comes to it")
	}
	if len(w.Labels) > 0 {
		s.say("pushes %s %s", pluralWord(len(w.Labels), "label"), stack(w.Labels))
	}
	if n := len(x.Packet.Labels); len(w.Labels) == 0 && n > 0 && x.Packet.Labels[n-1].Known && x.Packet.Labels[n-1].Action == fib.LabelSwap {
		s.say("pushes no label: the one that it came with is taken off")
	}
	if len(w.Outside) > 0 {
		s.say("the peer is reached by %s %s", pluralWord(len(w.Outside), "label"), stack(w.Outside))
	}
	if w.Tunnel != 0 {
		s.Lines = append(s.Lines, x.nhrpLines(w)...)
	}
	return s
}

func pluralWord(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}

func frameTo(w *fastpath.Way) string {
	if len(w.Frames) == 0 {
		return ""
	}
	return " at " + mac(w.Frames[0].DstMAC)
}

// nhrpLines is what NHRP knows of the next hop on a tunnel.
func (x *Explanation) nhrpLines(w *fastpath.Way) (lines []string) {
	target := x.target(w)
	e := x.entry(x.iface(w.Port, w.Tunnel), target)
	if e == nil {
		return []string{"NHRP: no entry for " + target.String()}
	}
	text := fmt.Sprintf("NHRP: %s, %s", e.Prefix, e.Type)
	if e.NBMA.IsValid() {
		text += ", NBMA address " + e.NBMA.String()
	}
	text += ", created " + elapsed(x.Time.Sub(e.Created)) + " ago"
	if !e.Expires.IsZero() {
		text += ", expires in " + elapsed(e.Expires.Sub(x.Time))
	}
	lines = append(lines, text)
	if e.Flags&nhrp.FlagVia != 0 {
		lines = append(lines, "traffic takes the next hop server meanwhile: NHRP looks for a direct path, or the peer did not answer")
	}
	if e.Flags&nhrp.FlagNoSock != 0 {
		lines = append(append(lines, "the entry waits for the session with the peer"), x.sessionLines(w)...)
	}
	return lines
}
