package ikev2

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
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

func (s *script) bytes(most int) []byte {
	n := min(int(s.byte()), len(s.b), most)
	out := s.b[:n:n]
	s.b = s.b[n:]
	return out
}

func (s *script) node() *node {
	if s.byte()&1 == 0 {
		return s.w.a
	}
	return s.w.b
}

// child is one of a node's, or one that never was.
func (s *script) child(n *node) ike.ChildID {
	list := n.e.childList()
	if k := int(s.byte()); k < len(list)*64 && len(list) > 0 {
		return list[k%len(list)].ID
	}
	return 9999
}

// payload is one of the types that there are, well-formed or not.
func (s *script) payload(n *node) ikev2msg.Out {
	o := ikev2msg.Out{Type: 33 + s.byte()%18}
	spi := uint32(s.byte()) + 0x100
	if list := n.e.childList(); len(list) > 0 && s.byte()&1 == 0 {
		_, in, out := list[int(s.byte())%len(list)].spi()
		if spi = in; s.byte()&1 == 0 {
			spi = out
		}
	}
	raw := []byte{byte(spi >> 24), byte(spi >> 16), byte(spi >> 8), byte(spi)}
	switch s.byte() % 8 {
	case 0:
		o.Body = s.bytes(64)
	case 1:
		o.Type = ikev2msg.PayloadDelete
		o.Body = ikev2msg.Delete{Protocol: ikev2msg.ProtoESP, SPIs: []uint32{spi}}.Append(nil)
	case 2:
		o.Type = ikev2msg.PayloadNotify
		o.Body = ikev2msg.Notify{Protocol: s.byte() % 4, SPI: raw, Type: ikev2msg.RekeySA}.Append(nil)
	case 3:
		o.Type = ikev2msg.PayloadNotify
		o.Body = ikev2msg.Notify{Type: uint16(s.byte()) | uint16(s.byte())<<8, Data: s.bytes(32)}.Append(nil)
	case 4:
		o.Type = ikev2msg.PayloadSA
		p := offerChild(&n.cfg.Protections[0], spi, spi+1, []suite.Group{suite.Group(s.byte() % 40)}, false)
		o.Body = ikev2msg.AppendSA(nil, p)
	case 5:
		o.Type = ikev2msg.PayloadSA
		o.Body = ikev2msg.AppendSA(nil, offerIKE([]ike.V2Proposal{defaultProposal}, append(raw, raw...)))
	case 6:
		o.Type = ikev2msg.PayloadTSi + s.byte()&1
		o.Body = ikev2msg.AppendTS(nil, []ikev2msg.Selector{ikev2msg.Host(n.addr, 47)})
	case 7:
		o.Type, o.Body = ikev2msg.PayloadNonce, make([]byte, 32)
	}
	return o
}

// step does one thing.
func (s *script) step() {
	w, n := s.w, s.node()
	switch s.byte() % 16 {
	case 0:
		n.initiate()
	case 1:
		n.event(ike.Volume{Child: s.child(n), Hard: s.byte()&3 == 0})
	case 2:
		n.rekeyIKE()
	case 3:
		n.event(ike.Heard{Child: s.child(n)})
	case 4:
		n.event(ike.Drop{Child: s.child(n)})
	case 5:
		n.release()
	case 6:
		n.event(ike.Clear{Children: s.byte()&1 == 0, SA: ike.SAID(s.byte() % 4)})
	case 7:
		n.event(ike.Moved{Child: s.child(n), Remote: netip.AddrPortFrom(w.other(n).addr, 4500)})
	case 8:
		n.event(ike.UnknownSPI{Path: ike.Path{Local: netip.AddrPortFrom(n.addr, 0), Remote: netip.AddrPortFrom(w.other(n).addr, 0)}, Protocol: 50, SPI: uint32(s.byte())})
	case 9, 10:
		w.run(time.Duration(s.byte()) * time.Duration(s.byte()) * 5 * time.Millisecond)
	case 11: // a message is lost
		if len(w.flights) > 0 {
			w.flights = slices.Delete(w.flights, 0, 1)
		}
	case 12: // an old one comes again, changed or not, to either side
		if len(s.seen) > 0 {
			p := slices.Clone(s.seen[int(s.byte())%len(s.seen)])
			for range s.byte() % 4 {
				p[int(s.byte())%len(p)] ^= s.byte()
			}
			port := [2]uint16{portIKE, portNATT}[s.byte()&1]
			n.event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(n.addr, port), Remote: netip.AddrPortFrom(w.other(n).addr, port)}, Packet: p})
		}
	case 13, 14: // a peer says what it should not
		for _, x := range n.e.all() {
			if x.state == stateUp && x.rekeyed == nil {
				t := &rawTask{exchange: 34 + s.byte()%11}
				if t.exchange == ikev2msg.ExchangeInit { // never protected
					t.exchange = ikev2msg.ExchangeInformational
				}
				for range s.byte() % 8 {
					t.list = append(t.list, s.payload(n))
				}
				x.enqueue(t)
				n.do(n.e.take())
				break
			}
		}
	case 15:
		n.cfg.NATKeepalive += time.Second
		n.do(n.e.Configure(w.now, &n.cfg))
	}
	n.checkTimers()
}

// FuzzEngine does things to two engines and what they say to each other. Nothing may panic, and when it is over they come up again, and nothing is left of
// what was before.
func FuzzEngine(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 9, 200, 200})
	f.Add([]byte{1, 0, 0, 0, 9, 200, 20, 0, 1, 0, 1, 1, 1, 0, 1, 0, 9, 10, 4, 0, 2, 1, 2, 0, 9, 100, 100})
	f.Add([]byte{2, 0, 0, 1, 0, 0, 9, 200, 20, 0, 13, 3, 3, 9, 9, 9, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5})
	for seed := range uint64(40) {
		b := make([]byte, 200)
		_, _ = newChaos(seed).Read(b)
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
		w.a.e.env.Tracing, w.b.e.env.Tracing = trace.All, trace.All
		s := &script{b: what, w: w}
		w.tap = func(_ *node, _ ike.Path, p []byte) bool {
			if len(s.seen) < 64 {
				s.seen = append(s.seen, p)
			}
			return true
		}
		for i := 0; i < 200 && len(s.b) > 0; i++ {
			s.step()
		}
		w.run(5 * time.Minute)
		w.a.event(ike.Clear{})
		w.b.event(ike.Clear{})
		w.run(5 * time.Minute)
		for _, n := range []*node{w.a, w.b} {
			if len(n.e.sas)+len(n.e.children)+len(n.e.wants)+len(n.e.half)+len(n.e.peers)+len(n.e.timers) != 0 {
				t.Errorf("%s keeps %d SAs, %d children, %d wants, %d half-open, %d peers, %d timers", n.name,
					len(n.e.sas), len(n.e.children), len(n.e.wants), len(n.e.half), len(n.e.peers), len(n.e.timers))
			}
			if got := n.e.env.ReservedSPIs(); got != 0 {
				t.Errorf("%s: %d SPIs are reserved", n.name, got)
			}
			if a := n.e.env.Admission; a.SAs != 0 || a.InNegotiation != 0 {
				t.Errorf("%s: admission counts %d and %d", n.name, a.SAs, a.InNegotiation)
			}
		}
		w.a.initiate()
		w.run(time.Second)
		w.wantOne()
	})
}
