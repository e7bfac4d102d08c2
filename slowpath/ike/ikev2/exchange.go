package ikev2

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// task is an exchange that we start: what it says, and what its answer means.
type task interface {
	// build makes the payloads; ok false: there is nothing to say any more.
	build(s *sa) (exchange uint8, list []ikev2msg.Out, ok bool)
	// process takes the payloads of the answer.
	process(s *sa, list []ikemsg.Payload)
}

// Retransmission (RFC 7296 section 2.1): after 2, 6, 14 and 30 seconds; given up after 62.
const (
	firstResend = 2 * time.Second
	maxTries    = 5
)

// enqueue has a task done when those before it are.
func (s *sa) enqueue(t task) {
	s.queue = append(s.queue, t)
	s.next()
}

// next starts the next task if no request is under way.
func (s *sa) next() {
	for s.pending == nil && len(s.queue) > 0 && s.state != stateGone {
		t := s.queue[0]
		s.queue = s.queue[1:]
		exchange, list, ok := t.build(s)
		if !ok {
			continue
		}
		r := &request{task: t, exchange: exchange, id: s.nextSend, due: s.e.now.Add(firstResend)}
		h := s.header(exchange, r.id, false)
		if exchange == ikev2msg.ExchangeInit {
			r.packets = [][]byte{ikev2msg.Clear(h, list)}
			s.handshake.sentFirst(r.packets[0], s.initiator)
		} else {
			r.packets = s.protect(h, list)
		}
		s.pending = r
		s.transmit(r.packets)
		if c, ok := t.(interface{ sent(*sa) }); ok {
			c.sent(s)
		}
	}
}

// transmit sends packets of the SA.
func (s *sa) transmit(packets [][]byte) {
	s.lastSent = s.e.now
	for _, p := range packets {
		s.e.stats.Sent++
		s.e.emit(ike.Send{Path: s.path, Packet: append([]byte(nil), p...)})
	}
}

// resend sends the pending request again, or gives up.
func (s *sa) resend() {
	r := s.pending
	r.tries++
	if r.tries < maxTries {
		s.e.stats.Resent++
		r.due = s.e.now.Add(firstResend << r.tries)
		s.transmit(r.packets)
		return
	}
	switch {
	case s.state == stateInit || s.state == stateAuth:
		why := r.why
		if why == ike.WhyNone {
			why = ike.WhyTimeout
		}
		s.failed(why, r.code, "")
	case s.state == stateClosing:
		s.end(s.closeWhy)
	case s.rekeyed != nil:
		s.end(ike.WhyReplaced)
	default:
		s.e.stats.DeadPeers++
		s.end(ike.WhyDeadPeer)
	}
}

// protect encrypts payloads into a message, or into fragments where it would be too long (RFC 7383).
func (s *sa) protect(h ikemsg.Header, list []ikev2msg.Out) [][]byte {
	plain := ikev2msg.AppendChain(nil, list)
	defer clear(plain)
	first := ikev2msg.First(list)
	s.mix(h, first, plain)
	size := s.sealOut.SealedLen(len(plain))
	if limit := s.maxMessage(); s.frag && ikemsg.HeaderLen+ikemsg.Generic+size > limit && h.Exchange != ikev2msg.ExchangeInit {
		return s.protectFragments(h, first, plain, limit)
	}
	prefix := ikev2msg.Prefix(h, first, nil, size)
	return [][]byte{s.sealOut.Seal(prefix, prefix, plain, s.e.env.Rand)}
}

// errClear is that a message which should be encrypted is not.
var errClear = errors.New("in clear")

// open decrypts a message. done false without an error: a fragment whose others are missing.
func (s *sa) open(m *ikev2msg.Message) (list []ikemsg.Payload, done bool, err error) {
	if m.Encrypted == nil || s.sealIn == nil {
		return nil, false, errClear
	}
	plain, err := s.sealIn.Open(nil, m.AAD, m.Encrypted)
	if err != nil {
		return nil, false, err
	}
	first := m.First
	if m.Fragment != nil {
		if plain, first, done = s.reassembly.add(m, plain); !done {
			return nil, false, nil
		}
	}
	if list, err = ikev2msg.ParseInner(first, plain); err == nil {
		s.mix(m.Header, first, plain)
	}
	return list, true, err
}

