package ldp

import (
	"errors"

	"nave/slowpath/ldp/ldpmsg"
)

// data takes bytes of a connection, and what PDUs they complete.
func (m *Machine) data(s *session, b []byte) {
	s.in = append(s.in, b...)
	used := 0
	for s.waiting == nil {
		n, err := ldpmsg.Frame(s.in[used:], s.maxPDU)
		if err != nil {
			m.fault(s, err)
			return
		}
		if n == 0 || n > len(s.in)-used {
			break
		}
		m.pdu(s, s.in[used:used+n])
		if s.closed {
			return
		}
		used += n
	}
	if s.waiting != nil && len(s.in)-used > ownMaxPDU {
		m.fail(s, ldpmsg.RejectedNoHello) // nobody sends on before it was answered
		return
	}
	s.in = append(s.in[:0], s.in[used:]...)
}

// pdu takes the messages of a PDU.
func (m *Machine) pdu(s *session, b []byte) {
	from, body, err := ldpmsg.ParsePDU(b, s.maxPDU)
	if err != nil {
		m.fault(s, err)
		return
	}
	s.lastRecv = m.now
	if s.nb == nil && !s.from.LSR.IsValid() {
		s.from = from
	}
	if s.nb != nil && from != s.nb.id || s.nb == nil && from != s.from {
		m.fail(s, ldpmsg.BadIdentifier)
		return
	}
	for len(body) > 0 && !s.closed {
		if s.waiting != nil {
			m.fail(s, ldpmsg.RejectedNoHello)
			return
		}
		var raw ldpmsg.Raw
		if raw, body, err = ldpmsg.Next(body); err != nil {
			m.fault(s, err)
			return
		}
		s.received++
		msg, err := ldpmsg.Parse(raw)
		switch {
		case err != nil:
			m.fault(s, err)
		case msg != nil:
			m.message(s, raw, msg)
		}
	}
}

// fault answers what cannot be understood (section 3.5.1.2). Some of it ends the session; until there is one, all of it does.
func (m *Machine) fault(s *session, err error) {
	var e *ldpmsg.Error
	if !errors.As(err, &e) {
		e = &ldpmsg.Error{Code: ldpmsg.InternalError}
	}
	switch {
	case e.Code.Fatal() || s.state != StateOperational:
		m.finish(s, ended{code: e.Code, notify: true, close: true, msgID: e.MsgID, about: e.Type})
	case e.Type != ldpmsg.TypeNotification: // two that answer each other's Notifications would never end
		m.notify(s, e.Code, e.MsgID, e.Type)
		m.emit(Log{Kind: LogMalformed, Neighbor: s.nb.id, Code: e.Code})
	}
}

// notify tells the peer of something about a message that does not end the session.
func (m *Machine) notify(s *session, code Code, msgID uint32, about ldpmsg.Type) {
	m.send(s, &ldpmsg.Notification{Code: code, MsgID: msgID, About: about})
}

// message takes a message in, if its time has come (section 2.5.4).
func (m *Machine) message(s *session, raw ldpmsg.Raw, msg ldpmsg.Message) {
	switch msg := msg.(type) {
	case *ldpmsg.Notification:
		m.notification(s, msg)
		return
	case *ldpmsg.Initialization:
		switch s.state {
		case StateInitialized:
			m.introduce(s, msg)
			return
		case StateOpenSent:
			if m.negotiate(s, msg) {
				m.send(s, &ldpmsg.KeepAlive{})
			}
			return
		}
	case *ldpmsg.KeepAlive:
		switch s.state {
		case StateOpenRec:
			m.operational(s)
			return
		case StateOperational:
			return
		}
	case *ldpmsg.Address:
		if s.state == StateOperational {
			m.addresses(s, raw.ID, msg)
			return
		}
	case *ldpmsg.Label:
		if s.state == StateOperational {
			m.label(s, raw.ID, msg)
			return
		}
	}
	m.finish(s, ended{code: shutdown, notify: true, close: true, msgID: raw.ID, about: raw.Type})
}

func (m *Machine) notification(s *session, n *ldpmsg.Notification) {
	if n.Fatal {
		m.finish(s, ended{code: n.Code, received: true, close: true})
		return
	}
	// We ask for nothing that could be refused.
	if s.nb != nil {
		m.emit(Log{Kind: LogNotification, Neighbor: s.nb.id, Code: n.Code, Received: true})
	}
}

// label takes a message about labels in. One with a prefix that is not of IPv4 is of no use as a whole.
func (m *Machine) label(s *session, msgID uint32, msg *ldpmsg.Label) {
	for _, p := range msg.FEC.Prefixes {
		if !p.Addr().Is4() {
			m.fault(s, &ldpmsg.Error{Code: ldpmsg.UnsupportedFamily, MsgID: msgID, Type: msg.Kind})
			return
		}
	}
	switch msg.Kind {
	case ldpmsg.TypeMapping:
		m.mapping(s, msgID, msg)
	case ldpmsg.TypeWithdraw:
		m.withdrawn(s, msg)
	case ldpmsg.TypeRelease:
		m.released(s, msg)
	case ldpmsg.TypeRequest:
		m.requested(s, msgID, msg)
	case ldpmsg.TypeAbort: // every request was answered when it came: nothing is left to abort (section 3.5.9.1)
	}
}
