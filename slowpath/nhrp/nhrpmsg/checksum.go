package nhrpmsg

import "encoding/binary"

// sum is the one's complement sum of b, an odd byte padded with zero.
func sum(b []byte) uint16 {
	var s uint64
	for len(b) >= 4 {
		s += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// Checksum is the checksum of a packet whose checksum field is zero (RFC 2332 section 5.1).
func Checksum(b []byte) uint16 { return ^sum(b) }

// ChecksumOK tells whether a packet with its checksum in place is intact.
func ChecksumOK(b []byte) bool { return sum(b) == 0xffff }
