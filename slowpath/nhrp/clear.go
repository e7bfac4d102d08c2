package nhrp

import (
	"net/netip"
	"slices"

	"nave/slowpath/nbma"
)

// Which selects interfaces and the peers on them. The zero Which is all.
type Which struct {
	Iface  string // "" means all
	VRF    string // of the interface, where InVRF is set; "": the global table
	InVRF  bool
	NBMA   netip.Addr // `peer nbma`: all peers there, or
	Inside netip.Addr // of those the one that has this address behind NAT
	Tunnel netip.Addr // `peer tunnel`: the peer with that tunnel address, with all that is behind it
}

// has tells whether an interface is selected.
func (w *Which) has(ifc *iface) bool {
	return (w.Iface == "" || w.Iface == ifc.cfg.Name) && (!w.InVRF || w.VRF == ifc.cfg.VRF)
}

// Selected are the names of the interfaces that w selects.
func (m *Machine) Selected(w Which) (names []string) {
	for _, ifc := range m.order {
		if w.has(ifc) {
			names = append(names, ifc.cfg.Name)
		}
	}
	return names
}

// Places are where the peers are that w selects by their tunnel address.
func (m *Machine) Places(w Which) (at []nbma.Address) {
	for _, ifc := range m.order {
		if !w.has(ifc) {
			continue
		}
		for _, p := range ifc.peers {
			if w.peer(p) {
				at = append(at, p.at)
			}
		}
	}
	slices.SortFunc(at, nbma.Address.Compare)
	return slices.Compact(at)
}

// anybody tells whether all peers are selected.
func (w *Which) anybody() bool { return !w.NBMA.IsValid() && !w.Tunnel.IsValid() }

// at tells whether a place is selected.
func (w *Which) at(a nbma.Address) bool {
	return (!w.NBMA.IsValid() || a.Addr == w.NBMA) && (!w.Inside.IsValid() || a.Inside == w.Inside)
}

// peer tells whether a peer is selected.
func (w *Which) peer(p *peer) bool {
	return w.at(p.at) && (!w.Tunnel.IsValid() || p.isTunnel(w.Tunnel))
}

func (p *peer) isTunnel(a netip.Addr) bool {
	return slices.ContainsFunc(p.entries, func(e *entry) bool { return e.nextHop == a }) ||
		slices.ContainsFunc(p.ifc.nhs, func(n *nhs) bool { return n.peer == p && n.proto == a })
}

// clear removes entries, and starts static ones afresh if asked to.
func (m *Machine) clear(ev Clear) {
	for _, ifc := range m.order {
		if !ev.has(ifc) {
			continue
		}
		var chosen []*entry // before anything goes: peers are known by their entries
		for _, e := range ifc.sorted() {
			if ev.selects(e) {
				chosen = append(chosen, e)
			}
		}
		for _, e := range chosen {
			if ifc.cache[e.prefix] == e && !e.kind.configured() {
				m.remove(e)
			}
		}
		if ev.anybody() {
			m.purgeAnswers(ifc, ev.Protocol)
		}
		if ev.Static {
			m.restart(ifc, chosen)
		}
	}
}

func (ev *Clear) selects(e *entry) bool {
	switch {
	case ev.Protocol.IsValid() && !contains(ev.Protocol, e.prefix):
		return false
	case ev.anybody():
		return true
	case e.peer == nil: // it is not known where that is
		return !ev.NBMA.IsValid() && e.prefix.Addr() == ev.Tunnel
	}
	return ev.peer(e.peer)
}

// restart begins anew with configured peers: their sessions, bindings and registrations.
func (m *Machine) restart(ifc *iface, chosen []*entry) {
	seen := map[*peer]bool{}
	for _, e := range chosen {
		if ifc.cache[e.prefix] != e || !e.kind.configured() || seen[e.peer] {
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

// clearStatistics zeroes counters: of a peer its own and those of it as a server, otherwise those of the interface, too.
func (m *Machine) clearStatistics(ev ClearStatistics) {
	for _, ifc := range m.order {
		if !ev.has(ifc) {
			continue
		}
		if ev.anybody() {
			ifc.traffic = Traffic{}
			m.unknown = 0
		}
		for _, n := range ifc.nhs {
			if ev.anybody() || n.peer != nil && ev.peer(n.peer) {
				n.requests, n.replies, n.failures = 0, 0, 0
			}
		}
		for _, p := range ifc.peers {
			if ev.peer(p) {
				p.sent, p.received = 0, 0
			}
		}
	}
}
