package ikev1

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/trace"
)

// script turns bytes into what happens to two nodes.
type script struct {
	iketest.Script
	w    *wire
	seen [][]byte
}

// child is one of a node's, or one that never was.
func (s *script) child(n *node) ike.ChildID {
	if list := n.Engine.childList(); len(list) > 0 {
		return list[int(s.Byte())%len(list)].ID
	}
	return 9999
}

// payloads are what a peer may come up with that has the keys.
func (s *script) payloads(n *node) []ikemsg.Payload {
	spi := []byte{0, 0, 1, s.Byte()}
	if list := n.Engine.childList(); len(list) > 0 {
		c := list[int(s.Byte())%len(list)]
		if spi = spiBytes(c.ESP.InSPI); s.Byte()&1 == 0 {
			spi = spiBytes(c.ESP.OutSPI)
		}
	}
	switch s.Byte() % 6 {
	case 0:
		d := ikev1msg.Delete{DOI: 1, Protocol: s.Byte() % 4, Size: 4, SPIs: spi}
		return []ikemsg.Payload{{Type: ikev1msg.PayloadDelete, Body: d.Append(nil)}}
	case 1:
		m := ikev1msg.Notify{DOI: 1, Protocol: s.Byte() % 4, SPI: spi, Type: uint16(s.Byte()) | uint16(s.Byte())<<8, Data: s.Bytes(255)}
		return []ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: m.Append(nil)}}
	case 2:
		id := ikev1msg.HostID(n.Addr, s.Byte(), 0)
		return []ikemsg.Payload{{Type: ikev1msg.PayloadSA, Body: s.Bytes(255)}, {Type: ikev1msg.PayloadNonce, Body: s.Bytes(255)}, {Type: ikev1msg.PayloadID, Body: id.Append(nil)}}
	case 3:
		c := ikev1msg.Config{Kind: s.Byte() % 5, Identifier: 1}
		return []ikemsg.Payload{{Type: ikev1msg.PayloadConfig, Body: c.Append(nil)}}
	}
	return []ikemsg.Payload{{Type: s.Byte(), Body: s.Bytes(255)}}
}

