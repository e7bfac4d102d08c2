package ikev1

import (
	"bytes"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// protoGRE is the protocol of the identities of quick mode: what a tunnel's packets are.
const protoGRE = 47

// half is what both roles of quick mode keep (RFC 2409 section 5.5).
type half struct {
	s       *sa
	ni, nr  []byte
	ah, esp uint32 // our inbound SPIs; 0: none
	kx      suite.KeyExchange
	born    time.Time
}

// take reserves the SPIs that transform sets need.
func (h *half) take(sets []ike.Transform) {
	for _, t := range sets {
		if t.AH != suite.HashNone && h.ah == 0 {
			h.ah = h.s.e.env.TakeSPI()
		}
		if t.Cipher != suite.CipherNone && h.esp == 0 {
			h.esp = h.s.e.env.TakeSPI()
		}
	}
}

// give gives back what no child has taken over.
func (h *half) give() {
	for _, spi := range []*uint32{&h.ah, &h.esp} {
		if *spi != 0 {
			h.s.e.env.GiveSPI(*spi)
			*spi = 0
		}
	}
	if h.kx != nil {
		h.kx.Clear()
		h.kx = nil
	}
}

// keep leaves a child the SPIs that it uses, and gives the others back.
func (h *half) keep(t ike.Transform) {
	if t.AH != suite.HashNone {
		h.ah = 0
	}
	if t.Cipher != suite.CipherNone {
		h.esp = 0
	}
	h.give()
}

// child makes a child of what was agreed. gxy is the shared secret of quick mode's own exchange, nil without one.
func (h *half) child(p *ike.Protection, g *suggestion, m terms, gxy []byte) ike.Child {
	s, t := h.s, g.transform
	made := ike.Child{
		ID: s.e.env.NextChild(), SA: s.id, Version: 1, Protection: p.ID, Path: s.path, Encap: s.natted(), NAT: s.nat, Transform: t, Window: p.Window,
		PFS: m.group, Lifetime: m.life, Created: s.e.now, Peer: s.other, Self: s.self, Claimed: s.path.Remote.Addr(),
	}
	if m.kilobytes > 0 {
		made.HardBytes = min(m.kilobytes, hardestBytes/bytesPerKB) * bytesPerKB
		made.SoftBytes = made.HardBytes / 10 * softByteTen
	}
	if t.AH != suite.HashNone {
		made.AH = h.pair(ikev1msg.ProtoAH, h.ah, g.ah, gxy, 0, t.AH.KeyLen())
	}
	if t.Cipher != suite.CipherNone {
		cipher, auth := 0, 0
		if t.Cipher != suite.CipherNull {
			cipher, _ = suite.KeyLen(t.Cipher, t.KeyBits) // what was agreed is a transform set of ours
		}
		if t.Auth != suite.HashNone {
			auth = t.Auth.KeyLen()
		}
		made.ESP = h.pair(ikev1msg.ProtoESP, h.esp, g.esp, gxy, cipher, auth)
	}
	return made
}

// pair makes the keys of one protocol: those of each SA by its receiver's SPI.
func (h *half) pair(protocol uint8, in, out uint32, gxy []byte, cipher, auth int) ike.Pair {
	k := &h.s.keys
	cut := func(spi uint32) ike.Keys {
		mat := suite.V1Keymat(k.hash, k.d, gxy, protocol, spi, h.ni, h.nr, cipher+auth)
		defer clear(mat)
		return ike.Keys{Cipher: bytes.Clone(mat[:cipher]), Auth: bytes.Clone(mat[cipher : cipher+auth])}
	}
	return ike.Pair{InSPI: in, OutSPI: out, In: cut(in), Out: cut(out)}
}

// tie is the lower nonce (see collide.go).
func (h *half) tie() []byte {
	if bytes.Compare(h.ni, h.nr) <= 0 {
		return h.ni
	}
	return h.nr
}

// quickNonce takes the peer's nonce out of a message.
func quickNonce(m *message) ([]byte, *fault) {
	nonce, f := m.payload(ikev1msg.PayloadNonce)
	if f != nil {
		return nil, f
	}
	if len(nonce) < nonceLeast || len(nonce) > nonceMost {
		return nil, malformed("a nonce of %d bytes", len(nonce))
	}
	return bytes.Clone(nonce), nil
}

// originals are the addresses of both sides as we see them, behind NAT (RFC 3947 section 5.2): the initiator's first.
func (s *sa) originals(initiator bool) []ikemsg.Payload {
	if !s.natted() {
		return nil
	}
	self, other := s.path.Local.Addr(), s.path.Remote.Addr()
	if !initiator {
		self, other = other, self
	}
	var list []ikemsg.Payload
	for _, d := range []ikev1msg.ID{ikev1msg.HostID(self, 0, 0), ikev1msg.HostID(other, 0, 0)} {
		list = append(list, ikemsg.Payload{Type: s.natMethod.original(), Body: d.Append(nil)})
	}
	return list
}

// quickInitiator is quick mode as who starts it.
type quickInitiator struct {
	half
	w        *want
	p        *ike.Protection
	sets     []ike.Transform
	terms    terms
	idi, idr []byte
}

// startQuick starts quick mode for a want.
func (s *sa) startQuick(w *want, p *ike.Protection) {
	t := &quickInitiator{half: half{s: s, ni: s.e.nonce(), born: s.e.now}, w: w, p: p, terms: termsOf(p)}
	t.sets = slices.DeleteFunc(slices.Clone(p.Transforms), func(t ike.Transform) bool { return !s.possible(t) })
	for i := range t.sets {
		if set := &t.sets[i]; keyed(set.Cipher) && set.KeyBits == 0 {
			set.KeyBits = 128
		}
	}
	if len(t.sets) == 0 {
		w.fail(ike.WhyPolicy, 0, "no transform set that IKEv1 can negotiate")
		return
	}
	if p.PFS != suite.GroupNone {
		kx, err := s.e.exchangeOf(p.PFS)
		if err != nil {
			w.fail(ike.WhyPolicy, 0, err.Error())
			return
		}
		t.kx = kx
	}
	t.take(t.sets)
	i, r := ikev1msg.HostID(s.path.Local.Addr(), protoGRE, 0), ikev1msg.HostID(s.path.Remote.Addr(), protoGRE, 0)
	t.idi, t.idr = i.Append(nil), r.Append(nil)
	offer := s.offer(t.sets, t.terms, t.ah, t.esp)
	list := []ikemsg.Payload{{Type: ikev1msg.PayloadSA, Body: offer.Append(nil)}, {Type: ikev1msg.PayloadNonce, Body: t.ni}}
	if t.kx != nil {
		list = append(list, ikemsg.Payload{Type: ikev1msg.PayloadKE, Body: t.kx.Public()})
	}
	list = append(list, ikemsg.Payload{Type: ikev1msg.PayloadID, Body: t.idi}, ikemsg.Payload{Type: ikev1msg.PayloadID, Body: t.idr})
	x := s.begin(ikev1msg.QuickMode, t)
	s.use(x.id)
	w.quick, w.sa = x, s
	x.sendHashed(nil, append(list, s.originals(true)...))
	x.expect()
}

// process takes the second message in.
func (t *quickInitiator) process(x *exchange, m *message) *fault {
	s := t.s
	hash, rest, f := m.hashed()
	if f != nil {
		return f
	}
	if !equal(hash, s.keys.hash2(x.id, t.ni, rest)) {
		return faultf(ike.WhyAuthentication, 0, "the hash of a message of quick mode is wrong")
	}
	s.alive()
	g, gxy, f := t.answer(m)
	if f != nil { // it is the peer's, so there will be no other
		s.tell(ikev1msg.ProtoESP, f.notify)
		x.accept(m)
		t.give()
		x.forget()
		t.w.fail(f.why, f.notify, f.text)
		return nil
	}
	defer clear(gxy)
	x.accept(m)
	c := &child{born: t.born, tie: t.tie()}
	made := t.child(t.p, g, t.terms, gxy)
	made.Initiator = true
	if t.w.replaces != nil {
		made.Replaces = t.w.replaces.ID
	}
	t.keep(made.Transform)
	s.e.install(s, c, made)
	x.sendSealed([]ikemsg.Payload{{Type: ikev1msg.PayloadHash, Body: s.keys.hash3(x.id, t.ni, t.nr)}})
	x.finish()
	t.w.done()
	s.e.after(&c.start, startAfter, c.activate)
	return nil
}

// startAfter is how long the third message, by which the peer puts its SAs in place, is given before packets follow it.
const startAfter = 100 * time.Millisecond

// answer reads what the peer has chosen.
func (t *quickInitiator) answer(m *message) (*suggestion, []byte, *fault) {
	body, f := m.payload(ikev1msg.PayloadSA)
	if f != nil {
		return nil, nil, f
	}
	o, err := ikev1msg.ParseSA(body)
	if err != nil {
		return nil, nil, malformed("%v", err)
	}
	list := suggestions(o)
	if len(list) != 1 {
		return nil, nil, faultf(ike.WhyNoProposal, ikev1msg.NotifyNoProposalChosen, "the peer answers with %d proposals", len(list))
	}
	g := &list[0]
	k := slices.IndexFunc(t.sets, func(set ike.Transform) bool { return g.is(set) && g.transform.Tunnel == set.Tunnel })
	if k < 0 || g.terms.group != t.p.PFS {
		return nil, nil, faultf(ike.WhyNoProposal, ikev1msg.NotifyNoProposalChosen, "the peer chose what was not offered")
	}
	if t.nr, f = quickNonce(m); f != nil {
		return nil, nil, f
	}
	if ids := m.all(ikev1msg.PayloadID); len(ids) != 0 && (len(ids) != 2 || !sameHost(ids[0], t.idi) || !sameHost(ids[1], t.idr)) {
		return nil, nil, faultf(ike.WhySelectors, ikev1msg.NotifyInvalidID, "the peer answers for other addresses or protocols")
	}
	t.terms.shorten(uint64(g.terms.life/time.Second), g.terms.kilobytes)
	for _, body := range m.all(ikev1msg.PayloadNotify) {
		if n, err := ikev1msg.ParseNotify(body); err == nil && n.Type == ikev1msg.NotifyResponderLifetime {
			t.terms.shorten(responderLifetime(n.Data))
		}
	}
	if t.kx == nil {
		return g, nil, nil
	}
	ke, f := m.payload(ikev1msg.PayloadKE)
	if f != nil {
		return nil, nil, f
	}
	gxy, err := t.kx.Shared(ke)
	if err != nil {
		return nil, nil, malformed("%v", err)
	}
	return g, gxy, nil
}

// sameHost tells whether two identities are the same address and protocol, whichever way the address is written.
func sameHost(a, b []byte) bool {
	x, err1 := ikev1msg.ParseID(a)
	y, err2 := ikev1msg.ParseID(b)
	if err1 != nil || err2 != nil || x.Protocol != y.Protocol || x.Port != y.Port {
		return false
	}
	hx, ok1 := x.Host()
	hy, ok2 := y.Host()
	return ok1 && ok2 && hx == hy
}

// timeout ends the SA: it may be that the peer has lost it. What waits for the child tries again on another one.
func (t *quickInitiator) timeout(*exchange) { t.s.end(ike.WhyTimeout, false) }

// abort has the want try again: it may not be with the SA's peer any more, where that looks for those who wait.
func (t *quickInitiator) abort(x *exchange, why ike.Why) {
	t.give()
	if t.w.quick == x {
		t.w.lost(why)
	}
}

// refused takes in that the peer does not want the child.
func (t *quickInitiator) refused(x *exchange, code uint16) {
	t.give()
	x.forget()
	t.w.fail(whyOf(code), code, "quick mode")
}

// responderLifetime reads what a responder says of lifetimes; what cannot be read says nothing.
func responderLifetime(data []byte) (seconds, kilobytes uint64) {
	seconds, kilobytes, err := ikev1msg.ParseLifetimes(data)
	if err != nil {
		return 0, 0
	}
	return seconds, kilobytes
}
