package ikev1

import (
	"crypto/sha256"
	"crypto/x509"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// phase1 is what main and aggressive mode keep until the SA is established.
type phase1 struct {
	offered  []ike.V1Policy
	saBody   []byte // SAi_b
	kx       suite.KeyExchange
	ni, nr   []byte
	gxi, gxr []byte // public values
	idi, idr []byte // IDii_b, IDir_b
	psk      ike.Secret
	keyring  string
	point    *ike.Trustpoint     // that we sign by
	chain    []*x509.Certificate // the peer's
	contact  bool                // the peer says that this is its first SA with us
	// why it will have failed when its time is over, and whether that was logged.
	why    ike.Why
	code   uint16
	text   string
	logged bool
	// wrong is a message that was found wrong: it is not looked at again when it is repeated.
	wrong [sha256.Size]byte
}

// Lengths that nonces may have, and that ours have, in bytes (RFC 2409 section 5).
const (
	nonceLeast = 8
	nonceMost  = 256
	nonceLen   = 20
)

func (p *phase1) clear() {
	if p.kx != nil {
		p.kx.Clear()
	}
	p.kx, p.psk = nil, nil
}

func (e *Engine) nonce() []byte {
	b := make([]byte, nonceLen)
	e.env.Random(b)
	return b
}

// cookie makes up a cookie; not zero.
func (e *Engine) cookie() ikemsg.SPI {
	var c ikemsg.SPI
	for c == (ikemsg.SPI{}) || e.ours[c] != nil {
		e.env.Random(c[:])
	}
	return c
}

// keyAndNonce takes the peer's public value and nonce out of a message.
func (s *sa) keyAndNonce(m *message) (ke, nonce []byte, f *fault) {
	if ke, f = m.payload(ikev1msg.PayloadKE); f != nil {
		return nil, nil, f
	}
	if nonce, f = m.payload(ikev1msg.PayloadNonce); f != nil {
		return nil, nil, f
	}
	if len(nonce) < nonceLeast || len(nonce) > nonceMost {
		return nil, nil, malformed("a nonce of %d bytes", len(nonce))
	}
	if len(ke) != s.policy.Group.PublicLen() {
		return nil, nil, malformed("a public value of %d bytes where %s has %d", len(ke), s.policy.Group, s.policy.Group.PublicLen())
	}
	return append([]byte(nil), ke...), append([]byte(nil), nonce...), nil
}

// agree makes the keys of the SA, with the peer's public value. Our private value is used up.
func (s *sa) agree(ke []byte) *fault {
	f := s.agreeKeeping(ke)
	if f == nil {
		s.p1.kx.Clear()
	}
	return f
}

// agreeKeeping makes the keys, and keeps the private value.
func (s *sa) agreeKeeping(ke []byte) *fault {
	p := s.p1
	gxy, err := p.kx.Shared(ke)
	if err != nil {
		return faultf(ike.WhyMalformed, 0, "%v", err)
	}
	defer clear(gxy)
	var skeyid []byte
	if s.policy.RSA {
		skeyid = suite.SKEYIDSig(s.policy.Hash, p.ni, p.nr, gxy)
	} else {
		skeyid = suite.SKEYIDPSK(s.policy.Hash, p.psk, p.ni, p.nr)
	}
	defer clear(skeyid)
	k, err := derive(s.policy, skeyid, gxy, s.ci, s.cr)
	if err != nil {
		return faultf(ike.WhyPolicy, 0, "%v", err)
	}
	s.keys = k
	return nil
}

// ourHash and peerHash are HASH_I or HASH_R, by who started.
func (s *sa) ourHash() []byte  { return s.hashOf(s.initiator) }
func (s *sa) peerHash() []byte { return s.hashOf(!s.initiator) }

func (s *sa) hashOf(initiator bool) []byte {
	p := s.p1
	if initiator {
		return s.keys.hashI(p.gxi, p.gxr, s.ci, s.cr, p.saBody, p.idi)
	}
	return s.keys.hashR(p.gxi, p.gxr, s.ci, s.cr, p.saBody, p.idr)
}

// identify takes the peer's identity out of a message.
func (s *sa) identify(m *message) (ike.Identity, *fault) {
	body, f := m.payload(ikev1msg.PayloadID)
	if f != nil {
		return ike.Identity{}, f
	}
	d, err := ikev1msg.ParseID(body)
	if err != nil {
		return ike.Identity{}, malformed("%v", err)
	}
	if d.Protocol != 0 && d.Protocol != protoUDP {
		return ike.Identity{}, malformed("an identity of protocol %d", d.Protocol)
	}
	body = append([]byte(nil), body...)
	if s.initiator {
		s.p1.idr = body
	} else {
		s.p1.idi = body
	}
	return identityOf(d), nil
}

// noteContact notes INITIAL-CONTACT in a message that is authentic.
func (s *sa) noteContact(m *message) {
	for _, body := range m.all(ikev1msg.PayloadNotify) {
		if n, err := ikev1msg.ParseNotify(body); err == nil && n.Type == ikev1msg.NotifyInitialContact {
			s.p1.contact = true
		}
	}
}

// contact is the notification that this is our first SA with the peer, if it is (RFC 2407 section 4.6.3.3).
func (s *sa) contact() []ikemsg.Payload {
	if !s.e.env.Afresh(s.path) {
		return nil
	}
	for _, o := range s.peer.sas {
		if o != s && o.state == established && o.path.Remote == s.path.Remote {
			return nil
		}
		// One that the peer is about to bring up counts as soon as the peer has shown that it is there: it would forget it for this.
		if o != s && !s.nat.Peer && o.path.Remote.Addr() == s.path.Remote.Addr() && (o.state == keyExchanged || o.state == agAuth) {
			return nil
		}
	}
	for _, c := range s.peer.children {
		if c.Path.Remote == s.path.Remote {
			return nil
		}
	}
	n := ikev1msg.Notify{
		DOI: ikev1msg.DOIIPsec, Protocol: ikev1msg.ProtoISAKMP, SPI: append(append([]byte(nil), s.ci[:]...), s.cr[:]...),
		Type: ikev1msg.NotifyInitialContact,
	}
	return []ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: n.Append(nil)}}
}