// step does one thing.
func (s *script) step() {
	w := s.w
	n := w.A
	if s.Byte()&1 != 0 {
		n = w.B
	}
	from := ike.Path{Local: netip.AddrPortFrom(n.Addr, port), Remote: netip.AddrPortFrom(w.Other(n).Addr, port)}
	switch s.Byte() % 14 {
	case 0:
		n.Initiate()
	case 1:
		n.Event(ike.Volume{Child: s.child(n), Hard: s.Byte()&3 == 0})
	case 2:
		n.Event(ike.Heard{Child: s.child(n)})
	case 3:
		n.Event(ike.Drop{Child: s.child(n)})
	case 4:
		n.Event(ike.Release{Protection: 1, Remote: from.Remote})
	case 5:
		n.Event(ike.Clear{Children: s.Byte()&1 == 0, SA: ike.SAID(s.Byte() % 4)})
	case 6:
		n.Event(ike.Moved{Child: s.child(n), Remote: netip.AddrPortFrom(from.Remote.Addr(), uint16(s.Byte()))})
	case 7:
		n.Event(ike.UnknownSPI{Path: from, Protocol: 50, SPI: uint32(s.Byte())})
	case 8: // in the place of what is on its way
		if len(w.Flights) > 0 {
			k := int(s.Byte()) % len(w.Flights)
			w.Flights = slices.Delete(w.Flights, k, k+1)
		}
	case 9, 10: // an old message, perhaps changed
		if len(s.seen) > 0 {
			p := slices.Clone(s.seen[int(s.Byte())%len(s.seen)])
			if k := int(s.Byte())<<8 | int(s.Byte()); k < len(p) {
				p[k] ^= s.Byte()
			}
			n.Event(ike.Received{Path: from, Packet: p})
		}
	case 11:
		n.Event(ike.Received{Path: from, Packet: s.Bytes(255)})
	case 12: // authentic nonsense
		for _, a := range n.Engine.saList() {
			if a.state == established {
				n.Engine.begin(w.Now)
				kind := []uint8{ikev1msg.Informational, ikev1msg.QuickMode, ikev1msg.Transaction}[s.Byte()%3]
				x := a.begin(kind, nil)
				x.sendHashed(nil, s.payloads(n))
				x.forget()
				n.Do(n.Engine.end())
				break
			}
		}
	case 13:
		w.Run(time.Duration(s.Byte()) * time.Second / 4)
	}
	w.Run(20 * time.Millisecond)
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
		w.A.Engine.env.Tracing, w.B.Engine.env.Tracing = trace.All, trace.All
		s := &script{Script: b, w: w}
		w.Tap = func(_ *node, _ ike.Path, p []byte) bool {
			if len(s.seen) < 256 {
				s.seen = append(s.seen, slices.Clone(p))
			}
			return true
		}
		for len(s.Script) > 0 {
			s.step()
			if len(w.Ladder) > 1000 {
				w.Ladder = nil
			}
		}
		w.Run(5 * time.Minute)
		for _, n := range []*node{w.A, w.B} {
			n.Event(ike.Clear{})
		}
		w.Run(10 * time.Minute)
		for _, n := range []*node{w.A, w.B} {
			n.Event(ike.Clear{})
			n.Event(ike.Release{Protection: 1, Remote: netip.AddrPortFrom(w.Other(n).Addr, 0)})
		}
		w.Run(10 * time.Minute)
		for _, n := range []*node{w.A, w.B} {
			if a := n.Engine.env.Admission; len(n.Engine.sas) != a.SAs || a.InNegotiation < 0 || len(n.Children) != len(n.Engine.children) {
				t.Fatalf("%s: %d SAs, admission %+v; %d and %d children", n.Name, len(n.Engine.sas), a, len(n.Children), len(n.Engine.children))
			}
		}
		w.A.Initiate()
		w.Run(10 * time.Second)
		if w.A.Active == 0 {
			t.Fatalf("they do not come up any more: %+v", w.A.Failed)
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
		w.A.Engine.env.Tracing, w.B.Engine.env.Tracing = trace.All, trace.All
		s := &script{Script: b, w: w}
		w.Tap = func(_ *node, _ ike.Path, p []byte) bool { s.seen = append(s.seen, slices.Clone(p)); return true }
		w.A.Initiate()
		w.Run(time.Second)
		up := [2]ike.ChildID{w.A.Active, w.B.Active}
		x := w.A.Engine.saList()[0]
		for len(s.Script) > 0 {
			n := w.A
			kind := s.Byte()
			if kind&1 != 0 {
				n = w.B
			}
			p := slices.Clone(s.seen[int(s.Byte())%len(s.seen)])
			switch kind / 2 % 4 {
			case 0: // changed in some places
				for k := s.Byte() % 4; k > 0; k-- {
					p[int(s.Byte())%len(p)] ^= s.Byte()
				}
			case 1:
				p = p[:int(s.Byte())%len(p)]
			case 2: // made up, by the cookies of the SA
				h := ikemsg.Header{Initiator: x.ci, Responder: x.cr, Version: ikemsg.Version1, Exchange: s.Byte() % 40, MessageID: uint32(s.Byte()), Flags: s.Byte() &^ ikev1msg.FlagEncrypted}
				p = assemble(h, []ikemsg.Payload{{Type: s.Byte(), Body: s.Bytes(255)}, {Type: s.Byte(), Body: s.Bytes(255)}})
			case 3:
				p = s.Bytes(255)
			}
			from := netip.AddrPortFrom(w.Other(n).Addr, port)
			if kind&64 != 0 {
				from = netip.AddrPortFrom(addr("203.0.113.9"), natPort)
			}
			n.Event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(n.Addr, port), Remote: from}, Packet: p})
			if len(s.seen) > 512 {
				s.seen = s.seen[:512]
			}
		}
		w.Run(5 * time.Minute)
		if got := [2]ike.ChildID{w.A.Active, w.B.Active}; got != up || x.state != established {
			t.Fatalf("children %v, before %v; the SA is %v", got, up, x.state)
		}
		w.A.Event(ike.Volume{Child: w.A.Active})
		w.Run(10 * time.Second)
		if w.A.Active == up[0] {
			t.Fatal("the child is not rekeyed any more")
		}
		w.WantUp()
	})
}
