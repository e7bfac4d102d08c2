package ikev1

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// say has a node send something on its first SA.
func (n *node) say(f func(s *sa)) {
	n.e.begin(n.w.now)
	f(n.e.saList()[0])
	n.do(n.e.end())
}

// A repeated message is answered by the same bytes, and a quick mode's message id is good once.
func TestRepeated(t *testing.T) {
	w := join(t, 4000, nil)
	var sent = map[*node][][]byte{}
	w.tap = func(from *node, _ ike.Path, p []byte) bool {
		sent[from] = append(sent[from], slices.Clone(p))
		return true
	}
	w.a.initiate()
	w.run(time.Second)
	answers := sent[w.b]
	w.run(2 * time.Second)
	for i, p := range sent[w.a][:4] { // three of main mode, the first of quick mode
		before := len(sent[w.b])
		w.b.event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.b.addr, port), Remote: netip.AddrPortFrom(w.a.addr, port)}, Packet: p})
		switch after := sent[w.b][before:]; {
		case len(after) > 1:
			t.Errorf("message %d: %d answers to a repeated one", i+1, len(after))
		case len(after) == 1 && !slices.ContainsFunc(answers, func(a []byte) bool { return bytes.Equal(a, after[0]) }):
			t.Errorf("message %d: the answer to a repeated one is another", i+1)
		}
	}
	children := len(w.b.children)
	w.run(2 * time.Minute) // what was remembered is forgotten
	w.b.event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.b.addr, port), Remote: netip.AddrPortFrom(w.a.addr, port)}, Packet: sent[w.a][3]})
	w.run(time.Second)
	if len(w.b.children) != children {
		t.Error("a quick mode that was used came up again")
	}
	w.wantUp()
}

func TestResponderLifetime(t *testing.T) {
	w := join(t, 4100, func(a, b *ike.Config) {
		b.Protections[0].Lifetime, b.Protections[0].Kilobytes = 10*time.Minute, 1000
		a.Protections[0].Kilobytes = 5000
	})
	w.a.initiate()
	w.run(time.Second)
	w.wantUp()
	if c := w.a.children[w.a.active]; c.Lifetime != 10*time.Minute || c.HardBytes != 1000*1024 || c.SoftBytes >= c.HardBytes {
		t.Errorf("a's child lives %v and %d bytes (soft %d)", c.Lifetime, c.HardBytes, c.SoftBytes)
	}
}

// Mode config and XAUTH are answered without attributes, and end nothing.
func TestTransaction(t *testing.T) {
	w := join(t, 4200, nil)
	w.a.initiate()
	w.run(time.Second)
	w.ladder = nil
	w.b.say(func(s *sa) {
		c := ikev1msg.Config{Kind: ikev1msg.ConfigRequest, Identifier: 9, Attrs: []ikev1msg.Attr{ikev1msg.Short(16520, 0)}}
		x := s.begin(ikev1msg.Transaction, nil)
		x.sendHashed(nil, []ikemsg.Payload{{Type: ikev1msg.PayloadConfig, Body: c.Append(nil)}})
	})
	w.run(time.Second)
	w.wantLadder("b TRANS", "a TRANS")
	w.wantUp()
}

// ESP to an SPI that is not ours: the peer is told on the SA, if that is configured, and makes the child anew.
func TestUnknownSPI(t *testing.T) {
	w := join(t, 4300, func(a, b *ike.Config) { b.InvalidSPIRecovery = true })
	w.a.initiate()
	w.run(time.Minute)
	out := w.a.children[w.a.active].ESP.OutSPI
	lost := w.b.active
	w.b.e.begin(w.now)
	w.b.e.children[lost].end(ike.WhyCleared) // without a word
	w.b.do(w.b.e.end())
	ev := ike.UnknownSPI{Protocol: 50, SPI: out, Path: ike.Path{Local: netip.AddrPortFrom(w.b.addr, 0), Remote: netip.AddrPortFrom(w.a.addr, 0)}}
	w.ladder = nil
	w.b.event(ev)
	w.b.event(ev) // not at once again
	if len(w.ladder) != 1 {
		t.Errorf("said %v", w.ladder)
	}
	w.run(2 * time.Second)
	w.wantUp()
}

