package ikev1

import (
	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/trace"
)

// tell gives a Trace of an SA; nil: of none that is known.
func (e *Engine) tell(s *sa, t ike.Trace) {
	t.Version = 1
	if s != nil {
		t.SA, t.Initiator = s.id, s.initiator
		if t.State == "" {
			t.State = s.state.String()
		}
	}
	e.emit(t)
}

// enter puts the SA into another state.
func (s *sa) enter(to state) {
	if was := s.state; s.e.env.Tracing&trace.IKEv1Detail != 0 && to != was {
		s.e.tell(s, ike.Trace{Kind: ike.TraceState, Topic: trace.IKEv1Detail, Path: s.path, Was: was.name(), State: to.name()})
	}
	s.state = to
}

// name is the state with those told apart that IOS shows as one.
func (s state) name() string {
	if s == ended {
		return "ended"
	}
	return s.String()
}

// traceReceived tells of a message that came.
func (e *Engine) traceReceived(m *message) {
	e.tell(e.find(m), ike.Trace{Kind: ike.TraceReceived, Topic: trace.IKEv1Packet, Path: m.path, Header: m.head, Size: len(m.raw)})
}

// traceOpened tells what payloads a message has, once that can be read.
func (e *Engine) traceOpened(s *sa, m *message) {
	e.tell(s, ike.Trace{Kind: ike.TraceOpened, Topic: trace.IKEv1Packet, Path: m.path, Header: m.head, Payloads: summary(m.payloads)})
}

// traceIgnored tells that a message is thrown away in silence.
func (e *Engine) traceIgnored(m *message, text string) {
	if e.env.Tracing&trace.IKEv1Error != 0 {
		e.tell(nil, ike.Trace{Kind: ike.TraceIgnored, Topic: trace.IKEv1Error, Path: m.path, Header: m.head, Text: text})
	}
}

// traceSent tells of a message that goes out, and of the payloads that it was made of.
func (e *Engine) traceSent(path ike.Path, b []byte) {
	list := e.sending
	e.sending = nil
	h, err := ikemsg.ParseHeader(b)
	if err != nil {
		return
	}
	s := e.find(&message{head: h, path: path})
	e.tell(s, ike.Trace{Kind: ike.TraceSent, Topic: trace.IKEv1Packet, Path: path, Header: h, Size: len(b), Payloads: list})
}

// note keeps what the message that is about to be sent is made of, while that is told.
func (e *Engine) note(list []ikemsg.Payload) {
	if e.env.Tracing&trace.IKEv1Packet != 0 {
		e.sending = summary(list)
	}
}

// summary is what kinds of payloads there are.
func summary(list []ikemsg.Payload) []ike.TracePayload {
	out := make([]ike.TracePayload, len(list))
	for i, p := range list {
		out[i] = ike.TracePayload{Type: p.Type, Len: ikemsg.Generic + len(p.Body)}
		switch p.Type {
		case ikev1msg.PayloadNotify:
			if n, err := ikev1msg.ParseNotify(p.Body); err == nil {
				out[i].Notify, out[i].Protocol = n.Type, n.Protocol
			}
		case ikev1msg.PayloadSA:
			if sa, err := ikev1msg.ParseSA(p.Body); err == nil {
				out[i].Offers = offers(&sa)
			}
		}
	}
	return out
}

// offers are the transforms that are proposed, each with its attributes.
func offers(sa *ikev1msg.SA) (out []ike.TraceOffer) {
	for _, p := range sa.Proposals {
		for _, t := range p.Transforms {
			o := ike.TraceOffer{Number: p.Number, Protocol: p.Protocol, ID: t.ID, Transforms: make([]ike.TraceTransform, len(t.Attrs))}
			for i, a := range t.Attrs {
				o.Transforms[i] = ike.TraceTransform{Type: a.Type, Value: a.Number()}
			}
			out = append(out, o)
		}
	}
	return out
}
