package probe

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath/packet"
)

// ICMP types (RFC 792).
const (
	icmpEchoReply    = 0
	icmpUnreachable  = 3
	icmpQuench       = 4
	icmpEcho         = 8
	icmpTimeExceeded = 11
	icmpParameter    = 12
)

const (
	icmpHeader = 8
	ipHeader   = 20
	// codeFragNeeded is "fragmentation needed and DF set"; the next hop's MTU stands in bytes 6 and 7 (RFC 1191).
	codeFragNeeded = 4
)

// echo makes an echo request whose IP packet has size bytes. The data is IOS's pattern.
func echo(id, seq uint16, size int) []byte {
	b := make([]byte, size-ipHeader)
	b[0] = icmpEcho
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	for i := icmpHeader; i < len(b); i++ {
		b[i] = [2]byte{0xab, 0xcd}[i%2]
	}
	binary.BigEndian.PutUint16(b[2:], packet.Checksum(b))
	return b
}

// message is an ICMP message as far as it answers a probe.
type message struct {
	kind    Kind
	code    int
	mtu     int
	id, seq uint16 // of an echo reply, or of the echo request that an error is about
	// about is the packet that an error is about.
	about struct {
		valid        bool
		proto        uint8
		dst          netip.Addr
		sport, dport uint16
	}
	labels []Label
}

// understand reads an ICMP message (without its IP header). Not ok: it is broken, or of a type that answers nothing.
func understand(b []byte) (m message, ok bool) {
	if len(b) < icmpHeader || packet.Checksum(b) != 0 {
		return m, false
	}
	m.code = int(b[1])
	switch b[0] {
	case icmpEchoReply:
		m.kind, m.id, m.seq = Reply, binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
		return m, true
	case icmpUnreachable:
		m.kind = Unreachable
		if m.code == codeFragNeeded {
			m.kind, m.mtu = TooBig, int(binary.BigEndian.Uint16(b[6:]))
		}
	case icmpTimeExceeded:
		m.kind = Exceeded
	case icmpQuench:
		m.kind = Quench
	case icmpParameter:
		m.kind = Other
	default:
		return m, false
	}
	m.quoted(b[icmpHeader:])
	if m.about.valid && (b[0] == icmpTimeExceeded || b[0] == icmpUnreachable) {
		m.labels = labels(b[icmpHeader:], int(b[5])*4)
	}
	return m, m.about.valid
}

// quoted reads the packet that an error is about: its IP header and eight bytes at least (RFC 792).
func (m *message) quoted(b []byte) {
	if len(b) < ipHeader || b[0]>>4 != 4 {
		return
	}
	header := int(b[0]&15) * 4
	if header < ipHeader || len(b) < header+8 {
		return
	}
	rest := b[header:]
	m.about.proto = b[9]
	m.about.dst = netip.AddrFrom4([4]byte(b[16:20]))
	switch m.about.proto {
	case protoICMP:
		if rest[0] != icmpEcho {
			return
		}
		m.id, m.seq = binary.BigEndian.Uint16(rest[4:]), binary.BigEndian.Uint16(rest[6:])
	case protoUDP:
		m.about.sport, m.about.dport = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	default:
		return
	}
	m.about.valid = true
}

// IP protocols.
const (
	protoICMP = 1
	protoUDP  = 17
)

// Extensions of ICMP: where they stand if nobody says how long the quoted packet is, their version, and the object with labels (RFC 4884, 4950).
const (
	extensionsAt      = 128
	extensionsVersion = 2
	classLabels       = 1
	typeStack         = 1
	maxLabels         = 16
)

// labels reads the stack of labels behind a quoted packet of a given length; none where there is none, or what is there is broken. A length of 0 is that of those who do not
// say it, whose extensions stand behind 128 bytes.
func labels(b []byte, length int) (list []Label) {
	if length == 0 {
		length = extensionsAt
	}
	if length < extensionsAt || len(b) < length+4 {
		return nil
	}
	b = b[length:]
	if b[0]>>4 != extensionsVersion || binary.BigEndian.Uint16(b[2:]) != 0 && packet.Checksum(b) != 0 {
		return nil
	}
	for b = b[4:]; len(b) >= 4; {
		n := int(binary.BigEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return list
		}
		if b[2] == classLabels && b[3] == typeStack {
			for e := b[4:n]; len(e) >= 4 && len(list) < maxLabels; e = e[4:] {
				v := binary.BigEndian.Uint32(e)
				list = append(list, Label{Value: v >> 12, Exp: uint8(v >> 9 & 7), TTL: uint8(v)})
			}
		}
		b = b[n:]
	}
	return list
}
