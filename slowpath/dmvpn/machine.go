package dmvpn

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/nbma"
)

// Times of a session's life.
const (
	retryFirst   = 5 * time.Second // after a failure, doubled each time, less up to a quarter by chance
	retryMax     = 60 * time.Second
	retrySoon    = 500 * time.Millisecond // after an end: NHRP may release the peer when it hears of it
	stableAfter  = 10 * time.Second       // a session that was up so long starts afresh with its first try
	answerWithin = 2 * time.Minute        // IKE that says nothing for so long is asked again
	releaseAfter = 5 * time.Second        // NHRP may want the peer again
	quietAfter   = time.Minute            // an unwanted session that the peer still uses stays
	graceTime    = 2 * time.Minute        // for a peer that came by itself, until NHRP wants it
)

// Machine is the sessions of one box.
type Machine struct {
	rng         *rand.Rand
	now         time.Time // of the step that is under way
	out         []Effect
	protections map[uint32]*Protection
	byIface     map[string]*Protection
	wants       map[want]struct{} // what NHRP has asked for, be there a protection for it or not
	always      map[want]struct{}
	sessions    map[key]*session // a session may have several names: see session.names
	places      map[place][]*session
	lately      map[key]lately
	children    map[ike.ChildID]*child
	bySA        map[fib.SAID]*child
	ids         idPool
	timers      timers
	endpoints   map[openKey]*session // by where others see the peer
	ikeSAs      established
	natSaid     map[natHub]time.Time // when the last line about it was

	inherited     Inherited   // what no protection has taken yet
	lastInherited ike.ChildID // counts inherited children
}

// want is a peer that NHRP of an interface wants.
type want struct {
	iface string
	at    nbma.Address
}

// key names a session.
type key struct {
	protection uint32
	at         nbma.Address
}

// New makes a machine without sessions, with jitter that a test can repeat.
func New(seed uint64) *Machine {
	return &Machine{
		rng: rand.New(rand.NewPCG(seed, 0x646d76706e)), protections: make(map[uint32]*Protection), byIface: make(map[string]*Protection),
		wants: make(map[want]struct{}), sessions: make(map[key]*session), children: make(map[ike.ChildID]*child),
		bySA: make(map[fib.SAID]*child), ids: idPool{next: 1}, ikeSAs: newEstablished(), endpoints: make(map[openKey]*session),
		places: make(map[place][]*session), lately: make(map[key]lately), natSaid: make(map[natHub]time.Time),
	}
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) begin(now time.Time) { m.now, m.out = now, nil }

func (m *Machine) end() []Effect {
	out := m.out
	m.out = nil
	return out
}

// Configure makes the machine run by c. Sessions of a protection that is gone, or has other ends, are taken down; the others stay,
// for the tunnels that the protection has now.
func (m *Machine) Configure(now time.Time, c Config) []Effect {
	m.begin(now)
	was := m.protections
	m.protections, m.byIface = make(map[uint32]*Protection), make(map[string]*Protection)
	for i := range c.Protections {
		p := c.Protections[i]
		p.Ifaces = slices.Sorted(slices.Values(p.Ifaces))
		m.protections[p.ID] = &p
		for _, name := range p.Ifaces {
			m.byIface[name] = &p
		}
	}
	m.takeOver()
	m.configureAlways(c)
	for _, s := range m.sorted() {
		is := m.protections[s.protection.ID]
		if is == nil || !s.protection.same(is) {
			m.close(s, ike.WhyCleared)
			continue
		}
		m.reshape(s, is)
	}
	m.permitNAT(was)
	for _, s := range m.sorted() {
		m.reviewNAT(s)
	}
	for _, w := range m.sortedWants() {
		if p := m.byIface[w.iface]; p != nil {
			m.want(p, w)
		}
	}
	for _, s := range m.sorted() {
		m.settle(s)
	}
	return m.end()
}

// configureAlways notes what is wanted whatever NHRP says.
func (m *Machine) configureAlways(c Config) {
	old := m.always
	m.always = make(map[want]struct{})
	for i := range c.Protections {
		for _, a := range c.Protections[i].Always {
			w := want{a.Iface, nbma.Of(a.Peer)}
			m.always[w], m.wants[w] = struct{}{}, struct{}{}
		}
	}
	for w := range old {
		if _, still := m.always[w]; !still {
			m.released(w)
		}
	}
}

