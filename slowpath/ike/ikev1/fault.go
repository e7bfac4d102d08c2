package ikev1

import (
	"fmt"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// fault is why a message is not taken: for the log, and for the peer if there is a notification for it.
type fault struct {
	why    ike.Why
	notify uint16 // 0: the peer is told nothing
	text   string
}

func faultf(why ike.Why, notify uint16, format string, a ...any) *fault {
	return &fault{why, notify, fmt.Sprintf(format, a...)}
}

// malformed is the fault of what cannot be read. Nobody answers that.
func malformed(format string, a ...any) *fault { return faultf(ike.WhyMalformed, 0, format, a...) }

// logged emits a line, unless there are too many.
func (e *Engine) logged(l ike.Log) {
	l.Version = 1
	if l.Kind == ike.LogRejected && !e.logs.take(e.now) {
		return
	}
	e.emit(l)
}

// rejected counts and logs a message that was thrown away.
func (e *Engine) rejected(path ike.Path, s *sa, f *fault) {
	if f.why == ike.WhyMalformed {
		e.stats.Malformed++
	} else {
		e.stats.Ignored++
	}
	l := ike.Log{Kind: ike.LogRejected, Path: path, Why: f.why, Text: f.text}
	if s != nil {
		l.SA, l.Peer = s.id, s.other
	}
	e.logged(l)
}

// failed counts and logs a negotiation that failed.
func (e *Engine) failed(l ike.Log) {
	l.Kind = ike.LogFailed
	e.stats.Failed++
	e.stats.FailedBy[l.Why]++
	e.logged(l)
}

// notice sends a notification that nobody can authenticate, seldom.
func (e *Engine) notice(path ike.Path, i, r ikemsg.SPI, protocol uint8, notify uint16) {
	if notify == 0 || !e.notices.take(e.now) {
		return
	}
	n := ikev1msg.Notify{DOI: ikev1msg.DOIIPsec, Protocol: protocol, Type: notify}
	if protocol == ikev1msg.ProtoISAKMP {
		n.SPI = append(append(n.SPI, i[:]...), r[:]...)
	}
	var id [4]byte
	e.env.Random(id[:])
	h := ikemsg.Header{
		Initiator: i, Responder: r, Version: ikemsg.Version1, Exchange: ikev1msg.Informational, NextPayload: ikev1msg.PayloadNotify,
		MessageID: nonZero(id),
	}
	list := []ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: n.Append(nil)}}
	e.note(list)
	e.transmit(path, assemble(h, list))
}

// whyOf is the reason that a peer's notification stands for.
func whyOf(notify uint16) ike.Why {
	switch notify {
	case ikev1msg.NotifyNoProposalChosen:
		return ike.WhyNoProposal
	case ikev1msg.NotifyAuthenticationFailed, ikev1msg.NotifyInvalidHash, ikev1msg.NotifyInvalidSignature, ikev1msg.NotifyInvalidKey:
		return ike.WhyAuthentication
	case ikev1msg.NotifyInvalidID:
		return ike.WhySelectors
	case ikev1msg.NotifyInvalidCert:
		return ike.WhyCertificate
	}
	return ike.WhyRefused
}
