package show

import (
	"fmt"
	"reflect"
	"strings"

	"nave/slowpath/nhrp"
)

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

// modernFlags are those of later IOS, which does not say who is authoritative, and says of a peer's own address that it is a next hop (nhop).
var modernFlags = []struct {
	flag nhrp.EntryFlags
	word string
}{
	{nhrp.FlagRouter, "router"}, {nhrp.FlagImplicit, "implicit"}, {nhrp.FlagUnique, "unique"}, {nhrp.FlagRegistered, "registered"}, {nhrp.FlagUsed, "used"},
	{nhrp.FlagNAT, "nat"}, {nhrp.FlagLocal, "local"}, {nextHopFlag, "nhop"}, {nhrp.FlagRib, "rib"}, {nhrp.FlagVia, "via-nhs"}, {nhrp.FlagInherited, "inherited"},
}

// nextHopFlag is no flag of NHRP's: modernFlags has it for a dynamic entry of a peer's own address.
const nextHopFlag = nhrp.EntryFlags(1 << 15)

func entryFlags(e *nhrp.EntryStatus, form Form) string {
	list, flags := flagNames, e.Flags
	if form == Modern {
		list = modernFlags
		if e.Type == nhrp.TypeDynamic && flags&nhrp.FlagLocal == 0 && e.Prefix.IsSingleIP() && e.Prefix.Addr() == e.NextHop {
			flags |= nextHopFlag
		}
	}
	var words []string
	for _, f := range list {
		if flags&f.flag != 0 {
			words = append(words, f.word)
		}
	}
	return strings.Join(words, " ")
}

