package dmvpn

import (
	"net/netip"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/nbma"
)

// A path between two peers that are both behind NAT is opened from both sides at once. Each knows from its next hop server by which port of which address the other one is seen.
//
//	who was asked        0 ms  openers: single bytes that have our NAT box let the other one in, five, 80 ms apart
//	                   120 ms  IKE of our own, in case our box lets us out by another port than the server sees; not if the other one's is under way
//	who asked            0 ms  IKE: its first message, again and again, is its own opener
//	both              1000 ms  no answer: that is the end, and NHRP is told
//
// Who was asked begins when the other one is likely to have heard of it (Open.After): there are boxes that give a flow another port when something has come in from the far end before anything
// went out to it. With a wait that is as long as the way to the server and back, what each side sends first leaves before what the other one sends arrives, wherever the server is. Traffic is
// on the way through the server all the time.
const (
	openers      = 5
	openerEvery  = 80 * time.Millisecond
	callAfter    = 120 * time.Millisecond
	openWithin   = time.Second
	openFinished = 5 * time.Second  // an attempt that was answered, and has not come to a child by then, has failed, too
	openAgain    = 15 * time.Second // between two attempts with one peer, whoever asks for it
)

// opening is an attempt that is under way.
type opening struct {
	openers int
	next    time.Time // an opener
	callAt  time.Time // IKE of our own; the zero Time: it was asked
	endAt   time.Time // that is the end, unless IKE was answered
	giveUp  time.Time // that is the end in any case
}

// openKey finds the session that leads to the port of a peer behind NAT.
type openKey struct {
	protection uint32
	at         netip.AddrPort
}

// openPath begins an attempt, if there is none, nor was lately, and no session.
func (m *Machine) openPath(ev Open) {
	p := m.byIface[ev.Iface]
	if p == nil || ev.Endpoint.Addr() != ev.NBMA.Addr || ev.Endpoint.Port() == 0 {
		return
	}
	s := m.find(p, ev.NBMA)
	if s == nil {
		s = m.open(p, ev.NBMA)
	}
	if len(s.wanted) == 0 && s.releaseAt.IsZero() {
		s.releaseAt = m.now.Add(graceTime)
	}
	if s.active == nil && s.opening == nil && !m.now.Before(s.openAgain) && !p.ResponderOnly {
		m.setEndpoint(s, ev.Endpoint)
		begin := m.now.Add(ev.After)
		s.opening = &opening{next: begin, callAt: begin, endAt: begin.Add(openWithin), giveUp: begin.Add(openFinished)}
		if !ev.Calls {
			s.opening.openers, s.opening.callAt = openers, begin.Add(callAfter)
		}
		s.openAgain = m.now.Add(openAgain)
		s.asked, s.retryAt = false, time.Time{}
		s.tries++
	}
	if o := s.opening; o != nil && ev.Endpoint == s.endpoint {
		o.hasten(m.now.Add(ev.After), ev.Calls) // both have asked, and this one is heard first
	}
	m.settle(s)
}

// hasten has an attempt begin no later than at a time.
func (o *opening) hasten(begin time.Time, calls bool) {
	if o.openers == openers && begin.Before(o.next) {
		o.next = begin
	}
	if !calls {
		begin = begin.Add(callAfter)
	}
	if begin.Before(o.callAt) {
		o.callAt = begin
	}
}

// setEndpoint notes where the peer of a session is seen by others; the zero AddrPort: nowhere.
func (m *Machine) setEndpoint(s *session, at netip.AddrPort) {
	if k := (openKey{s.protection.ID, s.endpoint}); m.endpoints[k] == s {
		delete(m.endpoints, k)
	}
	if s.endpoint = at; at.IsValid() {
		m.endpoints[openKey{s.protection.ID, at}] = s
	}
}

// proceed goes on with an attempt.
func (m *Machine) proceed(s *session) {
	o := s.opening
	if s.active != nil {
		s.opening = nil
		return
	}
	for o.openers > 0 && !o.next.After(m.now) {
		m.emit(Opener{m.pathTo(s)})
		o.openers, o.next = o.openers-1, o.next.Add(openerEvery)
	}
	if !o.callAt.IsZero() && !o.callAt.After(m.now) {
		o.callAt, s.asked, s.askedAt = time.Time{}, true, s.endpoint
		m.emit(ToIKE{ike.Initiate{Protection: s.protection.ID, Remote: s.endpoint, Within: o.endAt.Sub(m.now)}})
	}
	if !o.giveUp.After(m.now) {
		m.unopened(s, ike.WhyTimeout)
	}
}

// pathTo is where openers go.
func (m *Machine) pathTo(s *session) ike.Path {
	return ike.Path{VRF: s.protection.VRF, Local: netip.AddrPortFrom(s.protection.Local, portNATT), Remote: s.endpoint}
}

// portNATT is where IPsec in UDP and its IKE are (RFC 3948).
const portNATT = 4500

// unopened ends an attempt that came to nothing. Who asked for the peer on other grounds is served as ever.
func (m *Machine) unopened(s *session, why ike.Why) {
	if s.asked {
		m.emit(ToIKE{ike.Release{Protection: s.protection.ID, Remote: s.endpoint}})
	}
	s.opening, s.asked = nil, false
	s.lastWhy, s.lastEnd = why, m.now
	l := s.log(LogUnopened, why)
	l.Peer = s.endpoint
	m.emit(l)
	for _, w := range s.wishes() {
		m.emit(Unopened{w.iface, w.at})
	}
	if len(s.wanted) > 0 {
		s.retryAt = m.now.Add(m.backoff(s, s.tries))
	}
}

// wakeAt is when an attempt goes on.
func (o *opening) wakeAt() time.Time {
	if o == nil {
		return time.Time{}
	}
	at := o.giveUp
	if o.openers > 0 && o.next.Before(at) {
		at = o.next
	}
	if !o.callAt.IsZero() && o.callAt.Before(at) {
		at = o.callAt
	}
	return at
}

// Open says that the path to a peer behind NAT is to be opened, while the peer does the same.
type Open struct {
	Iface    string
	NBMA     nbma.Address
	Endpoint netip.AddrPort // where a next hop server of ours sees the peer
	Calls    bool           // we have asked for the peer: it does not wait for us
	After    time.Duration  // when it begins, where it does not wait for us to call
}

// Opener sends the one byte 0xFF, as a NAT keepalive.
type Opener struct{ Path ike.Path }

// Unopened tells NHRP that a path did not open.
type Unopened struct {
	Iface string
	NBMA  nbma.Address
}

func (Open) event()      {}
func (Opener) effect()   {}
func (Unopened) effect() {}
