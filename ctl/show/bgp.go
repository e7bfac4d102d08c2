package show

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

const bgpCodes = `Status codes: s suppressed, d damped, h history, * valid, > best, i - internal,
              r RIB-failure, S Stale
Origin codes: i - IGP, e - EGP, ? - incomplete

`

const bgpColumns = "   Network          Next Hop            Metric LocPrf Weight Path\n"

// ownWeight is the weight that IOS gives routes of the router itself.
const ownWeight = 32768

var originLetter = map[bgp.Origin]string{bgp.OriginIGP: "i", bgp.OriginEGP: "e", bgp.OriginIncomplete: "?"}
var originWord = map[bgp.Origin]string{bgp.OriginIGP: "IGP", bgp.OriginEGP: "EGP", bgp.OriginIncomplete: "incomplete"}

// BGPTable is `show ip bgp` and `show ip bgp vpnv4`: the paths of a, by route distinguisher where they have one. Those of one VRF (q.VRF) stand under its own.
func BGPTable(s *Status, q Query, a *Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "BGP table version is %d, local router ID is %s\n", a.BGP.Version, a.BGP.RouterID)
	b.WriteString(bgpCodes + bgpColumns)
	for _, g := range s.groups(q, a) {
		b.WriteString(g.head)
		last := netip.Prefix{}
		for _, p := range g.paths {
			pathLine(&b, a, p, p.Prefix == last)
			last = p.Prefix
		}
	}
	return b.String()
}

// group is the paths that stand under one heading.
type group struct {
	head  string
	vrf   string
	paths []*bgp.PathStatus
}

// groups puts VPN paths under their route distinguishers.
func (s *Status) groups(q Query, a *Answer) (out []group) {
	at := make(map[bgp.RD]int)
	for i := range a.Paths {
		p := &a.Paths[i]
		rd, head, vrf := p.RD, "", q.VRF
		switch {
		case q.VRF != "":
			rd = 0
			if v := s.vrf(q.VRF); v != nil {
				head = fmt.Sprintf("Route Distinguisher: %s (default for vrf %s)\n", v.rd(), v.Name)
			}
		case rd != 0:
			head = fmt.Sprintf("Route Distinguisher: %s\n", rd)
			if v := s.vrfOfRD(rd); v != nil {
				vrf = v.Name
				head = fmt.Sprintf("Route Distinguisher: %s (default for vrf %s)\n", rd, v.Name)
			}
		}
		k, ok := at[rd]
		if !ok {
			k = len(out)
			at[rd] = k
			out = append(out, group{head: head, vrf: vrf})
		}
		out[k].paths = append(out[k].paths, p)
	}
	for _, g := range out {
		slices.SortStableFunc(g.paths, func(a, b *bgp.PathStatus) int { return a.Prefix.Compare(b.Prefix) })
	}
	return out
}

func (s *Status) vrfOfRD(rd bgp.RD) *VRF {
	text := rd.String()
	for i := range s.VRFs {
		if s.VRFs[i].RD == text {
			return &s.VRFs[i]
		}
	}
	return nil
}

// unusable says why packets can't go to the next hop of a VPN path.
func (a *Answer) unusable(p *bgp.PathStatus) rib.Reach {
	if p.RD == 0 || p.Own {
		return rib.ReachLabelled
	}
	for _, h := range a.Hops {
		if h.Addr == p.NextHop {
			return h.Why
		}
	}
	return rib.ReachLabelled
}