// receive takes a message from the wire.
func (e *Engine) receive(path ike.Path, b []byte) {
	e.stats.Received++
	m, err := ikev2msg.Parse(b)
	var unsupported *ikev2msg.UnsupportedError
	switch {
	case m.Version>>4 > ikemsg.Version2>>4:
		e.refuseVersion(path, &m)
		return
	case err != nil && !(errors.As(err, &unsupported) && m.Encrypted == nil):
		e.malformed(path, err)
		return
	case m.Version>>4 < ikemsg.Version2>>4:
		e.malformed(path, errors.New("not IKEv2"))
		return
	}
	request := m.Flags&ikev2msg.FlagResponse == 0
	fromInitiator := m.Flags&ikev2msg.FlagInitiator != 0
	if m.Exchange == ikev2msg.ExchangeInit && request {
		if !fromInitiator || m.Responder != (ikemsg.SPI{}) || m.MessageID != 0 || m.Initiator == (ikemsg.SPI{}) {
			e.malformed(path, errors.New("a first message with the header of another"))
			return
		}
		e.respondInit(path, &m, b[:m.Length], unsupported)
		return
	}
	own := m.Initiator
	if fromInitiator {
		own = m.Responder
	}
	s := e.sas[own]
	if s == nil || s.initiator == fromInitiator || s.state == stateGone {
		e.stats.Ignored++
		return
	}
	if s.initiator && s.spiR != (ikemsg.SPI{}) && m.Responder != s.spiR || !s.initiator && m.Initiator != s.spiI {
		e.stats.Ignored++
		return
	}
	if request {
		s.request(path, &m, b[:m.Length])
	} else {
		s.response(path, &m, b[:m.Length])
	}
}

// refuseVersion answers a message of a later version (RFC 7296 section 2.5).
func (e *Engine) refuseVersion(path ike.Path, m *ikev2msg.Message) {
	e.stats.Ignored++
	if m.Flags&ikev2msg.FlagResponse != 0 || m.Exchange != ikev2msg.ExchangeInit {
		return
	}
	h := ikemsg.Header{Initiator: m.Initiator, Responder: m.Responder, Exchange: m.Exchange, Flags: ikev2msg.FlagResponse, MessageID: m.MessageID}
	e.emit(ike.Send{Path: path, Packet: ikev2msg.Clear(h, []ikev2msg.Out{notify(ikev2msg.InvalidMajorVersion, nil)})})
}

// malformed counts and logs, not too often, what can't be read.
func (e *Engine) malformed(path ike.Path, err error) {
	e.stats.Malformed++
	e.reject(path, ike.WhyMalformed, err.Error())
}

func (e *Engine) reject(path ike.Path, why ike.Why, text string) {
	if e.now.Sub(e.rejected) >= time.Second {
		e.rejected = e.now
		e.emit(ike.Log{Kind: ike.LogRejected, Version: 2, Path: path, Why: why, Text: text})
	}
}

// request takes a request of the peer's on an SA.
func (s *sa) request(path ike.Path, m *ikev2msg.Message, raw []byte) {
	if s.answered.valid && m.MessageID == s.answered.id {
		s.again(m, raw)
		return
	}
	if m.MessageID != s.nextRecv || s.state == stateInit {
		s.e.stats.Ignored++
		return
	}
	list, done, err := s.open(m)
	if err != nil {
		s.badRequest(path, m, raw, err)
		return
	}
	if !done {
		return
	}
	s.fromPeer(path)
	var out []ikev2msg.Out
	switch {
	case s.state == stateAuth:
		out = s.handshakeRequest(m.Exchange, list)
	case m.Exchange == ikev2msg.ExchangeCreateChild:
		out = s.createChild(list)
	case m.Exchange == ikev2msg.ExchangeInformational:
		out = s.informational(list)
	case m.Exchange == ikev2msg.ExchangeFollowupKE:
		out = s.followup(list)
	default:
		out = []ikev2msg.Out{notify(ikev2msg.InvalidSyntax, nil)}
	}
	s.answer(m, raw, out)
}

// answer sends an answer and keeps it. A nil list is no answer at all.
func (s *sa) answer(m *ikev2msg.Message, raw []byte, list []ikev2msg.Out) {
	if s.sealOut == nil { // it ended meanwhile, with nothing to say
		return
	}
	packets := s.protect(s.header(m.Exchange, m.MessageID, true), list)
	s.nextRecv = m.MessageID + 1
	s.answered = answer{id: m.MessageID, request: sha256.Sum256(raw), packets: packets, valid: true, resent: s.e.now}
	s.transmit(packets)
	s.afterAnswer()
}

// afterAnswer is for what must not happen before the answer is out.
func (s *sa) afterAnswer() {
	if c := s.toActivate; c != nil {
		s.toActivate = nil
		c.activate()
	}
	if h := s.handshake; h != nil && h.nextSeed != nil {
		seed := h.nextSeed
		h.nextSeed = nil
		if err := s.derive(seed, h.ni, h.nr); err != nil {
			s.failed(ike.WhyPolicy, 0, err.Error())
			return
		}
	}
	switch {
	case s.handshake != nil && s.handshake.failure != nil:
		f := s.handshake.failure
		s.failed(f.why, f.code, f.text)
	case s.endAfter != ike.WhyNone:
		s.end(s.endAfter)
	default:
		s.next()
	}
}

// badRequest is for a request that is not authentic, or can't be understood though it is.
func (s *sa) badRequest(path ike.Path, m *ikev2msg.Message, raw []byte, err error) {
	var unsupported *ikev2msg.UnsupportedError
	switch {
	case errors.As(err, &unsupported):
		s.fromPeer(path)
		s.answer(m, raw, []ikev2msg.Out{notify(ikev2msg.UnsupportedCriticalPayload, []byte{unsupported.Type})})
	case authentic(err):
		s.fromPeer(path)
		s.answer(m, raw, []ikev2msg.Out{notify(ikev2msg.InvalidSyntax, nil)})
	default:
		s.e.stats.Ignored++
		s.e.reject(path, ike.WhyAuthentication, "a message is not authentic")
	}
}

