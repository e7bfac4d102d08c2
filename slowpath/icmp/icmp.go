// Package icmp makes the ICMP errors (RFC 792, RFC 1812 section 4.3) that a router owes to senders.
package icmp

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath/packet"
)

// Kind is an error message.
type Kind uint8

// The errors nave sends.
const (
	TTLExceeded Kind = iota
	FragmentationNeeded
	HostUnreachable
	NetUnreachable
	AdministrativelyProhibited
)

var typeCode = [...][2]byte{
	TTLExceeded: {11, 0}, FragmentationNeeded: {3, 4}, HostUnreachable: {3, 1}, NetUnreachable: {3, 0}, AdministrativelyProhibited: {3, 13},
}

// maxMessage is the longest error, IP header included (RFC 1812 section 4.3.2.3).
const maxMessage = 576

const (
	ipv4Len     = 20
	icmpLen     = 8
	quotedTOS   = 0xc0 // precedence 6 (RFC 1812 section 4.3.2.5)
	initialTTL  = 255
	protoICMP   = 1
	offsetField = 0x1fff
)

// Error makes the error about a packet, from the router's address on the side that the packet came from. mtu is for
// FragmentationNeeded (RFC 1191). ok is false where no error may be sent (RFC 1812 section 4.3.2.7): about an ICMP
// error, a later fragment, to or from a multicast, broadcast or unspecified address.
func Error(k Kind, mtu uint16, from netip.Addr, about []byte) (msg []byte, ok bool) {
	return ErrorLabelled(k, mtu, from, about, nil)
}

// ErrorLabelled is Error about a packet that came with a label stack, which the message shows (RFC 4950): entries of 4 bytes, as they were received.
func ErrorLabelled(k Kind, mtu uint16, from netip.Addr, about, stack []byte) (msg []byte, ok bool) {
	ip, fault := packet.ParseIPv4(about)
	if fault != packet.OK && !isCut(about) {
		return nil, false
	}
	if fault != packet.OK {
		ip = packet.IPv4(about)
	}
	header := int(ip[0]&0x0f) * 4
	src, dst := netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	if !from.Is4() || !unicast(src) || !unicast(dst) || binary.BigEndian.Uint16(ip[6:])&offsetField != 0 {
		return nil, false
	}
	if ip[9] == protoICMP && (len(ip) <= header || isError(ip[header])) {
		return nil, false
	}
	quote := ip[:min(len(ip), maxMessage-ipv4Len-icmpLen)]
	size, extension := len(quote), extend(stack)
	if extension != nil {
		quote, size = ip[:min(len(ip), extendedQuote)], extendedQuote+len(extension)
	}
	msg = make([]byte, ipv4Len+icmpLen+size)
	msg[0], msg[1], msg[8], msg[9] = 0x45, quotedTOS, initialTTL, protoICMP
	binary.BigEndian.PutUint16(msg[2:], uint16(len(msg)))
	a := from.As4()
	copy(msg[12:], a[:])
	copy(msg[16:], ip[12:16])
	binary.BigEndian.PutUint16(msg[10:], packet.Checksum(msg[:ipv4Len]))
	m := msg[ipv4Len:]
	m[0], m[1] = typeCode[k][0], typeCode[k][1]
	if k == FragmentationNeeded {
		binary.BigEndian.PutUint16(m[6:], mtu)
	}
	copy(m[icmpLen:], quote)
	if extension != nil {
		m[5] = extendedQuote / 4
		copy(m[icmpLen+extendedQuote:], extension)
	}
	binary.BigEndian.PutUint16(m[2:], packet.Checksum(m))
	return msg, true
}

// extendedQuote is how much of a packet is quoted, zeros after it, where an extension follows: what those expect that
// know nothing of its length (RFC 4884 section 5.1).
const extendedQuote = 128

// extend is the extension with the object of a label stack (RFC 4884 section 7, RFC 4950 section 3); nil without labels.
func extend(stack []byte) []byte {
	if len(stack) == 0 {
		return nil
	}
	b := append(make([]byte, 8, 8+len(stack)), stack...)
	b[0] = 2 << 4 // version
	binary.BigEndian.PutUint16(b[4:], uint16(4+len(stack)))
	b[6], b[7] = 1, 1 // the incoming label stack
	binary.BigEndian.PutUint16(b[2:], packet.Checksum(b))
	return b
}

// isCut tells whether the packet is a whole IPv4 header whose total length says more than is there: what was punted
// to be quoted is cut short.
func isCut(b []byte) bool {
	return len(b) >= ipv4Len && b[0]>>4 == 4 && b[0]&0x0f >= 5 && len(b) >= int(b[0]&0x0f)*4
}

func unicast(a netip.Addr) bool {
	return !a.IsMulticast() && !a.IsUnspecified() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// isError tells ICMP errors from queries by their type.
func isError(t byte) bool {
	switch t {
	case 3, 4, 5, 11, 12:
		return true
	}
	return false
}
