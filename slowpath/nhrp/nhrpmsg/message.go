package nhrpmsg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Type is ar$op.type, the packet type.
type Type uint8

// Packet types: RFC 2332 section 5.2, and Cisco's Traffic Indication.
const (
	ResolutionRequest   Type = 1
	ResolutionReply     Type = 2
	RegistrationRequest Type = 3
	RegistrationReply   Type = 4
	PurgeRequest        Type = 5
	PurgeReply          Type = 6
	ErrorIndication     Type = 7
	TrafficIndication   Type = 8
)

var typeNames = [...]string{
	"", "Resolution Request", "Resolution Reply", "Registration Request", "Registration Reply",
	"Purge Request", "Purge Reply", "Error Indication", "Traffic Indication",
}

// String names the type as the RFC does.
func (t Type) String() string {
	if t == 0 || int(t) >= len(typeNames) {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return typeNames[t]
}

// IsRequest tells a request, which is answered, from the rest.
func (t Type) IsRequest() bool {
	return t == ResolutionRequest || t == RegistrationRequest || t == PurgeRequest
}

// Address families (ar$afn) and protocol types (ar$pro.type).
const (
	FamilyIPv4   uint16 = 1
	FamilyIPv6   uint16 = 2
	ProtocolIPv4 uint16 = 0x0800
	ProtocolIPv6 uint16 = 0x86DD
)

// Sizes and limits, bytes.
const (
	fixedLen     = 20
	mandatoryLen = 8 // of the mandatory part, before its addresses
	version      = 1 // ar$op.version of NHRP

	MaxSize = 65535 // ar$pktsz has 16 bits
)

// Message is an NHRP packet. Which fields count depends on Type:
// types 1 to 6 use Flags, RequestID and CIEs; an Error Indication Code, Offset and Packet; a Traffic Indication Code
// and Packet.
type Message struct {
	Family   uint16 // of NBMA addresses
	Protocol uint16
	HopCount uint8
	Type     Type

	Flags     uint16 // unused by types 7 and 8, and kept
	RequestID uint32
	Code      uint16 // ErrorCode, or 0 for a redirect
	Offset    uint16 // byte of the packet in error that is at fault; unused by type 8, and kept

	SrcNBMA  netip.Addr // zero Addrs have length zero on the wire
	SrcProto netip.Addr
	DstProto netip.Addr

	CIEs   []CIE
	Packet []byte // the packet in error, or the start of the data packet
	// Exts are the extensions in order, the End with them. None: the packet has no extensions part.
	Exts []Extension
}

// carriesPacket tells types whose mandatory part ends in a packet from those where it ends in entries.
func (t Type) carriesPacket() bool { return t == ErrorIndication || t == TrafficIndication }

// FamilyOf is ar$afn for an NBMA address.
func FamilyOf(a netip.Addr) uint16 {
	if a.Is6() {
		return FamilyIPv6
	}
	return FamilyIPv4
}

// ProtocolOf is ar$pro.type for a protocol address.
func ProtocolOf(a netip.Addr) uint16 {
	if a.Is6() {
		return ProtocolIPv6
	}
	return ProtocolIPv4
}

// lens are the address lengths of a packet, bytes.
type lens struct{ nbma, proto int }

func lensOf(family, protocol uint16) (l lens, ok bool) {
	switch family {
	case FamilyIPv4:
		l.nbma = 4
	case FamilyIPv6:
		l.nbma = 16
	default:
		return l, false
	}
	switch protocol {
	case ProtocolIPv4:
		l.proto = 4
	case ProtocolIPv6:
		l.proto = 16
	default:
		return l, false
	}
	return l, true
}

// Append appends the packet with lengths, offsets and checksum filled in. It fails when an address is not of the
// packet's family or the packet gets longer than MaxSize; dst is returned as it was then.
func (m *Message) Append(dst []byte) ([]byte, error) {
	l, ok := lensOf(m.Family, m.Protocol)
	if !ok {
		return dst, fmt.Errorf("nhrpmsg: family %d with protocol type %#04x cannot be encoded", m.Family, m.Protocol)
	}
	start := len(dst)
	b := binary.BigEndian.AppendUint16(dst, m.Family)
	b = binary.BigEndian.AppendUint16(b, m.Protocol)
	b = append(b, 0, 0, 0, 0, 0, m.HopCount, 0, 0, 0, 0, 0, 0, version, byte(m.Type), addrLen(m.SrcNBMA), 0)
	b = append(b, addrLen(m.SrcProto), addrLen(m.DstProto))
	b = binary.BigEndian.AppendUint16(b, m.Flags)
	if m.Type.carriesPacket() {
		b = binary.BigEndian.AppendUint16(b, m.Code)
		b = binary.BigEndian.AppendUint16(b, m.Offset)
	} else {
		b = binary.BigEndian.AppendUint32(b, m.RequestID)
	}
	if !fits(m.SrcNBMA, l.nbma) || !fits(m.SrcProto, l.proto) || !fits(m.DstProto, l.proto) {
		return dst, fmt.Errorf("nhrpmsg: %s: an address is not of the packet's family", m.Type)
	}
	b = appendAddr(b, m.SrcNBMA)
	b = appendAddr(b, m.SrcProto)
	b = appendAddr(b, m.DstProto)
	if m.Type.carriesPacket() {
		b = append(b, m.Packet...)
	} else {
		for i := range m.CIEs {
			if !m.CIEs[i].fits(l) {
				return dst, fmt.Errorf("nhrpmsg: %s: an address of entry %d is not of the packet's family", m.Type, i)
			}
			b = m.CIEs[i].append(b)
		}
	}
	if len(m.Exts) > 0 {
		if len(b)-start > MaxSize {
			return dst, fmt.Errorf("nhrpmsg: %s of more than %d bytes", m.Type, MaxSize)
		}
		binary.BigEndian.PutUint16(b[start+14:], uint16(len(b)-start))
		for i := range m.Exts {
			b = m.Exts[i].append(b)
		}
	}
	if len(b)-start > MaxSize {
		return dst, fmt.Errorf("nhrpmsg: %s of more than %d bytes", m.Type, MaxSize)
	}
	binary.BigEndian.PutUint16(b[start+10:], uint16(len(b)-start))
	binary.BigEndian.PutUint16(b[start+12:], Checksum(b[start:]))
	return b, nil
}

func addrLen(a netip.Addr) byte { return byte(a.BitLen() / 8) }

func fits(a netip.Addr, n int) bool { return !a.IsValid() || a.BitLen() == n*8 }

func appendAddr(b []byte, a netip.Addr) []byte {
	switch a.BitLen() {
	case 32:
		v := a.As4()
		return append(b, v[:]...)
	case 128:
		v := a.As16()
		return append(b, v[:]...)
	}
	return b
}
