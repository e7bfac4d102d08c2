package sim

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath/packet"
)

// Protocols and sizes that packets of a simulation have.
const (
	protoICMP  = 1
	protoUDP   = 17
	protoGRE   = 47
	protoESP   = 50
	protoAH    = 51
	protoEIGRP = 88
	defaultTTL = 64
)

// IP makes an IPv4 packet.
func IP(src, dst netip.Addr, proto, ttl uint8, df bool, id uint16, payload []byte) []byte {
	h := packet.Header{ID: id, TTL: ttl, Proto: proto, Src: src.As4(), Dst: dst.As4()}
	if df {
		h.Flags = packet.FlagDF
	}
	b := make([]byte, packet.IPv4Len+len(payload))
	h.Put(b, len(payload))
	copy(b[packet.IPv4Len:], payload)
	return b
}

// Frame puts an Ethernet header in front of an IPv4 packet.
func Frame(dst, src [6]byte, ip []byte) []byte {
	b := make([]byte, packet.EthernetLen+len(ip))
	packet.PutEthernet(b, dst, src, packet.TypeIPv4)
	copy(b[packet.EthernetLen:], ip)
	return b
}

// GRE puts a GRE header (RFC 2890) in front of a payload. key is left out where it is nil.
func GRE(proto uint16, key *uint32, payload []byte) []byte {
	b := []byte{0, 0, byte(proto >> 8), byte(proto)}
	if key != nil {
		b[0] = 0x20
		b = binary.BigEndian.AppendUint32(b, *key)
	}
	return append(b, payload...)
}

// echo makes an ICMP echo message of n bytes.
func echo(typ uint8, id, seq uint16, n int) []byte {
	b := make([]byte, max(n, packet.ICMPLen))
	b[0] = typ
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	for i := packet.ICMPLen; i < len(b); i++ {
		b[i] = byte(i)
	}
	binary.BigEndian.PutUint16(b[2:], packet.Checksum(b))
	return b
}

// untagged is a frame without its VLAN tag, if it has one.
func untagged(frame []byte) []byte {
	eth, fault := packet.ParseEthernet(frame)
	if fault != packet.OK || eth.Type() != packet.TypeVLAN || len(frame) < packet.EthernetLen+packet.VLANLen {
		return frame
	}
	return append(append([]byte(nil), frame[:12]...), frame[12+packet.VLANLen:]...)
}

// Inner takes Ethernet with or without a VLAN tag, and where there is a GRE header with IPv4 behind it also the tunnel's headers, off a frame. tunnel
// tells whether there was one. ip is nil where the frame holds no IPv4 packet.
func Inner(frame []byte) (ip packet.IPv4, tunnel bool) {
	frame = untagged(frame)
	eth, fault := packet.ParseEthernet(frame)
	if fault != packet.OK || eth.Type() != packet.TypeIPv4 {
		return nil, false
	}
	ip, fault = packet.ParseIPv4(frame[packet.EthernetLen:])
	if fault != packet.OK {
		return nil, false
	}
	if ip.Proto() != protoGRE || ip.FlagsOffset()&packet.OffsetMask != 0 {
		return ip, false
	}
	g, fault := packet.ParseGRE(ip.Payload())
	if fault != packet.OK || g.Proto != packet.TypeIPv4 {
		return ip, false
	}
	b := ip.Payload()[g.Len:]
	if len(b) < packet.IPv4Len {
		return ip, false
	}
	return packet.IPv4(b), true
}

// fragments cuts an IPv4 packet without options for an MTU.
func fragments(ip packet.IPv4, mtu int) [][]byte {
	if len(ip) <= mtu {
		return [][]byte{ip}
	}
	hl := ip.HeaderLen()
	step := (mtu - hl) &^ 7
	var out [][]byte
	for payload, at := ip[hl:], 0; at < len(payload); at += step {
		cut := payload[at:min(at+step, len(payload))]
		b := append(append(make([]byte, 0, hl+len(cut)), ip[:hl]...), cut...)
		fo := ip.FlagsOffset() + uint16(at/8)
		if at+len(cut) < len(payload) {
			fo |= packet.FlagMF
		}
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[6:], fo)
		packet.IPv4(b).SetSum()
		out = append(out, b)
	}
	return out
}

func addr4(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}
