package ikev2

import (
	"errors"
	"net/netip"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/trace"
)

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
		r := &s.reassembly[0]
		if m.Flags&ikev2msg.FlagResponse != 0 {
			r = &s.reassembly[1]
		}
		if plain, first, done = r.add(m, plain); !done {
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
	if e.env.Tracing&trace.IKEv2Packet != 0 && m.Version != 0 {
		e.traceReceived(path, &m, len(b))
	}
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
	if s == nil && request && e.repeat(path, own, b[:m.Length]) {
		return
	}
	if s == nil || s.initiator == fromInitiator || s.state == stateGone {
		e.stats.Ignored++
		e.traceIgnored(nil, path, &m, "no SA has these SPIs")
		return
	}
	if s.initiator && s.spiR != (ikemsg.SPI{}) && m.Responder != s.spiR || !s.initiator && m.Initiator != s.spiI {
		e.stats.Ignored++
		e.traceIgnored(s, path, &m, "the peer's SPI is not the SA's")
		return
	}
	e.touch(s)
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
	list := []ikev2msg.Out{notify(ikev2msg.InvalidMajorVersion, nil)}
	e.note(list)
	e.put(nil, path, ikev2msg.Clear(h, list))
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
		s.again(path, m, raw)
		return
	}
	if m.MessageID != s.nextRecv || s.state == stateInit {
		s.e.stats.Ignored++
		s.e.traceIgnored(s, path, m, "its message ID is not the next one")
		return
	}
	list, done, err := s.open(m)
	if err != nil {
		s.badRequest(path, m, raw, err)
		return
	}
	if m.Fragment != nil && m.Fragment.Number == 1 {
		s.firstPiece = sum(raw)
	}
	if !done {
		return
	}
	if s.e.env.Tracing&trace.IKEv2Packet != 0 {
		s.traceOpened(path, m, list)
	}
	s.fromPeer(path)
	var out []ikev2msg.Out
	switch {
	case s.state == stateAuth:
		out = s.handshakeRequest(m.Exchange, list)
	case m.Exchange == ikev2msg.ExchangeCreateChild:
		out = s.createChild(list)
	case m.Exchange == ikev2msg.ExchangeInformational:
		out = s.informational(path, list)
	case m.Exchange == ikev2msg.ExchangeFollowupKE:
		out = s.followup(list)
	default:
		out = []ikev2msg.Out{notify(ikev2msg.InvalidSyntax, nil)}
	}
	s.answer(path, m, raw, out)
}

// answer sends an answer and keeps it. A nil list is an empty answer.
func (s *sa) answer(path ike.Path, m *ikev2msg.Message, raw []byte, list []ikev2msg.Out) {
	packets := s.protect(s.header(m.Exchange, m.MessageID, true), list)
	s.e.note(list)
	s.nextRecv = m.MessageID + 1
	s.answered = answer{id: m.MessageID, request: sum(raw), packets: packets, valid: true, resent: s.e.now}
	if m.Fragment != nil { // the first fragment stands for all (RFC 7383 section 2.6.1)
		s.answered.request = s.firstPiece
	}
	s.transmit(path, packets)
	s.afterAnswer()
}

// afterAnswer is for what must not happen before the answer is out.
func (s *sa) afterAnswer() {
	if c := s.toActivate; c != nil {
		s.toActivate = nil
		c.activate()
	}
	if s.fresh { // after the new child is in use, so that the session does not go down in between
		s.fresh = false
		s.e.initialContact(s)
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
		s.e.remember(s)
		s.failed(f.why, f.code, f.text)
	case s.endAfter != ike.WhyNone:
		s.e.remember(s)
		s.end(s.endAfter)
	default:
		s.next()
	}
}

// badRequest is for a request that is not authentic, or can't be understood though it is: in a handshake that is the end of it
// (RFC 7296 section 2.21.2).
func (s *sa) badRequest(path ike.Path, m *ikev2msg.Message, raw []byte, err error) {
	var unsupported *ikev2msg.UnsupportedError
	out := notify(ikev2msg.InvalidSyntax, nil)
	switch {
	case errors.As(err, &unsupported):
		out = notify(ikev2msg.UnsupportedCriticalPayload, []byte{unsupported.Type})
	case !authentic(err):
		s.e.stats.Ignored++
		s.e.reject(path, ike.WhyAuthentication, "a message is not authentic")
		return
	}
	s.e.stats.Malformed++
	s.fromPeer(path)
	if s.handshake != nil {
		s.handshake.failure = &failure{ike.WhyMalformed, 0, err.Error()}
	}
	s.answer(path, m, raw, []ikev2msg.Out{out})
}

// authentic tells whether an error of open came after decryption.
func authentic(err error) bool {
	return errors.Is(err, ikemsg.ErrShort) || errors.Is(err, ikev2msg.ErrSyntax) || errors.Is(err, ikemsg.ErrTooMany)
}

// again is for the last request once more: the same answer, if it is the same request, and not more often than it makes sense.
func (s *sa) again(path ike.Path, m *ikev2msg.Message, raw []byte) {
	if sum(raw) != s.answered.request || s.e.now.Sub(s.answered.resent) < resendEvery {
		s.e.stats.Ignored++
		return
	}
	s.answered.resent = s.e.now
	s.e.stats.Resent++
	s.transmit(path, s.answered.packets)
}

const resendEvery = 200 * time.Millisecond

// response takes an answer to our request.
func (s *sa) response(path ike.Path, m *ikev2msg.Message, raw []byte) {
	r := s.pending
	if r == nil || m.MessageID != r.id || m.Exchange != r.exchange {
		s.e.stats.Ignored++
		s.e.traceIgnored(s, path, m, "nothing waits for this answer")
		return
	}
	if r.exchange == ikev2msg.ExchangeInit {
		if init, ok := r.task.(*initTask); ok && m.Encrypted == nil {
			init.answered(s, path, m, raw)
		}
		return
	}
	list, done, err := s.open(m)
	var unsupported *ikev2msg.UnsupportedError
	if err != nil && !authentic(err) && !errors.As(err, &unsupported) {
		s.clearAnswer(path, m)
		return
	}
	if err == nil && !done {
		return
	}
	if err == nil && s.e.env.Tracing&trace.IKEv2Packet != 0 {
		s.traceOpened(path, m, list)
	}
	s.fromPeer(path)
	s.pending = nil
	s.nextSend++
	if err != nil {
		s.e.malformed(path, err)
		if a, ok := r.task.(abandoner); ok {
			a.abandon(s)
		}
		if s.state == stateAuth {
			s.failed(ike.WhyMalformed, 0, "the answer can't be read")
		} else {
			s.end(ike.WhyMalformed) // both sides are of different minds now (RFC 7296 section 2.21.3)
		}
		return
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
