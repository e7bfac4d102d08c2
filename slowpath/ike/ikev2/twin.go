package ikev2

import (
	"bytes"
	"time"

	"nave/slowpath/ike"
)

// Two sides that start at the same moment have two SAs. One is enough: of the two, the one whose initiator's SPI is the lower is taken away by that
// initiator, once the other carries what it carries. A peer that does not do so keeps both, which harms nobody.

// pruneAfter is how long after it came up an SA is looked at: by then the other side knows both, too.
const pruneAfter = 2 * time.Second

// twin is another SA with the same peer that the other side started; nil without one.
func (s *sa) twin() *sa {
	for _, o := range s.e.with(s.path.VRF, s.path.Remote.Addr()) {
		if o != s && o.state == stateUp && o.rekeyed == nil && o.initiator != s.initiator && o.peer == s.peer && o.profile == s.profile && o.path == s.path {
			return o
		}
	}
	return nil
}

// prune takes one of two SAs with the same peer away, if it is for us to do so. What is sent goes by the other's children first, and what is on its way by
// this one's still arrives.
func (s *sa) prune() {
	o := s.twin()
	if o == nil {
		return
	}
	lesser, keep := s, o
	if bytes.Compare(o.spiI[:], s.spiI[:]) < 0 {
		lesser, keep = o, s
	}
	if !lesser.initiator || lesser.pending != nil || len(lesser.queue) > 0 {
		return
	}
	if lesser.yield(keep) {
		lesser.close(ike.WhyReplaced)
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
