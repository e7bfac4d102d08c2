package fastpath

import (
	"bytes"
	"fmt"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// TestRoundTrip: what a spoke seals, the hub opens, and the other way: every transform, both modes, with and without extended sequence
// numbers, in UDP where that goes, at sizes that need every padding.
func TestRoundTrip(t *testing.T) {
	for _, s := range suites() {
		for variant := range 8 {
			s := s
			s.tunnel, s.esn, s.encap, s.window = variant&1 != 0, variant&2 != 0, variant&4 != 0, 64
			if s.encap && s.ah != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s/tunnel=%v,esn=%v,udp=%v", s.name, s.tunnel, s.esn, s.encap), func(t *testing.T) { roundTrip(t, s) })
		}
	}
}

func roundTrip(t *testing.T, s suite) {
	p := newPair(t, s)
	for _, n := range []int{0, 1, 2, 3, 5, 8, 13, 15, 16, 17, 100, 1300} {
		plain := ipv4(behind1, hostIP, pattern(n), tos(0x28))
		frame := p.one(p.sealed(plain))
		outer := p.spoke.mustIP(frame[packet.EthernetLen:])
		if bytes.Contains(frame, pattern(n)[:min(n, 16)]) && n >= 16 && s.cipher != fib.CipherNull && s.cipher != fib.CipherAESGMAC {
			t.Fatalf("%d bytes leave in clear: %x", n, frame)
		}
		want := uint8(packet.ProtoESP)
		if s.ah != 0 {
			want = packet.ProtoAH
		} else if s.encap {
			want = packet.ProtoUDP
		}
		if outer.Proto() != want || outer.TOS() != 0x28 {
			t.Fatalf("outer protocol %d with TOS %#x", outer.Proto(), outer.TOS())
		}
		got := p.one(p.deliver(frame))
		ip := p.hub.mustIP(got[packet.EthernetLen:])
		if ip.TTL() != 62 || !bytes.Equal(ip.Payload(), pattern(n)) || ip.TOS() != 0x28 {
			t.Fatalf("%d bytes came out as %x", n, got)
		}
		// And back.
		p.hub.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(n))))
		p.hub.settle()
		p.spoke.fromWAN(toHub(p.hub.wan.take())...)
		p.spoke.settle()
		if back := p.one(p.spoke.lan.take()); !bytes.Equal(packet.IPv4(back[packet.EthernetLen:]).Payload(), pattern(n)) {
			t.Fatalf("%d bytes came back as %x", n, back)
		}
	}
	for _, id := range []fib.SAID{saIn, ahIn} {
		c, ok := p.hub.e.SACount(id)
		if _, there := p.hub.e.Counters().SAs[id]; ok != there {
			t.Errorf("association %d: installed %v, in the snapshot %v", id, ok, there)
		}
		if ok && (c.Packets != 12 || c.LastSeq != 12 || !c.Heard || c.AuthFailed+c.Replayed+c.Errors != 0) {
			t.Errorf("association %d counts %+v", id, c)
		}
	}
}
