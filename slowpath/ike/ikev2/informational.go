package ikev2

import (
	"encoding/binary"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// deleteTask tells the peer that a child is gone, by our inbound SPI.
type deleteTask struct {
	protocol uint8
	spi      uint32
	out      uint32 // the peer's, by which it may still want to rekey the child
}

func (t *deleteTask) build(*sa) (uint8, []ikev2msg.Out, bool) {
	d := ikev2msg.Delete{Protocol: t.protocol, SPIs: []uint32{t.spi}}
	return ikev2msg.ExchangeInformational, []ikev2msg.Out{{Type: ikev2msg.PayloadDelete, Body: d.Append(nil)}}, true
}

// process has nothing to do: what the peer deletes in its answer is the other half of what is gone.
func (t *deleteTask) process(*sa, []ikemsg.Payload) {}

// closeTask tells the peer that the IKE SA is gone.
type closeTask struct{}

func (t *closeTask) build(*sa) (uint8, []ikev2msg.Out, bool) {
	return ikev2msg.ExchangeInformational, []ikev2msg.Out{{Type: ikev2msg.PayloadDelete, Body: ikev2msg.Delete{Protocol: ikev2msg.ProtoIKE}.Append(nil)}}, true
}

func (t *closeTask) process(s *sa, _ []ikemsg.Payload) {
	if s.rekeyed != nil {
		s.end(ike.WhyReplaced)
		return
	}
	s.end(s.closeWhy)
}

// dpdTask asks the peer whether it lives.
type dpdTask struct {
	every time.Duration // between questions; 0: as other requests are repeated
}

func (t *dpdTask) build(s *sa) (uint8, []ikev2msg.Out, bool) {
	return ikev2msg.ExchangeInformational, nil, true
}

func (t *dpdTask) process(*sa, []ikemsg.Payload) {}

// informTask says something that needs no answer but the empty one.
type informTask struct{ payloads []ikev2msg.Out }

func (t *informTask) build(*sa) (uint8, []ikev2msg.Out, bool) {
	return ikev2msg.ExchangeInformational, t.payloads, true
}

func (t *informTask) process(*sa, []ikemsg.Payload) {}

// informational is INFORMATIONAL, as responder.
func (s *sa) informational(path ike.Path, list []ikemsg.Payload) (out []ikev2msg.Out) {
	notifies, err := ikev2msg.Notifies(list)
	if err != nil {
		return []ikev2msg.Out{notify(ikev2msg.InvalidSyntax, nil)}
	}
	for _, n := range notifies {
		switch n.Type {
		case ikev2msg.AuthenticationFailed: // the peer does not take who we are; its SA is gone
			s.e.stats.FailedBy[ike.WhyAuthentication]++
			s.log(ike.Log{Kind: ike.LogFailed, Why: ike.WhyAuthentication, Code: n.Type, Text: "the peer does not take our authentication"})
			s.closeWhy = ike.WhyAuthentication
			s.endAfter = ike.WhyAuthentication
		case ikev2msg.Cookie2: // RFC 4555 section 4.2.5
			out = append(out, notify(ikev2msg.Cookie2, n.Data))
		case ikev2msg.UpdateSAAddresses:
			if s.state == stateUp && s.rekeyed == nil {
				out = append(out, s.relocated(path, list)...)
			}
		case ikev2msg.InvalidSPI:
			if len(n.Data) == 4 {
				s.lostChild(binary.BigEndian.Uint32(n.Data))
			}
		}
	}
	return append(out, s.deletions(list)...)
}

// deletions takes in what the peer has taken away, and names the other halves of it.
func (s *sa) deletions(list []ikemsg.Payload) (out []ikev2msg.Out) {
	gone := make(map[uint8][]uint32)
	for _, p := range list {
		if p.Type != ikev2msg.PayloadDelete {
			continue
		}
		d, err := ikev2msg.ParseDelete(p.Body)
		if err != nil {
			return []ikev2msg.Out{notify(ikev2msg.InvalidSyntax, nil)}
		}
		if d.Protocol == ikev2msg.ProtoIKE {
			s.deletedByPeer()
			return nil
		}
		for _, spi := range d.SPIs {
			c := s.byOutSPI(d.Protocol, binary.BigEndian.AppendUint32(nil, spi))
			if c == nil {
				continue
			}
			if told := c.deleted; !told {
				gone[d.Protocol] = append(gone[d.Protocol], c.inbound())
			}
			s.childDeleted(c)
		}
	}
	for _, protocol := range []uint8{ikev2msg.ProtoAH, ikev2msg.ProtoESP} {
		if spis := gone[protocol]; spis != nil {
			out = append(out, ikev2msg.Out{Type: ikev2msg.PayloadDelete, Body: ikev2msg.Delete{Protocol: protocol, SPIs: spis}.Append(nil)})
		}
	}
	return out
}

// childDeleted takes in that the peer has taken a child away: its successor is in use then, if there is one.
func (s *sa) childDeleted(c *child) {
	c.deleted = true
	switch {
	case c.state == childDying:
	case c.rival != nil && c.rival.state == childInstalled:
		c.rival.activate()
	case c.rival != nil && c.rival.state == childUp:
	default:
		if c.replacedBy != 0 && c.state == childInstalled { // the redundant one of two
			c.remove(ike.WhyReplaced)
			return
		}
		c.remove(ike.WhyPeerDeleted)
	}
}

// deletedByPeer takes in that the peer has taken the IKE SA away.
func (s *sa) deletedByPeer() {
	if s.rival != nil {
		s.rivalWins()
	}
	if s.rekeyed != nil || s.closeWhy == ike.WhyReplaced {
		s.endAfter = ike.WhyReplaced
		return
	}
	if s.endAfter == ike.WhyNone {
		s.closeWhy, s.endAfter = ike.WhyPeerDeleted, ike.WhyPeerDeleted
	}
	for _, o := range s.siblings() {
		if s.yield(o) {
			return
		}
	}
	for _, c := range s.list() {
		c.remove(s.endAfter)
	}
}

// lostChild makes a child anew whose outbound SPI the peer does not know.
func (s *sa) lostChild(spi uint32) {
	for _, c := range s.list() {
		if _, _, out := c.spi(); out == spi && c.state == childUp && s.e.now.Sub(c.Created) >= tellEvery {
			p, remote := c.Protection, c.Path.Remote
			s.dropChild(c, ike.WhyPeerDeleted)
			s.e.initiate(ike.Initiate{Protection: p, Remote: remote})
			return
		}
	}
}
