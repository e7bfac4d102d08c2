package ikev1

import (
	"crypto/sha256"
	"net/netip"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/trace"
)

// receive takes a packet to the SA that it is for.
func (e *Engine) receive(ev ike.Received) {
	e.stats.Received++
	path := ev.Path
	path.Local = netip.AddrPortFrom(path.Local.Addr().Unmap(), path.Local.Port())
	path.Remote = netip.AddrPortFrom(path.Remote.Addr().Unmap(), path.Remote.Port())
	h, err := ikemsg.ParseHeader(ev.Packet)
	switch {
	case err != nil:
		e.rejected(path, nil, malformed("%v", err))
		return
	case h.Version>>4 != ikemsg.Version1>>4 || h.Initiator == ikemsg.SPI{}:
		e.rejected(path, nil, malformed("version %#x, initiator cookie %x", h.Version, h.Initiator))
		return
	case e.cfg.V1.Disabled || !path.Local.Addr().Is4() || !path.Remote.Addr().Is4():
		e.stats.Ignored++
		return
	}
	m := &message{head: h, path: path, raw: ev.Packet[:h.Length]}
	if e.env.Tracing&trace.IKEv1Packet != 0 {
		e.traceReceived(m)
	}
	e.route(m)
}

// route finds the SA of a message.
func (e *Engine) route(m *message) {
	m.digest = sha256.Sum256(m.raw)
	s := e.find(m)
	switch {
	case s != nil && m.head.NextPayload == ikev1msg.PayloadFragment:
		e.fragment(s, m)
	case s != nil:
		e.dispatch(s, m)
	case m.head.Responder != ikemsg.SPI{}:
		e.stats.Ignored++ // of an SA that is over, or never was
		e.traceIgnored(m, "no SA has these cookies")
	case m.head.Exchange == ikev1msg.MainMode, m.head.Exchange == ikev1msg.AggressiveMode:
		e.first(m)
	default:
		e.stats.Ignored++
		e.traceIgnored(m, "no SA begins with such an exchange")
	}
}

// find is the SA that a message names; nil: there is none. The caller may still have sent it from elsewhere.
func (e *Engine) find(m *message) *sa {
	if m.head.Responder != (ikemsg.SPI{}) {
		if s := e.byCookies[cookies{m.head.Initiator, m.head.Responder}]; s != nil {
			if s.path.VRF != m.path.VRF {
				return nil
			}
			return s
		}
	}
	if s := e.ours[m.head.Initiator]; s != nil && s.cr == (ikemsg.SPI{}) && s.path.VRF == m.path.VRF {
		return s
	}
	if m.head.Responder == (ikemsg.SPI{}) {
		return e.firsts[firstKey{m.path.Remote, m.path.VRF, m.head.Initiator}]
	}
	return nil
}

// dispatch takes a message to its exchange.
func (e *Engine) dispatch(s *sa, m *message) {
	m.encrypted = m.head.Flags&ikev1msg.FlagEncrypted != 0
	var f *fault
	switch m.head.Exchange {
	case ikev1msg.MainMode, ikev1msg.AggressiveMode:
		f = e.phase1Message(s, m)
	case ikev1msg.Informational:
		if !m.encrypted {
			f = e.unauthenticated(s, m)
			break
		}
		f = e.phase2Message(s, m)
	case ikev1msg.QuickMode, ikev1msg.Transaction:
		f = e.phase2Message(s, m)
	default:
		f = faultf(ike.WhyRefused, 0, "exchange type %d is not known", m.head.Exchange)
	}
	if f != nil {
		e.rejected(m.path, s, f)
	}
}