func pathLine(b *strings.Builder, a *Answer, p *bgp.PathStatus, again bool) {
	status := []byte("*  ")
	if p.Stale {
		status[0] = 'S'
	}
	if p.Best {
		status[1] = '>'
		if a.unusable(p) != rib.ReachLabelled {
			status[0] = 'r'
		}
	}
	if !p.External && !p.Own {
		status[2] = 'i'
	}
	network, pref, weight := p.Prefix.String(), "", 0
	if !p.External && !p.Own {
		pref = fmt.Sprint(p.LocalPref)
	}
	if p.Own {
		weight = ownWeight
	}
	if again {
		network = ""
	}
	lead := fmt.Sprintf("%s%-16s", status, network)
	if len(network) > 16 {
		fmt.Fprintf(b, "%s%s\n", status, network)
		lead = strings.Repeat(" ", 19)
	}
	hop := p.NextHop.String()
	if !p.NextHop.IsValid() {
		hop = "0.0.0.0"
	}
	fmt.Fprintf(b, "%s %-15s %10d %6s %6d %s\n", lead, hop, p.Metric, pref, weight, asPath(p, originLetter[p.Origin]))
}

// asPath is the AS numbers of a path, and where it came from in the beginning.
func asPath(p *bgp.PathStatus, origin string) string {
	var words []string
	for _, as := range p.ASPath {
		words = append(words, fmt.Sprint(as))
	}
	if origin != "" {
		words = append(words, origin)
	}
	return strings.Join(words, " ")
}

// BGPEntry is `show ip bgp PREFIX`: all that is known of each path to it.
func BGPEntry(s *Status, q Query, a *Answer) string {
	if len(a.Paths) == 0 {
		return "% Network not in table\n"
	}
	var b strings.Builder
	for _, g := range s.groups(q, a) {
		for list := g.paths; len(list) > 0; {
			n := 1
			for n < len(list) && list[n].Prefix == list[0].Prefix {
				n++
			}
			s.entry(&b, a, list[:n], g.vrf)
			list = list[n:]
		}
	}
	return b.String()
}

func (s *Status) entry(b *strings.Builder, a *Answer, paths []*bgp.PathStatus, vrf string) {
	p := paths[0]
	name := p.Prefix.String()
	if p.RD != 0 {
		name = p.RD.String() + ":" + name
	}
	best := "no best path"
	for k, p := range paths {
		if p.Best {
			best = fmt.Sprintf("best #%d", k+1)
		}
	}
	table := ", table Default-IP-Routing-Table"
	switch {
	case vrf != "":
		table = ", table " + vrf
	case p.RD != 0:
		table = ", no table"
	}
	fmt.Fprintf(b, "BGP routing table entry for %s\nPaths: (%d available, %s%s)\n", name, len(paths), best, table)
	for _, p := range paths {
		s.entryPath(b, a, p)
	}
}

