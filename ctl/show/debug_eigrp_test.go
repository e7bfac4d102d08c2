package show

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"nave/slowpath"
	"nave/slowpath/trace"
	captures "nave/testbed/golden"
)

// Of each packet that was captured, the lines say what the bytes do.
func TestTraceEIGRP(t *testing.T) {
	var out strings.Builder
	packets := 0
	for _, file := range captures.EIGRPFiles {
		for i, p := range captures.EIGRP(t, file) {
			packets++
			b := p.Payload
			lines := Trace(&slowpath.Traced{Topics: trace.EIGRP, Event: slowpath.EIGRPTrace{Iface: "Tunnel0", Peer: p.From, Payload: b}})
			kind := map[byte]string{1: "UPDATE", 2: "REQUEST", 3: "QUERY", 4: "REPLY", 5: "HELLO", 10: "SIAQUERY", 11: "SIAREPLY"}[b[1]]
			if kind == "HELLO" && binary.BigEndian.Uint32(b[12:]) != 0 {
				kind = "ACK"
			}
			want := fmt.Sprintf("EIGRP: Received %s on Tunnel0 - paklen %d nbr %s", kind, len(b)-20, p.From)
			seq := fmt.Sprintf(", Seq %d/%d", binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:]))
			if len(lines) < 2 || lines[0] != want || !strings.HasPrefix(lines[1], fmt.Sprintf("  AS %d, Flags 0x%X:(", binary.BigEndian.Uint16(b[18:]), binary.BigEndian.Uint32(b[4:]))) || !strings.HasSuffix(lines[1], seq) {
				t.Errorf("%s frame %d:\n%s\nwant\n%s ... %s", file, p.Frame, strings.Join(lines, "\n"), want, seq)
			}
			if i < 8 {
				fmt.Fprintf(&out, "! %s, frame %d\n%s\n", file, p.Frame, strings.Join(lines, "\n"))
			}
		}
	}
	if packets < 20 {
		t.Errorf("only %d packets", packets)
	}
	group := netip.MustParseAddr("224.0.0.10")
	for _, b := range [][]byte{{2, 5}, make([]byte, 20), {2, 1, 0, 0, 0, 0, 0, 13, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 100, 1}} {
		out.WriteString(strings.Join(Trace(&slowpath.Traced{Event: slowpath.EIGRPTrace{Iface: "Tunnel0", Sent: true, Peer: group, Payload: b}}), "\n") + "\n")
	}
	golden(t, "debug_eigrp_packets", out.String())
}

func FuzzTraceEIGRP(f *testing.F) {
	for _, file := range captures.EIGRPFiles {
		for _, p := range captures.EIGRP(f, file) {
			f.Add(p.Payload)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lines := Trace(&slowpath.Traced{Event: slowpath.EIGRPTrace{Iface: "Tunnel0", Peer: netip.MustParseAddr("10.0.0.1"), Payload: b}})
		if len(lines) == 0 {
			t.Fatal("nothing")
		}
		sound(t, lines)
	})
}
