package golden

import (
	"net/netip"
	"testing"
	"time"
)

// ICMPPacket is an ICMP message of a capture.
type ICMPPacket struct {
	Frame    int // from 1
	From, To netip.Addr
	Message  []byte // from its type on
}

// ICMP reads the ICMP messages of a capture in testdata/mpls.
func ICMP(t testing.TB, file string) (out []ICMPPacket) {
	t.Helper()
	frames(t, "mpls", file, func(frame int, _ time.Time, data []byte) {
		if len(data) < 4 {
			t.Fatalf("%s frame %d has %d bytes", file, frame, len(data))
		}
		if from, to, proto, message, ok := ipv4Of(data[4:]); ok && proto == 1 { // behind PPP
			out = append(out, ICMPPacket{frame, from, to, message})
		}
	})
	return out
}
