package ikev2

import (
	"bytes"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// Two sides that start at the same moment have two SAs. One is enough, and there has to be one: not every peer takes what comes by either of two children
// for the same packets. Linux, for one, lets in only what came by the child whose policy it has in force, the one that it sends by itself.
//
// Of the two SAs, the one whose initiator's SPI is the lower is taken away by that initiator, once the other carries what it carries. If that side does
// not do so the other one does. Until then each side sends by the child that the other one is likely to have brought up last, or is
// heard to use.

const (
	pruneAfter  = 500 * time.Millisecond  // after the second one came up, the initiator of the lesser looks
	pruneAnyway = 1500 * time.Millisecond // and the other side, if there are two still
	crossing    = 5 * time.Second         // how much later than one of ours is up a first message of the peer's may come that it sent before it knew
	pruneAgain  = time.Second             // an exchange is under way on the lesser
)

// siblings are other SAs with the same peer that the other side started.
func (s *sa) siblings() (list []*sa) {
	if len(s.e.peers[keyOf(s.path)]) < 2 {
		return nil
	}
	for _, o := range s.e.with(s.path.VRF, s.path.Remote.Addr()) {
		if s.isSibling(o) {
			list = append(list, o)
		}
	}
	return list
}

func (s *sa) isSibling(o *sa) bool {
	return o != s && o.state == stateUp && o.rekeyed == nil && o.initiator != s.initiator && o.peer == s.peer && o.profile == s.profile && o.path == s.path
}

// meet looks for the SA that the other side started at the same moment, when one has come up.
func (s *sa) meet() {
	for _, o := range s.siblings() {
		if o.created.Add(crossing).After(s.begun) {
			s.other, o.other = o, s
			s.twinSince, s.pruneAt = s.e.now, s.e.now.Add(pruneAfter)
			return
		}
	}
}

// part forgets the other SA.
func (s *sa) part() {
	if o := s.other; o != nil && o.other == s {
		o.other = nil
	}
	s.other = nil
}

// twin is the SA that the other side started at the same moment; nil without one, or when it is gone.
func (s *sa) twin() *sa {
	if s.other == nil || !s.isSibling(s.other) {
		return nil
	}
	return s.other
}

// prune takes one of two SAs with the same peer away, if it is for us to do so. The peer is first asked whether it has the other one: it may have
// forgotten it, as INITIAL_CONTACT in our own first message allows.
func (s *sa) prune() {
	o := s.twin()
	if o == nil {
		return
	}
	lesser, keep := s, o
	if bytes.Compare(o.spiI[:], s.spiI[:]) < 0 {
		lesser, keep = o, s
	}
	switch anyway := s.twinSince.Add(pruneAnyway); {
	case !lesser.initiator && s.e.now.Before(anyway):
		s.pruneAt = anyway
	case lesser.pending != nil || len(lesser.queue) > 0:
		s.pruneAt = s.e.now.Add(pruneAgain)
	default:
		keep.enqueue(&twinTask{lesser: lesser})
	}
	s.e.touch(s)
}

// twinTask asks whether the peer has an SA, before another one goes for it.
type twinTask struct{ lesser *sa }

func (t *twinTask) build(s *sa) (uint8, []ikev2msg.Out, bool) {
	return ikev2msg.ExchangeInformational, nil, s.twin() == t.lesser
}

// process ends the other SA. What is sent goes by this one's children first, and what is on its way by the other's still arrives.
func (t *twinTask) process(s *sa, _ []ikemsg.Payload) {
	if s.state != stateUp || s.rekeyed != nil || s.twin() != t.lesser {
		return
	}
	for _, c := range s.list() {
		if c.state == childInstalled && c.Replaces == 0 {
			c.activate() // the peer has it
		}
	}
	if t.lesser.yield(s) {
		t.lesser.close(ike.WhyReplaced)
	}
}

// deferToTwin has the peer's child used and not ours, which has just come up, if they crossed on their way: the peer's came up after we sent the request that
// made ours. The peer has then answered ours before it brought up its own. Where it may have forgotten its own for our INITIAL_CONTACT, ours is used until
// the peer is heard on the other.
func (c *child) deferToTwin() {
	s := c.sa
	o := s.twin()
	if o == nil || o.created.Before(s.provenAt) {
		return
	}
	for _, k := range o.list() {
		switch {
		case k.Protection != c.Protection || k.replacedBy != 0 || k.Replaces != 0:
		case s.claimed && k.state == childInstalled:
			k.activateAt = time.Time{}
			s.e.touch(o)
		case !s.claimed && k.state == childUp:
			s.e.emit(ike.Activate{Child: k.ID})
		}
	}
}

// follow has a child used that the peer is heard by for the first time, while there is another one by its twin: the peer may take nothing by that.
func (c *child) follow() {
	if c.state != childUp || c.replacedBy != 0 {
		return
	}
	if o := c.sa.twin(); o != nil && o.hasChild(c.Protection) {
		c.sa.e.emit(ike.Activate{Child: c.ID})
	}
}

// yield hands the children of an SA over to another with the same peer that has one in the place of each. They take what is on its way, and no more.
// Without such a one for each it does nothing, and returns false.
func (s *sa) yield(keep *sa) bool {
	for _, c := range s.children {
		if c.state == childUp && !keep.hasChild(c.Protection) {
			return false
		}
	}
	for _, c := range s.list() {
		if c.state == childInstalled { // half a rekey
			c.remove(ike.WhyReplaced)
			continue
		}
		for _, k := range keep.list() {
			if c.state == childUp && k.state == childUp && k.Protection == c.Protection {
				s.e.emit(ike.Activate{Child: k.ID})
				c.replaced(k)
			}
		}
		c.sa, c.SA, c.deleted = keep, keep.id, true
		keep.children[c.ID] = c
		delete(s.children, c.ID)
	}
	s.e.touch(keep)
	return true
}
