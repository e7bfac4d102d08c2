package dmvpn

import (
	"net/netip"
	"slices"

	"nave/slowpath/ike"
)

// peer is the two ends of IKE, ports apart.
type peer struct {
	vrf           uint16
	local, remote netip.Addr
}

// established is the IKE SAs that there are: only show output depends on it.
type established struct {
	byPeer map[peer]map[uint16]ike.SAID // the newest by each port of the peer
	at     map[ike.SAID]netip.AddrPort
	bare   map[place]bool // hasBare, while many sessions are looked at for one change; nil at other times
}

func newEstablished() established {
	return established{byPeer: make(map[peer]map[uint16]ike.SAID), at: make(map[ike.SAID]netip.AddrPort)}
}

// up notes an IKE SA.
func (e *established) up(p peer, remote netip.AddrPort, id ike.SAID) {
	ports := e.byPeer[p]
	if ports == nil {
		ports = make(map[uint16]ike.SAID)
		e.byPeer[p] = ports
	}
	if old := ports[remote.Port()]; old != 0 {
		delete(e.at, old)
	}
	ports[remote.Port()] = id
	e.at[id] = remote
}

// down forgets one, wherever its peer is by now.
func (e *established) down(p peer, id ike.SAID) {
	was, ok := e.at[id]
	if !ok {
		return
	}
	delete(e.at, id)
	p.remote = was.Addr()
	ports := e.byPeer[p]
	if ports[was.Port()] == id {
		delete(ports, was.Port())
	}
	if len(ports) == 0 {
		delete(e.byPeer, p)
	}
}

// ikeChanged follows which peers have an IKE SA.
func (m *Machine) ikeChanged(l ike.Log) {
	remote := netip.AddrPortFrom(l.Path.Remote.Addr().Unmap(), l.Path.Remote.Port())
	p := peer{l.Path.VRF, l.Path.Local.Addr().Unmap(), remote.Addr()}
	switch l.Kind {
	case ike.LogSAUp, ike.LogRekeyed:
		m.ikeSAs.up(p, remote, l.SA)
	case ike.LogSADown:
		if _, known := m.ikeSAs.at[l.SA]; !known {
			return
		}
		m.ikeSAs.down(p, l.SA)
	default:
		return
	}
	m.ikeSAs.bare = make(map[place]bool) // a thousand peers may be at the address
	defer func() { m.ikeSAs.bare = nil }()
	for _, q := range m.protections {
		if q.VRF != p.vrf || q.Local != p.local {
			continue
		}
		for _, s := range slices.Clone(m.at(q.ID, p.remote)) {
			m.settle(s)
		}
	}
}

// isNegotiated tells whether there is an IKE SA with the session's peer, as far as that is known: one that is another's at the same address is not.
func (m *Machine) isNegotiated(s *session) bool {
	ports := m.ikeSAs.byPeer[peer{s.protection.VRF, s.protection.Local, s.names[0].Addr}]
	if len(ports) == 0 {
		return false
	}
	if !m.shares(s) {
		return true
	}
	for _, c := range s.children {
		if _, ok := m.ikeSAs.at[c.spec.SA]; ok || c.spec.Encap && ports[c.spec.Path.Remote.Port()] != 0 {
			return true
		}
	}
	return s.asked && m.hasBare(s, ports)
}

// hasBare tells whether there is an IKE SA with somebody at a session's address that no session has made anything of.
func (m *Machine) hasBare(s *session, ports map[uint16]ike.SAID) bool {
	at := place{s.protection.ID, s.names[0].Addr}
	if bare, known := m.ikeSAs.bare[at]; known {
		return bare
	}
	saids, taken := make(map[ike.SAID]bool), make(map[uint16]bool)
	for _, o := range m.places[at] {
		for _, c := range o.children {
			saids[c.spec.SA] = true
			if c.spec.Encap {
				taken[c.spec.Path.Remote.Port()] = true
			}
		}
	}
	bare := false
	for port, id := range ports {
		bare = bare || !saids[id] && !taken[port]
	}
	if m.ikeSAs.bare != nil {
		m.ikeSAs.bare[at] = bare
	}
	return bare
}
