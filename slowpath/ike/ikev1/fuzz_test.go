package ikev1

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/trace"
)

// script turns bytes into what happens to two nodes.
type script struct {
	b    []byte
	w    *wire
	seen [][]byte
}

func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return c
}

func (s *script) bytes() []byte {
	n := min(int(s.byte()), len(s.b))
	out := s.b[:n:n]
	s.b = s.b[n:]
	return out
}

// child is one of a node's, or one that never was.
func (s *script) child(n *node) ike.ChildID {
	if list := n.e.childList(); len(list) > 0 {
		return list[int(s.byte())%len(list)].ID
	}
	return 9999
}

// payloads are what a peer may come up with that has the keys.
func (s *script) payloads(n *node) []ikemsg.Payload {
	spi := []byte{0, 0, 1, s.byte()}
	if list := n.e.childList(); len(list) > 0 {
		c := list[int(s.byte())%len(list)]
		if spi = spiBytes(c.ESP.InSPI); s.byte()&1 == 0 {
			spi = spiBytes(c.ESP.OutSPI)
		}
	}
	switch s.byte() % 6 {
	case 0:
		d := ikev1msg.Delete{DOI: 1, Protocol: s.byte() % 4, Size: 4, SPIs: spi}
		return []ikemsg.Payload{{Type: ikev1msg.PayloadDelete, Body: d.Append(nil)}}
	case 1:
		m := ikev1msg.Notify{DOI: 1, Protocol: s.byte() % 4, SPI: spi, Type: uint16(s.byte()) | uint16(s.byte())<<8, Data: s.bytes()}
		return []ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: m.Append(nil)}}
	case 2:
		id := ikev1msg.HostID(n.addr, s.byte(), 0)
		return []ikemsg.Payload{{Type: ikev1msg.PayloadSA, Body: s.bytes()}, {Type: ikev1msg.PayloadNonce, Body: s.bytes()}, {Type: ikev1msg.PayloadID, Body: id.Append(nil)}}
	case 3:
		c := ikev1msg.Config{Kind: s.byte() % 5, Identifier: 1}
		return []ikemsg.Payload{{Type: ikev1msg.PayloadConfig, Body: c.Append(nil)}}
	}
	return []ikemsg.Payload{{Type: s.byte(), Body: s.bytes()}}
}

// step does one thing.
func (s *script) step() {
	w := s.w
	n := w.a
	if s.byte()&1 != 0 {
		n = w.b
	}
	from := ike.Path{Local: netip.AddrPortFrom(n.addr, port), Remote: netip.AddrPortFrom(w.other(n).addr, port)}
	switch s.byte() % 14 {
	case 0:
		n.initiate()
	case 1:
		n.event(ike.Volume{Child: s.child(n), Hard: s.byte()&3 == 0})
	case 2:
		n.event(ike.Heard{Child: s.child(n)})
	case 3:
		n.event(ike.Drop{Child: s.child(n)})
	case 4:
		n.event(ike.Release{Protection: 1, Remote: from.Remote})
	case 5:
		n.event(ike.Clear{Children: s.byte()&1 == 0, SA: ike.SAID(s.byte() % 4)})
	case 6:
		n.event(ike.Moved{Child: s.child(n), Remote: netip.AddrPortFrom(from.Remote.Addr(), uint16(s.byte()))})
	case 7:
		n.event(ike.UnknownSPI{Path: from, Protocol: 50, SPI: uint32(s.byte())})
	case 8: // in the place of what is on its way
		if len(w.flights) > 0 {
			k := int(s.byte()) % len(w.flights)
			w.flights = slices.Delete(w.flights, k, k+1)
		}
	case 9, 10: // an old message, perhaps changed
		if len(s.seen) > 0 {
			p := slices.Clone(s.seen[int(s.byte())%len(s.seen)])
			if k := int(s.byte())<<8 | int(s.byte()); k < len(p) {
				p[k] ^= s.byte()
			}
			n.event(ike.Received{Path: from, Packet: p})
		}
	case 11:
		n.event(ike.Received{Path: from, Packet: s.bytes()})
	case 12: // authentic nonsense
		for _, a := range n.e.saList() {
			if a.state == established {
				n.e.begin(w.now)
				kind := []uint8{ikev1msg.Informational, ikev1msg.QuickMode, ikev1msg.Transaction}[s.byte()%3]
				x := a.begin(kind, nil)
				x.sendHashed(nil, s.payloads(n))
				x.forget()
				n.do(n.e.end())
				break
			}
		}
	case 13:
		w.run(time.Duration(s.byte()) * time.Second / 4)
	}
	w.run(20 * time.Millisecond)
}

