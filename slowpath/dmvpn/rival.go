package dmvpn

import (
	"time"

	"nave/slowpath/ike"
)

// A peer says itself what address it has behind NAT, and the session is named by that. Where two peers behind one NAT box call themselves the same, as behind a second NAT box each, or because
// one of them lies, they can't both have the session:
//
//	identities differ     who has the session keeps it while it lives: the other one is not let in
//	identities are equal  it may be the same peer that has begun anew, from another port: the newer one has the session; if both live on, that is logged

// twinEvery is the time between two lines about peers that take each other's place.
const twinEvery = 10 * time.Minute

// isOther tells whether the peer of a child has proved to be somebody else than whom the session is with.
func (s *session) isOther(k *ike.Child) bool { return len(s.children) > 0 && s.differs(k) }

// differs tells whether the peer of a child has proved to be somebody else than the session's last one. Whoever answers where we have called is the one that we called, and a point-to-point
// tunnel has one peer, whatever it calls itself.
func (s *session) differs(k *ike.Child) bool {
	if k.Initiator || s.protection.Remote.IsValid() {
		return false
	}
	return s.identity.Kind != ike.IDNone && k.Peer.Kind != ike.IDNone && s.identity != k.Peer
}

// makeWay ends a session for another peer of the same name, if its own has not been heard of for a while. It tells whether the other one may have it.
func (m *Machine) makeWay(s *session, k *ike.Child) bool {
	if last := s.lastHeard(); s.active != nil && (m.now.Sub(last) < quietAfter || m.now.Sub(s.since) < quietAfter) {
		l := s.log(LogTwin, ike.WhyIdentity)
		l.Was, l.Peer, l.Identity = l.Peer, k.Path.Remote, k.Peer
		m.emit(l)
		return false
	}
	m.replaced(s, k.Path.Remote)
	return true
}

// noteTwin logs that two peers live which seem to be one: both have come by themselves, from a port each. Late packets of a peer that has begun anew do not tell.
func (m *Machine) noteTwin(c *child) {
	const late = 30 * time.Second
	s := c.session
	o := s.active
	if o == nil || o == c || o.spec.SA == c.spec.SA || o.spec.Path.Remote == c.spec.Path.Remote || o.spec.Initiator || c.spec.Initiator {
		return
	}
	if m.now.Sub(o.spec.Created) < late || m.now.Before(s.twinAgain) {
		return
	}
	s.twinAgain = m.now.Add(twinEvery)
	l := s.log(LogTwin, ike.WhyReplaced)
	l.Was = c.spec.Path.Remote
	m.emit(l)
}
