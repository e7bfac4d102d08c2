package ikev2

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

func sum(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

// keyPad is mixed into a pre-shared key (RFC 7296 section 2.15).
const keyPad = "Key Pad for IKEv2"

// signed is what a side proves itself over (RFC 7296 section 2.15, RFC 9242 section 3.3.2): id is the body of its identity.
func (s *sa) signed(byInitiator bool, id []byte, mid uint32) []byte {
	h := s.handshake
	msg, nonce, key := h.msgI, h.nr, s.keys.Pi
	if !byInitiator {
		msg, nonce, key = h.msgR, h.ni, s.keys.Pr
	}
	out := append(slices.Clone(msg), nonce...)
	out = append(out, suite.PRF(s.choice.PRF, key, id)...)
	if h.intI != nil || h.intR != nil {
		out = append(append(out, h.intI...), h.intR...)
		out = binary.BigEndian.AppendUint32(out, mid)
	}
	return out
}

// keyFor is the keyring's entry for the peer.
func (s *sa) keyFor(id ike.Identity) *ike.KeyEntry {
	ring := s.e.cfg.Keyring(s.profile.Keyring)
	if ring == nil {
		return nil
	}
	return ring.Find(s.path.VRF, s.path.Local.Addr(), s.path.Remote.Addr(), id)
}

// prove makes our authentication, with the certificates that go with it.
func (s *sa) prove(id []byte, mid uint32) (list []ikev2msg.Out, err error) {
	data := s.signed(s.initiator, id, mid)
	method := s.profile.AuthLocal
	if method == 0 {
		method = ike.AuthPSK
	}
	s.auth[0] = method
	if method == ike.AuthPSK {
		k := s.keyFor(s.peer)
		if k == nil || len(k.Local) == 0 {
			return nil, errNoKey
		}
		padded := suite.PRF(s.choice.PRF, k.Local, []byte(keyPad))
		defer clear(padded)
		a := ikev2msg.Auth{Method: ikev2msg.AuthPSK, Data: suite.PRF(s.choice.PRF, padded, data)}
		return []ikev2msg.Out{{Type: ikev2msg.PayloadAuth, Body: a.Append(nil)}}, nil
	}
	t := s.e.signerFor(s.profile, method, s.handshake.peerCAs)
	if t == nil {
		return nil, errNoKey
	}
	number, sig, err := ike.SignV2(t, method, s.digital, s.peerHashes, data)
	if err != nil {
		return nil, err
	}
	for _, c := range t.Chain {
		list = append(list, ikev2msg.Out{Type: ikev2msg.PayloadCert, Body: ikev2msg.Cert{Encoding: ikev2msg.CertX509, Data: c.Raw}.Append(nil)})
	}
	return append(list, ikev2msg.Out{Type: ikev2msg.PayloadAuth, Body: ikev2msg.Auth{Method: number, Data: sig}.Append(nil)}), nil
}

var errNoKey = errors.New("there is no key or certificate for the peer")

// check is the peer's authentication, over the body of its identity.
func (s *sa) check(list []ikemsg.Payload, id []byte, mid uint32) *failure {
	body, ok := ikev2msg.Find(list, ikev2msg.PayloadAuth)
	if !ok {
		return &failure{ike.WhyAuthentication, 0, "the peer wants EAP, which is not done"}
	}
	a, err := ikev2msg.ParseAuth(body)
	if err != nil {
		return &failure{ike.WhyMalformed, 0, err.Error()}
	}
	data := s.signed(!s.initiator, id, mid)
	allowed := s.profile.AuthRemote
	if len(allowed) == 0 {
		allowed = []ike.AuthMethod{ike.AuthPSK}
	}
	if a.Method == ikev2msg.AuthPSK {
		return s.checkKey(allowed, data, a.Data)
	}
	if !byCertificate(allowed) {
		return &failure{ike.WhyAuthentication, 0, "the peer signs, and the profile wants a pre-shared key"}
	}
	leaf, between, text := certificates(list)
	if leaf == nil {
		if text == "" {
			text = "the peer sent no certificate"
		}
		return &failure{ike.WhyCertificate, 0, text}
	}
	if err := ike.VerifyPeer(s.e.verifiers(s.profile), leaf, between, s.peer, s.e.now); err != nil {
		return &failure{ike.WhyCertificate, 0, err.Error()}
	}
	method, err := ike.VerifyV2(leaf, a.Method, data, a.Data)
	if err != nil {
		return &failure{ike.WhyAuthentication, 0, err.Error()}
	}
	if !slices.Contains(allowed, method) {
		return &failure{ike.WhyAuthentication, 0, "the profile does not take the peer's kind of signature"}
	}
	s.auth[1] = method
	return nil
}

func (s *sa) checkKey(allowed []ike.AuthMethod, data, got []byte) *failure {
	if !slices.Contains(allowed, ike.AuthPSK) {
		return &failure{ike.WhyAuthentication, 0, "the peer has a pre-shared key, and the profile wants a signature"}
	}
	k := s.keyFor(s.peer)
	if k == nil || len(k.Remote) == 0 {
		return &failure{ike.WhyNoKey, 0, "the keyring has no key for the peer"}
	}
	padded := suite.PRF(s.choice.PRF, k.Remote, []byte(keyPad))
	defer clear(padded)
	if subtle.ConstantTimeCompare(got, suite.PRF(s.choice.PRF, padded, data)) != 1 {
		return &failure{ike.WhyAuthentication, 0, "the pre-shared key is another"}
	}
	s.auth[1] = ike.AuthPSK
	return nil
}

// authTask is IKE_AUTH, as initiator.
type authTask struct{ offer childOffer }

// abandon gives back what the exchange has reserved: no answer will come.
func (t *authTask) abandon(s *sa) { t.offer.giveUp(s) }

func (t *authTask) build(s *sa) (uint8, []ikev2msg.Out, bool) {
	h := s.handshake
	p := s.e.cfg.Protection(s.protection)
	if p == nil {
		s.failed(ike.WhyPolicy, 0, "the tunnel's protection is gone")
		return 0, nil, false
	}
	s.self = s.e.selfIdentity(s.profile, s.path)
	h.idI = wireID(s.self).Append(nil)
	proof, err := s.prove(h.idI, s.nextSend)
	if err != nil {
		s.failed(ike.WhyNoKey, 0, err.Error())
		return 0, nil, false
	}
	list := []ikev2msg.Out{{Type: ikev2msg.PayloadIDi, Body: h.idI}}
	list = append(list, proof[:len(proof)-1]...)
	if req := s.e.certRequest(s.path); req != nil && byCertificate(s.profile.AuthRemote) {
		list = append(list, *req)
	}
	list = append(list, proof[len(proof)-1])
	if s.provenAt = s.e.now; s.alone() {
		s.claimed = true
		list = append(list, notify(ikev2msg.InitialContact, nil))
	}
	if s.natt {
		list = append(list, notify(ikev2msg.MOBIKESupported, nil))
	}
	var ok bool
	if t.offer, ok = s.offer(p, nil, nil); !ok {
		s.failed(ike.WhyPolicy, 0, "no transform set that IKEv2 can make one child of: AH over ESP can't be, nor AH through NAT")
		return 0, nil, false
	}
	return ikev2msg.ExchangeAuth, append(list, t.offer.payloads()...), true
}

// alone tells whether there is no other SA with the peer: then it may forget what it has of us.
func (s *sa) alone() bool {
	return s.e.env.Afresh(s.path) && !slices.ContainsFunc(s.e.peers[keyOf(s.path)], func(o *sa) bool { return o != s && o.state != stateClosing })
}

func (t *authTask) process(s *sa, list []ikemsg.Payload) {
	idBody, ok := ikev2msg.Find(list, ikev2msg.PayloadIDr)
	if !ok {
		t.offer.giveUp(s)
		if n, bad := errorOf(list); bad {
			s.failed(whyOf(n.Type), n.Type, "")
			return
		}
		s.failed(ike.WhyMalformed, 0, "the answer to IKE_AUTH names nobody")
		return
	}
	id, err := ikev2msg.ParseID(idBody)
	if err != nil {
		t.offer.giveUp(s)
		s.failed(ike.WhyMalformed, 0, err.Error())
		return
	}
	s.peer = identityOf(id)
	f := s.check(list, idBody, s.nextSend-1)
	if f == nil && !slices.ContainsFunc(s.profile.Match, func(m ike.Match) bool { return m.Matches(s.peer, s.path.Remote.Addr(), s.path.VRF) }) {
		f = &failure{ike.WhyIdentity, 0, "the profile does not match the peer's identity"}
	}
	if p := s.e.cfg.Protection(s.protection); f == nil && (p == nil || len(permitted([]*ike.Protection{p}, s.peer, s.path)) == 0) {
		f = &failure{ike.WhyIdentity, 0, "the IPsec profile is not for this peer"}
	}
	if f != nil { // the peer believes that it is up (RFC 7296 section 2.21.2)
		t.offer.giveUp(s)
		s.transmit(s.path, s.protect(s.header(ikev2msg.ExchangeInformational, s.nextSend, false), []ikev2msg.Out{
			notify(ikev2msg.AuthenticationFailed, nil), {Type: ikev2msg.PayloadDelete, Body: ikev2msg.Delete{Protocol: ikev2msg.ProtoIKE}.Append(nil)},
		}))
		s.failed(f.why, f.code, f.text)
		return
	}
	ni, nr := s.handshake.ni, s.handshake.nr
	s.up()
	if c := t.offer.accept(s, list, ni, nr, nil); c != nil {
		c.activate()
		c.deferToTwin()
	}
}

// handshakeRequest takes the requests before an SA is up, as responder.
func (s *sa) handshakeRequest(exchange uint8, list []ikemsg.Payload) []ikev2msg.Out {
	left := len(s.choice.Additional) - s.handshake.rounds
	switch {
	case exchange == ikev2msg.ExchangeIntermediate && left > 0:
		return s.intermediate(list)
	case exchange == ikev2msg.ExchangeAuth && left == 0:
		return s.authenticate(list)
	}
	s.handshake.failure = &failure{ike.WhyMalformed, 0, "not the exchange that comes next"}
	return []ikev2msg.Out{notify(ikev2msg.InvalidSyntax, nil)}
}

// refuse answers IKE_AUTH with an error, and ends the SA once that is out.
func (s *sa) refuse(code uint16, f *failure) []ikev2msg.Out {
	s.handshake.failure = f
	return []ikev2msg.Out{notify(code, nil)}
}

// authenticate is IKE_AUTH, as responder.
func (s *sa) authenticate(list []ikemsg.Payload) []ikev2msg.Out {
	if n, bad := errorOf(list); bad {
		return s.refuse(ikev2msg.AuthenticationFailed, &failure{whyOf(n.Type), n.Type, "the peer gave up"})
	}
	idBody, ok := ikev2msg.Find(list, ikev2msg.PayloadIDi)
	if !ok {
		return s.refuse(ikev2msg.InvalidSyntax, &failure{ike.WhyMalformed, 0, "IKE_AUTH names nobody"})
	}
	id, err := ikev2msg.ParseID(idBody)
	if err != nil {
		return s.refuse(ikev2msg.InvalidSyntax, &failure{ike.WhyMalformed, 0, err.Error()})
	}
	s.peer = identityOf(id)
	if s.profile = s.e.profileFor(s.path, s.peer, list); s.profile == nil {
		return s.refuse(ikev2msg.AuthenticationFailed, &failure{ike.WhyIdentity, 0, "no profile matches the peer's identity " + s.peer.String()})
	}
	mid := s.nextRecv
	if f := s.check(list, idBody, mid); f != nil {
		return s.refuse(ikev2msg.AuthenticationFailed, f)
	}
	s.self = s.e.selfIdentity(s.profile, s.path)
	idR := wireID(s.self).Append(nil)
	proof, err := s.prove(idR, mid)
	if err != nil {
		return s.refuse(ikev2msg.AuthenticationFailed, &failure{ike.WhyNoKey, 0, err.Error()})
	}
	if _, fresh := has(list, ikev2msg.InitialContact); fresh {
		s.fresh = true
	}
	out := append([]ikev2msg.Out{{Type: ikev2msg.PayloadIDr, Body: idR}}, proof...)
	if _, asks := has(list, ikev2msg.MOBIKESupported); asks && s.natt {
		out = append(out, notify(ikev2msg.MOBIKESupported, nil))
	}
	ni, nr := s.handshake.ni, s.handshake.nr
	s.up()
	child, _ := s.respondChild(list, ni, nr, nil, true)
	return append(out, child...)
}

// initialContact forgets what a peer that starts afresh has left: SAs of the same identity from the same place. Two peers behind different NATs
// may share an identity, so the address counts, and behind NAT the port. What came up after this negotiation began belongs to the same life: the peer
// said so before it had that.
func (e *Engine) initialContact(s *sa) {
	for _, o := range e.with(s.path.VRF, s.path.Remote.Addr()) {
		if o == s || o.peer != s.peer || o.state == stateInit || o.state == stateAuth || !o.created.Before(s.begun) {
			continue
		}
		if (o.nat.Peer || s.nat.Peer) && o.path.Remote.Port() != s.path.Remote.Port() {
			continue
		}
		o.end(ike.WhyInitialContact)
	}
}