func (s *Status) entryPath(b *strings.Builder, a *Answer, p *bgp.PathStatus) {
	from := netip.IPv4Unspecified()
	router := a.BGP.RouterID
	path := orText(asPath(p, ""), "Local")
	for i := range a.BGP.Neighbours {
		n := &a.BGP.Neighbours[i]
		if n.Address == p.Neighbour && n.VRF == "" && !p.Own { // paths of neighbours inside VRFs are shown as our own, which they become
			if from, router = n.Address, n.RouterID; !router.IsValid() {
				router = netip.IPv4Unspecified()
			}
			if n.Client {
				path += ", (Received from a RR-client)"
			}
		}
	}
	if p.Neighbour.IsValid() && !p.Own {
		from = p.Neighbour
	}
	fmt.Fprintf(b, "  %s", path)
	if p.Stale {
		b.WriteString(", (stale)")
	}
	b.WriteString("\n")
	hop := p.NextHop
	if !hop.IsValid() {
		hop = netip.IPv4Unspecified()
	}
	fmt.Fprintf(b, "    %s", hop)
	if why := a.unusable(p); why != rib.ReachLabelled {
		fmt.Fprintf(b, " (inaccessible: %s)", reachText(why))
	}
	fmt.Fprintf(b, " from %s (%s)\n", from, router)
	fmt.Fprintf(b, "      Origin %s, metric %d, localpref %d, ", originWord[p.Origin], p.Metric, p.LocalPref)
	switch {
	case p.Own:
		fmt.Fprintf(b, "weight %d, valid, sourced", ownWeight)
	case p.External:
		b.WriteString("valid, external")
	default:
		b.WriteString("valid, internal")
	}
	if p.Best {
		b.WriteString(", best")
	}
	b.WriteString("\n")
	if len(p.Communities) > 0 {
		fmt.Fprintf(b, "      Community: %s\n", strings.Join(communityTexts(p), " "))
	}
	if len(p.Extended) > 0 {
		fmt.Fprintf(b, "      Extended Community: %s\n", strings.Join(extendedTexts(p), " "))
	}
	if !p.Own && p.Originator.IsValid() && p.Originator != router {
		fmt.Fprintf(b, "      Originator: %s\n", p.Originator)
	}
	if p.RD != 0 {
		in, out := labelPair(p)
		fmt.Fprintf(b, "      mpls labels in/out %s/%s\n", in, out)
	}
	if !p.Since.IsZero() {
		fmt.Fprintf(b, "      Learned %s ago\n", elapsed(s.Time.Sub(p.Since)))
	}
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func communityTexts(p *bgp.PathStatus) (out []string) {
	known := map[uint32]string{0xffffff01: "no-export", 0xffffff02: "no-advertise", 0xffffff03: "local-AS", 0xffff0000: "graceful-shutdown"}
	for _, c := range p.Communities {
		out = append(out, orText(known[c], fmt.Sprintf("%d:%d", c>>16, c&0xffff)))
	}
	return out
}

// extendedTexts name extended communities (RFC 4360): route targets, sites of origin, and what EIGRP knew of a route (RFC 7868 section 7).
func extendedTexts(p *bgp.PathStatus) (out []string) {
	for _, t := range p.Extended {
		switch kind := uint64(t) >> 48; {
		case kind>>8 <= 2 && kind&0xff == 2:
			out = append(out, "RT:"+t.String())
		case kind>>8 <= 2 && kind&0xff == 3:
			out = append(out, "SoO:"+t.String())
		case kind>>8 == 0x88: // EIGRP's, as IOS has them: two bytes, and four
			out = append(out, fmt.Sprintf("0x%04X:%d:%d", kind, uint16(t>>32), uint32(t)))
		default:
			out = append(out, fmt.Sprintf("0x%016x", uint64(t)))
		}
	}
	return out
}

// labelPair is the label that others use with us as next hop, and the one that we put on.
func labelPair(p *bgp.PathStatus) (in, out string) {
	in, out = "nolabel", "nolabel"
	switch {
	case p.Own && len(p.Labels) > 0:
		in = fmt.Sprint(p.Labels[0])
	case p.OurLabel != 0:
		in = fmt.Sprint(p.OurLabel)
	}
	if !p.Own && len(p.Labels) > 0 {
		var words []string
		for _, l := range p.Labels {
			words = append(words, tagName(l))
		}
		out = strings.Join(words, " ")
	}
	return in, out
}

// BGPLabels is `show ip bgp vpnv4 … labels`. Of labels it takes which of ours are of a whole VRF.
func BGPLabels(s *Status, q Query, a *Answer) string {
	aggregate := make(map[uint32]string)
	for i := range a.Labels {
		if l := &a.Labels[i]; l.Lookup {
			aggregate[l.In] = "aggregate(" + s.vrfOr(l.VRF, "global") + ")"
		}
	}
	var b strings.Builder
	b.WriteString("   Network          Next Hop      In label/Out label\n")
	for _, g := range s.groups(q, a) {
		if g.vrf != "" {
			b.WriteString(strings.Replace(g.head, "default for vrf ", "", 1))
		} else {
			b.WriteString(g.head)
		}
		for _, p := range g.paths {
			in, out := labelPair(p)
			if p.Own && len(p.Labels) > 0 && aggregate[p.Labels[0]] != "" {
				out = aggregate[p.Labels[0]]
			}
			hop := "0.0.0.0"
			if p.NextHop.IsValid() {
				hop = p.NextHop.String()
			}
			fmt.Fprintf(&b, "   %-16s %-15s %s/%s\n", p.Prefix, hop, in, out)
		}
	}
	return b.String()
}