// phase1Message takes a message of main or aggressive mode in.
func (e *Engine) phase1Message(s *sa, m *message) *fault {
	x := s.first
	if x.repeated(m) {
		return nil
	}
	switch {
	case x.task == nil || m.head.Exchange != x.kind || m.head.MessageID != 0:
		return faultf(ike.WhyMalformed, 0, "message of phase 1 that nothing waits for")
	case m.path.Remote.Addr() != s.path.Remote.Addr():
		return faultf(ike.WhyMalformed, 0, "message of phase 1 from another address than it began with")
	}
	if m.encrypted {
		if s.keys.block == nil {
			return faultf(ike.WhyMalformed, 0, "encrypted message before there are keys")
		}
		plain, next, ok := s.keys.open(x.iv, m.raw)
		if !ok {
			return malformed("%d encrypted bytes are no blocks", len(m.raw)-ikemsg.HeaderLen)
		}
		defer clear(plain)
		if f := m.parse(plain); f != nil {
			return s.undecipherable(x, m, f)
		}
		m.next = next
	} else if f := m.parse(m.raw[ikemsg.HeaderLen:]); f != nil {
		return f
	}
	if e.env.Tracing&trace.IKEv1Packet != 0 {
		e.traceOpened(s, m)
	}
	f := x.task.process(x, m)
	if f != nil && f.why != ike.WhyMalformed {
		s.refuse(m, f)
	}
	return f
}

// phase2Message takes an encrypted message in that needs an established SA.
func (e *Engine) phase2Message(s *sa, m *message) *fault {
	switch {
	case s.state != established || s.keys.block == nil:
		return faultf(ike.WhyMalformed, 0, "message of phase 2 before phase 1 is over")
	case !m.encrypted || m.head.MessageID == 0:
		return faultf(ike.WhyMalformed, 0, "message of phase 2 without encryption or message id")
	}
	x := s.exchanges[m.head.MessageID]
	if x != nil {
		if x.repeated(m) {
			return nil
		}
		if x.task == nil || x.kind != m.head.Exchange {
			return faultf(ike.WhyMalformed, 0, "message id %#x is used", m.head.MessageID)
		}
	} else if s.used(m.head.MessageID) {
		return faultf(ike.WhyMalformed, 0, "message id %#x is used", m.head.MessageID)
	}
	iv := s.keys.exchangeIV(s.keys.iv, m.head.MessageID)
	if x != nil {
		iv = x.iv
	}
	plain, next, ok := s.keys.open(iv, m.raw)
	if !ok {
		return malformed("%d encrypted bytes are no blocks", len(m.raw)-ikemsg.HeaderLen)
	}
	m.next = next
	defer clear(plain)
	if f := m.parse(plain); f != nil {
		return f
	}
	if e.env.Tracing&trace.IKEv1Packet != 0 {
		e.traceOpened(s, m)
	}
	if x != nil {
		return x.task.process(x, m)
	}
	hash, rest, f := m.hashed()
	if f != nil {
		return f
	}
	if !equal(hash, s.keys.hash2(m.head.MessageID, nil, rest)) {
		return faultf(ike.WhyAuthentication, 0, "the hash of a message of exchange %d is wrong", m.head.Exchange)
	}
	return e.opened(s, m)
}

// opened takes the first message of an exchange of phase 2 in, which is authentic and new.
func (e *Engine) opened(s *sa, m *message) *fault {
	s.use(m.head.MessageID)
	s.alive()
	switch m.head.Exchange {
	case ikev1msg.Informational:
		return e.informational(s, m)
	case ikev1msg.Transaction:
		return e.transaction(s, m)
	}
	return e.answerQuick(s, m)
}

// parse takes the chain of payloads apart.
func (m *message) parse(b []byte) *fault {
	list, _, rest, err := ikemsg.ParseChain(m.head.NextPayload, b)
	if err != nil {
		return malformed("%v", err)
	}
	m.payloads, m.plain = list, b[:len(b)-len(rest)]
	if len(list) == 0 {
		return malformed("a message without payloads")
	}
	for _, p := range list {
		if p.Type == 46 || p.Type == 53 {
			return malformed("payload type %d is not of this version", p.Type)
		}
	}
	return nil
}
