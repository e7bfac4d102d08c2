package ikev1

import (
	"slices"
	"time"

	"nave/slowpath/ike"
)

// Two sides that start at the same moment have two SAs. settle says which of them goes, and both sides choose the same if both are of this make.
//
// RFC 2408 has children that outlive the SA they were made on. Not every peer is so: strongSwan takes away with an SA what was made on it, and what it has
// moved to it from others when it came up, without a word about it. When one SA follows another such a peer moves the children on; of two that came up at once
// nobody but the peer knows which child is on which. So the one that goes stays until nothing is in use that the peer may have on it.

const (
	// crossing is how much later than one of ours is up a first message of the peer's may come that it sent before it knew.
	crossing    = 5 * time.Second
	departAgain = 30 * time.Second // between two looks at whether an SA may go
)

// depart ends a retired SA, once nothing is in use that may end with it. What is in use is rekeyed on the other SA when its time comes.
func (s *sa) depart() {
	if len(s.carried()) > 0 {
		s.e.after(&s.gone, departAgain, s.depart)
		return
	}
	s.end(ike.WhyReplaced, true)
}

// carried are the children in use that the peer may take away together with the SA.
func (s *sa) carried() []*child {
	var list []*child
	for _, c := range s.peer.children {
		if c.inUse() && c.Peer == s.other && (c.sa == s || s.collided && (c.made == s.id || !c.born.After(s.since))) {
			list = append(list, c)
		}
	}
	return list
}

// renewCarried has what the peer may take away with the SA made anew on another one.
func (s *sa) renewCarried() {
	for _, c := range s.carried() {
		c.rekey()
	}
}

// unretire has an SA used again when the one is over that took its place, as of two that came up at once the peer may have kept the other one.
func (s *sa) unretire() {
	if s.retired {
		return
	}
	var best *sa
	for _, o := range s.peer.sas {
		if o.state != established || o.other != s.other || o.profile != s.profile || o.path != s.path {
			continue
		}
		if !o.retired {
			return
		}
		if best == nil || o.since.After(best.since) {
			best = o
		}
	}
	if best == nil {
		return
	}
	best.retired = false
	s.e.timers.stop(&best.gone)
	best.startDPD()
	best.adopt()
}

// lostAtPeer has what was in use on an SA that the peer has ended, of two that came up at once, made anew on the other: the peer may have it no more.
func (p *peer) lostAtPeer(s *sa) {
	if !s.collided {
		return
	}
	for _, c := range slices.Clone(p.children) {
		if c.inUse() && c.made == s.id && c.sa != nil {
			c.rekey()
		}
	}
}
