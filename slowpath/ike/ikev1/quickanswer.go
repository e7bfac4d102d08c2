package ikev1

import (
	"net/netip"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// quickResponder is quick mode as who answers.
type quickResponder struct {
	half
	c *child
}

// answerQuick takes the first message of a peer's quick mode in, which is authentic.
func (e *Engine) answerQuick(s *sa, m *message) *fault {
	if s.nat.Peer {
		s.moveTo(m.path)
	}
	open := 0
	for _, x := range s.exchanges {
		if x.kind == ikev1msg.QuickMode && x.task != nil {
			open++
		}
	}
	if open >= quickPerSA {
		return faultf(ike.WhyLimit, 0, "%d quick modes are open", open)
	}
	t := &quickResponder{half: half{s: s, born: e.now}}
	ask, f := s.asked(m)
	if f == nil {
		t.ni = ask.nonce
		f = t.respond(m, ask)
	}
	if f == nil {
		return nil
	}
	t.give()
	if f.why == ike.WhyMalformed {
		return f
	}
	e.failed(ike.Log{Path: s.path, SA: s.id, Peer: s.other, Why: f.why, Text: f.text})
	s.tell(ikev1msg.ProtoESP, f.notify)
	return nil
}

// asking is what a peer's first message of quick mode says.
type asking struct {
	offer    ikev1msg.SA
	nonce    []byte
	idi, idr []byte
	claimed  netip.Addr
}

// asked reads it, and checks that it is for GRE between the two of us.
func (s *sa) asked(m *message) (a asking, f *fault) {
	body, f := m.payload(ikev1msg.PayloadSA)
	if f != nil {
		return a, f
	}
	offer, err := ikev1msg.ParseSA(body)
	if err != nil {
		return a, malformed("%v", err)
	}
	a.offer = offer
	if a.nonce, f = quickNonce(m); f != nil {
		return a, f
	}
	ids := m.all(ikev1msg.PayloadID)
	if len(ids) != 2 {
		return a, faultf(ike.WhySelectors, ikev1msg.NotifyInvalidID, "%d identities where there should be two: the addresses of a tunnel and GRE", len(ids))
	}
	a.idi, a.idr = ids[0], ids[1]
	i, err1 := ikev1msg.ParseID(a.idi)
	r, err2 := ikev1msg.ParseID(a.idr)
	if err1 != nil || err2 != nil {
		return a, malformed("an identity that cannot be read")
	}
	hi, ok1 := i.Host()
	hr, ok2 := r.Host()
	switch {
	case !ok1 || !ok2 || i.Protocol != protoGRE || r.Protocol != protoGRE || i.Port != 0 || r.Port != 0:
		return a, faultf(ike.WhySelectors, ikev1msg.NotifyInvalidID, "the selectors are not one address each and GRE")
	case hi != s.path.Remote.Addr() && !s.nat.Peer, hr != s.path.Local.Addr() && !s.nat.Self:
		return a, faultf(ike.WhySelectors, ikev1msg.NotifyInvalidID, "the selectors are %s and %s, and the outer addresses %s and %s", hi, hr, s.path.Remote.Addr(), s.path.Local.Addr())
	}
	a.claimed = hi
	return a, nil
}

// respond chooses, makes the child and answers.
func (t *quickResponder) respond(m *message, a asking) *fault {
	s, e := t.s, t.s.e
	p, g, f := s.chooseQuick(a.offer)
	if f != nil {
		return f
	}
	terms := termsOf(p)
	ours := terms
	terms.group = g.terms.group
	terms.shorten(uint64(g.terms.life/time.Second), g.terms.kilobytes)
	t.nr = e.nonce()
	var gxy, public []byte
	if terms.group != suite.GroupNone {
		ke, f := m.payload(ikev1msg.PayloadKE)
		if f != nil {
			return f
		}
		var err error
		if public, gxy, err = suite.Respond(terms.group, e.env.Rand, ke); err != nil {
			return malformed("%v", err)
		}
		defer clear(gxy)
	}
	t.take([]ike.Transform{g.transform})
	list := []ikemsg.Payload{{Type: ikev1msg.PayloadSA, Body: t.chosen(g)}, {Type: ikev1msg.PayloadNonce, Body: t.nr}}
	if public != nil {
		list = append(list, ikemsg.Payload{Type: ikev1msg.PayloadKE, Body: public})
	}
	list = append(list, ikemsg.Payload{Type: ikev1msg.PayloadID, Body: a.idi}, ikemsg.Payload{Type: ikev1msg.PayloadID, Body: a.idr})
	list = append(list, s.originals(false)...)
	if n := t.shorterLife(ours, g); n != nil {
		list = append(list, *n)
	}
	made := t.child(p, g, terms, gxy)
	made.Claimed = a.claimed
	if old := s.peer.child(p.ID, s.path.Remote); old != nil && old.Peer == s.other {
		made.Replaces = old.ID
	}
	t.keep(made.Transform)
	x := s.open(ikev1msg.QuickMode, m.head.MessageID, t)
	x.accept(m)
	t.c = &child{born: t.born, tie: t.tie(), exchange: x}
	e.install(s, t.c, made)
	x.sendHashed(t.ni, list)
	x.expect() // the third message may be lost: its sender hears of that by the second one only
	return nil
}

// chosen is the peer's proposal with our SPIs in it.
func (t *quickResponder) chosen(g *suggestion) []byte {
	o := ikev1msg.SA{DOI: ikev1msg.DOIIPsec, Situation: ikev1msg.SituationIdentity, Proposals: g.answer}
	for i := range o.Proposals {
		spi := t.esp
		if o.Proposals[i].Protocol == ikev1msg.ProtoAH {
			spi = t.ah
		}
		o.Proposals[i].SPI = spiBytes(spi)
	}
	return o.Append(nil)
}

// shorterLife is the notification that we rekey before the peer expects it (RFC 2407 section 4.6.3.1); nil: we do not.
func (t *quickResponder) shorterLife(ours terms, g *suggestion) *ikemsg.Payload {
	var data []byte
	if g.terms.life == 0 || ours.life < g.terms.life {
		data = ikev1msg.AppendLifetime(data, ikev1msg.LifeSeconds, uint32(ours.life/time.Second))
	}
	if ours.kilobytes != 0 && (g.terms.kilobytes == 0 || ours.kilobytes < g.terms.kilobytes) {
		data = ikev1msg.AppendLifetime(data, ikev1msg.LifeKilobytes, uint32(min(ours.kilobytes, 1<<32-1)))
	}
	if data == nil {
		return nil
	}
	n := ikev1msg.Notify{DOI: ikev1msg.DOIIPsec, Protocol: ikev1msg.ProtoESP, SPI: spiBytes(t.esp), Type: ikev1msg.NotifyResponderLifetime, Data: data}
	if t.esp == 0 {
		n.Protocol, n.SPI = ikev1msg.ProtoAH, spiBytes(t.ah)
	}
	return &ikemsg.Payload{Type: ikev1msg.PayloadNotify, Body: n.Append(nil)}
}

// process takes the third message in: the peer has our answer.
func (t *quickResponder) process(x *exchange, m *message) *fault {
	hash, _, f := m.hashed()
	if f != nil {
		return f
	}
	if !equal(hash, t.s.keys.hash3(x.id, t.ni, t.nr)) {
		return faultf(ike.WhyAuthentication, 0, "the hash of the third message of quick mode is wrong")
	}
	t.s.alive()
	x.accept(m)
	x.sent = nil
	x.finish()
	t.c.exchange = nil
	t.c.activate()
	return nil
}

// timeout takes away a child that the peer did not confirm.
func (t *quickResponder) timeout(x *exchange) {
	c := t.c
	c.exchange = nil
	x.forget()
	c.end(ike.WhyTimeout)
}

// abort does the same when the SA ends first; a child that packets came by is confirmed, and no more in here.
func (t *quickResponder) abort(*exchange, ike.Why) {
	t.c.exchange = nil
	t.c.end(ike.WhyTimeout)
}
