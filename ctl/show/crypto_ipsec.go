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

// IPsecSA is `show crypto ipsec sa [active|peer A|interface I] [detail]`: the associations of each tunnel, by peer. Counts are those of the
// associations that are installed now.
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
			if !sel.wants(f) || !slices.Contains(f.ifaces(), iface) {
				continue
			}
			tag := mapTag(iface, f.Profile, f.Shared)
			if h := fmt.Sprintf("\ninterface: %s\n    Crypto map tag: %s, local addr %s\n", iface, tag, f.Local); h != head {
				b.WriteString(h)
				head = h
			}
			s.ipsecFlow(&b, f, tag, sel.Detail)
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

func (s *Status) ipsecFlow(b *strings.Builder, f *flow, tag string, detail bool) {
	fmt.Fprintf(b, "\n   protected vrf: %s\n", s.insideVRF(f.ifaces()))
	fmt.Fprintf(b, "   local  ident (addr/mask/prot/port): (%s)\n", ident(f.Local))
	fmt.Fprintf(b, "   remote ident (addr/mask/prot/port): (%s)\n", ident(f.Peer))
	fmt.Fprintf(b, "   current_peer %s port %d\n     PERMIT, flags={origin_is_acl,}\n", f.Peer, f.port())
	n := f.carried()
	out, in := n.out.Packets, n.in.Packets
	encrypt, digest, decrypt, verify := f.split()
	fmt.Fprintf(b, "    #pkts encaps: %d, #pkts encrypt: %d, #pkts digest: %d\n", out, encrypt, digest)
	fmt.Fprintf(b, "    #pkts decaps: %d, #pkts decrypt: %d, #pkts verify: %d\n", in, decrypt, verify)
	b.WriteString("    #pkts compressed: 0, #pkts decompressed: 0\n    #pkts not compressed: 0, #pkts compr. failed: 0\n" +
		"    #pkts not decompressed: 0, #pkts decompress failed: 0\n")
	if detail {
		fmt.Fprintf(b, "    #pkts verify failed: %d\n    ##pkts replay failed (rcv): %d\n", n.in.AuthFailed, n.in.Replayed)
	}
	fmt.Fprintf(b, "    #send errors %d, #recv errors %d\n\n", dropped(n.out), dropped(n.in))
	fmt.Fprintf(b, "     local crypto endpt.: %s, remote crypto endpt.: %s\n", f.Local, f.Peer)
	active := f.active()
	s.pathLine(b, f, active)
	var spi uint32
	pfs := suite.GroupNone
	if active != nil {
		spi = active.OutSPI
		pfs = active.negotiated.PFS
	}
	fmt.Fprintf(b, "     current outbound spi: 0x%X(%d)\n", spi, spi)
	yn := "N"
	if pfs != suite.GroupNone {
		yn = "Y"
	}
	fmt.Fprintf(b, "     PFS (Y/N): %s, DH group: %s\n", yn, groupText(pfs))
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
				s.ipsecOne(b, &f.children[k], tag, d.in, p.ah)
			}
		}
		fmt.Fprintf(b, "\n     %s pcp sas:\n", d.name)
	}
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
func (s *Status) pathLine(b *strings.Builder, f *flow, active *pair) {
	port := s.portOf(f.VRF, f.Local)
	if port == nil || port.MTU == 0 {
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
func (s *Status) ipsecOne(b *strings.Builder, p *pair, tag string, in, ah bool) {
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
	fmt.Fprintf(b, "        conn id: %d, flow_id: SW:%d, sibling_flags %s, crypto map: %s\n", id, id, flags, tag)
	if p.known {
		s.timing(b, p, n, ah)
	}
	if p.Inherited {
		b.WriteString("        inherited from before the restart\n")
	}
	b.WriteString("        Status: ACTIVE(ACTIVE)\n")
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

func (s *Status) timing(b *strings.Builder, p *pair, n fastpath.SACount, ah bool) {
	c := &p.negotiated
	left := secondsLeft(s.Time, c.Created, c.Lifetime)
	if c.Kilobytes != 0 {
		fmt.Fprintf(b, "        sa timing: remaining key lifetime (k/sec): (%d/%d)\n", kilobytesLeft(c.Kilobytes, n.Bytes), left)
	} else {
		fmt.Fprintf(b, "        sa timing: remaining key lifetime (sec): (%d)\n        Kilobyte Volume Rekey has been disabled\n", left)
	}
	if !ah {
		fmt.Fprintf(b, "        IV size: %d bytes\n", ivBytes(c.Transform.Cipher))
	}
	if c.Window == 0 {
		b.WriteString("        replay detection support: N\n")
	} else {
		fmt.Fprintf(b, "        replay detection support: Y  replay window size: %d\n", c.Window)
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
