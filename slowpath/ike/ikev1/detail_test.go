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

// A repeated message is answered by the same bytes, and a quick mode's message id is good once.
func TestRepeated(t *testing.T) {
	w := join(t, 4000, nil)
	var sent = map[*node][][]byte{}
	w.Tap = func(from *node, _ ike.Path, p []byte) bool {
		sent[from] = append(sent[from], slices.Clone(p))
		return true
	}
	w.A.Initiate()
	w.Run(time.Second)
	answers := sent[w.B]
	w.Run(2 * time.Second)
	for i, p := range sent[w.A][:4] { // three of main mode, the first of quick mode
		before := len(sent[w.B])
		w.B.Event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.B.Addr, port), Remote: netip.AddrPortFrom(w.A.Addr, port)}, Packet: p})
		switch after := sent[w.B][before:]; {
		case len(after) > 1:
			t.Errorf("message %d: %d answers to a repeated one", i+1, len(after))
		case len(after) == 1 && !slices.ContainsFunc(answers, func(a []byte) bool { return bytes.Equal(a, after[0]) }):
			t.Errorf("message %d: the answer to a repeated one is another", i+1)
		}
	}
	children := len(w.B.Children)
	w.Run(2 * time.Minute) // what was remembered is forgotten
	w.B.Event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.B.Addr, port), Remote: netip.AddrPortFrom(w.A.Addr, port)}, Packet: sent[w.A][3]})
	w.Run(time.Second)
	if len(w.B.Children) != children {
		t.Error("a quick mode that was used came up again")
	}
	w.WantUp()
}

func TestResponderLifetime(t *testing.T) {
	w := join(t, 4100, func(a, b *ike.Config) {
		b.Protections[0].Lifetime, b.Protections[0].Kilobytes = 10*time.Minute, 1000
		a.Protections[0].Kilobytes = 5000
	})
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	if c := w.A.Children[w.A.Active]; c.Lifetime != 10*time.Minute || c.HardBytes != 1000*1024 || c.SoftBytes >= c.HardBytes {
		t.Errorf("a's child lives %v and %d bytes (soft %d)", c.Lifetime, c.HardBytes, c.SoftBytes)
	}
}

// Mode config and XAUTH are answered without attributes, and end nothing.
func TestTransaction(t *testing.T) {
	w := join(t, 4200, nil)
	w.A.Initiate()
	w.Run(time.Second)
	w.Ladder = nil
	say(w.B, func(s *sa) {
		c := ikev1msg.Config{Kind: ikev1msg.ConfigRequest, Identifier: 9, Attrs: []ikev1msg.Attr{ikev1msg.Short(16520, 0)}}
		x := s.begin(ikev1msg.Transaction, nil)
		x.sendHashed(nil, []ikemsg.Payload{{Type: ikev1msg.PayloadConfig, Body: c.Append(nil)}})
	})
	w.Run(time.Second)
	w.WantLadder("b TRANS", "a TRANS")
	w.WantUp()
}

// ESP to an SPI that is not ours: the peer is told on the SA, if that is configured, and makes the child anew.
func TestUnknownSPI(t *testing.T) {
	w := join(t, 4300, func(a, b *ike.Config) { b.InvalidSPIRecovery = true })
	w.A.Initiate()
	w.Run(time.Minute)
	out := w.A.Children[w.A.Active].ESP.OutSPI
	lost := w.B.Active
	w.B.Engine.begin(w.Now)
	w.B.Engine.children[lost].end(ike.WhyCleared) // without a word
	w.B.Do(w.B.Engine.end())
	ev := ike.UnknownSPI{Protocol: 50, SPI: out, Path: ike.Path{Local: netip.AddrPortFrom(w.B.Addr, 0), Remote: netip.AddrPortFrom(w.A.Addr, 0)}}
	w.Ladder = nil
	w.B.Event(ev)
	w.B.Event(ev) // not at once again
	if len(w.Ladder) != 1 {
		t.Errorf("said %v", w.Ladder)
	}
	w.Run(2 * time.Second)
	w.WantUp()
}

// A peer that goes on with SAs of before our restart is told so on an SA that is made for it, and begins afresh.
func TestRecovery(t *testing.T) {
	w := join(t, 4350, func(a, b *ike.Config) { b.InvalidSPIRecovery = true })
	w.A.Initiate()
	w.Run(time.Minute)
	old := w.A.Active
	ev := ike.UnknownSPI{Protocol: 50, SPI: w.A.Children[old].ESP.OutSPI, Path: ike.Path{Local: netip.AddrPortFrom(w.B.Addr, 0), Remote: netip.AddrPortFrom(w.A.Addr, 0)}}
	w.B.Restart(4351)
	w.B.Event(ev)
	w.B.Event(ev) // on its way already
	if n := len(w.B.Engine.sas); n != 1 {
		t.Errorf("%d SAs begun", n)
	}
	w.Run(2 * time.Second)
	if w.A.Removed[old] != ike.WhyInitialContact {
		t.Errorf("removed %v", w.A.Removed)
	}
	w.A.Initiate() // as the session's, which is down
	w.Run(2 * time.Second)
	w.WantUp()
	for range 1000 { // strangers, who may not exist
		ev.Path.Remote = netip.AddrPortFrom(ev.Path.Remote.Addr().Next(), 0)
		w.B.Event(ev)
	}
	if n := len(w.B.Engine.sas); n > 1+noticeBurst {
		t.Errorf("%d SAs begun with strangers", n)
	}
}