// Handle takes an event in and returns what to do, in order.
func (m *Machine) Handle(now time.Time, ev Event) []Effect {
	m.begin(now)
	switch ev := ev.(type) {
	case Wanted:
		w := want{ev.Iface, ev.NBMA}
		m.wants[w] = struct{}{}
		if p := m.byIface[w.iface]; p != nil {
			m.want(p, w)
		}
	case Open:
		m.openPath(ev)
	case Client:
		m.clientOf(ev)
	case Released:
		m.released(want{ev.Iface, ev.NBMA})
	case FromIKE:
		m.fromIKE(ev.Effect)
	case SoftLimit:
		m.limit(ev)
	case Heard:
		m.heard(ev.SA)
	case Used:
		if c := m.bySA[ev.SA]; c != nil {
			c.used, c.session.lastUsed = now, now
		}
	case Moved:
		m.moved(ev)
	case Stray:
		m.stray(ev)
	case EndInherited:
		for _, s := range m.sorted() {
			if !ev.Remote.IsValid() || s.isAt(ev.Remote) {
				m.endInherited(s, ike.WhyCleared)
			}
		}
	case Refused:
		m.refused(ev.SA)
	case Reset:
		m.reset(ev)
	case Tick:
		m.tick()
	}
	return m.end()
}

// fromIKE takes in what IKE wants done.
func (m *Machine) fromIKE(e ike.Effect) {
	switch e := e.(type) {
	case ike.Install:
		m.install(&e.Child)
	case ike.Activate:
		if c := m.children[e.Child]; c != nil {
			m.activate(c)
		}
	case ike.Remove:
		if c := m.children[e.Child]; c != nil {
			m.removed(c, e.Why)
		}
	case ike.Rehomed:
		if c := m.children[e.Child]; c != nil {
			m.rehomed(c, e.Path)
		}
	case ike.Failed:
		if s := m.endpoints[openKey{e.Protection, e.Remote}]; s != nil && s.opening != nil {
			m.failed(s, e.Why)
			return
		}
		if s := m.asker(e.Protection, netip.AddrPortFrom(e.Remote.Addr().Unmap(), e.Remote.Port())); s != nil {
			m.failed(s, e.Why)
		}
	case ike.Log:
		m.ikeChanged(e)
	}
}

// limit has a child renewed that has come to a limit, or takes note of its end.
func (m *Machine) limit(ev SoftLimit) {
	switch c := m.bySA[ev.SA]; {
	case c == nil:
	case c.isInherited():
		m.renewSoon(c, ev.Hard)
	default:
		m.emit(ToIKE{ike.Volume{Child: c.id, Hard: ev.Hard}})
	}
}

// moved follows a peer behind NAT: of an inherited child at once, as nobody else knows of it.
func (m *Machine) moved(ev Moved) {
	c := m.bySA[ev.SA]
	if c == nil || !c.spec.Encap || m.restless(c, ev.Remote) || ev.Remote == c.spec.Path.Remote {
		return
	}
	if c.isInherited() {
		m.rehomed(c, ike.Path{VRF: c.spec.Path.VRF, Local: c.spec.Path.Local, Remote: ev.Remote})
		return
	}
	m.emit(ToIKE{ike.Moved{Child: c.id, Remote: ev.Remote}})
}

// heard notes a sign of life from the peer.
func (m *Machine) heard(id fib.SAID) {
	c := m.bySA[id]
	if c == nil {
		return
	}
	c.heard, c.session.lastUsed = m.now, m.now
	if c.isInherited() {
		return
	}
	m.noteTwin(c)
	m.emit(ToIKE{ike.Heard{Child: c.id}})
}

// refused gives up a child that the fast path has no room for.
func (m *Machine) refused(id fib.SAID) {
	c := m.bySA[id]
	if c == nil || c.refused {
		return
	}
	c.refused = true
	if c.isInherited() { // it stands as it was, and its peer is elsewhere
		m.removed(c, ike.WhyLimit)
		return
	}
	m.log(c.session, LogNoRoom, ike.WhyLimit)
	m.emit(ToIKE{ike.Drop{Child: c.id}})
}

// reset takes sessions down. Those that NHRP wants begin again.
func (m *Machine) reset(ev Reset) {
	for _, s := range m.sorted() {
		if ev.Iface != "" && !s.protection.has(ev.Iface) || ev.NBMA.IsValid() && !s.isAt(ev.NBMA) || ev.Inside.IsValid() && !s.isInside(ev.Inside) ||
			ev.Unwanted && len(s.wanted) > 0 {
			continue
		}
		m.release(s)
		m.forget(s, ike.WhyCleared)
		s.tries, s.asked = 0, false
		if len(s.wanted) == 0 {
			m.drop(s)
			continue
		}
		s.retryAt = m.now.Add(m.jitter(retrySoon))
		m.settle(s)
	}
}

