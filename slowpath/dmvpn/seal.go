package dmvpn

import (
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// Seal is what protection adds to a packet, in bytes. A packet of n bytes (GRE and all) becomes Fixed bytes and n and Trailer rounded up to Block,
// behind the outer IPv4 header.
type Seal struct {
	Fixed   int // headers, initialization vector, integrity check value
	Trailer int // padding length and next header
	Block   int
}

// SealOf is what a transform adds.
func SealOf(t *ike.Transform, encap bool) (s Seal) {
	const udp, espHeader, ahHeader, ipv4 = 8, 8, 12, 20
	s.Block = 1
	if t.AH != suite.HashNone {
		s.Fixed += ahHeader + (t.AH.ICVLen()+3)/4*4
	}
	if t.Cipher != suite.CipherNone {
		iv, block := 8, 4 // the trailer ends on 4 bytes (RFC 4303 section 2.4)
		switch t.Cipher {
		case suite.CipherNull:
			iv = 0
		case suite.CipherDES, suite.Cipher3DES:
			block = 8
		case suite.CipherAESCBC:
			iv, block = 16, 16
		}
		icv := t.ICV
		switch {
		case t.Auth != suite.HashNone:
			icv = t.Auth.ICVLen()
		case icv == 0 && t.Cipher.Combined():
			icv = 16
		}
		s.Fixed += espHeader + iv + icv
		s.Trailer, s.Block = 2, block
	}
	if t.Tunnel {
		s.Fixed += ipv4
	}
	if encap {
		s.Fixed += udp
	}
	return s
}

// Fit is the longest packet (GRE and all) that fits sealed behind an outer IPv4 header into mtu; 0 where none does.
func (s Seal) Fit(mtu int) int {
	room := mtu - 20 - s.Fixed
	if s.Block > 0 {
		room -= room % s.Block
	}
	return max(0, room-s.Trailer)
}
