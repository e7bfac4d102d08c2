package show

import (
	"fmt"
	"net/netip"
	"strings"

	"nave/slowpath/ike"
)

const sessionCodes = `
Code: C - IKE Configuration mode, D - Dead Peer Detection
K - Keepalives, N - NAT-traversal, T - cTCP encapsulation
X - IKE Extended Authentication, F - IKE Fragmentation
R - IKE Auto Reconnect, U - IKE Dynamic Route Update
S - SIP VPN
`

// CryptoSession is `show crypto session`: each peer with its IKE SAs, and what flows are protected with it.
func CryptoSession(s *Status, sel Select) string {
	var b strings.Builder
	b.WriteString("Crypto session current status\n")
	if sel.Detail {
		b.WriteString(sessionCodes)
	}
	for _, f := range s.flows() {
		if !sel.wants(s, &f) {
			continue
		}
		for _, iface := range f.ifaces() {
			if sel.Iface == "" || iface == sel.Iface {
				s.oneSession(&b, &f, iface, sel.Detail)
			}
		}
	}
	if sel.Iface == "" && !sel.Active {
		s.strangers(&b, sel)
	}
	return b.String()
}

func (s *Status) oneSession(b *strings.Builder, f *flow, iface string, detail bool) {
	fmt.Fprintf(b, "\nInterface: %s\n", iface)
	if p := f.ikeProfile(); p != "" {
		fmt.Fprintf(b, "Profile: %s\n", p)
	}
	status := f.status()
	if detail && len(f.children) > 0 {
		fmt.Fprintf(b, "Uptime: %s\n", since(s.Time, f.Since))
	}
	fmt.Fprintf(b, "Session status: %s\n", status)
	if a := f.active(); a != nil && a.Inherited {
		fmt.Fprintf(b, "Inherited: from before the restart, for %s at most\n", elapsed(a.Until.Sub(s.Time)))
	}
	fmt.Fprintf(b, "Peer: %s port %d", f.Peer, f.port())
	if detail {
		fmt.Fprintf(b, " fvrf: %s ivrf: %s\n", s.frontVRF(f.VRF), s.insideVRF(f.ifaces(), "(none)"))
		fmt.Fprintf(b, "      Phase1_id: %s\n      Desc: (none)\n", orNone(f.identity().String()))
	} else {
		b.WriteString("\n")
	}
	for k := range f.sas {
		s.sessionSA(b, &f.sas[k], detail)
	}
	b.WriteString(s.barredText(&f.SessionStatus))
	fmt.Fprintf(b, "  IPSEC FLOW: permit 47 host %s host %s\n", f.Local, f.Peer)
	s.sessionFlow(b, f, detail)
}

// ikeProfile is the ISAKMP or IKEv2 profile that the peer came under.
func (f *flow) ikeProfile() string {
	for _, sa := range f.sas {
		if sa.Profile != "" {
			return sa.Profile
		}
	}
	return ""
}

// identity is who the peer is, from its children or from IKE.
func (f *flow) identity() ike.Identity {
	if f.Identity.Kind != ike.IDNone {
		return f.Identity
	}
	for _, sa := range f.sas {
		if sa.Peer.Kind != ike.IDNone {
			return sa.Peer
		}
	}
	return ike.Identity{}
}

func slashed(a netip.AddrPort) string { return fmt.Sprintf("%s/%d", a.Addr(), a.Port()) }

func (s *Status) sessionSA(b *strings.Builder, sa *ike.SAStatus, detail bool) {
	state, life, id := "Inactive", "0", ike.SAID(0)
	if sa.Established {
		state, life, id = "Active", elapsed(sa.Created.Add(sa.Lifetime).Sub(s.Time)), sa.ID
	}
	fmt.Fprintf(b, "  Session ID: %d\n", id)
	fmt.Fprintf(b, "  IKEv%d SA: local %s remote %s %s\n", sa.Version, slashed(sa.Path.Local), slashed(sa.Path.Remote), state)
	if detail {
		fmt.Fprintf(b, "          Capabilities:%s connid:%d lifetime:%s\n", orNone(capabilities(sa)), sa.ID, life)
	}
}

// sessionFlow is the lines below a flow.
func (s *Status) sessionFlow(b *strings.Builder, f *flow, detail bool) {
	fmt.Fprintf(b, "        Active SAs: %d, origin: crypto map\n", f.activeSAs())
	if !detail {
		return
	}
	total := f.carried()
	in, out := "0/0", "0/0"
	if a := f.active(); a != nil && a.known {
		m := a.main()
		in, out = s.lifeLeft(a, m.in.Bytes), s.lifeLeft(a, m.out.Bytes)
	}
	fmt.Fprintf(b, "        Inbound:  #pkts dec'ed %d drop %d life (KB/Sec) %s\n", total.in.Packets, dropped(total.in), in)
	fmt.Fprintf(b, "        Outbound: #pkts enc'ed %d drop %d life (KB/Sec) %s\n", total.out.Packets, dropped(total.out), out)
}

// lifeLeft is kilobytes and seconds left of a child's direction; "KB Vol Rekey Disabled" in the place of kilobytes without a limit.
func (s *Status) lifeLeft(p *pair, carried uint64) string {
	n := &p.negotiated
	kilobytes := "KB Vol Rekey Disabled"
	if n.Kilobytes != 0 {
		kilobytes = fmt.Sprint(kilobytesLeft(n.Kilobytes, carried))
	}
	return fmt.Sprintf("%s/%d", kilobytes, secondsLeft(s.Time, n.Created, n.Lifetime))
}

// strangers are IKE SAs with peers that no tunnel has a session with.
func (s *Status) strangers(b *strings.Builder, sel Select) {
	known := make(map[ends]bool)
	for _, f := range s.Router.Sessions.Sessions {
		known[ends{f.VRF, f.Local, f.Peer}] = true
	}
	for k := range s.Router.IKE.SAs {
		sa := &s.Router.IKE.SAs[k]
		remote := sa.Path.Remote
		if known[ends{sa.Path.VRF, sa.Path.Local.Addr(), remote.Addr()}] || sel.Peer.IsValid() && sel.Peer != remote.Addr() {
			continue
		}
		f := flow{sas: []ike.SAStatus{*sa}}
		b.WriteString("\n")
		if port := s.portOf(sa.Path.VRF, sa.Path.Local.Addr()); port != nil {
			fmt.Fprintf(b, "Interface: %s\n", port.Name)
		}
		if sa.Profile != "" {
			fmt.Fprintf(b, "Profile: %s\n", sa.Profile)
		}
		fmt.Fprintf(b, "Session status: %s\nPeer: %s port %d", f.status(), remote.Addr(), remote.Port())
		if sel.Detail {
			fmt.Fprintf(b, " fvrf: %s ivrf: (none)\n      Phase1_id: %s\n      Desc: (none)\n", s.frontVRF(sa.Path.VRF), orNone(sa.Peer.String()))
		} else {
			b.WriteString("\n")
		}
		s.sessionSA(b, sa, sel.Detail)
	}
}
