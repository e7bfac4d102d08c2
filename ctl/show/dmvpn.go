package show

import (
	"fmt"
	"net/netip"
	"strings"

	"nave/slowpath/nhrp"
)

const dmvpnLegend = `Legend: Attrb --> S - Static, D - Dynamic, I - Incomplete
	N - NATed, L - Local, X - No Socket
	# Ent --> Number of NHRP entries with same NBMA peer

`

// DMVPN is `show dmvpn`: the peers of each tunnel, or of one.
func DMVPN(s *Status, iface string) string {
	var b strings.Builder
	b.WriteString(dmvpnLegend)
	near := s.peerSessions()
	for _, i := range s.Router.NHRP.Interfaces {
		if iface != "" && i.Name != iface {
			continue
		}
		kind := "Hub"
		if i.Spoke {
			kind = "Spoke"
		}
		fmt.Fprintf(&b, "%s, Type: %s, NBMA Peers: %d,\n", i.Name, kind, len(i.Peers))
		b.WriteString(" # Ent  Peer NBMA Addr Peer Tunnel Add State  UpDn Tm Attrb\n")
		b.WriteString(" ----- --------------- --------------- ----- -------- -----\n")
		for _, p := range i.Peers {
			fmt.Fprintf(&b, " %5d %15s %15s %5s %8s %s\n",
				p.Entries, near.nbmaText(i.Name, p.NBMA, p.Inside), address(p.Tunnel), p.Stage, since(s.Time, p.Since), attributes(p))
		}
		b.WriteString(inheritedPeers(&i))
		b.WriteString("\n")
	}
	return b.String()
}

// inheritedPeers says how many of the peers nobody has spoken to since the restart.
func inheritedPeers(i *nhrp.InterfaceStatus) string {
	n := 0
	for _, p := range i.Peers {
		if p.Inherited {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" %d of them inherited from before the restart\n", n)
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

// flagNames are the words of `show ip nhrp`, in IOS's order.
var flagNames = []struct {
	flag nhrp.EntryFlags
	word string
}{
	{nhrp.FlagAuthoritative, "authoritative"}, {nhrp.FlagImplicit, "implicit"}, {nhrp.FlagUnique, "unique"},
	{nhrp.FlagRegistered, "registered"}, {nhrp.FlagUsed, "used"}, {nhrp.FlagRouter, "router"}, {nhrp.FlagLocal, "local"},
	{nhrp.FlagNAT, "nat"}, {nhrp.FlagRib, "rib"}, {nhrp.FlagNHS, "nhs"}, {nhrp.FlagVia, "via-nhs"},
	{nhrp.FlagInherited, "inherited"},
}

// NHRP is `show ip nhrp`: the cache, or that of one interface.
func NHRP(s *Status, iface string) string {
	var b strings.Builder
	near := s.peerSessions()
	for _, e := range s.Router.NHRP.Entries {
		if iface != "" && e.Iface != iface {
			continue
		}
		via := e.NextHop
		if !via.IsValid() {
			via = e.Prefix.Addr()
		}
		expire := "never expire"
		if !e.Expires.IsZero() {
			expire = "expire " + elapsed(e.Expires.Sub(s.Time))
		}
		fmt.Fprintf(&b, "%s via %s, %s created %s, %s\n", e.Prefix, via, e.Iface, since(s.Time, e.Created), expire)
		var words []string
		for _, f := range flagNames {
			if e.Flags&f.flag != 0 {
				words = append(words, f.word)
			}
		}
		fmt.Fprintf(&b, "  Type: %s, Flags: %s\n", e.Type, strings.Join(words, " "))
		if e.NBMA.IsValid() {
			fmt.Fprintf(&b, "  NBMA address: %s\n", e.NBMA)
		}
		if e.Flags&nhrp.FlagNATed != 0 {
			fmt.Fprintf(&b, "    (Claimed NBMA address: %s)\n", e.Claimed)
		}
		if e.Flags&nhrp.FlagNoSock != 0 {
			b.WriteString("    (no-socket)\n")
			if why := s.unreached(near.entry(&e)); why != "" {
				fmt.Fprintf(&b, "    (%s)\n", why)
			}
		}
		if e.Flags&nhrp.FlagUnopened != 0 {
			b.WriteString("    (no path could be opened through NAT)\n")
		}
		for _, h := range e.Holders {
			fmt.Fprintf(&b, "    Requester: %s\n", h)
		}
	}
	return b.String()
}

// packetNames are the packet types of NHRP, from 1.
var packetNames = [...]string{
	"", "Resolution Request", "Resolution Reply", "Registration Request", "Registration Reply",
	"Purge Request", "Purge Reply", "Error Indication", "Traffic Indication",
}

// NHRPTraffic is `show ip nhrp traffic [interface NAME]`.
func NHRPTraffic(s *Status, iface string) string {
	var b strings.Builder
	for _, i := range s.Router.NHRP.Interfaces {
		if iface != "" && i.Name != iface {
			continue
		}
		fmt.Fprintf(&b, "%s: Max-send limit:%dPkts/%dSec, Usage:%d%%\n", i.Name, i.MaxSend.Packets, int(i.MaxSend.Interval.Seconds()), i.Usage)
		trafficTable(&b, "Sent", i.Traffic.Sent[:])
		trafficTable(&b, "Rcvd", i.Traffic.Received[:])
		var drops []string
		for r, n := range i.Traffic.Drops {
			if n > 0 {
				drops = append(drops, fmt.Sprintf("%d %s", n, nhrp.DropReason(r)))
			}
		}
		if len(drops) > 0 {
			fmt.Fprintf(&b, "Dropped: %s\n", strings.Join(drops, ", "))
		}
	}
	return b.String()
}

func trafficTable(b *strings.Builder, title string, counts []uint64) {
	var total uint64
	for _, n := range counts {
		total += n
	}
	fmt.Fprintf(b, "   %s: Total %d\n", title, total)
	for from := 1; from <= 8; from += 3 {
		b.WriteString("        ")
		for t := from; t <= min(8, from+2); t++ {
			fmt.Fprintf(b, " %d %s ", counts[t], packetNames[t])
		}
		b.WriteString("\n")
	}
}

// NHS is `show ip nhrp nhs`.
func NHS(s *Status, iface string) string {
	var b strings.Builder
	b.WriteString("Legend: E=Expecting replies, R=Responding, W=Waiting\n")
	for _, i := range s.Router.NHRP.Interfaces {
		if iface != "" && i.Name != iface || len(i.NHS) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", i.Name)
		for _, n := range i.NHS {
			fmt.Fprintf(&b, "%s  %s  NBMA Address: %s priority = %d cluster = %d  req-sent %d  req-failed %d  repl-recv %d (%s)\n",
				address(n.Protocol), n.State, address(n.NBMA), n.Priority, n.Cluster, n.Requests, n.Failures, n.Replies, since(s.Time, n.Since))
		}
	}
	return b.String()
}
