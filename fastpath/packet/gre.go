package packet

import "encoding/binary"

// Flags of a GRE header (RFC 2784 section 2, RFC 2890 section 2).
const (
	GREChecksum = 0x8000
	GRERouting  = 0x4000 // RFC 1701, not in use any more
	GREKey      = 0x2000
	GRESequence = 0x1000
	greVersion  = 0x0007
	greReserved = 0x0c00 // RFC 2784 section 2.3: bits 4 and 5 must be zero; 6 to 12 are ignored
)

// GRE is what a GRE header says.
type GRE struct {
	Proto  uint16
	HasKey bool
	Len    uint8 // of the header, bytes
	Key    uint32
	Seq    uint32 // 0 without a sequence number
}

// ParseGRE reads the header that b begins with and checks the checksum, if there is one, over all of b.
func ParseGRE(b []byte) (g GRE, f Fault) {
	f = g.Parse(b)
	return g, f
}

// Parse is ParseGRE into g, field by field, of which the caller reads some at once.
func (g *GRE) Parse(b []byte) Fault {
	if len(b) < 4 {
		return Short
	}
	flags := binary.BigEndian.Uint16(b[0:2])
	g.Proto = binary.BigEndian.Uint16(b[2:4])
	g.Seq = 0
	if flags == GREKey { // the common case of a multipoint tunnel
		if len(b) < 8 {
			return Short
		}
		g.Key, g.HasKey, g.Len = binary.BigEndian.Uint32(b[4:8]), true, 8
		return OK
	}
	g.Key, g.HasKey, g.Len = 0, false, 4
	if flags == 0 {
		return OK
	}
	return g.parseOptional(b, flags)
}

func (g *GRE) parseOptional(b []byte, flags uint16) Fault {
	switch {
	case flags&greVersion != 0:
		return BadVersion
	case flags&GRERouting != 0:
		return NotSupported
	case flags&greReserved != 0:
		return BadHeader
	}
	n := 4
	if flags&GREChecksum != 0 {
		n += 4
	}
	if flags&GREKey != 0 {
		if len(b) < n+4 {
			return Short
		}
		g.Key, g.HasKey = binary.BigEndian.Uint32(b[n:]), true
		n += 4
	}
	if flags&GRESequence != 0 {
		if len(b) < n+4 {
			return Short
		}
		g.Seq = binary.BigEndian.Uint32(b[n:])
		n += 4
	}
	if len(b) < n {
		return Short
	}
	if flags&GREChecksum != 0 && Checksum(b) != 0 {
		return BadChecksum
	}
	g.Len = uint8(n)
	return OK
}

// PutGRE writes a header with an optional key into b and returns its length: 4 or 8 bytes.
func PutGRE(b []byte, proto uint16, key uint32, hasKey bool) int {
	binary.BigEndian.PutUint16(b[2:4], proto)
	if !hasKey {
		b[0], b[1] = 0, 0
		return 4
	}
	binary.BigEndian.PutUint16(b[0:2], GREKey)
	binary.BigEndian.PutUint32(b[4:8], key)
	return 8
}
