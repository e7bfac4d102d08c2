package packet

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds the 16-bit words of b to s, in ones' complement and in the byte order of little-endian loads: the Internet
// checksum does not depend on the order as long as all of it is summed in one (RFC 1071 section 2). An odd last byte
// counts as if a zero followed. b starts at an even offset of what is summed.
func Sum(b []byte, s uint64) uint64 {
	var c uint64
	for len(b) >= 32 {
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[0:8]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[8:16]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[16:24]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[24:32]), c)
		b = b[32:]
	}
	for len(b) >= 8 {
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[0:8]), c)
		b = b[8:]
	}
	var tail uint64
	for i := range b {
		tail |= uint64(b[i]) << (8 * i)
	}
	s, c = bits.Add64(s, tail, c)
	s, c = bits.Add64(s, 0, c)
	return s + c
}

// Fold reduces a Sum to 16 bits, in network byte order, not complemented.
func Fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return bits.ReverseBytes16(uint16(s))
}

// Checksum is the Internet checksum of b (RFC 1071), as it stands in a header. Over bytes that contain their own right
// checksum it is 0.
func Checksum(b []byte) uint16 { return ^Fold(Sum(b, 0)) }

// headerSum is the folded sum of a 20-byte header, 0xffff when its checksum is right.
func headerSum(b []byte) uint16 {
	_ = b[19]
	s, c := bits.Add64(binary.LittleEndian.Uint64(b[0:8]), binary.LittleEndian.Uint64(b[8:16]), 0)
	s, c = bits.Add64(s, uint64(binary.LittleEndian.Uint32(b[16:20])), c)
	s += c
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}

// Update is the checksum that replaces sum once a 16-bit word of what it covers turned from old into new (RFC 1624,
// equation 3).
func Update(sum, old, new uint16) uint16 {
	s := uint32(^sum) + uint32(^old) + uint32(new)
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return ^uint16(s)
}

// PseudoSum starts the sum of a TCP or UDP segment of IPv4: the pseudo header (RFC 9293 section 3.1), for Sum to go on from.
func PseudoSum(src, dst [4]byte, proto uint8, length int) uint64 {
	s := uint64(binary.LittleEndian.Uint32(src[:])) + uint64(binary.LittleEndian.Uint32(dst[:]))
	return s + uint64(proto)<<8 + uint64(bits.ReverseBytes16(uint16(length)))
}
