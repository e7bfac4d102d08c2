package ikev1

import (
	"slices"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// aggressiveInitiator is aggressive mode as who starts it (RFC 2409 section 5). The group is that of the policy with the highest priority: the public
// value goes along with the first message.
type aggressiveInitiator struct{ s *sa }

func (t *aggressiveInitiator) start(x *exchange) *fault {
	s, p := t.s, t.s.p1
	group := p.offered[0].Group
	p.offered = slices.DeleteFunc(p.offered, func(o ike.V1Policy) bool { return o.Group != group })
	kx, err := s.e.exchangeOf(group)
	if err != nil {
		return faultf(ike.WhyPolicy, 0, "%v", err)
	}
	offer := policySA(p.offered)
	p.saBody = offer.Append(nil)
	p.kx, p.gxi, p.ni = kx, kx.Public(), s.e.nonce()
	s.self = s.whoAmI()
	p.idi = s.payloadOf(s.self)
	s.enter(agNoState)
	x.send(append([]ikemsg.Payload{
		{Type: ikev1msg.PayloadSA, Body: p.saBody},
		{Type: ikev1msg.PayloadKE, Body: p.gxi},
		{Type: ikev1msg.PayloadNonce, Body: p.ni},
		{Type: ikev1msg.PayloadID, Body: p.idi},
	}, s.e.vendors()...))
	x.expect()
	return nil
}

// process takes the second message in, which holds all that the peer has to say.
func (t *aggressiveInitiator) process(x *exchange, m *message) *fault {
	s, p := t.s, t.s.p1
	if m.encrypted || m.head.Responder == (ikemsg.SPI{}) || s.e.byCookies[cookies{s.ci, m.head.Responder}] != nil {
		return malformed("no cookie of the responder")
	}
	if m.digest == p.wrong {
		return malformed("the same wrong message again")
	}
	f := t.answer(m)
	if f != nil {
		// Nothing shows yet that it came from the peer: the right answer may follow.
		s.keys.clear()
		s.keys, s.cr, s.natMethod, s.nat = keys{}, ikemsg.SPI{}, natNone, ike.NAT{}
		return f
	}
	proof, f := s.proof(s.ourHash())
	if f != nil {
		return f
	}
	x.accept(m)
	s.named(m.head.Responder)
	x.iv = s.keys.firstIV(p.gxi, p.gxr)
	s.float()
	detections := s.detections() // of the ports that the message goes by
	s.enter(agAuth)
	x.sendSealed(slices.Concat(proof, detections, s.contact()))
	s.keys.iv = x.iv
	s.establish(x)
	return nil
}

// answer reads and checks the second message.
func (t *aggressiveInitiator) answer(m *message) *fault {
	s, p := t.s, t.s.p1
	body, f := m.payload(ikev1msg.PayloadSA)
	if f != nil {
		return f
	}
	if s.policy, f = chosenPolicy(p.offered, body); f != nil {
		return f
	}
	s.lifetime = s.policy.Lifetime
	ke, nonce, f := s.keyAndNonce(m)
	if f != nil {
		return f
	}
	if equal(ke, p.gxi) {
		return malformed("our own public value came back")
	}
	s.cr = m.head.Responder
	p.gxr, p.nr = ke, nonce
	s.learnVendors(m)
	id, f := s.identify(m)
	if f != nil {
		return f
	}
	// The private value has to last for another answer, if this one is wrong.
	if f := s.agreeKeeping(ke); f != nil {
		return f
	}
	if f := s.prove(m, id, s.peerHash()); f != nil {
		return f
	}
	s.detect(m)
	return s.welcome(id)
}

func (t *aggressiveInitiator) timeout(*exchange)        { t.s.giveUp() }
func (t *aggressiveInitiator) abort(*exchange, ike.Why) {}

// aggressiveResponder is aggressive mode as who answers.
type aggressiveResponder struct{ s *sa }

// start answers the first message, of which policy was chosen.
func (t *aggressiveResponder) start(x *exchange, m *message, answer ikev1msg.SA) *fault {
	s, p := t.s, t.s.p1
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
	s.self = s.whoAmI()
	p.idr = s.payloadOf(s.self)
	proof, f := s.proof(s.ourHash())
	if f != nil {
		return f
	}
	x.accept(m)
	s.learnVendors(m)
	x.iv = s.keys.firstIV(p.gxi, p.gxr)
	s.enter(agInit)
	x.send(slices.Concat([]ikemsg.Payload{
		{Type: ikev1msg.PayloadSA, Body: answer.Append(nil)},
		{Type: ikev1msg.PayloadKE, Body: p.gxr},
		{Type: ikev1msg.PayloadNonce, Body: p.nr},
		{Type: ikev1msg.PayloadID, Body: p.idr},
	}, proof, s.detections(), s.requests(), s.e.vendors()))
	x.await(halfOpen)
	return nil
}

// process takes the third message in, encrypted or not: the proof of who the peer is.
func (t *aggressiveResponder) process(x *exchange, m *message) *fault {
	s := t.s
	if m.head.Responder != s.cr {
		return malformed("not the third message of aggressive mode")
	}
	id := s.other
	if m.digest == s.p1.wrong {
		return malformed("the same wrong message again")
	}
	if f := s.prove(m, id, s.peerHash()); f != nil {
		if f.why == ike.WhyMalformed && m.encrypted {
			return s.undecipherable(x, m, f)
		}
		return f
	}
	if f := s.welcome(id); f != nil {
		return f
	}
	iv := x.iv
	x.accept(m)
	if m.encrypted {
		iv = m.next
	}
	s.detect(m)
	if m.encrypted { // in clear no hash covers it
		s.noteContact(m)
	}
	s.follow(m.path)
	x.sent = nil // nothing follows the third message
	s.keys.iv = iv
	s.establish(x)
	return nil
}

func (t *aggressiveResponder) timeout(*exchange)        { t.s.giveUp() }
func (t *aggressiveResponder) abort(*exchange, ike.Why) {}

// exchangeOf makes a private value for a group.
func (e *Engine) exchangeOf(g suite.Group) (suite.KeyExchange, error) {
	return suite.NewKeyExchange(g, e.env.Rand)
}
