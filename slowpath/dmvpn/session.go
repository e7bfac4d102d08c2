package dmvpn

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
)

// session is a peer of a protection.
type session struct {
	protection *Protection
	// names are what the session is known by. The first is the peer's when the session began; others are added when the peer moves, until NHRP has learned where it
	// is, and where NHRP knows it by another.
	names    []nbma.Address
	claim    netip.Addr // what the peer calls itself; the zero Addr: not known
	wanted   map[want]struct{}
	children []*child // in the order they came
	active   *child   // that is sent by
	identity ike.Identity
	state    State
	since    time.Time
	asked    bool           // IKE was asked for a child, and has not answered
	askedAt  netip.AddrPort // of whom
	tries    int            // since it was up for a while
	lastUsed time.Time
	lastWhy  ike.Why
	lastEnd  time.Time

	opening   *opening       // nil: no path is being opened
	endpoint  netip.AddrPort // where others see the peer
	openAgain time.Time      // not before
	calm      calm
	twinAgain time.Time // no line about a twin before
	client    bool      // it has registered with us

	barred, barredSelf bool // it was refused, as a hub is behind NAT, and that hub is this router

	retryAt   time.Time // ask IKE again
	releaseAt time.Time // nobody wants it any more
	timer     timer
}

// open finds or makes a session.
func (m *Machine) open(p *Protection, at nbma.Address) *session {
	k := key{p.ID, at}
	s := m.sessions[k]
	if s == nil {
		s = &session{protection: p, names: []nbma.Address{at}, wanted: make(map[want]struct{}), since: m.now, lastUsed: m.now}
		s.timer.owner, s.claim = s, at.Inside
		m.called(s, at)
		m.recall(s)
		m.log(s, LogSocketOpen, ike.WhyNone)
	}
	return s
}

// want is NHRP's wish for a peer.
func (m *Machine) want(p *Protection, w want) {
	s := m.find(p, w.at)
	if s == nil {
		s = m.open(p, w.at)
	}
	m.alias(s, w.at)
	if _, had := s.wanted[w]; had {
		return
	}
	s.wanted[w] = struct{}{}
	s.releaseAt = time.Time{}
	if s.active != nil {
		m.tell(s, w)
	}
	if s.opening != nil || !s.renews() || s.active != nil && !s.retryAt.IsZero() {
		m.settle(s)
		return
	}
	patient := s.isFar() && s.tries > 0 && !s.retryAt.IsZero() // nothing is new: the attempt that is planned is soon enough
	if soon := m.now.Add(m.jitter(retryFirst)); !s.asked && !patient && (s.retryAt.IsZero() || s.retryAt.After(soon)) {
		s.retryAt = m.now
		if s.tries > 0 { // it failed lately
			s.retryAt = soon
		}
	}
	m.settle(s)
}

// released takes NHRP's wish back.
func (m *Machine) released(w want) {
	delete(m.wants, w)
	p := m.byIface[w.iface]
	if p == nil {
		return
	}
	s := m.sessions[key{p.ID, w.at}]
	if s == nil {
		return
	}
	delete(s.wanted, w)
	m.unname(s, w.at)
	if len(s.wanted) == 0 {
		s.releaseAt = m.now.Add(releaseAfter)
		if known := s.lastEnd.Add(graceTime); s.barred && known.After(s.releaseAt) {
			s.releaseAt = known // its peer calls again and again, and `show dmvpn detail` is to say why it is not let in
		}
	}
	m.settle(s)
}

// unname forgets an address that the peer has left, once NHRP does not use it any more.
func (m *Machine) unname(s *session, at nbma.Address) {
	k := slices.Index(s.names, at)
	if k < 0 || len(s.names) == 1 || s.active != nil && s.active.spec.Path.Remote.Addr() == at.Addr && !s.hasOther(at) {
		return
	}
	for w := range s.wanted {
		if w.at == at {
			return
		}
	}
	if s.active != nil {
		for _, name := range s.protection.Ifaces {
			m.emit(Unsecure{name, at})
		}
	}
	s.names = slices.Delete(s.names, k, k+1)
	m.uncalled(s, at)
}

