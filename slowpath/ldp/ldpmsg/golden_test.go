package ldpmsg_test

import (
	"bytes"
	"net/netip"
	"testing"

	"nave/slowpath/ldp/ldpmsg"
	"nave/testbed/golden"
)

// messages walks through what a packet carries.
func messages(t *testing.T, p golden.LDPPacket, yield func(ldpmsg.ID, ldpmsg.Raw)) {
	t.Helper()
	for b := p.Payload; len(b) > 0; {
		n, err := ldpmsg.Frame(b, ldpmsg.DefaultMaxPDU)
		if err != nil || n == 0 {
			t.Fatalf("%s frame %d: %d bytes, %v", p.File, p.Frame, n, err)
		}
		id, body, err := ldpmsg.ParsePDU(b, ldpmsg.DefaultMaxPDU)
		if err != nil {
			t.Fatalf("%s frame %d: %v", p.File, p.Frame, err)
		}
		for len(body) > 0 {
			var m ldpmsg.Raw
			if m, body, err = ldpmsg.Next(body); err != nil {
				t.Fatalf("%s frame %d: %v", p.File, p.Frame, err)
			}
			yield(id, m)
		}
		b = b[n:]
	}
}

// TestGoldenRoundTrip reads all that real routers sent, and writes the same bytes.
func TestGoldenRoundTrip(t *testing.T) {
	seen := map[ldpmsg.Type]int{}
	for _, file := range golden.LDPFiles {
		for _, p := range golden.LDP(t, file) {
			var all []byte
			messages(t, p, func(id ldpmsg.ID, raw ldpmsg.Raw) {
				m, err := ldpmsg.Parse(raw)
				if err != nil || m == nil {
					t.Fatalf("%s frame %d: %v, %v", p.File, p.Frame, m, err)
				}
				seen[m.Type()]++
				b, err := ldpmsg.Append(nil, raw.ID, m)
				if err != nil {
					t.Fatal(err)
				}
				// PDUs are compared as the sender cut them: a message each is what one of them did.
				all = ldpmsg.Pack(all, id, 1, b)
			})
			var want []byte
			messages(t, p, func(id ldpmsg.ID, raw ldpmsg.Raw) {
				b := []byte{byte(raw.Type >> 8), byte(raw.Type), byte((len(raw.TLVs) + 4) >> 8), byte(len(raw.TLVs) + 4), byte(raw.ID >> 24), byte(raw.ID >> 16), byte(raw.ID >> 8), byte(raw.ID)}
				want = ldpmsg.Pack(want, id, 1, append(b, raw.TLVs...))
			})
			if !bytes.Equal(all, want) {
				t.Errorf("%s frame %d:\n%x\nis not\n%x", p.File, p.Frame, all, want)
			}
		}
	}
	for _, typ := range []ldpmsg.Type{
		ldpmsg.TypeNotification, ldpmsg.TypeHello, ldpmsg.TypeInitialization, ldpmsg.TypeKeepAlive, ldpmsg.TypeAddress,
		ldpmsg.TypeMapping, ldpmsg.TypeWithdraw, ldpmsg.TypeRelease,
	} {
		if seen[typ] == 0 {
			t.Errorf("no %s seen", typ)
		}
	}
}

func TestGoldenValues(t *testing.T) {
	p := golden.LDP(t, "ldp-common-session.pcap")
	first := func(p golden.LDPPacket) (out ldpmsg.Message) {
		messages(t, p, func(_ ldpmsg.ID, raw ldpmsg.Raw) {
			m, err := ldpmsg.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if out == nil {
				out = m
			}
		})
		return out
	}
	if n := first(p[0]).(*ldpmsg.Notification); n.Code != ldpmsg.Shutdown || !n.Fatal || n.Forward {
		t.Errorf("notification %+v", n)
	}
	var init *ldpmsg.Initialization
	var mapping *ldpmsg.Label
	for _, p := range p {
		messages(t, p, func(_ ldpmsg.ID, raw ldpmsg.Raw) {
			switch m, _ := ldpmsg.Parse(raw); m := m.(type) {
			case *ldpmsg.Initialization:
				init = m
			case *ldpmsg.Label:
				if m.Kind == ldpmsg.TypeMapping && mapping == nil {
					mapping = m
				}
			}
		})
	}
	if init.KeepAlive != 30 || init.OnDemand || !init.LoopDetection || init.PathVectorLimit != 32 || init.Version != 1 || len(init.Extra) != 1 ||
		init.Receiver != (ldpmsg.ID{LSR: netip.MustParseAddr("192.168.0.1")}) {
		t.Errorf("initialization %+v", init)
	}
	if mapping.Label != 3 || !mapping.Labelled || len(mapping.FEC.Prefixes) != 1 || mapping.FEC.Prefixes[0] != netip.MustParsePrefix("192.168.0.2/32") ||
		mapping.HopCount != 1 || len(mapping.Path) != 1 {
		t.Errorf("mapping %+v", mapping)
	}
	h := first(golden.LDP(t, "mpls-ldp-hello.pcap")[0]).(*ldpmsg.Hello)
	if h.HoldTime != 15 || h.Targeted || h.Transport != netip.MustParseAddr("10.1.0.2") {
		t.Errorf("hello %+v", h)
	}
	h = first(golden.LDP(t, "frr8.4-ldp-mgre.pcap")[0]).(*ldpmsg.Hello)
	if h.HoldTime != 15 || !h.GTSM || !h.Sequenced || h.Sequence != 7 || h.Transport != netip.MustParseAddr("10.255.0.12") {
		t.Errorf("hello of FRR %+v", h)
	}
}
