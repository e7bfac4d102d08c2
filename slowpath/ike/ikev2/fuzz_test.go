package ikev2

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
	"nave/slowpath/trace"
)

// rawTask sends any payloads in any exchange, with the right keys: what a peer that has authenticated may come up with.
type rawTask struct {
	exchange uint8
	list     []ikev2msg.Out
}

func (t *rawTask) build(*sa) (uint8, []ikev2msg.Out, bool) { return t.exchange, t.list, true }
func (t *rawTask) process(*sa, []ikemsg.Payload)           {}

// script turns bytes into what happens to two nodes.
type script struct {
	iketest.Script
	w    *wire
	seen [][]byte
}

func (s *script) node() *node {
	if s.Byte()&1 == 0 {
		return s.w.A
	}
	return s.w.B
}

// child is one of a node's, or one that never was.
func (s *script) child(n *node) ike.ChildID {
	list := n.Engine.childList()
	if k := int(s.Byte()); k < len(list)*64 && len(list) > 0 {
		return list[k%len(list)].ID
	}
	return 9999
}

// payload is one of the types that there are, well-formed or not.
func (s *script) payload(n *node) ikev2msg.Out {
	o := ikev2msg.Out{Type: 33 + s.Byte()%18}
	spi := uint32(s.Byte()) + 0x100
	if list := n.Engine.childList(); len(list) > 0 && s.Byte()&1 == 0 {
		_, in, out := list[int(s.Byte())%len(list)].spi()
		if spi = in; s.Byte()&1 == 0 {
			spi = out
		}
	}
	raw := []byte{byte(spi >> 24), byte(spi >> 16), byte(spi >> 8), byte(spi)}
	switch s.Byte() % 8 {
	case 0:
		o.Body = s.Bytes(64)
	case 1:
		o.Type = ikev2msg.PayloadDelete
		o.Body = ikev2msg.Delete{Protocol: ikev2msg.ProtoESP, SPIs: []uint32{spi}}.Append(nil)
	case 2:
		o.Type = ikev2msg.PayloadNotify
		o.Body = ikev2msg.Notify{Protocol: s.Byte() % 4, SPI: raw, Type: ikev2msg.RekeySA}.Append(nil)
	case 3:
		o.Type = ikev2msg.PayloadNotify
		o.Body = ikev2msg.Notify{Type: uint16(s.Byte()) | uint16(s.Byte())<<8, Data: s.Bytes(32)}.Append(nil)
	case 4:
		o.Type = ikev2msg.PayloadSA
		p := offerChild(&n.Config.Protections[0], spi, spi+1, []suite.Group{suite.Group(s.Byte() % 40)}, false)
		o.Body = ikev2msg.AppendSA(nil, p)
	case 5:
		o.Type = ikev2msg.PayloadSA
		o.Body = ikev2msg.AppendSA(nil, offerIKE([]ike.V2Proposal{defaultProposal}, append(raw, raw...)))
	case 6:
		o.Type = ikev2msg.PayloadTSi + s.Byte()&1
		o.Body = ikev2msg.AppendTS(nil, []ikev2msg.Selector{ikev2msg.Host(n.Addr, 47)})
	case 7:
		o.Type, o.Body = ikev2msg.PayloadNonce, make([]byte, 32)
	}
	return o
}