// refuse keeps why a message of phase 1 was wrong. The SA stays as it is, as the right message may still come from the true peer; it fails with that reason
// if none does. The operator hears of it at once, and the peer too.
func (s *sa) refuse(m *message, f *fault) {
	p := s.p1
	if p == nil || p.wrong == m.digest {
		return
	}
	p.wrong, p.why, p.text = m.digest, f.why, f.text
	if !p.logged {
		p.logged = true
		s.e.failed(ike.Log{Path: m.path, SA: s.id, Peer: s.other, Why: f.why, Text: f.text})
	}
	s.e.notice(m.path, s.ci, s.cr, ikev1msg.ProtoISAKMP, f.notify)
}

// undecipherable is the fault of an encrypted message of phase 1 in which nothing makes sense: the keys are not the same.
func (s *sa) undecipherable(_ *exchange, m *message, f *fault) *fault {
	text := "the message cannot be decrypted: the pre-shared keys are probably not the same"
	if s.policy.RSA {
		text = "the message cannot be decrypted: " + f.text
	}
	f = faultf(ike.WhyAuthentication, ikev1msg.NotifyAuthenticationFailed, "%s", text)
	s.refuse(m, f)
	return f
}

// give up when a negotiation's time is over.
func (s *sa) giveUp() {
	why, p := ike.WhyTimeout, s.p1
	if p.why != ike.WhyNone {
		why = p.why
	}
	if !p.logged {
		s.e.failed(ike.Log{Path: s.path, SA: s.id, Peer: s.other, Why: why, Code: p.code, Text: p.text})
	}
	s.end(why, false)
}