// FuzzHandle has two engines do and hear anything. Nothing panics, they fall silent in the end, and afterwards they still come up with each other; of what is
// cleared nothing stays.
func FuzzHandle(f *testing.F) {
	f.Add([]byte{0, 0, 0, 13, 20, 0, 1, 0, 1, 1, 1, 1, 13, 8})
	f.Add([]byte{0, 0, 1, 0, 0, 13, 40, 0, 9, 3, 0, 40, 1, 1, 12, 0, 0, 0, 0, 3})
	f.Add([]byte{0, 0, 0, 13, 20, 0, 5, 1, 0, 1, 0, 0, 13, 255, 0, 4, 0, 0, 0, 11, 3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 200 {
			b = b[:200]
		}
		w := join(t, 1, func(a, b *ike.Config) { b.InvalidSPIRecovery = true })
		w.a.e.env.Tracing, w.b.e.env.Tracing = trace.All, trace.All
		s := &script{b: b, w: w}
		w.tap = func(_ *node, _ ike.Path, p []byte) bool {
			if len(s.seen) < 256 {
				s.seen = append(s.seen, slices.Clone(p))
			}
			return true
		}
		for len(s.b) > 0 {
			s.step()
			if len(w.ladder) > 1000 {
				w.ladder = nil
			}
		}
		w.run(5 * time.Minute)
		for _, n := range []*node{w.a, w.b} {
			n.event(ike.Clear{})
		}
		w.run(10 * time.Minute)
		for _, n := range []*node{w.a, w.b} {
			n.event(ike.Clear{})
			n.event(ike.Release{Protection: 1, Remote: netip.AddrPortFrom(w.other(n).addr, 0)})
		}
		w.run(10 * time.Minute)
		for _, n := range []*node{w.a, w.b} {
			if a := n.e.env.Admission; len(n.e.sas) != a.SAs || a.InNegotiation < 0 || len(n.children) != len(n.e.children) {
				t.Fatalf("%s: %d SAs, admission %+v; %d and %d children", n.name, len(n.e.sas), a, len(n.children), len(n.e.children))
			}
		}
		w.a.initiate()
		w.run(10 * time.Second)
		if w.a.active == 0 {
			t.Fatalf("they do not come up any more: %+v", w.a.failed)
		}
	})
}

// FuzzOutsider has somebody without keys throw anything at two engines between which an SA is up: what they say now and said before, changed, cut or reflected,
// and what was made up. Whatever it is, the SA and its child stay, and still can be rekeyed.
func FuzzOutsider(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 1, 1, 0, 0, 0})
	f.Add([]byte{0, 3, 0, 18, 7, 1, 6, 0, 30, 255, 2, 4, 40, 0, 0})
	f.Add([]byte{3, 0, 5, 1, 2, 3, 4, 5, 4, 0, 5, 12, 0, 0, 0, 1, 1, 16})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 400 {
			b = b[:400]
		}
		w := join(t, 1, func(a, b *ike.Config) { b.InvalidSPIRecovery = true })
		w.a.e.env.Tracing, w.b.e.env.Tracing = trace.All, trace.All
		s := &script{b: b, w: w}
		w.tap = func(_ *node, _ ike.Path, p []byte) bool { s.seen = append(s.seen, slices.Clone(p)); return true }
		w.a.initiate()
		w.run(time.Second)
		up := [2]ike.ChildID{w.a.active, w.b.active}
		x := w.a.e.saList()[0]
		for len(s.b) > 0 {
			n := w.a
			kind := s.byte()
			if kind&1 != 0 {
				n = w.b
			}
			p := slices.Clone(s.seen[int(s.byte())%len(s.seen)])
			switch kind / 2 % 4 {
			case 0: // changed in some places
				for k := s.byte() % 4; k > 0; k-- {
					p[int(s.byte())%len(p)] ^= s.byte()
				}
			case 1:
				p = p[:int(s.byte())%len(p)]
			case 2: // made up, by the cookies of the SA
				h := ikemsg.Header{Initiator: x.ci, Responder: x.cr, Version: ikemsg.Version1, Exchange: s.byte() % 40, MessageID: uint32(s.byte()), Flags: s.byte() &^ ikev1msg.FlagEncrypted}
				p = assemble(h, []ikemsg.Payload{{Type: s.byte(), Body: s.bytes()}, {Type: s.byte(), Body: s.bytes()}})
			case 3:
				p = s.bytes()
			}
			from := netip.AddrPortFrom(w.other(n).addr, port)
			if kind&64 != 0 {
				from = netip.AddrPortFrom(addr("203.0.113.9"), natPort)
			}
			n.event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(n.addr, port), Remote: from}, Packet: p})
			if len(s.seen) > 512 {
				s.seen = s.seen[:512]
			}
		}
		w.run(5 * time.Minute)
		if got := [2]ike.ChildID{w.a.active, w.b.active}; got != up || x.state != established {
			t.Fatalf("children %v, before %v; the SA is %v", got, up, x.state)
		}
		w.a.event(ike.Volume{Child: w.a.active})
		w.run(10 * time.Second)
		if w.a.active == up[0] {
			t.Fatal("the child is not rekeyed any more")
		}
		w.wantUp()
	})
}
