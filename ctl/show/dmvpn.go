package show

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/slowpath/nhrp"
)

const (
	dmvpnLegend = `Legend: Attrb --> S - Static, D - Dynamic, I - Incomplete
	N - NATed, L - Local, X - No Socket
	# Ent --> Number of NHRP entries with same NBMA peer

`
	modernLegend = `Legend: Attrb --> S - Static, D - Dynamic, I - Incomplete
	N - NATed, L - Local, X - No Socket
	T1 - Route Installed, T2 - Nexthop-override
	C - CTS Capable
	# Ent --> Number of NHRP entries with same NBMA peer
	NHS Status: E --> Expecting Replies, R --> Responding, W --> Waiting
	UpDn Time --> Up or Down Time for a Tunnel
==========================================================================

`
	dmvpnColumns = " # Ent  Peer NBMA Addr Peer Tunnel Add State  UpDn Tm Attrb\n ----- --------------- --------------- ----- -------- -----\n"
)

// DMVPN is `show dmvpn`: the peers of each tunnel, or those that are selected. With Detail it is DMVPNDetail.
func DMVPN(s *Status, sel Select) string {
	switch {
	case sel.Detail:
		return DMVPNDetail(s, sel)
	case sel.Form == Modern:
		return s.modernDMVPN(&sel)
	}
	var b strings.Builder
	b.WriteString(dmvpnLegend)
	near := s.peerSessions()
	for _, i := range s.tunnels(&sel) {
		fmt.Fprintf(&b, "%s, Type: %s, NBMA Peers: %d,\n", i.Name, role(&i), len(i.Peers))
		b.WriteString(dmvpnColumns)
		for _, p := range i.Peers {
			fmt.Fprintf(&b, " %5d %15s %15s %5s %8s %s\n",
				p.Entries, near.nbmaText(i.Name, p.NBMA, p.Inside), address(p.Tunnel), p.Stage, since(s.Time, p.Since), attributes(p))
		}
		if n := inherited(&i); n > 0 {
			fmt.Fprintf(&b, " %d of them inherited from before the restart\n", n)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// modernDMVPN has a line for each entry of a peer: the first has the peer, and routes that stand by it are marked T1.
func (s *Status) modernDMVPN(sel *Select) string {
	var b strings.Builder
	b.WriteString(modernLegend)
	near, entries := s.peerSessions(), s.byPeer()
	for _, i := range s.tunnels(sel) {
		// IOS ends both lines with a blank.
		fmt.Fprintf(&b, "Interface: %s, IPv4 NHRP Details \nType:%s, NHRP Peers:%d, \n\n", i.Name, role(&i), len(i.Peers))
		b.WriteString(dmvpnColumns)
		for _, p := range i.Peers {
			lead := fmt.Sprintf("%6d %-15s", p.Entries, near.nbmaText(i.Name, p.NBMA, p.Inside))
			for k, r := range rows(&p, entries[peerName{i.Name, p.NBMA, p.Inside}]) {
				if k > 0 {
					lead = strings.Repeat(" ", max(22, len(lead)))
				}
				fmt.Fprintf(&b, "%s %15s %5s %8s %5s\n", lead, address(r.tunnel), p.Stage, since(s.Time, p.Since), r.attributes)
			}
		}
		if n := inherited(&i); n > 0 {
			fmt.Fprintf(&b, "  Inherited from before the restart: %d\n", n)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// peerRow is a line about a peer in the modern form.
type peerRow struct {
	tunnel     netip.Addr
	attributes string
	target     string // the network; empty where none is known
}

// rows are the lines about a peer: one for each of its entries, at least one.
func rows(p *nhrp.PeerStatus, entries []*nhrp.EntryStatus) (out []peerRow) {
	if !p.NBMA.IsValid() {
		entries = nil // destinations that are being resolved have nothing in common
	}
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b *nhrp.EntryStatus) int { return b.Prefix.Bits() - a.Prefix.Bits() }) // the peer itself, and what is behind it
	for _, e := range entries {
		if (e.Flags&nhrp.FlagLocal != 0) != p.Local || e.Type == nhrp.TypeNegative || e.Type == nhrp.TypeIncomplete {
			continue
		}
		r := peerRow{tunnel: e.NextHop, attributes: attributes(*p), target: e.Prefix.String()}
		if e.Flags&nhrp.FlagRib != 0 {
			r.attributes += "T1"
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		out = []peerRow{{tunnel: p.Tunnel, attributes: attributes(*p)}}
	}
	return out
}

// role is what an interface is for its peers.
func role(i *nhrp.InterfaceStatus) string {
	if i.Spoke {
		return "Spoke"
	}
	return "Hub"
}

// inherited is how many of the peers nobody has spoken to since the restart.
func inherited(i *nhrp.InterfaceStatus) (n int) {
	for _, p := range i.Peers {
		if p.Inherited {
			n++
		}
	}
	return n
}

// attributes are the letters of the Attrb column.
func attributes(p nhrp.PeerStatus) string {
	var b strings.Builder
	for _, a := range []struct {
		set    bool
		letter byte
	}{{p.Static, 'S'}, {p.Dynamic, 'D'}, {p.Incomplete, 'I'}, {p.NATed, 'N'}, {p.Local, 'L'}, {p.NoSocket, 'X'}} {
		if a.set {
			b.WriteByte(a.letter)
		}
	}
	return b.String()
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return "UNKNOWN"
	}
	return a.String()
}
