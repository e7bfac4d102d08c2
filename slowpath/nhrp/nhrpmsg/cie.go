package nhrpmsg

import (
	"encoding/binary"
	"net/netip"
)

// Code is what a client information entry says of a request (RFC 2332 section 5.2.0.1).
type Code uint8

// Codes. Some implementations send 11 where the RFC says 12.
const (
	Success               Code = 0
	Prohibited            Code = 4
	InsufficientResources Code = 5
	NoBinding             Code = 12
	NotUnique             Code = 13
	AlreadyRegistered     Code = 14
)

const cieLen = 12

// CIE is a client information entry: the answer, or who asks.
type CIE struct {
	Code       Code
	PrefixLen  uint8 // 0 and 255 both mean a host
	Unused     uint16
	MTU        uint16     // bytes; advisory
	HoldTime   uint16     // seconds
	NBMA       netip.Addr // zero Addrs: as in the mandatory part
	Proto      netip.Addr
	Preference uint8
}

// Bits is the prefix length that the entry means, for addresses of proto's family.
func (c *CIE) Bits(proto netip.Addr) int {
	if n := int(c.PrefixLen); n > 0 && n < proto.BitLen() {
		return n
	}
	return proto.BitLen()
}

func (c *CIE) fits(l lens) bool { return fits(c.NBMA, l.nbma) && fits(c.Proto, l.proto) }

func (c *CIE) append(b []byte) []byte {
	b = append(b, byte(c.Code), c.PrefixLen)
	b = binary.BigEndian.AppendUint16(b, c.Unused)
	b = binary.BigEndian.AppendUint16(b, c.MTU)
	b = binary.BigEndian.AppendUint16(b, c.HoldTime)
	b = append(b, addrLen(c.NBMA), 0, addrLen(c.Proto), c.Preference)
	b = appendAddr(b, c.NBMA)
	return appendAddr(b, c.Proto)
}

// parseCIEs reads entries from offset n to the end of b.
func parseCIEs(b []byte, n int, l lens) ([]CIE, error) {
	var out []CIE
	for n < len(b) {
		if len(b)-n < cieLen {
			return out, bad(n, ProtocolError, "client information entry cut off")
		}
		h := b[n : n+cieLen]
		c := CIE{
			Code: Code(h[0]), PrefixLen: h[1], Unused: binary.BigEndian.Uint16(h[2:]),
			MTU: binary.BigEndian.Uint16(h[4:]), HoldTime: binary.BigEndian.Uint16(h[6:]), Preference: h[11],
		}
		if h[9] != 0 {
			return out, bad(n+9, ProtocolError, "NBMA subaddress")
		}
		at := n
		n += cieLen
		var ok bool
		if c.NBMA, n, ok = takeAddr(b, n, int(h[8]), l.nbma); !ok {
			return out, bad(at+8, ProtocolError, "address length of a client information entry does not match")
		}
		if c.Proto, n, ok = takeAddr(b, n, int(h[10]), l.proto); !ok {
			return out, bad(at+10, ProtocolError, "address length of a client information entry does not match")
		}
		out = append(out, c)
	}
	return out, nil
}
