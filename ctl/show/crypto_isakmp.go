package show

import (
	"cmp"
	"fmt"
	"strings"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// IsakmpSA is `show crypto isakmp sa`: the IKE SAs of version 1. The older form has a slot, which is that of a crypto module: software has slot 0.
func IsakmpSA(s *Status, sel Select) string {
	if sel.Detail {
		return s.isakmpDetail(sel)
	}
	var b strings.Builder
	if sel.Form == Modern {
		b.WriteString("IPv4 Crypto ISAKMP SA\ndst             src             state          conn-id status\n")
	} else {
		b.WriteString("dst             src             state          conn-id slot\n")
	}
	for _, sa := range s.isakmpSAs(sel) {
		dst, src := sa.Path.Local.Addr(), sa.Path.Remote.Addr()
		if sa.Initiator {
			dst, src = src, dst
		}
		last := "   0"
		if sel.Form == Modern {
			last = "ACTIVE"
		}
		fmt.Fprintf(&b, "%-15s %-15s %-14s %7d %s\n", dst, src, sa.State, sa.ID, last)
	}
	b.WriteString("\n")
	if sel.Form == Modern {
		b.WriteString("IPv6 Crypto ISAKMP SA\n\n")
	}
	return b.String()
}

func (s *Status) isakmpSAs(sel Select) []ike.SAStatus { return s.ikeSAs(1, sel) }

// ikeSAs are the IKE SAs of one version that are selected.
func (s *Status) ikeSAs(version int, sel Select) []ike.SAStatus {
	var out []ike.SAStatus
	for _, sa := range s.Router.IKE.SAs {
		if sa.Version == version && (!sel.Peer.IsValid() || sa.Path.Remote.Addr() == sel.Peer) && (!sel.Active || sa.Established) &&
			(sel.Front == "" || s.vrfName(fib.VRF(sa.Path.VRF)) == sel.front()) {
			out = append(out, sa)
		}
	}
	return out
}

const isakmpCodes = `Codes: C - IKE configuration mode, D - Dead Peer Detection
       K - Keepalives, N - NAT-traversal
       T - cTCP encapsulation, X - IKE Extended Authentication
       psk - Preshared key, rsig - RSA signature
       renc - RSA encryption
IPv4 Crypto ISAKMP SA

C-id  Local           Remote          I-VRF  Status Encr Hash   Auth DH Lifetime Cap.
`

func (s *Status) isakmpDetail(sel Select) string {
	var b strings.Builder
	b.WriteString(isakmpCodes)
	for _, sa := range s.isakmpSAs(sel) {
		encr := sa.Cipher.String()
		if sa.Cipher == suite.CipherAESCBC {
			encr = "aes"
		}
		life := "0"
		if sa.Established {
			life = elapsed(sa.Created.Add(sa.Lifetime).Sub(s.Time))
		}
		fmt.Fprintf(&b, "\n%-5d %-15s %-15s %-6s ACTIVE %-4s %-6s %-4s %-2d %-8s %s\n", sa.ID, sa.Path.Local.Addr(), sa.Path.Remote.Addr(),
			"", encr, isakmpHash(sa.Hash), authWord(sa.Auth), uint16(sa.Group), life, capabilities(&sa))
		fmt.Fprintf(&b, "       Engine-id:Conn-id =  SW:%d\n", sa.ID)
	}
	b.WriteString("\n")
	if sel.Form == Modern {
		b.WriteString("IPv6 Crypto ISAKMP SA\n\n")
	}
	return b.String()
}

// isakmpHash is a hash in the words of `crypto isakmp policy`.
func isakmpHash(h suite.Hash) string {
	switch h {
	case suite.HashNone:
		return ""
	case suite.HashSHA1:
		return "sha"
	}
	return h.String()
}

// authWord is how a side proves who it is, in the words of the legend.
func authWord(m ike.AuthMethod) string {
	switch m {
	case ike.AuthPSK:
		return "psk"
	case ike.AuthRSA:
		return "rsig"
	case ike.AuthECDSA:
		return "ecdsa"
	}
	return ""
}

// capabilities are the letters of what an IKE SA can.
func capabilities(sa *ike.SAStatus) string {
	var b strings.Builder
	if sa.DPD {
		b.WriteByte('D')
	}
	if sa.NAT.Self || sa.NAT.Peer {
		b.WriteByte('N')
	}
	if sa.Fragmentation {
		b.WriteByte('F')
	}
	return b.String()
}

var (
	policyHashes = map[suite.Hash]string{
		suite.HashMD5: "Message Digest 5", suite.HashSHA1: "Secure Hash Standard", suite.HashSHA256: "Secure Hash Standard 2 (256 bit)",
		suite.HashSHA384: "Secure Hash Standard 2 (384 bit)", suite.HashSHA512: "Secure Hash Standard 2 (512 bit)",
	}
	groupBits = map[suite.Group]string{
		suite.GroupMODP768: "768 bit", suite.GroupMODP1024: "1024 bit", suite.GroupMODP1536: "1536 bit", suite.GroupMODP2048: "2048 bit",
		suite.GroupMODP3072: "3072 bit", suite.GroupMODP4096: "4096 bit", suite.GroupECP256: "256 bit ECP", suite.GroupECP384: "384 bit ECP",
		suite.GroupECP521: "521 bit ECP", suite.GroupX25519: "Curve25519",
	}
)

func policyCipher(p *ike.V1Policy) string {
	switch p.Cipher {
	case suite.CipherDES:
		return "DES - Data Encryption Standard (56 bit keys)."
	case suite.Cipher3DES:
		return "Three key triple DES"
	}
	return fmt.Sprintf("AES - Advanced Encryption Standard (%d bit keys).", cmp.Or(p.KeyBits, 128))
}

// IsakmpPolicy is `show crypto isakmp policy`.
func IsakmpPolicy(s *Status) string {
	var b strings.Builder
	b.WriteString("\nGlobal IKE policy\n")
	for _, p := range s.Crypto.Policies {
		auth := "Pre-Shared Key"
		if p.RSA {
			auth = "Rivest-Shamir-Adleman Signature"
		}
		fmt.Fprintf(&b, "Protection suite of priority %d\n", p.Priority)
		fmt.Fprintf(&b, "\tencryption algorithm:\t%s\n", policyCipher(&p))
		fmt.Fprintf(&b, "\thash algorithm:\t\t%s\n", policyHashes[p.Hash])
		fmt.Fprintf(&b, "\tauthentication method:\t%s\n", auth)
		fmt.Fprintf(&b, "\tDiffie-Hellman group:\t#%d (%s)\n", uint16(p.Group), groupBits[p.Group])
		fmt.Fprintf(&b, "\tlifetime:\t\t%d seconds, no volume limit\n", int(p.Lifetime.Seconds()))
	}
	return b.String()
}

// CallAdmission is `show crypto call admission statistics`.
func CallAdmission(s *Status) string {
	a := &s.Router.IKE.Admission
	n := &a.Stats
	const line = "---------------------------------------------------------------------\n"
	var b strings.Builder
	b.WriteString(line + "            Crypto Call Admission Control Statistics\n" + line)
	row := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	row("System Resource Limit: %8d Max IKE SAs:  %8d Max in nego: %8d", a.Load, a.Limits.SAs, cmp.Or(a.Limits.InNegotiation, ike.DefaultInNegotiation))
	row("Total IKE SA Count:    %8d active:       %8d negotiating: %8d", a.SAs, a.SAs-a.InNegotiation, a.InNegotiation)
	row("Incoming IKE Requests: %8d accepted:     %8d rejected:    %8d", n.In, n.InAccepted, n.InRejected)
	row("Outgoing IKE Requests: %8d accepted:     %8d rejected:    %8d", n.Out, n.OutAccepted, n.OutRejected)
	row("Rejected IKE Requests: %8d rsrc low:     %8d SA limit:    %8d", n.InRejected+n.OutRejected, n.RejectedResources, n.RejectedSALimit)
	if a.SetUp > 0 {
		row("Set-up Rate Limit:     %8.4g a second     too fast:    %8d", a.SetUp, n.RejectedSetUp)
	}
	return b.String()
}