// A peer that goes on with SAs of before our restart is told so on an SA that is made for it, and begins afresh.
func TestRecovery(t *testing.T) {
	w := join(t, 4350, func(a, b *ike.Config) { b.InvalidSPIRecovery = true })
	w.a.initiate()
	w.run(time.Minute)
	old := w.a.active
	ev := ike.UnknownSPI{Protocol: 50, SPI: w.a.children[old].ESP.OutSPI, Path: ike.Path{Local: netip.AddrPortFrom(w.b.addr, 0), Remote: netip.AddrPortFrom(w.a.addr, 0)}}
	w.b.e = New(ike.NewEnv(newChaos(4351), 4351))
	w.b.children, w.b.active = map[ike.ChildID]*ike.Child{}, 0
	w.b.do(w.b.e.Configure(w.now, &w.b.cfg))
	w.b.event(ev)
	w.b.event(ev) // on its way already
	if n := len(w.b.e.sas); n != 1 {
		t.Errorf("%d SAs begun", n)
	}
	w.run(2 * time.Second)
	if w.a.removed[old] != ike.WhyInitialContact {
		t.Errorf("removed %v", w.a.removed)
	}
	w.a.initiate() // as the session's, which is down
	w.run(2 * time.Second)
	w.wantUp()
	for range 1000 { // strangers, who may not exist
		ev.Path.Remote = netip.AddrPortFrom(ev.Path.Remote.Addr().Next(), 0)
		w.b.event(ev)
	}
	if n := len(w.b.e.sas); n > 1+noticeBurst {
		t.Errorf("%d SAs begun with strangers", n)
	}
}

func TestDeleteOfAChild(t *testing.T) {
	for _, by := range []string{"a", "b"} {
		w := join(t, 4400, nil)
		w.a.initiate()
		w.run(time.Second)
		n := w.a
		if by == "b" {
			n = w.b
		}
		n.event(ike.Drop{Child: n.active})
		w.run(time.Second)
		if len(w.a.children)+len(w.b.children) != 0 || w.other(n).removed[1] != ike.WhyPeerDeleted {
			t.Errorf("by %s: %d and %d children, removed %v", by, len(w.a.children), len(w.b.children), w.other(n).removed)
		}
	}
}

func TestNoAggressive(t *testing.T) {
	w := join(t, 4500, func(a, b *ike.Config) {
		a.V1.Profiles = []ike.V1Profile{{Name: "ag", Aggressive: true, Match: []ike.Match{{VRF: ike.AnyVRF}}}}
		a.Protections[0].ISAKMPProfile, b.V1.NoAggressive = "ag", true
	})
	w.a.initiate()
	w.run(3 * time.Minute)
	if len(w.b.e.sas) != 0 || len(w.a.failed) != 1 || slices.Contains(w.ladder, "b AG") {
		t.Errorf("aggressive mode is disabled: failed %+v, %v", w.a.failed, w.ladder)
	}
}

// A message in fragments, as peers send it that have seen the vendor id.
func TestFragments(t *testing.T) {
	w := join(t, 4600, nil)
	w.tap = func(from *node, p ike.Path, b []byte) bool {
		h, _ := ikemsg.ParseHeader(b)
		if from != w.a || h.Exchange != ikev1msg.MainMode || h.Responder == (ikemsg.SPI{}) || h.NextPayload == ikev1msg.PayloadFragment {
			return true
		}
		const piece = 40
		to := ike.Path{Local: p.Remote, Remote: p.Local}
		n := uint8(0)
		for rest := b; len(rest) > 0; {
			k := min(piece, len(rest))
			n++
			f := ikev1msg.Fragment{ID: 1 + uint16(h.Flags), Number: n, Last: k == len(rest), Data: rest[:k]}
			m := assemble(ikemsg.Header{Initiator: h.Initiator, Responder: h.Responder, Version: ikemsg.Version1, Exchange: h.Exchange}, []ikemsg.Payload{{Type: ikev1msg.PayloadFragment, Body: f.Append(nil)}})
			w.seq++
			w.flights = append(w.flights, flight{w.now.Add(w.delay), w.b, to, m, w.seq})
			rest = rest[k:]
		}
		return false
	}
	w.a.initiate()
	w.run(2 * time.Second)
	w.wantUp()
}

