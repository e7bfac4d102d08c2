package fastpath

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"nave/fastpath/packet"
)

// Probe says what packet is to be made for a Question.
type Probe struct {
	Src, Dst         netip.Addr
	Proto            uint8
	SrcPort, DstPort uint16 // of TCP and UDP
	Size             int    // of the IPv4 packet, bytes
	TTL, TOS         uint8
	DF               bool
}

// probeMSS is the MSS that a TCP SYN asks for: of a host on Ethernet.
const probeMSS = 1460

// MinProbe is how small a packet of a protocol can be, in bytes.
func MinProbe(proto uint8) int {
	switch proto {
	case packet.ProtoTCP:
		return packet.IPv4Len + 24
	case packet.ProtoUDP, packet.ProtoICMP:
		return packet.IPv4Len + 8
	}
	return packet.IPv4Len
}

// Packet makes it: of TCP a SYN, of ICMP an echo request, of all else a header without a payload of meaning.
func (p *Probe) Packet() ([]byte, error) {
	if !p.Src.Is4() || !p.Dst.Is4() {
		return nil, fmt.Errorf("a packet from %s to %s: want two IPv4 addresses", p.Src, p.Dst)
	}
	if least := MinProbe(p.Proto); p.Size < least || p.Size > 1<<16-1 {
		return nil, fmt.Errorf("a packet of %d bytes: want %d to %d for IP protocol %d", p.Size, least, 1<<16-1, p.Proto)
	}
	b := make([]byte, p.Size)
	h := packet.Header{TOS: p.TOS, TTL: p.TTL, Proto: p.Proto, Src: p.Src.As4(), Dst: p.Dst.As4()}
	if p.DF {
		h.Flags = packet.FlagDF
	}
	l4 := b[packet.IPv4Len:]
	h.Put(b, len(l4))
	be := binary.BigEndian
	sumAt := -1
	switch p.Proto {
	case packet.ProtoTCP:
		be.PutUint16(l4, p.SrcPort)
		be.PutUint16(l4[2:], p.DstPort)
		l4[12], l4[13] = 6<<4, packet.TCPSyn
		be.PutUint16(l4[14:], 1<<16-1)
		l4[20], l4[21] = 2, 4 // maximum segment size (RFC 9293 section 3.7.1)
		be.PutUint16(l4[22:], probeMSS)
		sumAt = 16
	case packet.ProtoUDP:
		be.PutUint16(l4, p.SrcPort)
		be.PutUint16(l4[2:], p.DstPort)
		be.PutUint16(l4[4:], uint16(len(l4)))
		sumAt = 6
	case packet.ProtoICMP:
		l4[0] = 8 // echo
		be.PutUint16(l4[2:], packet.Checksum(l4))
	}
	if sumAt > 0 {
		sum := packet.Sum(l4, packet.PseudoSum(h.Src, h.Dst, p.Proto, len(l4)))
		be.PutUint16(l4[sumAt:], ^packet.Fold(sum))
	}
	return b, nil
}
