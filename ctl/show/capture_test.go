package show

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/ctl/capture"
)

func TestCaptureText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789000, time.UTC)
	a, b, nbma := netip.MustParseAddr("10.1.0.5"), netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("192.0.2.11")
	var out strings.Builder
	r := capture.Request{Interface: "Tunnel0", What: capture.Drops, Reason: "no-route"}
	if err := r.Complete(); err != nil {
		t.Fatal(err)
	}
	out.WriteString(CaptureBegin(&r, "/tmp/a.pcapng"))
	r.Reason, r.What, r.Bytes = "", capture.Both, 3000
	out.WriteString(CaptureBegin(&r, ""))
	for _, p := range []capture.Packet{
		{Point: capture.Received, Interface: "Ethernet0", Src: nbma, Dst: a, Protocol: 50, SPI: 0xabcd0001, Sequence: 7, Length: 150},
		{Point: capture.Decapsulated, Interface: "Tunnel0", Src: a, Dst: b, Protocol: 17, SrcPort: 40000, DstPort: 53, Length: 80, Peer: nbma, VRF: "RED"},
		{Point: capture.Encapsulated, Out: true, Interface: "Tunnel0", Src: b, Dst: a, Protocol: 1, ICMP: &capture.ICMP{Type: 8}, Length: 100, Peer: nbma, Labels: []uint32{17, 18}},
		{Point: capture.Sent, Out: true, Interface: "Ethernet0.10", VLAN: 10, Src: b, Dst: a, Protocol: 6, SrcPort: 1, DstPort: 179, More: true, Length: 1518},
		{Point: capture.Received, Interface: "Ethernet0", Src: b, Dst: a, Protocol: 6, Offset: 1480, Length: 600},
		{Point: capture.Dropped, Interface: "Ethernet0", Src: a, Dst: b, Protocol: 99, Reason: "no-route", Text: "no route to the destination", Length: 60},
		{Point: capture.Dropped, Interface: "Tunnel0", Type: 0x2001, Reason: "nhrp", Text: "an NHRP message", Lost: true, Length: 60},
		{Point: capture.Punted, Interface: "Ethernet0", Src: a, Dst: b, Protocol: 1, ICMP: &capture.ICMP{Type: 3, Code: 4}, Reason: "local", Text: "for an address of this box", Length: 70, Opened: true},
		{Point: capture.Dropped, Interface: "Ethernet0", Type: 0x88b5, Reason: "ethernet-type", Text: "t", Length: 60},
		{Point: capture.Dropped, Interface: "injected", Reason: "ip-short", Text: "t", Length: 3},
	} {
		p.Time = at
		out.WriteString(CapturedPacket(&p))
	}
	for _, s := range []capture.Summary{
		{Packets: 10000, Bytes: 123456, Lost: 17, Took: 1234567890, Why: capture.WhyCount}, {Why: capture.WhyDuration, Took: time.Minute}, {Why: capture.WhyBytes}, {Why: capture.WhyStopped},
	} {
		out.WriteString(CaptureEnd(&s))
	}
	golden(t, "capture", out.String())
}
