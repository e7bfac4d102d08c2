package eigrpmsg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Opcode says what a packet is for.
type Opcode uint8

// The opcodes (RFC 7868 section 6.5). An acknowledgement is a Hello with an acknowledged sequence number.
const (
	Update   Opcode = 1
	Request  Opcode = 2
	Query    Opcode = 3
	Reply    Opcode = 4
	Hello    Opcode = 5
	SIAQuery Opcode = 10
	SIAReply Opcode = 11
)

var opcodeNames = map[Opcode]string{Update: "update", Request: "request", Query: "query", Reply: "reply", Hello: "hello", SIAQuery: "sia-query", SIAReply: "sia-reply"}

// String names the opcode.
func (o Opcode) String() string {
	if s, ok := opcodeNames[o]; ok {
		return s
	}
	return fmt.Sprintf("opcode-%d", uint8(o))
}

// Flags of the header.
const (
	FlagInit    uint32 = 1 // the first packet to a new neighbor
	FlagCR      uint32 = 2 // conditional receive
	FlagRestart uint32 = 4
	FlagEOT     uint32 = 8 // end of the table
)

// HeaderLen is the length of the header in bytes.
const HeaderLen = 20

const version = 2

// Types of TLVs.
const (
	typeParameters    = 0x0001
	typeAuth          = 0x0002
	typeSequence      = 0x0003
	typeSoftware      = 0x0004
	typeNextMulticast = 0x0005
	typeStub          = 0x0006
	typeTermination   = 0x0007
	typeTopologies    = 0x0008
	typeInternal      = 0x0102
	typeExternal      = 0x0103
	typeWideInternal  = 0x0602
	typeWideExternal  = 0x0603
)

// Packet is a packet of EIGRP. Pointers are nil, and slices empty, where the packet has no such TLV.
type Packet struct {
	Opcode        Opcode
	Flags         uint32
	Sequence, Ack uint32
	VirtualRouter uint16
	AS            uint16

	Auth          *Auth
	Parameters    *Parameters
	Software      *Software
	Sequenced     []netip.Addr // who is not to take the next multicast
	NextMulticast uint32       // the sequence number of that multicast; with HasNext
	HasNext       bool
	Stub          *Stub
	Termination   []netip.Addr // neighbors that the sender ends
	Extra         []TLV
	Routes        []Route
	Encoded       []byte // route TLVs that are written already; Append puts them last, and Parse leaves it empty
}

// Parameters are the K values and the hold time of a Hello.
type Parameters struct {
	K    [6]uint8
	Hold uint16 // seconds
}

// Goodbye says that the sender leaves: all of K1 to K5 are 255.
func (p *Parameters) Goodbye() bool { return [5]uint8(p.K[:5]) == [5]uint8{255, 255, 255, 255, 255} }

// Software says what the sender runs. TLVMajor 2 or more means that it reads wide metrics.
type Software struct{ Major, Minor, TLVMajor, TLVMinor uint8 }

// Stub is the flags of a router that carries no transit traffic.
type Stub uint16

// The flags of Stub: what it advertises.
const (
	StubConnected     Stub = 1
	StubStatic        Stub = 2
	StubSummary       Stub = 4
	StubRedistributed Stub = 8
	StubLeakMap       Stub = 16
	StubReceiveOnly   Stub = 32
)

// TLV is one that is kept as it came.
type TLV struct {
	Type  uint16
	Value []byte
}

// ErrTruncated and the others are what Parse and Verify fail with.
var (
	ErrTruncated = errors.New("EIGRP packet ends too early")
	ErrVersion   = errors.New("EIGRP packet of another version than 2")
	ErrChecksum  = errors.New("EIGRP packet with a wrong checksum")
	ErrTLV       = errors.New("EIGRP packet with a malformed TLV")
	ErrSize      = errors.New("EIGRP packet or TLV too long to write")
)

// checksum is the one of the Internet protocols, of a packet whose checksum field counts as what it holds.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// ParseHeader reads the header only, and checks version and checksum.
func ParseHeader(b []byte) (p Packet, err error) {
	if len(b) < HeaderLen {
		return p, ErrTruncated
	}
	if b[0] != version {
		return p, ErrVersion
	}
	if checksum(b) != 0 {
		return p, ErrChecksum
	}
	be := binary.BigEndian
	return Packet{
		Opcode: Opcode(b[1]), Flags: be.Uint32(b[4:]), Sequence: be.Uint32(b[8:]), Ack: be.Uint32(b[12:]),
		VirtualRouter: be.Uint16(b[16:]), AS: be.Uint16(b[18:]),
	}, nil
}

