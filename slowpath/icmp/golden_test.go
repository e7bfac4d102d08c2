package icmp

import (
	"bytes"
	"encoding/binary"
	"testing"

	"nave/fastpath/packet"
	"nave/testbed/golden"
)

// TestGoldenLabelled makes the errors that routers of an MPLS core sent to a traceroute, of what they quote and the stack that they show. But for the length of the quote, which is of a
// younger standard (RFC 4884 section 5.1), they are the same.
func TestGoldenLabelled(t *testing.T) {
	errors := golden.ICMP(t, "mpls-traceroute.pcap")
	var labels []uint32
	for _, p := range errors {
		if p.Message[0] != 11 {
			continue
		}
		about := p.Message[icmpLen:]
		about = about[:binary.BigEndian.Uint16(about[2:])]
		stack := p.Message[icmpLen+extendedQuote+8:]
		msg, ok := ErrorLabelled(TTLExceeded, 0, p.From, about, stack)
		if !ok {
			t.Fatalf("frame %d: no error", p.Frame)
		}
		got := bytes.Clone(msg[ipv4Len:])
		if got[5] != extendedQuote/4 {
			t.Errorf("frame %d: the quote is %d words", p.Frame, got[5])
		}
		got[5], got[2], got[3] = 0, 0, 0
		binary.BigEndian.PutUint16(got[2:], packet.Checksum(got))
		if !bytes.Equal(got, p.Message) {
			t.Errorf("frame %d:\n%x, and it was\n%x", p.Frame, got, p.Message)
		}
		labels = append(labels, binary.BigEndian.Uint32(stack)>>12)
	}
	want := []uint32{ // as tshark reads them; the last three answers are the destination's, and no errors of this kind
		100704, 100704, 100704, 102672, 102672, 102672,
	}
	if len(labels) != len(want) {
		t.Fatalf("labels %v, want %v", labels, want)
	}
	for i := range want {
		if labels[i] != want[i] {
			t.Errorf("labels %v, want %v", labels, want)
		}
	}
}