func TestDeleteOfAChild(t *testing.T) {
	for _, by := range []string{"a", "b"} {
		w := join(t, 4400, nil)
		w.A.Initiate()
		w.Run(time.Second)
		n := w.A
		if by == "b" {
			n = w.B
		}
		n.Event(ike.Drop{Child: n.Active})
		w.Run(time.Second)
		if len(w.A.Children)+len(w.B.Children) != 0 || w.Other(n).Removed[1] != ike.WhyPeerDeleted {
			t.Errorf("by %s: %d and %d children, removed %v", by, len(w.A.Children), len(w.B.Children), w.Other(n).Removed)
		}
	}
}

func TestNoAggressive(t *testing.T) {
	w := join(t, 4500, func(a, b *ike.Config) {
		a.V1.Profiles = []ike.V1Profile{{Name: "ag", Aggressive: true, Match: []ike.Match{{VRF: ike.AnyVRF}}}}
		a.Protections[0].ISAKMPProfile, b.V1.NoAggressive = "ag", true
	})
	w.A.Initiate()
	w.Run(3 * time.Minute)
	if len(w.B.Engine.sas) != 0 || len(w.A.Failed) != 1 || slices.Contains(w.Ladder, "b AG") {
		t.Errorf("aggressive mode is disabled: failed %+v, %v", w.A.Failed, w.Ladder)
	}
}

// A message in fragments, as peers send it that have seen the vendor id.
func TestFragments(t *testing.T) {
	w := join(t, 4600, nil)
	w.Tap = func(from *node, p ike.Path, b []byte) bool {
		h, _ := ikemsg.ParseHeader(b)
		if from != w.A || h.Exchange != ikev1msg.MainMode || h.Responder == (ikemsg.SPI{}) || h.NextPayload == ikev1msg.PayloadFragment {
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
			w.Deliver(w.B, to, m)
			rest = rest[k:]
		}
		return false
	}
	w.A.Initiate()
	w.Run(2 * time.Second)
	w.WantUp()
}

// DPD as configured: periodic asks whatever is heard, on-demand only in silence; a replayed question is not answered.
func TestDPDKinds(t *testing.T) {
	for _, periodic := range []bool{true, false} {
		w := join(t, 4700, func(a, b *ike.Config) {
			a.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second, Periodic: periodic}
		})
		w.A.Initiate()
		w.Run(time.Second)
		w.Ladder = nil
		for limit := w.Now.Add(65 * time.Second); w.Now.Before(limit); {
			w.Run(time.Second)
			w.A.Event(ike.Heard{Child: w.A.Active})
		}
		if asked := len(w.Ladder) > 0; asked != periodic {
			t.Errorf("periodic %v: %v", periodic, w.Ladder)
		}
		w.WantUp()
	}
	w := join(t, 4701, func(a, b *ike.Config) { a.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second} })
	w.A.Initiate()
	w.Run(40 * time.Second)
	s := w.B.Engine.saList()[0]
	if f := s.answerDPD(&ikev1msg.Notify{Data: []byte{0, 0, 0, 1}}); f == nil {
		t.Error("an old question is answered")
	}
}

// A child whose IKE SA is over is looked after: its peer is asked on a new one, and it ends if nobody answers.
func TestOrphan(t *testing.T) {
	for _, dead := range []bool{false, true} {
		w := join(t, 4800, func(a, b *ike.Config) { a.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second} })
		w.A.Initiate()
		w.Run(time.Second)
		say(w.A, func(s *sa) { s.end(ike.WhyExpired, true) })
		w.B.Stopped = dead
		w.Run(3 * time.Minute)
		if dead != (len(w.A.Children) == 0) {
			t.Errorf("peer dead: %v, and %d children", dead, len(w.A.Children))
		}
		if !dead {
			w.WantUp()
		}
	}
}

// The drafts before RFC 3947 have other numbers for the same.
func TestNATDrafts(t *testing.T) {
	w := join(t, 4900, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.Tap = func(_ *node, _ ike.Path, b []byte) bool { // neither side sees the other's RFC 3947
		if k := bytes.Index(b, vendorRFC3947); k >= 0 {
			b[k] ^= 0xff
		}
		return true
	}
	w.A.Initiate()
	w.Run(2 * time.Second)
	w.WantUp()
	for _, n := range []*node{w.A, w.B} {
		if s := n.Engine.saList()[0]; s.natMethod != natDraft || !n.Children[n.Active].Encap {
			t.Errorf("%s: method %d, child %+v", n.Name, s.natMethod, n.Children[n.Active].Path)
		}
	}
}

// What engines show of themselves, and no secret in it.
func TestStatus(t *testing.T) {
	w := join(t, 5000, nil)
	w.A.Initiate()
	w.Run(time.Second)
	var s ike.Status
	w.A.Engine.AppendStatus(w.Now, &s)
	if len(s.SAs) != 1 || s.SAs[0].State != "QM_IDLE" || !s.SAs[0].Initiator || len(s.SAs[0].Children) != 1 || len(s.Children) != 1 || !s.Children[0].Active || s.Stats[1].Initiated != 1 {
		t.Errorf("%+v", s)
	}
	if text := fmt.Sprintf("%+v %+v %+v", s, w.A.Engine.saList()[0].keys.skeyid, w.A.Children[w.A.Active]); bytes.Contains([]byte(text), []byte("secret")) {
		t.Error("a secret is shown")
	}
}
