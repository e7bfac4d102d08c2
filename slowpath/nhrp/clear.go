package nhrp

import "net/netip"

// clear removes entries, and starts static ones afresh if asked to.
func (m *Machine) clear(ev Clear) {
	for _, ifc := range m.order {
		if ev.Iface != "" && ev.Iface != ifc.cfg.Name {
			continue
		}
		for _, e := range ifc.sorted() {
			if ifc.cache[e.prefix] == e && !e.kind.configured() && ev.selects(e) {
				m.remove(e)
			}
		}
		if !ev.NBMA.IsValid() {
			m.purgeAnswers(ifc, ev.Protocol)
		}
		if ev.Static {
			m.restart(ifc, ev)
		}
	}
}

func (ev Clear) selects(e *entry) bool {
	if ev.Protocol.IsValid() && !contains(ev.Protocol, e.prefix) {
		return false
	}
	return !ev.NBMA.IsValid() || e.peer != nil && e.peer.at.Addr == ev.NBMA
}

// restart begins anew with configured peers: their sessions, bindings and registrations.
func (m *Machine) restart(ifc *iface, ev Clear) {
	seen := map[*peer]bool{}
	for _, e := range ifc.sorted() {
		if !e.kind.configured() || !ev.selects(e) || seen[e.peer] {
			continue
		}
		seen[e.peer] = true
		p := e.peer
		if !ifc.cfg.Protected {
			m.setReady(p, false)
			m.setReady(p, true)
			continue
		}
		if p.ready {
			m.setReady(p, false)
		}
		m.emit(PeerReleased{ifc.cfg.Name, p.at})
		m.emit(PeerWanted{ifc.cfg.Name, p.at})
	}
}

// clearStatistics zeroes counters.
func (m *Machine) clearStatistics(ev ClearStatistics) {
	for _, ifc := range m.order {
		if ev.Iface != "" && ev.Iface != ifc.cfg.Name {
			continue
		}
		if !ev.NBMA.IsValid() && !ev.Tunnel.IsValid() {
			ifc.traffic = Traffic{}
			m.unknown = 0
			for _, n := range ifc.nhs {
				n.requests, n.replies, n.failures = 0, 0, 0
			}
		}
		for _, p := range ifc.peers {
			if (!ev.NBMA.IsValid() || p.at.Addr == ev.NBMA) && (!ev.Tunnel.IsValid() || p.isTunnel(ev.Tunnel)) {
				p.sent, p.received = 0, 0
			}
		}
	}
}

func (p *peer) isTunnel(a netip.Addr) bool {
	for _, e := range p.entries {
		if e.nextHop == a {
			return true
		}
	}
	return false
}
