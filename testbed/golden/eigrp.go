package golden

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
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
	_, here, _, _ := runtime.Caller(0)
	f, err := os.Open(filepath.Join(filepath.Dir(here), "testdata", "eigrp", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next, err := reader(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var out []EIGRPPacket
	for frame := 1; ; frame++ {
		data, at, err := next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s frame %d: %v", file, frame, err)
		}
		if p, ok := eigrpOf(data); ok {
			p.File, p.Frame, p.Time = file, frame, at
			out = append(out, p)
		}
	}
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
