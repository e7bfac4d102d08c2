package ikev1

import (
	"slices"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// mainInitiator is main mode as who starts it (RFC 2409 section 5).
type mainInitiator struct{ s *sa }

// start sends the proposals.
func (t *mainInitiator) start(x *exchange) {
	p := t.s.p1
	offer := policySA(p.offered)
	p.saBody = offer.Append(nil)
	t.s.enter(noState)
	x.send(append([]ikemsg.Payload{{Type: ikev1msg.PayloadSA, Body: p.saBody}}, t.s.e.vendors()...))
	x.expect()
}

func (t *mainInitiator) process(x *exchange, m *message) *fault {
	switch t.s.state {
	case noState:
		return t.chosen(x, m)
	case saSetup:
		return t.keyed(x, m)
	case keyExchanged:
		return t.proven(x, m)
	}
	return malformed("message of main mode that nothing waits for")
}

// chosen takes the second message in: which proposal.
func (t *mainInitiator) chosen(x *exchange, m *message) *fault {
	s, p := t.s, t.s.p1
	if m.encrypted || m.head.Responder == (ikemsg.SPI{}) || s.e.byCookies[cookies{s.ci, m.head.Responder}] != nil {
		return malformed("no cookie of the responder")
	}
	body, f := m.payload(ikev1msg.PayloadSA)
	if f != nil {
		return f
	}
	policy, f := chosenPolicy(p.offered, body)
	if f != nil {
		return f
	}
	kx, err := s.e.exchangeOf(policy.Group)
	if err != nil {
		return faultf(ike.WhyPolicy, 0, "%v", err)
	}
	x.accept(m)
	s.named(m.head.Responder)
	s.policy, s.lifetime = policy, policy.Lifetime
	s.learnVendors(m)
	s.enter(saSetup)
	p.kx, p.gxi, p.ni = kx, kx.Public(), s.e.nonce()
	x.send(slices.Concat([]ikemsg.Payload{
		{Type: ikev1msg.PayloadKE, Body: p.gxi}, {Type: ikev1msg.PayloadNonce, Body: p.ni},
	}, s.requests(), s.detections()))
	x.expect()
	return nil
}

// keyed takes the fourth message in: the peer's public value.
func (t *mainInitiator) keyed(x *exchange, m *message) *fault {
	s, p := t.s, t.s.p1
	if m.encrypted || m.head.Responder != s.cr {
		return malformed("encrypted before there are keys")
	}
	ke, nonce, f := s.keyAndNonce(m)
	if f != nil {
		return f
	}
	if equal(ke, p.gxi) {
		return malformed("our own public value came back")
	}
	p.gxr, p.nr = ke, nonce
	if f := s.agree(ke); f != nil {
		return f
	}
	s.detect(m)
	s.float()
	s.self = s.whoAmI()
	p.idi = s.payloadOf(s.self)
	proof, f := s.proof(s.ourHash())
	if f != nil {
		return f
	}
	x.accept(m)
	x.iv = s.keys.firstIV(p.gxi, p.gxr)
	s.enter(keyExchanged)
	x.sendSealed(slices.Concat([]ikemsg.Payload{{Type: ikev1msg.PayloadID, Body: p.idi}}, proof, s.contact()))
	x.expect()
	return nil
}

// proven takes the sixth message in: who the peer is.
func (t *mainInitiator) proven(x *exchange, m *message) *fault {
	s := t.s
	if !m.encrypted || m.head.Responder != s.cr {
		return malformed("not encrypted")
	}
	id, f := s.identify(m)
	if f != nil {
		return s.undecipherable(x, m, f)
	}
	if f := s.admitPeer(m, id); f != nil {
		return f
	}
	x.accept(m)
	s.noteContact(m)
	s.keys.iv = x.iv
	s.establish(x)
	return nil
}

// admitPeer checks who the peer is, and that this is who it may be.
func (s *sa) admitPeer(m *message, id ike.Identity) *fault {
	if m.digest == s.p1.wrong {
		return malformed("the same wrong message again")
	}
	if f := s.prove(m, id, s.peerHash()); f != nil {
		if f.why == ike.WhyMalformed {
			return s.undecipherable(nil, m, f)
		}
		s.other = id
		return f
	}
	return s.welcome(id)
}

func (t *mainInitiator) timeout(*exchange)        { t.s.giveUp() }
func (t *mainInitiator) abort(*exchange, ike.Why) {}

// mainResponder is main mode as who answers.
type mainResponder struct{ s *sa }

// start answers the first message, of which policy was chosen.
func (t *mainResponder) start(x *exchange, m *message, answer ikev1msg.SA) {
	t.s.enter(noState)
	x.accept(m)
	t.s.learnVendors(m)
	x.send(append([]ikemsg.Payload{{Type: ikev1msg.PayloadSA, Body: answer.Append(nil)}}, t.s.e.vendors()...))
	t.s.enter(saSetup)
	wait := halfOpen
	if t.s.e.crowded() {
		wait = halfOpenBusy // it may not even exist
	}
	x.await(wait)
}

func (t *mainResponder) process(x *exchange, m *message) *fault {
	switch t.s.state {
	case saSetup:
		return t.keyed(x, m)
	case keyExchanged:
		return t.proven(x, m)
	}
	return malformed("message of main mode that nothing waits for")
}

// keyed takes the third message in: the peer's public value.
func (t *mainResponder) keyed(x *exchange, m *message) *fault {
	s, p := t.s, t.s.p1
	if m.encrypted || m.head.Responder != s.cr {
		return malformed("not the third message of main mode")
	}
	ke, nonce, f := s.keyAndNonce(m)
	if f != nil {
		return f
	}
	kx, err := s.e.exchangeOf(s.policy.Group)
	if err != nil {
		return faultf(ike.WhyPolicy, 0, "%v", err)
	}
	p.kx, p.gxr, p.nr = kx, kx.Public(), s.e.nonce()
	p.gxi, p.ni = ke, nonce
	if f := s.agree(ke); f != nil {
		return f
	}
	x.accept(m)
	detections := s.detections() // before the peer's say that it does none
	s.detect(m)
	if s.natMethod == natNone {
		detections = nil
	}
	x.iv = s.keys.firstIV(p.gxi, p.gxr)
	s.enter(keyExchanged)
	x.send(slices.Concat([]ikemsg.Payload{
		{Type: ikev1msg.PayloadKE, Body: p.gxr}, {Type: ikev1msg.PayloadNonce, Body: p.nr},
	}, s.requests(), detections))
	x.await(halfOpen)
	return nil
}

// proven takes the fifth message in: who the peer is; and tells it who we are.
func (t *mainResponder) proven(x *exchange, m *message) *fault {
	s, p := t.s, t.s.p1
	if !m.encrypted || m.head.Responder != s.cr {
		return malformed("not encrypted")
	}
	id, f := s.identify(m)
	if f != nil {
		return s.undecipherable(x, m, f)
	}
	if f := s.admitPeer(m, id); f != nil {
		return f
	}
	s.self = s.whoAmI()
	p.idr = s.payloadOf(s.self)
	proof, f := s.proof(s.ourHash())
	if f != nil {
		return f
	}
	x.accept(m)
	s.noteContact(m)
	s.follow(m.path)
	x.sendSealed(append([]ikemsg.Payload{{Type: ikev1msg.PayloadID, Body: p.idr}}, proof...))
	s.keys.iv = x.iv
	s.establish(x)
	return nil
}

func (t *mainResponder) timeout(*exchange)        { t.s.giveUp() }
func (t *mainResponder) abort(*exchange, ike.Why) {}
