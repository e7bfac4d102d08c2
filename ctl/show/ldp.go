package show

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nave/slowpath/ldp"
)

// LDPBindings is `show mpls ldp bindings`: of a prefix, or of all. With local, prefixes that we have told a label for, without those of the peers.
func LDPBindings(a *Answer, prefix netip.Prefix, local bool) string {
	var b strings.Builder
	for i := range a.LDP.Bindings {
		f := &a.LDP.Bindings[i]
		if prefix.IsValid() && f.Prefix != prefix || local && !f.HasLocal {
			continue
		}
		fmt.Fprintf(&b, "  tib entry: %s, rev %d\n", f.Prefix, f.Revision)
		if f.HasLocal {
			fmt.Fprintf(&b, "\tlocal binding:  tag: %s\n", tagName(f.Local))
		} else if !f.Route {
			b.WriteString("\tno route\n")
		}
		if local {
			continue
		}
		for _, r := range f.Remote {
			fmt.Fprintf(&b, "\tremote binding: tsr: %s, tag: %s\n", r.Peer, tagName(r.Label))
		}
	}
	return b.String()
}

// LongestBinding is the prefix of the bindings that fits a host best; where none does, the host's own.
func LongestBinding(a *Answer, host netip.Addr) netip.Prefix {
	best := netip.Prefix{}
	for i := range a.LDP.Bindings {
		if p := a.LDP.Bindings[i].Prefix; p.Contains(host) && (!best.IsValid() || p.Bits() > best.Bits()) {
			best = p
		}
	}
	if !best.IsValid() {
		return netip.PrefixFrom(host, host.BitLen())
	}
	return best
}

// stateWord is a session's state in IOS's short form.
func stateWord(st ldp.State) string {
	switch st {
	case ldp.StateOperational:
		return "Oper"
	case ldp.StateInitialized:
		return "Initialized"
	case ldp.StateOpenSent:
		return "OpenSent"
	case ldp.StateOpenRec:
		return "OpenRec"
	case ldp.StateConnecting:
		return "Connecting"
	}
	return "Nonexistent"
}

// LDPNeighbors is `show mpls ldp neighbor`: those with a session, or that one is tried with; of a router ID, or on an interface, or all.
func LDPNeighbors(s *Status, a *Answer, id netip.Addr, iface string, detail bool) string {
	var b strings.Builder
	for i := range a.LDP.Neighbors {
		n := &a.LDP.Neighbors[i]
		if heardOn(n, id, iface) {
			s.ldpNeighbor(&b, a, n, detail)
		}
	}
	return b.String()
}

// heardOn tells whether a neighbour is of a router ID, if one is given, and heard on an interface, if one is given.
func heardOn(n *ldp.NeighborStatus, id netip.Addr, iface string) bool {
	return (!id.IsValid() || n.Peer.LSR == id) &&
		(iface == "" || slices.ContainsFunc(n.Sources, func(x ldp.AdjacencyStatus) bool { return x.Iface == iface }))
}

func (s *Status) ldpNeighbor(b *strings.Builder, a *Answer, n *ldp.NeighborStatus, detail bool) {
	fmt.Fprintf(b, "    Peer LDP Ident: %s; Local LDP Ident %s\n", n.Peer, n.Local)
	if n.PeerAddr.Port() != 0 {
		fmt.Fprintf(b, "\tTCP connection: %s - %s", dotted(n.PeerAddr), dotted(n.LocalAddr))
		if n.Signed {
			b.WriteString("; MD5 on")
		}
		b.WriteString("\n")
	} else {
		b.WriteString("\tTCP connection: none\n")
	}
	if detail {
		password := "not required, none, in use"
		if n.Signed {
			password = "required, neighbor, in use"
		}
		fmt.Fprintf(b, "\tPassword: %s\n", password)
	}
	fmt.Fprintf(b, "\tState: %s; Msgs sent/rcvd: %d/%d; Downstream\n", stateWord(n.State), n.Sent, n.Received)
	switch {
	case !n.Since.IsZero():
		fmt.Fprintf(b, "\tUp time: %s\n", elapsed(s.Time.Sub(n.Since)))
	case !n.Retry.IsZero():
		fmt.Fprintf(b, "\tRefused %d times in a row; next try in %s\n", n.Refused, elapsed(n.Retry.Sub(s.Time)))
	}
	b.WriteString("\tLDP discovery sources:\n")
	for _, x := range n.Sources {
		fmt.Fprintf(b, "\t  %s, Src IP addr: %s\n", x.Iface, x.Address)
		if detail {
			fmt.Fprintf(b, "\t    holdtime: %s, hello interval: %d ms\n", holdMillis(x.Hold), a.helloInterval(x.Iface).Milliseconds())
		}
	}
	if n.State != ldp.StateOperational {
		return
	}
	b.WriteString("        Addresses bound to peer LDP Ident:\n")
	for list := n.Addresses; len(list) > 0; {
		line := "          "
		k := min(4, len(list))
		for _, addr := range list[:k] {
			line += fmt.Sprintf("%-16s", addr)
		}
		list = list[k:]
		fmt.Fprintf(b, "%s\n", strings.TrimRight(line, " "))
	}
	if detail {
		fmt.Fprintf(b, "\tPeer holdtime: %d ms; KA interval: %d ms; Peer state: estab\n", n.KeepAlive.Milliseconds(), n.KeepAlive.Milliseconds()/3)
		fmt.Fprintf(b, "\tBindings learned: %d; largest PDU: %d bytes\n", n.Bindings, n.MaxPDU)
		if n.FT != nil {
			fmt.Fprintf(b, "\tPeer reconnect time: %d ms; recovery time: %d ms\n", n.FT.Reconnect.Milliseconds(), n.FT.Recovery.Milliseconds())
		}
	}
}