// NHRP is `show ip nhrp [detail]`: the cache, or the entries that are selected.
func NHRP(s *Status, sel Select) string {
	var b strings.Builder
	near := s.peerSessions()
	pad := "  "
	if sel.Form == Modern {
		pad = "   "
	}
	for _, e := range s.cache(&sel) {
		via := e.NextHop
		if !via.IsValid() {
			via = e.Prefix.Addr()
		}
		expire := "never expire"
		if !e.Expires.IsZero() {
			expire = "expire " + elapsed(e.Expires.Sub(s.Time))
		}
		between := ", "
		if sel.Form == Modern {
			between = "\n" + pad
		}
		fmt.Fprintf(&b, "%s via %s%s%s created %s, %s\n", e.Prefix, via, between, e.Iface, since(s.Time, e.Created), expire)
		flags := entryFlags(&e, sel.Form)
		fmt.Fprintf(&b, "%sType: %s, Flags: %s\n", pad, e.Type, flags)
		if e.NBMA.IsValid() {
			fmt.Fprintf(&b, "%sNBMA address: %s\n", pad, e.NBMA)
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
		if sel.Detail && e.Inside.IsValid() {
			fmt.Fprintf(&b, "    (address behind NAT: %s)\n", e.Inside)
		}
		if sel.Detail && e.Direct.IsValid() {
			fmt.Fprintf(&b, "    (the peer is at %s; its traffic takes the next hop server)\n", e.Direct)
		}
		for _, h := range e.Holders {
			fmt.Fprintf(&b, "    Requester: %s\n", h)
		}
	}
	return b.String()
}

// NHRPBrief is `show ip nhrp brief`: the cache, a line an entry.
func NHRPBrief(s *Status, sel Select) string {
	var b strings.Builder
	b.WriteString("   Target             Via            NBMA           Mode   Intfc   Claimed \n")
	for _, e := range s.cache(&sel) {
		nbma, claimed := "", ""
		if e.NBMA.IsValid() {
			nbma = e.NBMA.String()
		}
		if e.Flags&nhrp.FlagNATed != 0 {
			claimed = e.Claimed.String()
		}
		via := e.NextHop
		if !via.IsValid() {
			via = e.Prefix.Addr()
		}
		fmt.Fprintf(&b, "%-20s %-15s %-15s %-10s %-5s   < %s >\n", e.Prefix, via, nbma, e.Type, shortName(e.Iface), claimed)
	}
	return b.String()
}

// NHRPSummary is `show ip nhrp summary`: how many entries of which kind there are, and how much they are as values.
func NHRPSummary(s *Status, sel Select) string {
	n := s.countCache(&sel)
	var b strings.Builder
	fmt.Fprintf(&b, "IP NHRP cache %d entries, %d bytes\n", n.total, n.total*int(reflect.TypeFor[nhrp.EntryStatus]().Size()))
	fmt.Fprintf(&b, "    %d static   %d dynamic    %d incomplete\n", n.static, n.dynamic, n.incomplete)
	if n.negative > 0 {
		fmt.Fprintf(&b, "    %d negative\n", n.negative)
	}
	return b.String()
}

type cacheCount struct{ total, static, dynamic, incomplete, negative, registered, local int }

func (s *Status) countCache(sel *Select) (n cacheCount) {
	for _, e := range s.cache(sel) {
		n.total++
		switch e.Type {
		case nhrp.TypeStatic:
			n.static++
		case nhrp.TypeDynamic:
			n.dynamic++
		case nhrp.TypeIncomplete:
			n.incomplete++
		case nhrp.TypeNegative:
			n.negative++
		}
		if e.Flags&nhrp.FlagRegistered != 0 {
			n.registered++
		}
		if e.Flags&nhrp.FlagLocal != 0 {
			n.local++
		}
	}
	return n
}

// packetNames are the packet types of NHRP, from 1.
var packetNames = [...]string{
	"", "Resolution Request", "Resolution Reply", "Registration Request", "Registration Reply",
	"Purge Request", "Purge Reply", "Error Indication", "Traffic Indication",
}

// NHRPTraffic is `show ip nhrp traffic [interface NAME]`.
func NHRPTraffic(s *Status, sel Select) string {
	var b strings.Builder
	for _, i := range s.Router.NHRP.Interfaces {
		if !sel.wantsTunnel(&i) {
			continue
		}
		fmt.Fprintf(&b, "%s: Max-send limit:%dPkts/%dSec, Usage:%d%%\n", i.Name, i.MaxSend.Packets, int(i.MaxSend.Interval.Seconds()), i.Usage)
		suppressed := -1
		if sel.Form == Modern {
			suppressed = 0 // redirects are limited before they are made: none is made and not sent
		}
		trafficTable(&b, "Sent", i.Traffic.Sent[:], suppressed)
		trafficTable(&b, "Rcvd", i.Traffic.Received[:], suppressed)
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

// trafficTable is one direction. suppressed is the packet type that later IOS has beyond those of the protocol; negative: without.
func trafficTable(b *strings.Builder, title string, counts []uint64, suppressed int) {
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
		if from == 7 && suppressed >= 0 {
			fmt.Fprintf(b, " %d Redirect Suppress ", suppressed)
		}
		b.WriteString("\n")
	}
}

// NHS is `show ip nhrp nhs [detail]`.
func NHS(s *Status, sel Select) string {
	if sel.Form == Modern {
		return s.modernNHS(&sel)
	}
	var b strings.Builder
	b.WriteString("Legend: E=Expecting replies, R=Responding, W=Waiting\n")
	for _, i := range s.Router.NHRP.Interfaces {
		if !sel.wantsTunnel(&i) || len(i.NHS) == 0 {
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

// modernNHS has the counts with Detail only, and a blank line after each tunnel.
func (s *Status) modernNHS(sel *Select) string {
	var b strings.Builder
	b.WriteString("Legend: E=Expecting replies, R=Responding, W=Waiting, D=Dynamic\n")
	for _, i := range s.Router.NHRP.Interfaces {
		if !sel.wantsTunnel(&i) || len(i.NHS) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", i.Name)
		for _, n := range i.NHS {
			state, nbma := nhsLetters[n.State], ""
			if n.Dynamic {
				state += "D"
			}
			if n.NBMA.IsValid() {
				nbma = fmt.Sprintf("NBMA Address: %s ", n.NBMA)
			}
			fmt.Fprintf(&b, "%s  %s  %spriority = %d cluster = %d", address(n.Protocol), state, nbma, n.Priority, n.Cluster)
			if sel.Detail {
				fmt.Fprintf(&b, "  req-sent %d  req-failed %d  repl-recv %d", n.Requests, n.Failures, n.Replies)
				if n.Replies > 0 && !n.Since.IsZero() {
					fmt.Fprintf(&b, " (%s ago)", elapsed(s.Time.Sub(n.Since)))
				}
				fmt.Fprintf(&b, "\n Current Request ID: %d", n.RequestID)
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}
