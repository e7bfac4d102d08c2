package ikev2

import (
	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/trace"
)

var stateNames = [...]string{"INIT", "AUTH", "READY", "DELETE", "EXIT"}

// String names the state.
func (s state) String() string { return stateNames[s] }

// tell gives a Trace of an SA; nil: of none that is known.
func (e *Engine) tell(s *sa, t ike.Trace) {
	t.Version = 2
	if s != nil {
		t.SA, t.Initiator = s.id, s.initiator
		if t.State == "" {
			t.State = s.state.String()
		}
	}
	e.emit(t)
}

// traceReceived tells of a message that came, and of its payloads in clear.
func (e *Engine) traceReceived(path ike.Path, m *ikev2msg.Message, size int) {
	own := m.Initiator
	if m.Flags&ikev2msg.FlagInitiator != 0 {
		own = m.Responder
	}
	e.tell(e.sas[own], ike.Trace{Kind: ike.TraceReceived, Topic: trace.IKEv2Packet, Path: path, Header: m.Header, Size: size, Payloads: summary(m.Payloads)})
}

// traceOpened tells what payloads an encrypted message has.
func (s *sa) traceOpened(path ike.Path, m *ikev2msg.Message, list []ikemsg.Payload) {
	s.e.tell(s, ike.Trace{Kind: ike.TraceOpened, Topic: trace.IKEv2Packet, Path: path, Header: m.Header, Payloads: summary(list)})
}

// traceIgnored tells that a message is thrown away in silence.
func (e *Engine) traceIgnored(s *sa, path ike.Path, m *ikev2msg.Message, text string) {
	if e.env.Tracing&trace.IKEv2Error != 0 {
		e.tell(s, ike.Trace{Kind: ike.TraceIgnored, Topic: trace.IKEv2Error, Path: path, Header: m.Header, Text: text})
	}
}

// put sends a packet, which the receiver of the effect then owns; s is nil where it belongs to no SA.
func (e *Engine) put(s *sa, path ike.Path, b []byte) {
	if e.env.Tracing&trace.IKEv2Packet != 0 {
		if h, err := ikemsg.ParseHeader(b); err == nil {
			e.tell(s, ike.Trace{Kind: ike.TraceSent, Topic: trace.IKEv2Packet, Path: path, Header: h, Size: len(b), Payloads: e.sending})
		}
		e.sending = nil
	}
	e.emit(ike.Send{Path: path, Packet: b})
}

// note keeps what the message that is about to be sent is made of, while that is told.
func (e *Engine) note(list []ikev2msg.Out) {
	if e.env.Tracing&trace.IKEv2Packet == 0 {
		return
	}
	e.sending = make([]ike.TracePayload, len(list))
	for i, p := range list {
		e.sending[i] = summarize(p.Type, p.Body)
	}
}

// summary is what kinds of payloads there are.
func summary(list []ikemsg.Payload) []ike.TracePayload {
	out := make([]ike.TracePayload, len(list))
	for i, p := range list {
		out[i] = summarize(p.Type, p.Body)
	}
	return out
}

func summarize(typ uint8, body []byte) ike.TracePayload {
	out := ike.TracePayload{Type: typ, Len: ikemsg.Generic + len(body)}
	switch typ {
	case ikev2msg.PayloadNotify:
		if n, err := ikev2msg.ParseNotify(body); err == nil {
			out.Notify, out.Protocol = n.Type, n.Protocol
		}
	case ikev2msg.PayloadSA:
		if list, err := ikev2msg.ParseSA(body); err == nil {
			out.Offers = offers(list)
		}
	}
	return out
}

// offers are the proposals with their algorithms.
func offers(list []ikev2msg.Proposal) []ike.TraceOffer {
	out := make([]ike.TraceOffer, len(list))
	for i, p := range list {
		out[i] = ike.TraceOffer{Number: p.Number, Protocol: p.Protocol, Transforms: make([]ike.TraceTransform, len(p.Transforms))}
		for k, t := range p.Transforms {
			out[i].Transforms[k] = ike.TraceTransform{Type: uint16(t.Type), Value: uint64(t.ID), KeyBits: t.Bits}
		}
	}
	return out
}