// settle brings a session to where it should be now: its state for show output, and its next look at itself.
func (m *Machine) settle(s *session) {
	if m.sessions[key{s.protection.ID, s.names[0]}] != s {
		return // it is gone
	}
	if s.opening != nil {
		m.proceed(s)
	}
	m.followLate(s)
	if s.opening == nil && s.renews() && !s.retryAt.IsZero() && !s.retryAt.After(m.now) {
		s.retryAt = time.Time{}
		m.ask(s)
	}
	state := Closed
	switch {
	case s.active != nil:
		state = Up
	case m.isNegotiated(s):
		state = Securing
	case len(s.wanted) > 0 || len(s.children) > 0:
		state = Negotiating
	}
	if state != s.state {
		if state == Up || s.state == Up || s.state == Closed {
			s.since = m.now
		}
		s.state = state
		if state != Up {
			for _, w := range s.wishes() {
				m.tell(s, w)
			}
		}
	}
	m.schedule(s)
}

// ask has IKE make a child, where there is reason to.
func (m *Machine) ask(s *session) {
	if len(s.wanted) == 0 || s.protection.ResponderOnly {
		return
	}
	s.tries++
	if m.isHidden(s) {
		m.failed(s, ike.WhyBehindNAT)
		return
	}
	s.asked, s.askedAt = true, s.remoteOf()
	if m.shares(s) && s.askedAt.Port() == 0 {
		s.askedAt = netip.AddrPortFrom(s.askedAt.Addr(), portIKE) // not whom IKE may know at another port
	}
	s.retryAt = m.now.Add(answerWithin)
	m.emit(ToIKE{ike.Initiate{Protection: s.protection.ID, Remote: s.askedAt}})
}

// failed notes that IKE could not make a child; it is asked again while the peer is wanted.
func (m *Machine) failed(s *session, why ike.Why) {
	if s.opening != nil {
		s.asked = false // IKE has ended it
		m.unopened(s, why)
		m.settle(s)
		return
	}
	s.asked = false
	s.lastWhy, s.lastEnd = why, m.now
	s.retryAt = time.Time{}
	if why == ike.WhyTimeout && s.isSilent(m.now) && !m.endInherited(s, ike.WhyDeadPeer) {
		return
	}
	if len(s.wanted) > 0 && s.renews() {
		s.retryAt = m.now.Add(m.backoff(s, s.tries))
	}
	m.settle(s)
}

// backoff is the wait after the n-th try, from 1.
func (m *Machine) backoff(s *session, n int) time.Duration {
	d := retryMax
	if s.isFar() {
		d = retryFar
	}
	if n >= 1 && n < 10 {
		d = min(d, retryFirst<<(n-1))
	}
	return m.jitter(d)
}

func (m *Machine) jitter(d time.Duration) time.Duration {
	return d - time.Duration(m.rng.Int64N(int64(d)/4+1))
}

// wishes are what NHRP wants of the session, in order.
func (s *session) wishes() []want {
	out := make([]want, 0, len(s.wanted))
	for w := range s.wanted {
		out = append(out, w)
	}
	slices.SortFunc(out, compareWants)
	return out
}

// tell says to NHRP how the session is.
func (m *Machine) tell(s *session, w want) {
	st := nhrp.PeerState{Iface: w.iface, NBMA: w.at, Up: s.active != nil, IPsec: s.active == nil && s.state == Securing}
	if st.Up {
		st.Identity = s.identity.String()
	}
	m.emit(ToNHRP{st})
}

// use makes a child the one that is sent by.
func (m *Machine) use(s *session, c *child) {
	was := s.active
	s.barred = false
	s.active, s.asked = c, false
	s.retryAt = time.Time{}
	m.secure(s)
	if was != nil {
		if was.isInherited() && !c.isInherited() { // it is known now who the peer is
			for _, w := range s.wishes() {
				m.tell(s, w)
			}
		}
		return
	}
	s.state, s.since, s.lastUsed = Up, m.now, m.now
	m.log(s, LogSessionUp, ike.WhyNone)
	for _, w := range s.wishes() {
		m.tell(s, w)
	}
	if len(s.wanted) == 0 {
		s.releaseAt = m.now.Add(graceTime)
	}
}

// secure has the fast path send by the active child, to each address that the peer is known by.
func (m *Machine) secure(s *session) {
	way := s.active.way()
	for _, addr := range s.names {
		for _, name := range s.protection.Ifaces {
			m.emit(Secure{name, addr, way})
		}
	}
}

