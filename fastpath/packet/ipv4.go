package packet

import "encoding/binary"

// IPv4Len is the length of an IPv4 header without options, in bytes.
const IPv4Len = 20

// Bits of the flags and offset word.
const (
	FlagDF     = 0x4000
	FlagMF     = 0x2000
	OffsetMask = 0x1fff
)

// IPv4 is an IPv4 packet, cut to its total length (RFC 791 section 3.1).
type IPv4 []byte

// ParseIPv4 checks version, lengths and header checksum, and cuts what a link padded.
func ParseIPv4(b []byte) (IPv4, Fault) {
	if len(b) < IPv4Len {
		return nil, Short
	}
	total := int(binary.BigEndian.Uint16(b[2:4]))
	if b[0] != 0x45 {
		return parseWithOptions(b, total)
	}
	if total < IPv4Len || total > len(b) {
		return nil, BadLength
	}
	if headerSum(b) != 0xffff {
		return nil, BadChecksum
	}
	return b[:total], OK
}

func parseWithOptions(b []byte, total int) (IPv4, Fault) {
	if b[0]>>4 != 4 {
		return nil, BadVersion
	}
	hl := int(b[0]&15) * 4
	switch {
	case hl < IPv4Len:
		return nil, BadHeader
	case total < hl || total > len(b):
		return nil, BadLength
	case Checksum(b[:hl]) != 0:
		return nil, BadChecksum
	}
	if f := checkOptions(b[IPv4Len:hl]); f != OK {
		return nil, f
	}
	return b[:total], OK
}

// Options that matter here (RFC 791 section 3.1).
const (
	optEnd    = 0
	optNop    = 1
	optLoose  = 131
	optStrict = 137
)

// checkOptions walks the options: their lengths must fit, and none may be a source route (RFC 7126 section 4.3).
func checkOptions(o []byte) Fault {
	for len(o) > 0 {
		switch o[0] {
		case optEnd:
			return OK
		case optNop:
			o = o[1:]
			continue
		case optLoose, optStrict:
			return SourceRouted
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return BadOptions
		}
		o = o[o[1]:]
	}
	return OK
}

// HeaderLen is the length of the header with its options, in bytes.
func (p IPv4) HeaderLen() int { return int(p[0]&15) * 4 }

// TotalLen is the total length field, in bytes.
func (p IPv4) TotalLen() int { return int(binary.BigEndian.Uint16(p[2:4])) }

// TOS is the type-of-service byte: DSCP and ECN.
func (p IPv4) TOS() uint8 { return p[1] }

// ID is the identification field.
func (p IPv4) ID() uint16 { return binary.BigEndian.Uint16(p[4:6]) }

// FlagsOffset is the word of DF, MF and the fragment offset in units of 8 bytes.
func (p IPv4) FlagsOffset() uint16 { return binary.BigEndian.Uint16(p[6:8]) }

// DF tells whether the packet must not be fragmented.
func (p IPv4) DF() bool { return p[6]&(FlagDF>>8) != 0 }

// IsFragment tells whether the packet is part of a larger one.
func (p IPv4) IsFragment() bool { return p.FlagsOffset()&(FlagMF|OffsetMask) != 0 }

// TTL is the time to live.
func (p IPv4) TTL() uint8 { return p[8] }

// Proto is the protocol of the payload.
func (p IPv4) Proto() uint8 { return p[9] }

// Sum is the header checksum field.
func (p IPv4) Sum() uint16 { return binary.BigEndian.Uint16(p[10:12]) }

// Src is the source address as a number.
func (p IPv4) Src() uint32 { return binary.BigEndian.Uint32(p[12:16]) }

// Dst is the destination address as a number.
func (p IPv4) Dst() uint32 { return binary.BigEndian.Uint32(p[16:20]) }

// Payload is what follows the header.
func (p IPv4) Payload() []byte { return p[p.HeaderLen():] }

// DecTTL takes one from the time to live and mends the checksum (RFC 1624). The caller has checked that it is not 0.
func (p IPv4) DecTTL() {
	p[8]--
	s := uint32(binary.BigEndian.Uint16(p[10:12])) + 0x100
	if s >= 0xffff {
		s++
	}
	binary.BigEndian.PutUint16(p[10:12], uint16(s))
}

// SetTTL changes the time to live and mends the checksum.
func (p IPv4) SetTTL(ttl uint8) {
	old := binary.BigEndian.Uint16(p[8:10])
	p[8] = ttl
	binary.BigEndian.PutUint16(p[10:12], Update(p.Sum(), old, binary.BigEndian.Uint16(p[8:10])))
}

// SetPrecedence changes the upper three bits of TOS and mends the checksum.
func (p IPv4) SetPrecedence(n uint8) {
	old := binary.BigEndian.Uint16(p[0:2])
	p[1] = p[1]&0x1f | n<<5
	binary.BigEndian.PutUint16(p[10:12], Update(p.Sum(), old, binary.BigEndian.Uint16(p[0:2])))
}

// SetSum computes the header checksum anew.
func (p IPv4) SetSum() {
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:12], Checksum(p[:p.HeaderLen()]))
}

// FragmentHeader writes into h the header that later fragments of p carry, and returns its length: the options with the
// copied flag stay, padded with ends of list (RFC 791 section 3.1). h has room for p's whole header. Length, offset and checksum
// are the caller's to fill.
func (p IPv4) FragmentHeader(h []byte) int {
	n := copy(h, p[:IPv4Len])
	o := p[IPv4Len:p.HeaderLen()]
	for len(o) > 0 && o[0] != optEnd {
		l := 1
		if o[0] != optNop {
			if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
				break
			}
			l = int(o[1])
			if o[0]&0x80 != 0 {
				n += copy(h[n:], o[:l])
			}
		}
		o = o[l:]
	}
	for n%4 != 0 {
		h[n] = optEnd
		n++
	}
	h[0] = 0x40 | byte(n/4)
	return n
}

// Header is an IPv4 header without options as a value, to build packets with off the fast path.
type Header struct {
	TOS      uint8
	ID       uint16
	Flags    uint16 // FlagDF, FlagMF and the offset
	TTL      uint8
	Proto    uint8
	Src, Dst [4]byte
}

// Put writes h into b, which has room for IPv4Len bytes, for a payload of n bytes.
func (h *Header) Put(b []byte, n int) {
	_ = b[IPv4Len-1]
	b[0], b[1] = 0x45, h.TOS
	binary.BigEndian.PutUint16(b[2:4], uint16(IPv4Len+n))
	binary.BigEndian.PutUint16(b[4:6], h.ID)
	binary.BigEndian.PutUint16(b[6:8], h.Flags)
	b[8], b[9] = h.TTL, h.Proto
	copy(b[12:16], h.Src[:])
	copy(b[16:20], h.Dst[:])
	IPv4(b[:IPv4Len]).SetSum()
}
