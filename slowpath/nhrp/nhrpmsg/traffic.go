package nhrpmsg

import (
	"encoding/binary"
	"net/netip"
)

// A Traffic Indication's Code: send the traffic elsewhere.
const TrafficRedirect uint16 = 0

// DataAddrs reads source and destination of the data packet that a Traffic Indication carries: an IP header
// at least, maybe cut off after 8 bytes more. ok is false for what is not IPv4 or IPv6.
func DataAddrs(b []byte) (src, dst netip.Addr, ok bool) {
	if len(b) < 20 {
		return src, dst, false
	}
	switch b[0] >> 4 {
	case 4:
		if b[0]&15 < 5 {
			return src, dst, false
		}
		return netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), true
	case 6:
		if len(b) < 40 {
			return src, dst, false
		}
		return netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), true
	}
	return src, dst, false
}

// DataStart is the part of a data packet that an indication carries: header and 8 bytes more, as ICMP errors do.
func DataStart(b []byte) []byte {
	n := 48
	if len(b) > 0 && b[0]>>4 == 4 {
		n = int(b[0]&15)*4 + 8
		if len(b) >= 4 { // what lower layers padded is not the packet's
			n = min(n, max(20, int(binary.BigEndian.Uint16(b[2:]))))
		}
	}
	return b[:min(n, len(b))]
}
