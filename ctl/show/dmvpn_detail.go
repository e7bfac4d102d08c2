package show

import (
	"fmt"
	"slices"
	"strings"

	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

const detailLegend = `Legend: Attrb --> S - Static, D - Dynamic, I - Incomplete
	N - NATed, L - Local, X - No Socket
	# Ent --> Number of NHRP entries with same NBMA peer
	NHS Status: E --> Expecting Replies, R --> Responding, W --> Waiting
	UpDn Time --> Up or Down Time for a Tunnel
==========================================================================
`

// DMVPNDetail is `show dmvpn detail`: each tunnel with its servers, peers and crypto sessions.
func DMVPNDetail(s *Status, sel Select) string {
	var b strings.Builder
	if sel.Form == Modern {
		b.WriteString(strings.TrimSuffix(modernLegend, "\n"))
	} else {
		b.WriteString(detailLegend)
	}
	entries := s.byPeer()
	tunnels := s.tunnels(&sel)
	for _, i := range tunnels {
		s.detailHead(&b, i.Name, sel.Form)
		detailServers(&b, &i, sel.Form)
		s.detailPeers(&b, &i, sel.Form, entries)
	}
	b.WriteString("\nCrypto Session Details:\n--------------------------------------------------------------------------------\n")
	var pending []*flow
	flows := s.flows()
	for k := range flows {
		f := &flows[k]
		if len(f.children) == 0 {
			pending = append(pending, f)
			continue
		}
		s.detailSession(&b, f, tunnels, &sel)
	}
	b.WriteString("\nPending DMVPN Sessions:\n")
	for _, f := range pending {
		s.detailSession(&b, f, tunnels, &sel)
	}
	return b.String()
}

func (s *Status) detailHead(b *strings.Builder, name string, form Form) {
	k := slices.IndexFunc(s.Router.Interfaces, func(r rib.Interface) bool { return r.Name == name })
	if k < 0 || s.Router.Interfaces[k].Tunnel == nil {
		fmt.Fprintf(b, "\nInterface %s is down/down\n", name)
		return
	}
	r, c := &s.Router.Interfaces[k], s.Interfaces[name]
	state, protocol := "up", "down"
	switch {
	case r.Up:
		protocol = "up"
	case c.Shutdown:
		state = "administratively down"
	}
	addr := "unassigned"
	if len(r.Addrs) > 0 {
		addr = r.Addrs[0].Addr().String()
	}
	fmt.Fprintf(b, "\nInterface %s is %s/%s, Addr. is %s, VRF %q\n", name, state, protocol, addr, s.vrfName(r.VRF))
	far, transport := "MGRE", "multi-GRE/IP"
	if form == Modern {
		far = "Multipoint"
	}
	if !c.Multipoint {
		far, transport = address(r.Tunnel.Remote), "GRE/IP"
	}
	fmt.Fprintf(b, "   Tunnel Src./Dest. addr: %s/%s, Tunnel VRF %q\n", outerName(r), far, s.vrfName(r.Tunnel.OuterVRF))
	fmt.Fprintf(b, "   Protocol/Transport: \"%s\", Protect \"%s\"\n", transport, c.Profile)
}

// nhsLetters are the states of servers in the words of `show dmvpn detail`.
var nhsLetters = map[nhrp.NHSState]string{nhrp.NHSWaiting: "W", nhrp.NHSExpecting: "E", nhrp.NHSResponding: "RE"}

func detailServers(b *strings.Builder, i *nhrp.InterfaceStatus, form Form) {
	if len(i.NHS) > 0 {
		b.WriteString("\nIPv4 NHS:\n")
	}
	for _, n := range i.NHS {
		nbma := ""
		if form == Modern && n.NBMA.IsValid() {
			nbma = fmt.Sprintf("NBMA Address: %s ", n.NBMA)
		}
		fmt.Fprintf(b, "%s  %s %spriority = %d cluster = %d\n", address(n.Protocol), nhsLetters[n.State], nbma, n.Priority, n.Cluster)
	}
}

func (s *Status) detailPeers(b *strings.Builder, i *nhrp.InterfaceStatus, form Form, entries map[peerName][]*nhrp.EntryStatus) {
	fmt.Fprintf(b, "Type:%s, Total NBMA Peers (v4/v6): %d\n\n", role(i), len(i.Peers))
	b.WriteString("# Ent  Peer NBMA Addr Peer Tunnel Add State  UpDn Tm Attrb    Target Network\n")
	b.WriteString("----- --------------- --------------- ----- -------- ----- -----------------\n")
	near := s.peerSessions()
	for _, p := range i.Peers {
		known := entries[peerName{i.Name, p.NBMA, p.Inside}]
		if form == Modern {
			s.detailRows(b, i, &p, near, known)
			continue
		}
		lead := fmt.Sprintf("%5d %15s %15s %5s %8s %5s", p.Entries, near.nbmaText(i.Name, p.NBMA, p.Inside), address(p.Tunnel), p.Stage, since(s.Time, p.Since), attributes(p))
		targets := networksBehind(&p, known)
		if len(targets) == 0 {
			fmt.Fprintf(b, "%s\n", lead)
		}
		for k, t := range targets {
			if k > 0 {
				lead = strings.Repeat(" ", len(lead))
			}
			fmt.Fprintf(b, "%s %18s\n", lead, t)
		}
	}
	s.natPeers(b, i, near)
	if n := inherited(i); n > 0 && form == Modern {
		fmt.Fprintf(b, "  Inherited from before the restart: %d\n", n)
	} else if n > 0 {
		fmt.Fprintf(b, " %d of them inherited from before the restart\n", n)
	}
}

// detailRows are the lines about a peer in the modern form.
func (s *Status) detailRows(b *strings.Builder, i *nhrp.InterfaceStatus, p *nhrp.PeerStatus, near peerSessions, known []*nhrp.EntryStatus) {
	lead := fmt.Sprintf("%5d %-15s", p.Entries, near.nbmaText(i.Name, p.NBMA, p.Inside))
	for k, r := range rows(p, known) {
		if k > 0 {
			lead = strings.Repeat(" ", max(21, len(lead)))
		}
		line := fmt.Sprintf("%s %15s %5s %8s %5s %19s", lead, address(r.tunnel), p.Stage, since(s.Time, p.Since), r.attributes, r.target)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// networksBehind are the networks that NHRP knows behind a peer.
func networksBehind(p *nhrp.PeerStatus, known []*nhrp.EntryStatus) (out []string) {
	if !p.NBMA.IsValid() {
		return nil
	}
	for _, e := range known {
		if e.NextHop == p.Tunnel || p.Entries > 1 {
			out = append(out, e.Prefix.String())
		}
	}
	return out
}

// wantsSession tells whether the crypto session with a peer is shown under a tunnel.
func wantsSession(f *flow, name string, tunnels []nhrp.InterfaceStatus, sel *Select) bool {
	k := slices.IndexFunc(tunnels, func(i nhrp.InterfaceStatus) bool { return i.Name == name })
	if !sel.narrow() {
		return k >= 0 || sel.Iface == "" && sel.VRF == "" || sel.Iface == name
	}
	return k >= 0 && slices.ContainsFunc(tunnels[k].Peers, func(p nhrp.PeerStatus) bool { return p.NBMA == f.Peer && (p.Inside == f.Inside || !f.Inside.IsValid()) })
}

// detailSession is a crypto session as `show dmvpn detail` has it.
func (s *Status) detailSession(b *strings.Builder, f *flow, tunnels []nhrp.InterfaceStatus, sel *Select) {
	for _, name := range f.ifaces() {
		if !wantsSession(f, name, tunnels, sel) {
			continue
		}
		fmt.Fprintf(b, "\nInterface: %s\n", name)
		for k := range f.sas {
			s.sessionSA(b, &f.sas[k], true)
		}
		fmt.Fprintf(b, "  Crypto Session Status: %s\n", f.status())
		b.WriteString(openingText(&f.SessionStatus))
		b.WriteString(s.barredText(&f.SessionStatus))
		fmt.Fprintf(b, "  fvrf: %s,\tPhase1_id: %s\n", s.frontVRF(f.VRF), orNone(f.identity().String()))
		fmt.Fprintf(b, "  IPSEC FLOW: permit 47 host %s host %s\n", f.Local, f.Peer)
		s.sessionFlow(b, f, true)
		if a := f.active(); a != nil && a.known {
			fmt.Fprintf(b, "   Outbound SPI : 0x%8X, transform : %s\n", a.OutSPI, transformText(a.negotiated.Transform))
		}
		socket := "Closed"
		if f.Socket {
			socket = "Open"
		}
		fmt.Fprintf(b, "    Socket State: %s\n", socket)
	}
}
