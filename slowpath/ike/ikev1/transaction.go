package ikev1

import (
	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// transaction answers mode config and XAUTH: nave has nothing to give and takes nothing, and says so by an answer without attributes, so that the peer does
// not wait.
func (e *Engine) transaction(s *sa, m *message) *fault {
	if len(s.exchanges) >= 2*quickPerSA {
		return faultf(ike.WhyLimit, 0, "%d exchanges are remembered", len(s.exchanges))
	}
	body, f := m.payload(ikev1msg.PayloadConfig)
	if f != nil {
		return f
	}
	c, err := ikev1msg.ParseConfig(body)
	if err != nil {
		return malformed("%v", err)
	}
	answer := ikev1msg.Config{Identifier: c.Identifier}
	switch c.Kind {
	case ikev1msg.ConfigRequest:
		answer.Kind = ikev1msg.ConfigReply
	case ikev1msg.ConfigSet:
		answer.Kind = ikev1msg.ConfigAck
	default:
		return nil
	}
	e.logged(ike.Log{Kind: ike.LogWarning, Path: s.path, SA: s.id, Peer: s.other, Text: "the peer wants XAUTH or mode config, which are not done"})
	x := s.open(ikev1msg.Transaction, m.head.MessageID, nil)
	x.accept(m)
	x.sendHashed(nil, []ikemsg.Payload{{Type: ikev1msg.PayloadConfig, Body: answer.Append(nil)}})
	x.finish()
	return nil
}