// IdentityOf is who the peer of an inbound association says that it is; "" for an association that is not there.
func (m *Machine) IdentityOf(id fib.SAID) string {
	if c := m.bySA[id]; c != nil {
		return c.spec.Peer.String()
	}
	return ""
}

// PeerBy is who uses an inbound association: the name of its session by which NHRP of a tunnel knows it, at the address that the peer has now. ok is false for
// an association that is not there.
func (m *Machine) PeerBy(id fib.SAID, iface string) (at nbma.Address, ok bool) {
	c := m.bySA[id]
	if c == nil {
		return at, false
	}
	s, found := c.session, false
	at = s.names[0] // where it has moved to, somebody else may have the name already
	for _, n := range s.names {
		if n.Addr != c.spec.Path.Remote.Addr() {
			continue
		}
		if _, wanted := s.wanted[want{iface, n}]; wanted {
			return n, true
		}
		if !found {
			at, found = n, true
		}
	}
	return at, true
}

// EndpointOf is where the peer of an inbound association is seen, or with ESP without UDP would be, in UDP; the zero AddrPort for an association that is not there.
func (m *Machine) EndpointOf(id fib.SAID) netip.AddrPort {
	c := m.bySA[id]
	switch {
	case c == nil:
		return netip.AddrPort{}
	case c.spec.Encap:
		return c.spec.Path.Remote
	}
	return netip.AddrPortFrom(c.spec.Path.Remote.Addr(), portNATT)
}

// Quoted is what an ICMP error says of a packet that we sent.
type Quoted struct {
	VRF           uint16
	Local, Remote netip.AddrPort // ports 0 without UDP
	SPI           uint32         // 0 where the quotation ends before it: routers need quote no more than 8 bytes
}

// PeerOf finds the tunnels that a quoted packet may have come from, and the names that NHRP knows their peer by. ok is false for a packet
// that no association of ours can have sent.
func (m *Machine) PeerOf(q Quoted) (ifaces []string, names []nbma.Address, ok bool) {
	for _, p := range m.protections {
		if p.VRF != q.VRF || p.Local != q.Local.Addr() {
			continue
		}
		for _, s := range m.at(p.ID, q.Remote.Addr()) {
			for _, c := range s.children {
				for i := range c.sas {
					if sent(&c.sas[i], &q) {
						return slices.Clone(p.Ifaces), slices.Clone(s.names), true
					}
				}
			}
		}
	}
	return nil, nil, false
}

func sent(sa *fib.SA, q *Quoted) bool {
	switch {
	case sa.Inbound || q.SPI == 0 && !sa.Encap:
		return false
	case sa.Encap && (sa.LocalPort != q.Local.Port() || sa.RemotePort != q.Remote.Port()):
		return false
	}
	return q.SPI == 0 || q.SPI == sa.SPI
}

// SAs lists the associations in the fast path, by number: for their counters.
func (m *Machine) SAs() []SAUse {
	out := make([]SAUse, 0, len(m.bySA))
	for id, c := range m.bySA {
		for _, sa := range c.sas {
			if sa.ID == id {
				out = append(out, SAUse{SA: id, Inbound: sa.Inbound})
			}
		}
	}
	slices.SortFunc(out, func(a, b SAUse) int { return cmp.Compare(a.SA, b.SA) })
	return out
}

// SAUse is an association that counts packets.
type SAUse struct {
	SA      fib.SAID
	Inbound bool
}

// sorted lists the sessions in an order that does not depend on chance.
func (m *Machine) sorted() []*session {
	out := make([]*session, 0, len(m.sessions))
	for k, s := range m.sessions {
		if s.names[0] == k.at {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *session) int {
		return cmp.Or(cmp.Compare(a.protection.ID, b.protection.ID), a.names[0].Compare(b.names[0]))
	})
	return out
}

func (m *Machine) sortedWants() []want {
	out := make([]want, 0, len(m.wants))
	for w := range m.wants {
		out = append(out, w)
	}
	slices.SortFunc(out, compareWants)
	return out
}

func compareWants(a, b want) int {
	return cmp.Or(cmp.Compare(a.iface, b.iface), a.at.Compare(b.at))
}
