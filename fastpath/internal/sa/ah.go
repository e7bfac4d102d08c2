package sa

import (
	"crypto/subtle"
	"encoding/binary"
)

// PutAH writes an authentication header with an empty ICV (RFC 4302 section 2). It is in whole words of 4 bytes, as section 2.6 has it for IPv4:
// strongSwan has Linux take those of IPv4 so (XFRM_STATE_ALIGN4), and with SHA-2 drop one in words of 8.
func (t *Transform) PutAH(b []byte, next uint8, seq uint64) {
	n := AHLen + t.shape.ICV
	b[0], b[1], b[2], b[3] = next, byte(n/4-2), 0, 0
	binary.BigEndian.PutUint32(b[4:], t.spi)
	binary.BigEndian.PutUint32(b[8:], uint32(seq))
	clear(b[AHLen:n])
}

// SealAH fills in the ICV of a packet whose IPv4 header is hdr, complete but for the checksum, and whose authentication header rest starts with.
func (t *Transform) SealAH(x *Scratch, hdr, rest []byte, seq uint64) {
	sum, _ := t.ahSum(x, hdr, rest, seq)
	copy(rest[AHLen:], sum)
}

// OpenAH tells whether the packet is as it was sent. ahLen is how long the authentication header is that rest starts with. options is false
// when the IPv4 header has options that cannot be told apart.
func (t *Transform) OpenAH(x *Scratch, hdr, rest []byte, ahLen int, seq uint64) (ok, options bool) {
	var icv [maxICV]byte
	n := copy(icv[:], rest[AHLen:AHLen+t.shape.ICV])
	clear(rest[AHLen : AHLen+n])
	sum, options := t.ahSum(x, hdr, rest, seq)
	copy(rest[AHLen:], icv[:n])
	return options && subtle.ConstantTimeCompare(sum, icv[:n]) == 1, options
}

// ahSum is the ICV over an IPv4 header without what routers change (RFC 4302 section 3.3.3.1), and the rest, whose own ICV is zero.
func (t *Transform) ahSum(x *Scratch, hdr, rest []byte, seq uint64) (sum []byte, options bool) {
	h := x.head[:copy(x.head[:], hdr)]
	h[1], h[8] = 0, 0 // TOS, TTL
	clear(h[6:8])     // flags and fragment offset
	clear(h[10:12])   // checksum
	options = true
	if len(h) > 20 {
		options = clearMutable(h[20:])
	}
	m := x.start(t.mac)
	m.Write(h)
	m.Write(rest)
	if t.esn {
		m.Write(x.high(seq))
	}
	return x.finish(t.mac, m)[:t.shape.ICV], options
}

// clearMutable zeroes the options that routers may change: all but those of RFC 4302 appendix A1. False: an option runs out of the header.
func clearMutable(o []byte) bool {
	for len(o) > 0 {
		switch o[0] {
		case 0: // end of options
			return true
		case 1: // no operation
			o = o[1:]
			continue
		}
		if len(o) < 2 || int(o[1]) < 2 || int(o[1]) > len(o) {
			return false
		}
		n := int(o[1])
		switch o[0] {
		case 130, 133, 134, 148, 149: // security, extended security, commercial security, router alert, multi-destination
		default:
			clear(o[:n])
		}
		o = o[n:]
	}
	return true
}
