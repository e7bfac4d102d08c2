package golden

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// LDPFiles are the captures of LDP.
var LDPFiles = []string{"ldp-common-session.pcap", "mpls-ldp-hello.pcap", "frr8.4-ldp-mgre.pcap"}

// LDPPacket is what one datagram or segment of a capture carries of LDP.
type LDPPacket struct {
	File     string
	Frame    int // from 1
	Time     time.Time
	From, To netip.AddrPort
	TCP      bool
	Payload  []byte // in these captures, no PDU is split over segments
}

// LDP reads the LDP packets of a capture in testdata/ldp.
func LDP(t testing.TB, file string) []LDPPacket {
	t.Helper()
	var out []LDPPacket
	frames(t, "ldp", file, func(frame int, at time.Time, data []byte) {
		if p, ok := ldpOf(data); ok {
			p.File, p.Frame, p.Time = file, frame, at
			out = append(out, p)
		}
	})
	return out
}

// ldpOf is what a frame carries of LDP.
func ldpOf(b []byte) (p LDPPacket, ok bool) {
	p, ok = transportOf(b)
	return p, ok && (p.From.Port() == 646 || p.To.Port() == 646)
}

// transportOf takes Ethernet, a VLAN tag, or PPP, IPv4, GRE and what is in it, and UDP or TCP off a frame.
func transportOf(b []byte) (p LDPPacket, ok bool) {
	if len(b) >= 18 && binary.BigEndian.Uint16(b[12:]) == 0x8100 { // VLAN tag
		b = b[4:]
	}
	switch {
	case len(b) >= 14 && binary.BigEndian.Uint16(b[12:]) == 0x0800:
		b = b[14:]
	case len(b) >= 4 && binary.BigEndian.Uint32(b) == 0xff030021: // PPP: IPv4
		b = b[4:]
	default:
		return p, false
	}
	from, to, proto, b, ok := ipv4Of(b)
	if ok && proto == 47 && len(b) >= 8 && binary.BigEndian.Uint32(b) == 0x20000800 { // GRE with a key: IPv4
		from, to, proto, b, ok = ipv4Of(b[8:])
	}
	if !ok || len(b) < 20 && proto == 6 || len(b) < 8 {
		return p, false
	}
	p.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(b))
	p.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:]))
	switch n := int(b[12%len(b)]>>4) * 4; {
	case proto == 17:
		p.Payload = b[8:]
	case proto == 6 && n >= 20 && n <= len(b):
		p.TCP, p.Payload = true, b[n:]
	}
	return p, len(p.Payload) > 0
}

// ipv4Of takes an IPv4 header off.
func ipv4Of(b []byte) (from, to netip.Addr, proto byte, rest []byte, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return from, to, 0, nil, false
	}
	n, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if n < 20 || total < n || total > len(b) {
		return from, to, 0, nil, false
	}
	return netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9], b[n:total], true
}