// DPD as configured: periodic asks whatever is heard, on-demand only in silence; a replayed question is not answered.
func TestDPDKinds(t *testing.T) {
	for _, periodic := range []bool{true, false} {
		w := join(t, 4700, func(a, b *ike.Config) {
			a.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second, Periodic: periodic}
		})
		w.a.initiate()
		w.run(time.Second)
		w.ladder = nil
		for limit := w.now.Add(65 * time.Second); w.now.Before(limit); {
			w.run(time.Second)
			w.a.event(ike.Heard{Child: w.a.active})
		}
		if asked := len(w.ladder) > 0; asked != periodic {
			t.Errorf("periodic %v: %v", periodic, w.ladder)
		}
		w.wantUp()
	}
	w := join(t, 4701, func(a, b *ike.Config) { a.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second} })
	w.a.initiate()
	w.run(40 * time.Second)
	s := w.b.e.saList()[0]
	if f := s.answerDPD(&ikev1msg.Notify{Data: []byte{0, 0, 0, 1}}); f == nil {
		t.Error("an old question is answered")
	}
}

// A child whose IKE SA is over is looked after: its peer is asked on a new one, and it ends if nobody answers.
func TestOrphan(t *testing.T) {
	for _, dead := range []bool{false, true} {
		w := join(t, 4800, func(a, b *ike.Config) { a.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second} })
		w.a.initiate()
		w.run(time.Second)
		w.a.say(func(s *sa) { s.end(ike.WhyExpired, true) })
		w.b.stopped = dead
		w.run(3 * time.Minute)
		if dead != (len(w.a.children) == 0) {
			t.Errorf("peer dead: %v, and %d children", dead, len(w.a.children))
		}
		if !dead {
			w.wantUp()
		}
	}
}

// The drafts before RFC 3947 have other numbers for the same.
func TestNATDrafts(t *testing.T) {
	w := join(t, 4900, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.tap = func(_ *node, _ ike.Path, b []byte) bool { // neither side sees the other's RFC 3947
		if k := bytes.Index(b, vendorRFC3947); k >= 0 {
			b[k] ^= 0xff
		}
		return true
	}
	w.a.initiate()
	w.run(2 * time.Second)
	w.wantUp()
	for _, n := range []*node{w.a, w.b} {
		if s := n.e.saList()[0]; s.natMethod != natDraft || !n.children[n.active].Encap {
			t.Errorf("%s: method %d, child %+v", n.name, s.natMethod, n.children[n.active].Path)
		}
	}
}

// What engines show of themselves, and no secret in it.
func TestStatus(t *testing.T) {
	w := join(t, 5000, nil)
	w.a.initiate()
	w.run(time.Second)
	var s ike.Status
	w.a.e.AppendStatus(w.now, &s)
	if len(s.SAs) != 1 || s.SAs[0].State != "QM_IDLE" || !s.SAs[0].Initiator || len(s.SAs[0].Children) != 1 || len(s.Children) != 1 || !s.Children[0].Active || s.Stats[1].Initiated != 1 {
		t.Errorf("%+v", s)
	}
	if text := fmt.Sprintf("%+v %+v %+v", s, w.a.e.saList()[0].keys.skeyid, w.a.children[w.a.active]); bytes.Contains([]byte(text), []byte("secret")) {
		t.Error("a secret is shown")
	}
}
