package packet

import "encoding/binary"

// UDPLen is the length of a UDP header, in bytes.
const UDPLen = 8

// UDP is a UDP datagram, cut to its length field.
type UDP []byte

// ParseUDP checks the lengths.
func ParseUDP(b []byte) (UDP, Fault) {
	if len(b) < UDPLen {
		return nil, Short
	}
	n := int(binary.BigEndian.Uint16(b[4:6]))
	if n < UDPLen || n > len(b) {
		return nil, BadLength
	}
	return b[:n], OK
}

// SrcPort is the source port.
func (u UDP) SrcPort() uint16 { return binary.BigEndian.Uint16(u[0:2]) }

// DstPort is the destination port.
func (u UDP) DstPort() uint16 { return binary.BigEndian.Uint16(u[2:4]) }

// Payload is what follows the header.
func (u UDP) Payload() []byte { return u[UDPLen:] }

// ICMPLen is the length of the part that all ICMP messages have, in bytes.
const ICMPLen = 8

// ICMP messages that forwarding gives rise to (RFC 792, RFC 1191).
const (
	ICMPEchoReply       = 0
	ICMPUnreachable     = 3
	ICMPEchoRequest     = 8
	ICMPTimeExceeded    = 11
	CodeFragNeeded      = 4
	CodeHostUnreachable = 1
)

// ICMP is an ICMP message.
type ICMP []byte

// ParseICMP checks the length and the checksum.
func ParseICMP(b []byte) (ICMP, Fault) {
	if len(b) < ICMPLen {
		return nil, Short
	}
	if Checksum(b) != 0 {
		return nil, BadChecksum
	}
	return b, OK
}

// Type is the message type.
func (m ICMP) Type() uint8 { return m[0] }

// Code is the message's code.
func (m ICMP) Code() uint8 { return m[1] }

// MTU is the next hop's MTU in a "fragmentation needed" (RFC 1191 section 4), in bytes.
func (m ICMP) MTU() uint16 { return binary.BigEndian.Uint16(m[6:8]) }

// Body is what follows the common part; of errors, the packet they are about.
func (m ICMP) Body() []byte { return m[ICMPLen:] }

// Ports hashes well what tells flows apart: the first four bytes of a TCP or UDP header, 0 for anything else and for
// fragments, which must go the way of their first.
func (p IPv4) Ports() uint32 {
	if proto := p[9]; proto != ProtoTCP && proto != ProtoUDP {
		return 0
	}
	hl := p.HeaderLen()
	if p.IsFragment() || len(p) < hl+4 {
		return 0
	}
	return binary.BigEndian.Uint32(p[hl:])
}
