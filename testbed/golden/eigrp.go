package golden

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// EIGRPFiles are the captures of EIGRP.
var EIGRPFiles = []string{"EIGRP_adjacency.pcap", "EIGRP_goodbye.pcap", "EIGRP_subnet_down.pcap", "EIGRP_subnet_up.pcap", "frr8.4-eigrp-mgre.pcap"}

// EIGRPPacket is one EIGRP packet of a capture.
type EIGRPPacket struct {
	File     string
	Frame    int // from 1
	Time     time.Time
	From, To netip.Addr
	Payload  []byte // after the IP header
}

// EIGRP reads the EIGRP packets of a capture in testdata/eigrp.
func EIGRP(t testing.TB, file string) []EIGRPPacket {
	t.Helper()
	var out []EIGRPPacket
	frames(t, "eigrp", file, func(frame int, at time.Time, data []byte) {
		if p, ok := eigrpOf(data); ok {
			p.File, p.Frame, p.Time = file, frame, at
			out = append(out, p)
		}
	})
	return out
}

// eigrpOf takes Ethernet, IPv4 and GRE off a frame.
func eigrpOf(b []byte) (p EIGRPPacket, ok bool) {
	if len(b) < 14 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return p, false
	}
	from, to, proto, b, ok := ipv4Of(b[14:])
	if ok && proto == 47 && len(b) >= 8 && binary.BigEndian.Uint32(b) == 0x20000800 { // GRE with a key: IPv4
		from, to, proto, b, ok = ipv4Of(b[8:])
	}
	if !ok || proto != 88 {
		return p, false
	}
	p.From, p.To, p.Payload = from, to, b
	return p, true
}
