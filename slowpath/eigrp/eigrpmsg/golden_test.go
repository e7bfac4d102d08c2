package eigrpmsg_test

import (
	"bytes"
	"net/netip"
	"testing"

	"nave/slowpath/eigrp/eigrpmsg"
	"nave/testbed/golden"
)

// TestGoldenRoundTrip reads all that real routers sent, and writes the same bytes.
func TestGoldenRoundTrip(t *testing.T) {
	seen := map[eigrpmsg.Opcode]int{}
	routes := 0
	for _, file := range golden.EIGRPFiles {
		for _, g := range golden.EIGRP(t, file) {
			p, err := eigrpmsg.Parse(g.Payload)
			if err != nil {
				t.Fatalf("%s frame %d: %v", g.File, g.Frame, err)
			}
			seen[p.Opcode]++
			routes += len(p.Routes)
			b, err := p.Append(nil)
			if err != nil || !bytes.Equal(b, g.Payload) {
				t.Errorf("%s frame %d: %v\n%x\nis not\n%x", g.File, g.Frame, err, b, g.Payload)
			}
		}
	}
	for _, op := range []eigrpmsg.Opcode{eigrpmsg.Hello, eigrpmsg.Update, eigrpmsg.Query, eigrpmsg.Reply} {
		if seen[op] == 0 {
			t.Errorf("no %s seen", op)
		}
	}
	if routes < 20 {
		t.Errorf("%d routes seen", routes)
	}
}

func TestGoldenValues(t *testing.T) {
	all := golden.EIGRP(t, "EIGRP_adjacency.pcap")
	parse := func(frame int) *eigrpmsg.Packet {
		for _, g := range all {
			if g.Frame == frame {
				p, err := eigrpmsg.Parse(g.Payload)
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
		}
		t.Fatalf("no frame %d", frame)
		return nil
	}
	if p := parse(1); p.AS != 100 || *p.Parameters != (eigrpmsg.Parameters{K: [6]uint8{1, 0, 1}, Hold: 15}) || *p.Software != (eigrpmsg.Software{Major: 12, Minor: 4, TLVMajor: 1, TLVMinor: 2}) {
		t.Errorf("hello %+v", p)
	}
	if p := parse(12); p.Opcode != eigrpmsg.Update || p.Flags != eigrpmsg.FlagInit || p.Sequence == 0 || p.Ack != 0 || len(p.Routes) != 0 {
		t.Errorf("init %+v", p)
	}
	if p := parse(18); !p.HasNext || len(p.Sequenced) != 1 || p.Sequenced[0] != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("sequenced hello %+v", p)
	} else if q := parse(19); q.Flags&eigrpmsg.FlagCR == 0 || q.Sequence != p.NextMulticast {
		t.Errorf("conditional multicast %+v", q)
	}
	if p := parse(15); len(p.Routes) == 0 || !p.Routes[0].Reachable() || p.Routes[0].External != nil || p.Routes[0].Metric.MTU != 1500 {
		t.Errorf("table %+v", p)
	}
	bye := 0
	for _, g := range golden.EIGRP(t, "EIGRP_goodbye.pcap") {
		if p, err := eigrpmsg.Parse(g.Payload); err == nil && p.Parameters.Goodbye() {
			bye++
		}
	}
	if bye != 1 {
		t.Errorf("%d goodbyes", bye)
	}
	down := golden.EIGRP(t, "EIGRP_subnet_down.pcap")
	p, err := eigrpmsg.Parse(down[7].Payload)
	if err != nil || len(p.Routes) != 1 || p.Routes[0].Reachable() {
		t.Errorf("withdrawal %+v, %v", p, err)
	}
}
