package dmvpn

import (
	"net/netip"
	"time"

	"nave/slowpath/ike"
)

// A NAT box may give another port to each far port that is spoken to. With such boxes on both sides each packet comes from another port than the last one if each side always answers where the
// last packet came from, and both boxes run out of ports. A peer whose path was opened from both sides is followed at once three times in ten seconds, and after that once in ten seconds, to
// where it is then, until it rests. Packets arrive all the same: such a path needs a box that lets in whom nobody has spoken to.
const (
	calmTime  = 10 * time.Second
	calmMoves = 3
)

// calm is how often a peer has moved lately, and where it is to be followed later.
type calm struct {
	since time.Time
	moves int
	child ike.ChildID
	to    netip.AddrPort // the zero AddrPort: nothing is put off
}

// restless tells whether a move of a child's peer to another port is put off.
func (m *Machine) restless(c *child, to netip.AddrPort) bool {
	s := c.session
	if !s.endpoint.IsValid() || to.Addr() != c.spec.Path.Remote.Addr() {
		return false
	}
	if to == c.spec.Path.Remote {
		s.calm.to = netip.AddrPort{} // it is back
		return false
	}
	if !m.now.Before(s.calm.since.Add(calmTime)) {
		s.calm = calm{since: m.now}
	}
	if s.calm.moves++; s.calm.moves <= calmMoves {
		return false
	}
	s.calm.child, s.calm.to = c.id, to
	m.schedule(s)
	return true
}

// calmAt is when a move that was put off is due; the zero Time: there is none.
func (s *session) calmAt() time.Time {
	if !s.calm.to.IsValid() {
		return time.Time{}
	}
	return s.calm.since.Add(calmTime)
}

// followLate follows a peer after its rest.
func (m *Machine) followLate(s *session) {
	if at := s.calmAt(); at.IsZero() || at.After(m.now) {
		return
	}
	id, to := s.calm.child, s.calm.to
	s.calm = calm{since: m.now, moves: calmMoves}
	if c := m.children[id]; c != nil && c.session == s && to != c.spec.Path.Remote {
		m.emit(ToIKE{ike.Moved{Child: id, Remote: to}})
	}
}
