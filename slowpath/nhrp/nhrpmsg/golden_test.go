package nhrpmsg

import (
	"bytes"
	"net/netip"
	"testing"

	"nave/testbed/golden"
)

// goldenCounts is how many NHRP packets each capture holds.
var goldenCounts = map[string]int{
	"nhrp-trace.pcap": 4, "NHRP_registration.pcap": 4, "NHRP-responder-address.pcap": 2, "ios_nhrp.pcap": 1,
	"nhrp.pcapng": 25, "frr8.4-nhrp-plain.pcap": 18, "frr8.4-reg-static-nhs-nounique.pcap": 6,
}

func everyGolden(t testing.TB) []golden.NHRPPacket {
	var all []golden.NHRPPacket
	for _, f := range golden.NHRPFiles {
		all = append(all, golden.NHRP(t, f)...)
	}
	return all
}

func TestGoldenRoundTrip(t *testing.T) {
	for _, f := range golden.NHRPFiles {
		pkts := golden.NHRP(t, f)
		if len(pkts) != goldenCounts[f] {
			t.Errorf("%s: %d packets, want %d", f, len(pkts), goldenCounts[f])
		}
		for _, p := range pkts {
			m, err := Parse(p.Payload)
			if err != nil {
				t.Errorf("%s frame %d: %v", f, p.Frame, err)
				continue
			}
			got, err := m.Append(nil)
			if err != nil {
				t.Errorf("%s frame %d: %v", f, p.Frame, err)
			}
			if !bytes.Equal(got, p.Payload) {
				t.Errorf("%s frame %d:\n got %x\nwant %x", f, p.Frame, got, p.Payload)
			}
		}
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestGoldenValues(t *testing.T) {
	trace := golden.NHRP(t, "nhrp-trace.pcap")
	redirect, _ := Parse(trace[0].Payload)
	if redirect.Type != TrafficIndication || redirect.DstProto != addr("10.255.255.3") || len(redirect.Packet) != 28 {
		t.Errorf("redirect: %v to %v with %d bytes", redirect.Type, redirect.DstProto, len(redirect.Packet))
	}
	if src, dst, ok := DataAddrs(redirect.Packet); !ok || src != addr("10.255.255.3") || dst != addr("10.255.255.2") {
		t.Errorf("redirect carries %v to %v, %v", src, dst, ok)
	}
	if redirect.Ext(ExtResponder) != nil || redirect.Ext(ExtForwardTransit) == nil {
		t.Error("redirect: wrong extensions")
	}
	if a := redirect.Ext(ExtAuthentication); !bytes.Equal(a.Value, Auth("secret").Value) {
		t.Errorf("authentication %x", a.Value)
	}
	forwarded, _ := Parse(trace[2].Payload)
	transit, err := forwarded.Entries(forwarded.Ext(ExtForwardTransit))
	if err != nil || len(transit) != 1 || transit[0].Proto != addr("10.255.255.1") || transit[0].NBMA != addr("192.168.200.1") {
		t.Errorf("forward transit %+v, %v", transit, err)
	}
	if forwarded.HopCount != 254 || forwarded.Flags != ResRouter|ResAuthoritative|ResSourceStable|FlagNAT {
		t.Errorf("forwarded: hop count %d, flags %#x", forwarded.HopCount, forwarded.Flags)
	}
	reply, _ := Parse(trace[3].Payload)
	if len(reply.CIEs) != 1 || reply.CIEs[0].NBMA != addr("192.168.200.2") || reply.CIEs[0].Bits(reply.DstProto) != 32 {
		t.Errorf("reply %+v", reply.CIEs)
	}
	reg, _ := Parse(golden.NHRP(t, "NHRP_registration.pcap")[0].Payload)
	if reg.CIEs[0].HoldTime != 7200 || reg.CIEs[0].MTU != 17912 || reg.CIEs[0].NBMA.IsValid() || reg.Flags != RegUnique|FlagNAT {
		t.Errorf("registration %+v, flags %#x", reg.CIEs, reg.Flags)
	}
	nat, err := reg.Entries(reg.Ext(ExtNAT))
	if err != nil || len(nat) != 1 || nat[0].NBMA != addr("169.254.100.5") || nat[0].Proto != addr("155.1.0.5") {
		t.Errorf("NAT extension %+v, %v", nat, err)
	}
	if odd := golden.NHRP(t, "ios_nhrp.pcap")[0].Payload; len(odd) != 81 || !ChecksumOK(odd) {
		t.Errorf("odd packet: %d bytes", len(odd))
	}
}

// Whatever is cut off a packet, it is refused: cut short, the size it states no longer fits; with the size mended, a
// part inside does not, or what is left is a whole packet and encodes to itself.
func TestEveryTruncation(t *testing.T) {
	for _, p := range everyGolden(t) {
		for n := range p.Payload {
			if _, err := Parse(p.Payload[:n]); err == nil {
				t.Fatalf("%s frame %d cut to %d bytes was taken", p.File, p.Frame, n)
			}
			if n < fixedLen {
				continue
			}
			cut := mend(bytes.Clone(p.Payload[:n]))
			m, err := Parse(cut)
			if err != nil {
				continue
			}
			if got, err := m.Append(nil); err != nil || !bytes.Equal(got, cut) {
				t.Fatalf("%s frame %d cut to %d bytes:\n got %x, %v\nwant %x", p.File, p.Frame, n, got, err, cut)
			}
			if len(m.Exts) > 0 {
				t.Fatalf("%s frame %d cut to %d bytes: extensions without end were taken", p.File, p.Frame, n)
			}
		}
	}
}

// mend makes size and checksum right.
func mend(b []byte) []byte {
	b[10], b[11] = byte(len(b)>>8), byte(len(b))
	b[12], b[13] = 0, 0
	c := Checksum(b)
	b[12], b[13] = byte(c>>8), byte(c)
	return b
}

func TestMalformedCorpus(t *testing.T) {
	pkts := golden.NHRP(t, golden.NHRPMalformed)
	if len(pkts) == 0 {
		t.Fatal("no packet")
	}
	for _, p := range pkts {
		if _, err := Parse(p.Payload); err == nil {
			t.Errorf("frame %d was taken", p.Frame)
		}
		if len(p.Payload) >= fixedLen {
			Parse(mend(bytes.Clone(p.Payload)))
		}
	}
}