// dotted is an address and a port as LDP commands have it: 10.9.9.1.646.
func dotted(a netip.AddrPort) string { return fmt.Sprintf("%s.%d", a.Addr(), a.Port()) }

// holdMillis is a hold time; 0 is for ever.
func holdMillis(d time.Duration) string {
	if d == 0 {
		return "infinite"
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func holdSeconds(d time.Duration) string {
	if d == 0 {
		return "infinite"
	}
	return fmt.Sprintf("%d sec", int(d.Seconds()))
}

// helloInterval is the time between our Hellos on an interface.
func (a *Answer) helloInterval(iface string) time.Duration {
	for _, d := range a.LDP.Discovery {
		if d.Iface == iface {
			return d.Interval
		}
	}
	return ldp.DefaultHelloInterval
}

// LDPDiscovery is `show mpls ldp discovery`.
func LDPDiscovery(s *Status, a *Answer, detail bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, " Local LDP Identifier:\n    %s\n    Discovery Sources:\n    Interfaces:\n", a.LDP.ID)
	for i := range a.LDP.Discovery {
		d := &a.LDP.Discovery[i]
		var how []string
		if d.Running {
			how = append(how, "xmit")
		}
		if len(d.Adjacencies) > 0 {
			how = append(how, "recv")
		}
		if len(how) == 0 {
			how = append(how, "down")
		}
		fmt.Fprintf(&b, "\t%s (ldp): %s\n", d.Iface, strings.Join(how, "/"))
		if detail {
			b.WriteString("\t    Enabled: Interface config\n")
			fmt.Fprintf(&b, "\t    Hello interval: %d ms; Transport IP addr: %s\n", d.Interval.Milliseconds(), orDash(d.Transport))
		}
		for _, x := range d.Adjacencies {
			fmt.Fprintf(&b, "\t    LDP Id: %s\n", x.Peer)
			if !detail {
				continue
			}
			fmt.Fprintf(&b, "\t      Src IP addr: %s; Transport IP addr: %s\n", x.Address, orDash(x.Transport))
			fmt.Fprintf(&b, "\t      Hold time: %s; Proposed local/peer: %d/%d sec\n", holdSeconds(x.Hold), int(d.Hold.Seconds()), int(x.Proposed.Seconds()))
			password := "not required, none, in use"
			if slices.Contains(s.MPLS.PasswordsForID, x.Peer.LSR) {
				password = "required, neighbor, in use"
			}
			fmt.Fprintf(&b, "\t      Password: %s\n", password)
		}
		if detail {
			fmt.Fprintf(&b, "\t    Hellos sent/rcvd: %d/%d\n", d.Sent, d.Received)
		}
	}
	if !detail {
		return b.String()
	}
	for r, n := range a.LDP.Drops {
		if n > 0 {
			fmt.Fprintf(&b, "    Hellos not taken (%s): %d\n", ldp.DropReason(r), n)
		}
	}
	return b.String()
}

func orDash(a netip.Addr) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

// LDPParameters is `show mpls ldp parameters`.
func LDPParameters(s *Status) string {
	var b strings.Builder
	m := s.MPLS.withDefaults()
	b.WriteString("Protocol version: 1\n")
	if m.LDPLast != 0 {
		fmt.Fprintf(&b, "Downstream label generic region: min label: %d; max label: %d\n", m.LDPFirst, m.LDPLast)
	}
	fmt.Fprintf(&b, "Session hold time: %d sec; keep alive interval: %d sec\n", int(m.SessionHold.Seconds()), int(m.SessionHold.Seconds())/3)
	fmt.Fprintf(&b, "Discovery hello: holdtime: %d sec; interval: %d sec\n", int(m.HelloHold.Seconds()), int(m.HelloInterval.Seconds()))
	fmt.Fprintf(&b, "LDP initial/maximum backoff: %d/%d sec\n", int(m.BackoffFirst.Seconds()), int(m.BackoffMax.Seconds()))
	b.WriteString("LDP loop detection: off\n")
	if !m.LDP {
		b.WriteString("LDP does not run\n")
	}
	return b.String()
}

// withDefaults fills in what is not configured.
func (m MPLS) withDefaults() MPLS {
	m.HelloInterval = cmp.Or(m.HelloInterval, ldp.DefaultHelloInterval)
	m.HelloHold = cmp.Or(m.HelloHold, ldp.DefaultHelloHold)
	m.SessionHold = cmp.Or(m.SessionHold, ldp.DefaultSessionHold)
	m.BackoffFirst = cmp.Or(m.BackoffFirst, ldp.DefaultBackoffFirst)
	m.BackoffMax = cmp.Or(m.BackoffMax, ldp.DefaultBackoffMax)
	return m
}