// step does one thing.
func (s *script) step() {
	w, n := s.w, s.node()
	switch s.Byte() % 16 {
	case 0:
		n.Initiate()
	case 1:
		n.Event(ike.Volume{Child: s.child(n), Hard: s.Byte()&3 == 0})
	case 2:
		rekeyIKE(n)
	case 3:
		n.Event(ike.Heard{Child: s.child(n)})
	case 4:
		n.Event(ike.Drop{Child: s.child(n)})
	case 5:
		n.Release()
	case 6:
		n.Event(ike.Clear{Children: s.Byte()&1 == 0, SA: ike.SAID(s.Byte() % 4)})
	case 7:
		n.Event(ike.Moved{Child: s.child(n), Remote: netip.AddrPortFrom(w.Other(n).Addr, 4500)})
	case 8:
		n.Event(ike.UnknownSPI{Path: ike.Path{Local: netip.AddrPortFrom(n.Addr, 0), Remote: netip.AddrPortFrom(w.Other(n).Addr, 0)}, Protocol: 50, SPI: uint32(s.Byte())})
	case 9, 10:
		w.Run(time.Duration(s.Byte()) * time.Duration(s.Byte()) * 5 * time.Millisecond)
	case 11: // a message is lost
		if len(w.Flights) > 0 {
			w.Flights = slices.Delete(w.Flights, 0, 1)
		}
	case 12: // an old one comes again, changed or not, to either side
		if len(s.seen) > 0 {
			p := slices.Clone(s.seen[int(s.Byte())%len(s.seen)])
			for range s.Byte() % 4 {
				p[int(s.Byte())%len(p)] ^= s.Byte()
			}
			port := [2]uint16{portIKE, portNATT}[s.Byte()&1]
			n.Event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(n.Addr, port), Remote: netip.AddrPortFrom(w.Other(n).Addr, port)}, Packet: p})
		}
	case 13, 14: // a peer says what it should not
		for _, x := range n.Engine.all() {
			if x.state == stateUp && x.rekeyed == nil {
				t := &rawTask{exchange: 34 + s.Byte()%11}
				if t.exchange == ikev2msg.ExchangeInit { // never protected
					t.exchange = ikev2msg.ExchangeInformational
				}
				for range s.Byte() % 8 {
					t.list = append(t.list, s.payload(n))
				}
				x.enqueue(t)
				n.Do(n.Engine.take())
				break
			}
		}
	case 15:
		n.Config.NATKeepalive += time.Second
		n.Configure()
	}
	checkTimers(n)
}

// FuzzEngine does things to two engines and what they say to each other. Nothing may panic, and when it is over they come up again, and nothing is left of
// what was before.
func FuzzEngine(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 9, 200, 200})
	f.Add([]byte{1, 0, 0, 0, 9, 200, 20, 0, 1, 0, 1, 1, 1, 0, 1, 0, 9, 10, 4, 0, 2, 1, 2, 0, 9, 100, 100})
	f.Add([]byte{2, 0, 0, 1, 0, 0, 9, 200, 20, 0, 13, 3, 3, 9, 9, 9, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5})
	for seed := range uint64(40) {
		b := make([]byte, 200)
		_, _ = iketest.Random(seed).Read(b)
		f.Add(append([]byte{byte(seed), 0, 0, 0, 9, 200, 20}, b...))
	}
	f.Fuzz(func(t *testing.T, what []byte) {
		mode := byte(0)
		if len(what) > 0 {
			mode, what = what[0], what[1:]
		}
		w := join(t, 1, func(a, b *ike.Config) { // what one side forgets the other is to find out
			for _, c := range []*ike.Config{a, b} {
				c.V2.DPD = ike.Keepalive{Interval: 30 * time.Second}
				c.InvalidSPIRecovery = true
			}
			if mode&1 != 0 {
				hybrid(a, b)
			}
			if mode&2 != 0 {
				b.V2.Cookies = 1
			}
		})
		w.A.Engine.env.Tracing, w.B.Engine.env.Tracing = trace.All, trace.All
		s := &script{Script: what, w: w}
		w.Tap = func(_ *node, _ ike.Path, p []byte) bool {
			if len(s.seen) < 64 {
				s.seen = append(s.seen, p)
			}
			return true
		}
		for i := 0; i < 200 && len(s.Script) > 0; i++ {
			s.step()
		}
		w.Run(5 * time.Minute)
		w.A.Event(ike.Clear{})
		w.B.Event(ike.Clear{})
		w.Run(5 * time.Minute)
		for _, n := range []*node{w.A, w.B} {
			if len(n.Engine.sas)+len(n.Engine.children)+len(n.Engine.wants)+len(n.Engine.half)+len(n.Engine.peers)+len(n.Engine.timers) != 0 {
				t.Errorf("%s keeps %d SAs, %d children, %d wants, %d half-open, %d peers, %d timers", n.Name,
					len(n.Engine.sas), len(n.Engine.children), len(n.Engine.wants), len(n.Engine.half), len(n.Engine.peers), len(n.Engine.timers))
			}
			if got := n.Engine.env.ReservedSPIs(); got != 0 {
				t.Errorf("%s: %d SPIs are reserved", n.Name, got)
			}
			if a := n.Engine.env.Admission; a.SAs != 0 || a.InNegotiation != 0 {
				t.Errorf("%s: admission counts %d and %d", n.Name, a.SAs, a.InNegotiation)
			}
		}
		w.A.Initiate()
		w.Run(time.Second)
		wantOne(w)
	})
}