// authentic tells whether an error of open came after decryption.
func authentic(err error) bool {
	return errors.Is(err, ikemsg.ErrShort) || errors.Is(err, ikev2msg.ErrSyntax)
}

// again is for the last request once more: the same answer, if it is the same request, and not more often than it makes sense.
func (s *sa) again(m *ikev2msg.Message, raw []byte) {
	same := sha256.Sum256(raw) == s.answered.request
	if m.Fragment != nil { // of a fragmented request the first fragment stands for all (RFC 7383 section 2.6.1)
		same = m.Fragment.Number == 1
	}
	if !same || s.e.now.Sub(s.answered.resent) < resendEvery {
		s.e.stats.Ignored++
		return
	}
	s.answered.resent = s.e.now
	s.e.stats.Resent++
	s.transmit(s.answered.packets)
}

const resendEvery = 200 * time.Millisecond

// response takes an answer to our request.
func (s *sa) response(path ike.Path, m *ikev2msg.Message, raw []byte) {
	r := s.pending
	if r == nil || m.MessageID != r.id || m.Exchange != r.exchange {
		s.e.stats.Ignored++
		return
	}
	if r.exchange == ikev2msg.ExchangeInit {
		if init, ok := r.task.(*initTask); ok && m.Encrypted == nil {
			init.answered(s, path, m, raw)
		}
		return
	}
	list, done, err := s.open(m)
	if err != nil && !authentic(err) {
		s.clearAnswer(path, m)
		return
	}
	if err == nil && !done {
		return
	}
	s.fromPeer(path)
	s.pending = nil
	s.nextSend++
	if err != nil {
		s.e.malformed(path, err)
		if s.state == stateInit || s.state == stateAuth {
			s.failed(ike.WhyMalformed, 0, "the answer can't be read")
			return
		}
		list = nil
	}
	r.task.process(s, list)
	s.next()
}

// clearAnswer is for an answer that nobody authenticated: it may say why no other will come (RFC 7296 section 2.21), and is not believed.
func (s *sa) clearAnswer(path ike.Path, m *ikev2msg.Message) {
	s.e.stats.Ignored++
	if notifies, err := ikev2msg.Notifies(m.Payloads); err == nil {
		for _, n := range notifies {
			if ikev2msg.IsError(n.Type) {
				s.pending.why, s.pending.code = whyOf(n.Type), n.Type
			}
		}
	}
	s.e.reject(path, ike.WhyAuthentication, "an answer is not authentic")
}

// fromPeer notes an authentic message: the peer lives, and where it is.
func (s *sa) fromPeer(path ike.Path) {
	s.lastHeard = s.e.now
	if s.path != path && (s.natt || s.state != stateUp) && path.Local.Addr() == s.path.Local.Addr() && path.VRF == s.path.VRF {
		if s.nat.Peer || s.state != stateUp || samePlace(s.path.Remote, path.Remote) {
			s.move(path)
		}
	}
}

// samePlace tells whether two addresses differ in IKE's port only: a peer that floats from 500 to 4500.
func samePlace(a, b netip.AddrPort) bool { return a.Addr() == b.Addr() }

// notify is a notification without SPI.
func notify(t uint16, data []byte) ikev2msg.Out {
	return ikev2msg.Out{Type: ikev2msg.PayloadNotify, Body: ikev2msg.Notify{Type: t, Data: data}.Append(nil)}
}

// whyOf is a notification as a reason.
func whyOf(notify uint16) ike.Why {
	switch notify {
	case ikev2msg.NoProposalChosen, ikev2msg.InvalidKEPayload:
		return ike.WhyNoProposal
	case ikev2msg.AuthenticationFailed:
		return ike.WhyAuthentication
	case ikev2msg.TSUnacceptable, ikev2msg.SinglePairRequired:
		return ike.WhySelectors
	case ikev2msg.InvalidSyntax, ikev2msg.UnsupportedCriticalPayload:
		return ike.WhyMalformed
	}
	return ike.WhyRefused
}

// errorOf is the first error among notifications.
func errorOf(list []ikemsg.Payload) (n ikev2msg.Notify, found bool) {
	notifies, err := ikev2msg.Notifies(list)
	if err != nil {
		return ikev2msg.Notify{Type: ikev2msg.InvalidSyntax}, true
	}
	for _, n := range notifies {
		if ikev2msg.IsError(n.Type) {
			return n, true
		}
	}
	return n, false
}

// has looks for a status notification.
func has(list []ikemsg.Payload, t uint16) (n ikev2msg.Notify, found bool) {
	notifies, err := ikev2msg.Notifies(list)
	if err != nil {
		return n, false
	}
	for _, n := range notifies {
		if n.Type == t {
			return n, true
		}
	}
	return n, false
}
