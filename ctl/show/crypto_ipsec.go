package show

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/rib"
)

// IPsecSA is `show crypto ipsec sa`: the associations of each tunnel, by peer. Counts are those of the associations that are installed now. What the
// older form has no line for, it says with Detail.
func IPsecSA(s *Status, sel Select) string {
	flows := s.flows()
	var b strings.Builder
	for _, iface := range flowIfaces(flows) {
		if sel.Iface != "" && iface != sel.Iface {
			continue
		}
		head := ""
		for k := range flows {
			f := &flows[k]
			if !sel.wants(s, f) || !slices.Contains(f.ifaces(), iface) {
				continue
			}
			tag := mapTag(iface, f.Profile, f.Shared)
			if h := fmt.Sprintf("\ninterface: %s\n    Crypto map tag: %s, local addr %s\n", iface, tag, f.Local); h != head {
				b.WriteString(h)
				head = h
			}
			s.ipsecFlow(&b, f, tag, &sel)
		}
	}
	if b.Len() == 0 {
		return "\nNo SAs found\n"
	}
	return b.String()
}

// flowIfaces are the tunnels that flows stand under, in the order of the flows.
func flowIfaces(flows []flow) (names []string) {
	for k := range flows {
		for _, n := range flows[k].ifaces() {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

func (s *Status) ipsecFlow(b *strings.Builder, f *flow, tag string, sel *Select) {
	fmt.Fprintf(b, "\n   protected vrf: %s\n", s.insideVRF(f.ifaces(), "(none)"))
	fmt.Fprintf(b, "   local  ident (addr/mask/prot/port): (%s)\n", ident(f.Local))
	fmt.Fprintf(b, "   remote ident (addr/mask/prot/port): (%s)\n", ident(f.Peer))
	fmt.Fprintf(b, "   current_peer %s port %d\n     PERMIT, flags={origin_is_acl,}\n", f.Peer, f.port())
	ipsecCounts(b, f, sel.Detail)
	fmt.Fprintf(b, "     local crypto endpt.: %s, remote crypto endpt.: %s\n", f.Local, f.Peer)
	active := f.active()
	s.pathLine(b, f, active, sel)
	var spi uint32
	pfs := suite.GroupNone
	if active != nil {
		spi = active.OutSPI
		pfs = active.negotiated.PFS
	}
	fmt.Fprintf(b, "     current outbound spi: 0x%X(%d)\n", spi, spi)
	if sel.Form == Modern || sel.Detail {
		fmt.Fprintf(b, "     PFS (Y/N): %s, DH group: %s\n", yesLetter(pfs != suite.GroupNone), groupText(pfs))
	}
	for _, d := range []struct {
		name string
		in   bool
	}{{"inbound", true}, {"outbound", false}} {
		for _, p := range []struct {
			name string
			ah   bool
		}{{"esp", false}, {"ah", true}} {
			fmt.Fprintf(b, "\n     %s %s sas:\n", d.name, p.name)
			for k := range f.children {
				s.ipsecOne(b, f, &f.children[k], tag, d.in, p.ah, sel)
			}
		}
		fmt.Fprintf(b, "\n     %s pcp sas:\n", d.name)
	}
}

// ipsecCounts are the numbers of all associations with a peer. What nave tells apart only as errors is with those; there is no tagging.
func ipsecCounts(b *strings.Builder, f *flow, detail bool) {
	n := f.carried()
	encrypt, digest, decrypt, verify := f.split()
	line := func(format string, args ...any) { fmt.Fprintf(b, "    "+format+"\n", args...) }
	line("#pkts encaps: %d, #pkts encrypt: %d, #pkts digest: %d", n.out.Packets, encrypt, digest)
	line("#pkts decaps: %d, #pkts decrypt: %d, #pkts verify: %d", n.in.Packets, decrypt, verify)
	line("#pkts compressed: 0, #pkts decompressed: 0")
	line("#pkts not compressed: 0, #pkts compr. failed: 0")
	line("#pkts not decompressed: 0, #pkts decompress failed: 0")
	if !detail {
		line("#send errors %d, #recv errors %d\n", dropped(n.out), dropped(n.in))
		return
	}
	line("#pkts encaps failed (send) %d, #pkts decaps failed (rcv) %d", n.out.Errors, n.in.Errors)
	line("#pkts invalid prot (recv) 0, #pkts verify failed: %d", n.in.AuthFailed)
	line("##pkts replay failed (rcv): %d", n.in.Replayed)
	line("#pkts internal err (send): %d, #pkts internal err (recv) %d\n", dropped(n.out), dropped(n.in))
}

// split tells packets that were encrypted from those that were only authenticated, and the other way round.
func (f *flow) split() (encrypt, digest, decrypt, verify uint64) {
	for k := range f.children {
		c := &f.children[k]
		t, m := c.negotiated.Transform, c.main()
		if !c.known || t.Cipher != suite.CipherNone && t.Cipher != suite.CipherNull && t.Cipher != suite.CipherAESGMAC {
			encrypt, decrypt = encrypt+m.out.Packets, decrypt+m.in.Packets
		}
		if !c.known || t.AH != suite.HashNone || t.Auth != suite.HashNone || t.Cipher.Combined() {
			digest, verify = digest+m.out.Packets, verify+m.in.Packets
		}
	}
	return encrypt, digest, decrypt, verify
}

// pathLine says what fits the link, where the link is known.
func (s *Status) pathLine(b *strings.Builder, f *flow, active *pair, sel *Select) {
	port := s.portOf(f.VRF, f.Local)
	if port == nil || port.MTU == 0 {
		return
	}
	if sel.Form == Legacy && !sel.Detail {
		fmt.Fprintf(b, "     path mtu %d, media mtu %d\n", port.MTU, port.MTU)
		return
	}
	b.WriteString("     ")
	if active != nil && active.known {
		fmt.Fprintf(b, "plaintext mtu %d, ", plaintextMTU(int(port.MTU), &active.negotiated))
	}
	fmt.Fprintf(b, "path mtu %d, ip mtu %d, ip mtu idb %s\n", port.MTU, port.MTU, port.Name)
}

// portOf is the interface of a VRF with an outer address, nil where there is none.
func (s *Status) portOf(vrf uint16, a netip.Addr) *rib.Interface {
	for k := range s.Router.Interfaces {
		i := &s.Router.Interfaces[k]
		if i.Tunnel == nil && i.VRF == fib.VRF(vrf) && slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return i
		}
	}
	return nil
}

const (
	ipv4Bytes = 20
	udpBytes  = 8
	espBytes  = 8 // SPI and sequence number
	ahBytes   = 12
)

// plaintextMTU is the longest IPv4 packet of GRE that fits a link once sealed. In transport mode its header is also the outer one.
func plaintextMTU(link int, c *ike.ChildStatus) int {
	t := &c.Transform
	room := link - ipv4Bytes
	if c.Encap {
		room -= udpBytes
	}
	if t.AH != suite.HashNone {
		room -= ahBytes + t.AH.ICVLen()
	}
	if t.Cipher != suite.CipherNone {
		room -= espBytes + ivBytes(t.Cipher)
		switch {
		case t.Cipher.Combined():
			icv := t.ICV
			if icv == 0 {
				icv = 16
			}
			room -= icv
		case t.Auth != suite.HashNone:
			room -= t.Auth.ICVLen()
		}
		block := max(4, t.Cipher.BlockSize())
		room = room/block*block - 2 // pad length and next header (RFC 4303 section 2)
	}
	if !t.Tunnel {
		room += ipv4Bytes
	}
	return max(0, room)
}

// ipsecOne is one association.
func (s *Status) ipsecOne(b *strings.Builder, f *flow, p *pair, tag string, in, ah bool, sel *Select) {
	id, n := p.ESPOut, p.esp.out
	spis := p.negotiated.ESP
	if ah {
		id, n, spis = p.AHOut, p.ah.out, p.negotiated.AH
	}
	spi := spis.Out
	if in {
		id, n, spi = p.ESPIn, p.esp.in, spis.In
		if ah {
			id, n = p.AHIn, p.ah.in
		}
	}
	if id == 0 {
		return
	}
	if !p.known { // IKE does not have it any more: dmvpn knows the SPI of the main protocol
		if spi = p.OutSPI; in {
			spi = p.InSPI
		}
	}
	fmt.Fprintf(b, "      spi: 0x%X(%d)\n", spi, spi)
	if p.known {
		s.settings(b, p, ah)
	}
	flags := "80000000" // what IOS has for transport mode; parsers want the word
	if p.negotiated.Transform.Tunnel {
		flags = "80000040"
	}
	long := sel.Form == Modern || sel.Detail
	if long {
		fmt.Fprintf(b, "        conn id: %d, flow_id: SW:%d, sibling_flags %s, crypto map: %s\n", id, id, flags, tag)
	} else {
		fmt.Fprintf(b, "        conn id: %d, flow_id: %d, crypto map: %s\n", id, id, tag)
	}
	if p.known {
		s.timing(b, f, p, n, ah, sel)
	}
	if p.Inherited {
		b.WriteString("        inherited from before the restart\n")
	}
	if sel.Form == Modern {
		b.WriteString("        Status: ACTIVE(ACTIVE)\n")
		return
	}
	b.WriteString("        Status: ACTIVE\n")
}

// cookies are the SPIs of the IKE SA that made a child, the initiator's first: what the guide shows of active associations.
func (f *flow) cookies(b *strings.Builder, p *pair) {
	for k := range f.sas {
		if sa := &f.sas[k]; sa.ID == p.IKE {
			fmt.Fprintf(b, "        ike_cookies: %X %X %X %X\n", sa.SPIi[:4], sa.SPIi[4:], sa.SPIr[:4], sa.SPIr[4:])
			return
		}
	}
}

// settings is what was negotiated of one protocol.
func (s *Status) settings(b *strings.Builder, p *pair, ah bool) {
	t := p.negotiated.Transform
	only := ike.Transform{AH: t.AH}
	if !ah {
		only = t
		only.AH = suite.HashNone
	}
	how := mode(t)
	if p.negotiated.Encap {
		how += " UDP-Encaps"
	}
	fmt.Fprintf(b, "        transform: %s ,\n        in use settings ={%s, }\n", transformText(only), how)
}

func (s *Status) timing(b *strings.Builder, f *flow, p *pair, n fastpath.SACount, ah bool, sel *Select) {
	c := &p.negotiated
	left := secondsLeft(s.Time, c.Created, c.Lifetime)
	if c.Kilobytes != 0 {
		fmt.Fprintf(b, "        sa timing: remaining key lifetime (k/sec): (%d/%d)\n", kilobytesLeft(c.Kilobytes, n.Bytes), left)
	} else {
		fmt.Fprintf(b, "        sa timing: remaining key lifetime (sec): (%d)\n        Kilobyte Volume Rekey has been disabled\n", left)
	}
	if sel.Active && sel.Form == Legacy {
		f.cookies(b, p)
	}
	if !ah {
		fmt.Fprintf(b, "        IV size: %d bytes\n", ivBytes(c.Transform.Cipher))
	}
	switch {
	case c.Window == 0:
		b.WriteString("        replay detection support: N\n")
	case sel.Form == Modern || sel.Detail:
		fmt.Fprintf(b, "        replay detection support: Y  replay window size: %d\n", c.Window)
	default:
		b.WriteString("        replay detection support: Y\n")
	}
	if c.Transform.ESN {
		b.WriteString("        extended sequence number: Y\n")
	}
}

// TransformSets is `show crypto ipsec transform-set`.
func TransformSets(s *Status) string {
	var b strings.Builder
	for _, t := range s.Crypto.TransformSets {
		how := mode(t.Transform)
		if t.Transform.Require {
			how += " Require"
		}
		fmt.Fprintf(&b, "Transform set %s: { %s  }\n   will negotiate = { %s,  },\n\n", t.Name, transformText(t.Transform), how)
	}
	return b.String()
}
