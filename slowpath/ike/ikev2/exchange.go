package ikev2

import (
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

// abandoner is a task that holds something which has to be given back or cleared when no answer comes.
type abandoner interface{ abandon(s *sa) }

// Retransmission (RFC 7296 section 2.1): after 2, 6, 14 and 30 seconds; given up after 62.
const (
	firstResend = 2 * time.Second
	maxTries    = 5
)

// openEvery is how often a first message is sent whose way NAT boxes are just opening: the other side's first packet may come later than ours.
const openEvery = 100 * time.Millisecond

// opening tells whether a request is such a first message.
func (s *sa) opening(r *request) bool { return s.within > 0 && r.exchange == ikev2msg.ExchangeInit }

// enqueue has a task done when those before it are.
func (s *sa) enqueue(t task) {
	s.e.touch(s)
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
		if d, ok := t.(*dpdTask); ok && s.dpd().Retry > 0 {
			d.every = s.dpd().Retry
			r.due = s.e.now.Add(d.every)
		}
		if s.opening(r) {
			r.due = s.e.now.Add(openEvery)
		}
		s.pending = r
		s.e.note(list)
		s.transmit(s.path, r.packets)
	}
}

// transmit sends packets of the SA: requests to where the peer is, answers to where their request came from (RFC 7296 section 2.11).
func (s *sa) transmit(path ike.Path, packets [][]byte) {
	s.lastSent = s.e.now
	s.e.touch(s)
	for _, p := range packets {
		s.e.stats.Sent++
		s.e.put(s, path, append([]byte(nil), p...))
	}
}

// resend sends the pending request again, or gives up.
func (s *sa) resend() {
	r := s.pending
	r.tries++
	opening := s.opening(r)
	if last := s.begun.Add(s.within); opening && s.e.now.Before(last) || !opening && r.tries < maxTries {
		s.e.stats.Resent++
		r.due = s.e.now.Add(firstResend << min(r.tries, maxTries))
		if opening {
			r.due = earlier(s.e.now.Add(openEvery), last)
		}
		if d, ok := r.task.(*dpdTask); ok && d.every > 0 {
			r.due = s.e.now.Add(d.every)
		}
		s.transmit(s.path, r.packets)
		return
	}
	switch {
	case s.state == stateInit || s.state == stateAuth:
		why := r.why
		if why == ike.WhyNone {
			why = ike.WhyTimeout
		}
		s.failed(why, r.code, s.unheard(why, ""))
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
