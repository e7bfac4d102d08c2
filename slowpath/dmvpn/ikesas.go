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
	for port, id := range ports {
		of := func(c *child) bool { return c.spec.SA == id || c.spec.Encap && c.spec.Path.Remote.Port() == port }
		if slices.ContainsFunc(s.children, of) {
			return true
		}
		if s.asked && !slices.ContainsFunc(m.at(s.protection.ID, s.names[0].Addr), func(o *session) bool { return slices.ContainsFunc(o.children, of) }) {
			return true
		}
	}
	return false
}