// down ends a session that was up: nothing leaves to the peer any more. What NHRP wants is begun again soon, or with back-off where the
// session did not last and no operator ended it.
func (m *Machine) down(s *session, why ike.Why) {
	for _, addr := range s.names {
		for _, name := range s.protection.Ifaces {
			m.emit(Unsecure{name, addr})
		}
	}
	lasted := m.now.Sub(s.since)
	s.active = nil
	s.state, s.since = Negotiating, m.now
	s.lastWhy, s.lastEnd = why, m.now
	m.log(s, LogSessionDown, why)
	for _, w := range s.wishes() {
		m.tell(s, w)
	}
	s.retryAt = time.Time{}
	if len(s.wanted) == 0 {
		return
	}
	if lasted >= stableAfter || why == ike.WhyCleared {
		s.tries = 0
	}
	wait := m.jitter(retrySoon)
	if s.tries > 1 {
		wait = m.backoff(s, s.tries)
	}
	s.retryAt = m.now.Add(wait)
}

// forget takes all children of a session out of the fast path.
func (m *Machine) forget(s *session, why ike.Why) {
	if s.active != nil {
		m.down(s, why)
	}
	for _, c := range s.children {
		m.discard(c)
	}
	s.children = nil
}

// close ends a session that nothing wants, or that nothing permits any more.
func (m *Machine) close(s *session, why ike.Why) {
	if len(s.children) > 0 || s.asked {
		m.release(s)
	}
	m.forget(s, why)
	m.drop(s)
}

// drop closes the crypto socket.
func (m *Machine) drop(s *session) {
	m.timers.stop(&s.timer)
	m.setEndpoint(s, netip.AddrPort{})
	m.remember(s)
	names := s.names
	s.names = s.names[:1:1]
	for _, at := range names[1:] {
		m.uncalled(s, at)
	}
	s.names = nil
	m.uncalled(s, names[0])
	s.names = names[:1]
	m.log(s, LogSocketClosed, s.lastWhy)
}

// reshape has a session serve the tunnels that its protection has now.
func (m *Machine) reshape(s *session, p *Protection) {
	old := s.protection
	s.protection = p
	if old.ResponderOnly && !p.ResponderOnly && s.active == nil && !s.asked && s.retryAt.IsZero() && len(s.wanted) > 0 {
		s.retryAt = m.now
	}
	for _, w := range s.wishes() {
		if !p.has(w.iface) {
			delete(s.wanted, w)
		}
	}
	if len(s.wanted) == 0 && s.releaseAt.IsZero() {
		s.releaseAt = m.now.Add(releaseAfter)
	}
	if s.active == nil || slices.Equal(old.Ifaces, p.Ifaces) {
		return
	}
	for _, name := range old.Ifaces {
		for _, addr := range s.names {
			if !p.has(name) {
				m.emit(Unsecure{name, addr})
			}
		}
	}
	m.secure(s)
}

func (m *Machine) log(s *session, k LogKind, why ike.Why) { m.emit(s.log(k, why)) }

func (s *session) log(k LogKind, why ike.Why) Log {
	l := Log{
		Kind: k, Protection: s.protection.ID, Profile: s.protection.Profile, Ifaces: s.protection.Ifaces, VRF: s.protection.VRF,
		Local: s.protection.Local, Peer: s.address(), Inside: s.claim, Identity: s.identity, Why: why,
	}
	if s.active != nil {
		l.Peer = s.active.spec.Path.Remote
	} else if n := len(s.children); n > 0 {
		l.Peer = s.children[n-1].spec.Path.Remote
	}
	return l
}

// address is the peer as IKE is told of it.
func (s *session) address() netip.AddrPort { return netip.AddrPortFrom(s.names[0].Addr, 0) }

// name is how the session is known with its peer at an address.
func (s *session) name(addr netip.Addr) nbma.Address { return s.names[0].At(addr) }

// alias makes a session known by one more name, unless that is another's.
func (m *Machine) alias(s *session, at nbma.Address) {
	if slices.Contains(s.names, at) || m.sessions[key{s.protection.ID, at}] != nil {
		return
	}
	s.names = append(s.names, at)
	m.called(s, at)
	if s.active != nil {
		m.secure(s)
	}
}

// hasOther tells whether the session has another name at the same address.
func (s *session) hasOther(at nbma.Address) bool {
	return slices.ContainsFunc(s.names, func(n nbma.Address) bool { return n != at && n.Addr == at.Addr })
}

// isAt tells whether the session is known by an address.
func (s *session) isAt(addr netip.Addr) bool {
	return slices.ContainsFunc(s.names, func(at nbma.Address) bool { return at.Addr == addr })
}

// isInside tells whether the peer has an address behind NAT.
func (s *session) isInside(addr netip.Addr) bool {
	return slices.ContainsFunc(s.names, func(at nbma.Address) bool { return at.Inside == addr })
}
