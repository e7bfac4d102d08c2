package dmvpn

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/nbma"
)

// Some hardware can be no hub behind NAT, and no spoke of one (Protection.NoHubBehindNAT). Which side is behind NAT is seen by IKE only, with each child that it makes. A child by which a hub would
// be behind NAT is taken down with all that its session has, and the session tries again as after any failure, or waits for its peer to do so. A spoke behind NAT is nobody's business, nor are
// two spokes with each other.

// natHubEvery is the time between two lines about the same refusal.
const natHubEvery = 10 * time.Minute

// Client says that a peer at an address has registered with a tunnel of ours: we are its hub, be we the spoke of another hub or not.
type Client struct {
	Iface string
	Addr  netip.Addr
}

func (Client) event() {}

// natHub is what a line was about: of ourselves as a hub with the zero Addr, else of a hub of ours.
type natHub struct {
	protection uint32
	hub        netip.Addr
}

// bars tells whether a hub is behind NAT by a child that is, or would be, of a session, and must not be. self: that hub is this router. s may be nil.
func (p *Protection) bars(s *session, k *ike.Child) (yes, self bool) {
	if !p.NoHubBehindNAT || k.NAT == (ike.NAT{}) {
		return false, false
	}
	serves := func(a netip.Addr) bool { return a == k.Path.Remote.Addr() || s != nil && s.isAt(a) }
	server := slices.ContainsFunc(p.Servers, serves)
	if server && k.NAT.Peer {
		return true, false
	}
	if (p.Hub && !server || s != nil && s.client) && k.NAT.Self {
		return true, true
	}
	return false, false
}

// refuseNAT takes down what a session has, as a hub is behind NAT. It is tried again with back-off, if anybody wants it.
func (m *Machine) refuseNAT(s *session, self bool) {
	const why = ike.WhyNATHub
	m.sayNAT(s, self)
	if len(s.children) > 0 {
		m.release(s)
		m.forget(s, why)
	}
	s.barred, s.barredSelf, s.tries = true, self, max(s.tries, 1)
	if len(s.wanted) == 0 {
		s.releaseAt = m.now.Add(graceTime) // the peer will come again
	}
	m.failed(s, why)
}

// refuseNew refuses a child that is not installed yet. A session of a peer that has come by itself stays for a while, to say why; s may be nil.
func (m *Machine) refuseNew(p *Protection, s *session, name nbma.Address, k *ike.Child, self bool) {
	if s == nil {
		s = m.open(p, name)
	}
	if len(s.children) == 0 {
		s.identity = k.Peer
	}
	m.emit(ToIKE{ike.Drop{Child: k.ID}})
	m.refuseNAT(s, self)
}

// sayNAT logs a refusal: of our own place once for all peers.
func (m *Machine) sayNAT(s *session, self bool) {
	about := natHub{protection: s.protection.ID}
	if !self {
		about.hub = s.names[0].Addr
	}
	if last, said := m.natSaid[about]; said && m.now.Sub(last) < natHubEvery {
		return
	}
	m.natSaid[about] = m.now
	l := s.log(LogNATHub, ike.WhyNATHub)
	l.Self = self
	m.emit(l)
}

// clientOf takes in that we are the hub of who is at an address.
func (m *Machine) clientOf(ev Client) {
	p := m.byIface[ev.Iface]
	if p == nil {
		return
	}
	for _, s := range slices.Clone(m.at(p.ID, ev.Addr)) {
		s.client = true
		m.reviewNAT(s)
	}
}

// reviewNAT looks at a session's children again, by what its protection permits now.
func (m *Machine) reviewNAT(s *session) {
	for _, c := range s.children {
		if yes, self := s.protection.bars(s, &c.spec); yes {
			m.refuseNAT(s, self)
			return
		}
	}
}

// permitNAT lets sessions begin again that were refused by what their protection does not say any more.
func (m *Machine) permitNAT(was map[uint32]*Protection) {
	same := func(id uint32) bool {
		p, q := was[id], m.protections[id]
		return p != nil && q != nil && p.NoHubBehindNAT == q.NoHubBehindNAT && p.Hub == q.Hub && slices.Equal(p.Servers, q.Servers)
	}
	for about := range m.natSaid {
		if !same(about.protection) {
			delete(m.natSaid, about)
		}
	}
	for k, l := range m.lately {
		if l.barred && !same(k.protection) {
			delete(m.lately, k)
		}
	}
	for _, s := range m.sorted() {
		if !s.barred || same(s.protection.ID) {
			continue
		}
		s.barred, s.tries, s.lastWhy = false, 0, ike.WhyNone
		if len(s.wanted) > 0 && s.active == nil && !s.asked {
			s.retryAt = m.now
		}
	}
}
