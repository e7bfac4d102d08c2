package ldp

import (
	"crypto/subtle"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Configure makes the machine run by c; what did not change goes on. Another router ID ends all sessions and starts anew. Keys of the configuration before are
// not referred to any more when it returns.
func (m *Machine) Configure(now time.Time, c Config) []Effect {
	m.begin(now)
	m.sequence++
	c = c.withDefaults()
	if m.on && c.RouterID != m.id.LSR {
		m.turnOff()
	}
	m.cfg = c
	m.pool.span(c.FirstLabel, c.LastLabel, c.LabelGrace, m.rng.Uint32())
	m.configureInterfaces()
	if !m.on {
		if unicast(c.RouterID) {
			m.turnOn()
		}
		return m.end()
	}
	m.listen()
	for _, ifc := range m.sortedIfaces() {
		m.refresh(ifc)
	}
	for _, nb := range slices.Clone(m.order) {
		m.rekey(nb)
	}
	m.relabelAll()
	return m.end()
}

func (m *Machine) configureInterfaces() {
	mpls := map[string]Interface{}
	for _, i := range m.cfg.Interfaces {
		mpls[i.Name] = i
		m.iface(i.Name)
	}
	for _, ifc := range m.sortedIfaces() {
		cfg, on := mpls[ifc.name]
		if ifc.mpls && on && ifc.cfg != cfg && ifc.cfg.Transport != cfg.Transport {
			m.loseAll(ifc) // what neighbors know of us does not hold any more
		}
		ifc.mpls, ifc.cfg = on, cfg
		if !on && !ifc.known {
			m.refresh(ifc)
			delete(m.ifaces, ifc.name)
		}
	}
}

func (m *Machine) sortedIfaces() []*iface {
	return slices.SortedFunc(maps.Values(m.ifaces), func(a, b *iface) int { return strings.Compare(a.name, b.name) })
}

func (m *Machine) turnOn() {
	m.on, m.id = true, ID{LSR: m.cfg.RouterID}
	m.listen()
	for _, ifc := range m.sortedIfaces() {
		m.refresh(ifc)
	}
	m.relabelAll()
}

func (m *Machine) turnOff() {
	m.on = false
	for _, ifc := range m.sortedIfaces() {
		m.refresh(ifc)
	}
	for len(m.strangers) > 0 {
		m.fail(m.strangers[0], shutdown)
	}
	m.relabelAll()
	m.listen()
}

// listen lets connections be accepted at the addresses that Hellos name, and at no others.
func (m *Machine) listen() {
	want := map[netip.Addr]bool{}
	for _, ifc := range m.ifaces {
		if m.on && ifc.mpls {
			want[m.transport(ifc)] = true
		}
	}
	for _, a := range sortedAddrs(maps.Keys(m.listening)) {
		if !want[a] {
			delete(m.listening, a)
			m.emit(Listen{Local: a})
		}
	}
	for _, a := range sortedAddrs(maps.Keys(want)) {
		if !m.listening[a] {
			m.listening[a] = true
			m.emit(Listen{Local: a, On: true})
		}
	}
}

// transport is our address of sessions with neighbors on an interface.
func (m *Machine) transport(ifc *iface) netip.Addr {
	if ifc.cfg.Transport.IsValid() {
		return ifc.cfg.Transport
	}
	return m.id.LSR
}

// rekey gives a neighbor its password. A session that was made with another one is ended.
func (m *Machine) rekey(nb *neighbor) {
	old, key := nb.key, m.cfg.key(nb.id.LSR)
	nb.key = key
	if subtle.ConstantTimeCompare(old, key) == 1 {
		m.announceKey(nb, false)
		return
	}
	if nb.session != nil {
		m.fail(nb.session, shutdown)
		m.retry(nb, time.Second) // the peer's configuration may follow in a moment
	}
	m.announceKey(nb, true)
}

// announceKey says by what connections of a neighbor are to be signed. Ours say so themselves.
func (m *Machine) announceKey(nb *neighbor, changed bool) {
	want := !nb.active && len(nb.key) > 0
	if want && (changed || !nb.keyed) {
		m.emit(Key{Local: nb.local, Peer: nb.transport, Key: nb.key})
	}
	if !want && nb.keyed && !m.keyShared(nb) {
		m.emit(Key{Local: nb.local, Peer: nb.transport})
	}
	nb.keyed = want
}

// keyShared tells whether another neighbor has the same key of a listener: another label space of the same router.
func (m *Machine) keyShared(nb *neighbor) bool {
	for _, o := range m.order {
		if o != nb && o.keyed && o.local == nb.local && o.transport == nb.transport {
			return true
		}
	}
	return false
}

// interfaceState takes in what an interface is like.
func (m *Machine) interfaceState(ev InterfaceState) {
	ifc := m.iface(ev.Name)
	before := m.ownAddrs()
	for _, a := range ifc.addrs {
		if delete(m.own[a], ifc); len(m.own[a]) == 0 {
			delete(m.own, a)
		}
	}
	ifc.up, ifc.addrs, ifc.known = ev.Up, nil, ev.Up || len(ev.Addrs) > 0
	for _, a := range ev.Addrs {
		if a = a.Unmap(); !a.Is4() || slices.Contains(ifc.addrs, a) {
			continue
		}
		ifc.addrs = append(ifc.addrs, a)
		if ev.Up {
			if m.own[a] == nil {
				m.own[a] = map[*iface]bool{}
			}
			m.own[a][ifc] = true
		}
	}
	m.refresh(ifc)
	m.readdress(before)
	if !ifc.known && !ifc.mpls {
		delete(m.ifaces, ifc.name)
	}
}

// ownAddrs are the addresses that neighbors are told of.
func (m *Machine) ownAddrs() []netip.Addr {
	return sortedAddrs(maps.Keys(m.own))
}

func sortedAddrs(seq func(func(netip.Addr) bool)) []netip.Addr {
	return slices.SortedFunc(seq, netip.Addr.Compare)
}

// unicast tells addresses that a router can have.
func unicast(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a.As4()[0] != 0 && a.As4()[0] < 240
}
