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
func DMVPNDetail(s *Status, iface string) string {
	var b strings.Builder
	b.WriteString(detailLegend)
	flows := s.flows()
	for _, i := range s.Router.NHRP.Interfaces {
		if iface == "" || i.Name == iface {
			s.detailHead(&b, i.Name)
			detailServers(&b, &i)
			s.detailPeers(&b, &i)
		}
	}
	b.WriteString("\nCrypto Session Details:\n--------------------------------------------------------------------------------\n")
	var pending []*flow
	for k := range flows {
		f := &flows[k]
		if iface != "" && !slices.Contains(f.ifaces(), iface) {
			continue
		}
		if len(f.children) == 0 {
			pending = append(pending, f)
			continue
		}
		s.detailSession(&b, f, iface)
	}
	b.WriteString("\nPending DMVPN Sessions:\n")
	for _, f := range pending {
		s.detailSession(&b, f, iface)
	}
	return b.String()
}

func (s *Status) detailHead(b *strings.Builder, name string) {
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
	if !c.Multipoint {
		far, transport = address(r.Tunnel.Remote), "GRE/IP"
	}
	fmt.Fprintf(b, "   Tunnel Src./Dest. addr: %s/%s, Tunnel VRF %q\n", outerName(r), far, s.vrfName(r.Tunnel.OuterVRF))
	fmt.Fprintf(b, "   Protocol/Transport: \"%s\", Protect \"%s\"\n", transport, c.Profile)
}

// nhsLetters are the states of servers in the words of `show dmvpn detail`.
var nhsLetters = map[nhrp.NHSState]string{nhrp.NHSWaiting: "W", nhrp.NHSExpecting: "E", nhrp.NHSResponding: "RE"}

func detailServers(b *strings.Builder, i *nhrp.InterfaceStatus) {
	if len(i.NHS) > 0 {
		b.WriteString("\nIPv4 NHS:\n")
	}
	for _, n := range i.NHS {
		fmt.Fprintf(b, "%s  %s priority = %d cluster = %d\n", address(n.Protocol), nhsLetters[n.State], n.Priority, n.Cluster)
	}
}

func (s *Status) detailPeers(b *strings.Builder, i *nhrp.InterfaceStatus) {
	kind := "Hub"
	if i.Spoke {
		kind = "Spoke"
	}
	fmt.Fprintf(b, "Type:%s, Total NBMA Peers (v4/v6): %d\n\n", kind, len(i.Peers))
	b.WriteString("# Ent  Peer NBMA Addr Peer Tunnel Add State  UpDn Tm Attrb    Target Network\n")
	b.WriteString("----- --------------- --------------- ----- -------- ----- -----------------\n")
	near := s.peerSessions()
	for _, p := range i.Peers {
		lead := fmt.Sprintf("%5d %15s %15s %5s %8s %5s", p.Entries, near.nbmaText(i.Name, p.NBMA, p.Inside), address(p.Tunnel), p.Stage, since(s.Time, p.Since), attributes(p))
		targets := s.targets(i.Name, &p)
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
	b.WriteString(inheritedPeers(i))
}

// targets are the networks that NHRP knows behind a peer.
func (s *Status) targets(iface string, p *nhrp.PeerStatus) (out []string) {
	for _, e := range s.Router.NHRP.Entries {
		if e.Iface == iface && e.NBMA == p.NBMA && e.Inside == p.Inside && e.NBMA.IsValid() && (e.NextHop == p.Tunnel || p.Entries > 1) {
			out = append(out, e.Prefix.String())
		}
	}
	return out
}

// detailSession is a crypto session as `show dmvpn detail` has it.
func (s *Status) detailSession(b *strings.Builder, f *flow, iface string) {
	for _, name := range f.ifaces() {
		if iface != "" && name != iface {
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
