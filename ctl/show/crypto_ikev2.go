package show

import (
	"fmt"
	"strings"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// Ikev2SA is `show crypto ikev2 sa`: the IKE SAs of version 2.
func Ikev2SA(s *Status, sel Select) string {
	list := s.ikeSAs(2, sel)
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(" IPv4 Crypto IKEv2  SA\n\n")
	for k := range list {
		s.oneIkev2(&b, &list[k], sel.Detail)
		b.WriteString("\n")
	}
	return b.String()
}

func (s *Status) oneIkev2(b *strings.Builder, sa *ike.SAStatus, detail bool) {
	fvrf := s.vrfOr(fib.VRF(sa.Path.VRF), "none")
	b.WriteString("Tunnel-id Local                 Remote                fvrf/ivrf            Status\n")
	fmt.Fprintf(b, "%-9d %-21s %-21s %-20s %s\n", sa.ID, slashed(sa.Path.Local), slashed(sa.Path.Remote), fvrf+"/none", sa.State)
	if sa.Cipher != suite.CipherNone {
		keysize := ""
		if sa.KeyBits != 0 {
			keysize = fmt.Sprintf("keysize: %d, ", sa.KeyBits)
		}
		fmt.Fprintf(b, "      Encr: %s, %sPRF: %s, Hash: %s, DH Grp:%d, Auth sign: %s, Auth verify: %s\n", strings.ToUpper(sa.Cipher.String()), keysize,
			strings.ToUpper(sa.PRF.String()), ikev2Hash(sa.Hash), uint16(sa.Group), ikev2Auth(sa.Auth), ikev2Auth(sa.PeerAuth))
	}
	for _, g := range sa.Additional {
		fmt.Fprintf(b, "      Additional key exchange: %s\n", g)
	}
	if sa.Established {
		fmt.Fprintf(b, "      Life/Active Time: %d/%d sec\n", int(sa.Lifetime.Seconds()), max(0, int(s.Time.Sub(sa.Created).Seconds())))
	}
	if detail {
		ikev2Detail(b, sa)
	}
}

func ikev2Detail(b *strings.Builder, sa *ike.SAStatus) {
	local, remote := sa.SPIr, sa.SPIi
	if sa.Initiator {
		local, remote = remote, local
	}
	line := func(format string, args ...any) { fmt.Fprintf(b, "      "+format+"\n", args...) }
	line("CE id: %d, Session-id: %d", sa.ID, sa.ID)
	if sa.Established {
		line("Status Description: Negotiation done")
	}
	line("Local spi: %X       Remote spi: %X", local, remote)
	line("Local id: %s", sa.Self)
	line("Remote id: %s", sa.Peer)
	// IOS's words for the windows of RFC 7296 section 2.3: the oldest request under way and the next one, of each side. nave sends one at a time.
	line("Local req msg id:  %-14d Remote req msg id:  %d", sa.MessageIDs[1], sa.MessageIDs[3])
	line("Local next msg id: %-14d Remote next msg id: %d", sa.MessageIDs[0], sa.MessageIDs[2])
	line("Local req queued:  %-14d Remote req queued:  %d", sa.MessageIDs[1], sa.MessageIDs[3])
	line("Local window:      %-14d Remote window:      %d", 1, 1)
	if sa.DPD {
		line("DPD configured")
	} else {
		line("DPD not configured")
	}
	if sa.Fragmentation {
		line("Fragmentation configured.")
	} else {
		line("Fragmentation not  configured.")
	}
	line("%s", ikev2NAT(sa.NAT))
	line("Initiator of SA : %s", yes(sa.Initiator))
	if sa.Profile != "" {
		line("IKEv2 profile: %s", sa.Profile)
	}
}

func ikev2NAT(n ike.NAT) string {
	switch {
	case n.Self && n.Peer:
		return "NAT-T is detected inside and outside"
	case n.Self:
		return "NAT-T is detected inside"
	case n.Peer:
		return "NAT-T is detected outside"
	}
	return "NAT-T is not detected"
}

func yes(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

// ikev2Hash is an integrity algorithm in IOS's words, which name the truncation of the old ones.
func ikev2Hash(h suite.Hash) string {
	switch h {
	case suite.HashNone:
		return "None"
	case suite.HashMD5:
		return "MD596"
	case suite.HashSHA1:
		return "SHA96"
	}
	return strings.ToUpper(h.String())
}

func ikev2Auth(m ike.AuthMethod) string {
	switch m {
	case ike.AuthPSK:
		return "PSK"
	case ike.AuthRSA:
		return "RSA"
	case ike.AuthECDSA:
		return "ECDSA"
	}
	return "Unknown"
}