// Parse reads a packet. What it returns refers to no part of b.
func Parse(b []byte) (*Packet, error) {
	p, err := ParseHeader(b)
	if err != nil {
		return nil, err
	}
	for b = b[HeaderLen:]; len(b) > 0; {
		if len(b) < 4 {
			return nil, ErrTruncated
		}
		typ, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 {
			return nil, ErrTLV
		}
		if n > len(b) {
			return nil, ErrTruncated
		}
		if err := p.take(typ, b[4:n]); err != nil {
			return nil, fmt.Errorf("%w: type %#04x", err, typ)
		}
		b = b[n:]
	}
	return &p, nil
}

func (p *Packet) take(typ uint16, v []byte) error {
	be := binary.BigEndian
	switch typ {
	case typeParameters:
		if len(v) != 8 || p.Parameters != nil {
			return ErrTLV
		}
		p.Parameters = &Parameters{K: [6]uint8(v), Hold: be.Uint16(v[6:])}
	case typeAuth:
		a, err := parseAuth(v)
		if err != nil || p.Auth != nil {
			return ErrTLV
		}
		p.Auth = a
	case typeSequence, typeTermination:
		list := &p.Sequenced
		if typ == typeTermination {
			list = &p.Termination
		}
		for len(v) > 0 {
			if v[0] != 4 || len(v) < 5 {
				return ErrTLV
			}
			*list = append(*list, netip.AddrFrom4([4]byte(v[1:5])))
			v = v[5:]
		}
	case typeSoftware:
		if len(v) != 4 || p.Software != nil {
			return ErrTLV
		}
		p.Software = &Software{v[0], v[1], v[2], v[3]}
	case typeNextMulticast:
		if len(v) != 4 {
			return ErrTLV
		}
		p.NextMulticast, p.HasNext = be.Uint32(v), true
	case typeStub:
		if len(v) != 2 {
			return ErrTLV
		}
		s := Stub(be.Uint16(v))
		p.Stub = &s
	case typeInternal, typeExternal, typeWideInternal, typeWideExternal:
		return p.takeRoutes(typ, v)
	default:
		p.Extra = append(p.Extra, TLV{typ, append([]byte(nil), v...)})
	}
	return nil
}

// Append writes the packet, with its checksum. Authentication comes after that, by Sign.
func (p *Packet) Append(b []byte) ([]byte, error) {
	start := len(b)
	be := binary.BigEndian
	b = append(b, version, byte(p.Opcode), 0, 0)
	b = be.AppendUint32(b, p.Flags)
	b = be.AppendUint32(b, p.Sequence)
	b = be.AppendUint32(b, p.Ack)
	b = be.AppendUint16(b, p.VirtualRouter)
	b = be.AppendUint16(b, p.AS)
	if p.Auth != nil {
		b = p.Auth.append(b)
	}
	if p.Parameters != nil {
		b = append(b, 0, typeParameters, 0, 12)
		b = append(b, p.Parameters.K[:]...)
		b = be.AppendUint16(b, p.Parameters.Hold)
	}
	if p.Software != nil {
		b = append(b, 0, typeSoftware, 0, 8, p.Software.Major, p.Software.Minor, p.Software.TLVMajor, p.Software.TLVMinor)
	}
	if len(p.Sequenced) > 0 {
		b = appendAddrs(b, typeSequence, p.Sequenced)
	}
	if p.HasNext {
		b = be.AppendUint32(append(b, 0, typeNextMulticast, 0, 8), p.NextMulticast)
	}
	if p.Stub != nil {
		b = be.AppendUint16(append(b, 0, typeStub, 0, 6), uint16(*p.Stub))
	}
	if len(p.Termination) > 0 {
		b = appendAddrs(b, typeTermination, p.Termination)
	}
	for _, t := range p.Extra {
		if len(t.Value) > 0xffff-4 {
			return b[:start], ErrSize
		}
		b = be.AppendUint16(b, t.Type)
		b = be.AppendUint16(b, uint16(len(t.Value)+4))
		b = append(b, t.Value...)
	}
	for i := range p.Routes {
		b = p.Routes[i].Append(b)
	}
	b = append(b, p.Encoded...)
	if len(b)-start > 0xffff-20 {
		return b[:start], ErrSize
	}
	setChecksum(b[start:])
	return b, nil
}

func setChecksum(b []byte) {
	b[2], b[3] = 0, 0
	binary.BigEndian.PutUint16(b[2:], checksum(b))
}

func appendAddrs(b []byte, typ byte, addrs []netip.Addr) []byte {
	b = append(b, 0, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(4+5*len(addrs)))
	for _, a := range addrs {
		a4 := a.As4()
		b = append(append(b, 4), a4[:]...)
	}
	return b
}
