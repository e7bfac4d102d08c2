package fastpath

import (
	"encoding/binary"

	"nave/fastpath/packet"
)

// flowBucket tells which bucket a frame belongs to: by what all packets of its flow, or of its security association, have in common. ESP and AH go by
// destination and SPI, in UDP too, so that an association stays with its worker when a NAT gives its peer another address; GRE by
// addresses and key; others by addresses, protocol and ports; fragments by addresses and protocol.
func flowBucket(b []byte) uint8 {
	if len(b) < packet.EthernetLen {
		return 0
	}
	switch binary.BigEndian.Uint16(b[12:14]) {
	case packet.TypeIPv4:
		if len(b) >= packet.EthernetLen+packet.IPv4Len {
			return ipBucket(b[packet.EthernetLen:])
		}
	case packet.TypeMPLS:
		return labelBucket(b[packet.EthernetLen:])
	case packet.TypeVLAN:
		if b = b[packet.VLANLen:]; len(b) >= packet.EthernetLen && binary.BigEndian.Uint16(b[12:14]) != packet.TypeVLAN {
			return flowBucket(b)
		}
	}
	return 0
}

// ipBucket is flowBucket for an IPv4 packet of 20 bytes at least.
func ipBucket(ip []byte) uint8 {
	_ = ip[packet.IPv4Len-1]
	be := binary.BigEndian
	proto := uint64(ip[9])
	addrs := be.Uint64(ip[12:20])
	hl := int(ip[0]&15) * 4
	if be.Uint16(ip[6:8])&0x3fff != 0 || hl < packet.IPv4Len || len(ip) < hl+8 {
		return mix(addrs, proto)
	}
	l4 := ip[hl : hl+8]
	switch proto {
	case packet.ProtoESP:
		return mix(addrs&0xffffffff, uint64(be.Uint32(l4)))
	case packet.ProtoAH:
		return mix(addrs&0xffffffff, uint64(be.Uint32(l4[4:])))
	case packet.ProtoUDP:
		if be.Uint16(l4[2:]) == natPort && len(ip) >= hl+packet.UDPLen+4 {
			if spi := be.Uint32(ip[hl+packet.UDPLen:]); spi != 0 {
				return mix(addrs&0xffffffff, uint64(spi))
			}
		}
		fallthrough
	case packet.ProtoTCP:
		return mix(addrs, proto<<32|uint64(be.Uint32(l4)))
	case packet.ProtoGRE:
		return mix(addrs, proto<<32|uint64(greKey(ip[hl:])))
	}
	return mix(addrs, proto)
}

// greKey is the key of a GRE header (RFC 2890), 0 without one.
func greKey(gre []byte) uint32 {
	at := 4
	if gre[0]&0x80 != 0 { // a checksum stands before the key
		at = 8
	}
	if gre[0]&0x20 == 0 || len(gre) < at+4 {
		return 0
	}
	return binary.BigEndian.Uint32(gre[at:])
}

// labelBucket is flowBucket for a labelled packet: by the addresses of an IPv4 packet under at most 8 labels, or else by the labels.
func labelBucket(b []byte) uint8 {
	var labels uint64
	for at := 0; at < 8*4 && at+4 <= len(b); at += 4 {
		e := binary.BigEndian.Uint32(b[at:])
		labels = labels*31 + uint64(e>>12)
		if e&0x100 == 0 { // not the bottom of the stack
			continue
		}
		if ip := b[at+4:]; len(ip) >= packet.IPv4Len && ip[0]>>4 == 4 {
			return mix(binary.BigEndian.Uint64(ip[12:20]), labels)
		}
		break
	}
	return mix(0, labels)
}

// mix is another function than flowHash, so that the flows of one worker still take all paths.
func mix(a, b uint64) uint8 {
	h := (a ^ a>>31) * 0x9e3779b97f4a7c15
	h ^= b * 0xd6e8feb86659fd93
	h = (h ^ h>>32) * 0xff51afd7ed558ccd
	return uint8(h >> 56)
}
