package eigrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
	"nave/slowpath/timers"
)

// iface is an interface of the routing table.
type iface struct {
	name    string
	slot    int
	cfg     Interface
	state   InterfaceState
	link    vector // what a path by it adds
	enabled bool   // in the configuration
	running bool   // enabled, up and with an address
	talking bool   // running and not passive: has neighbors

	nbrs   []*neighbor // sorted
	byAddr map[netip.Addr]*neighbor
	have   map[netip.Prefix]*path // connected

	helloTimer timers.Timer
	lastHello  time.Time

	restartUntil time.Time // until then packets have the Restart flag

	// Prefixes that neighbors are to hear of, in the order in which they came up; pending is where in changes each is.
	changes    []change
	pending    map[netip.Prefix]int
	flushTimer timers.Timer
	lastFlush  time.Time
	wantsFlush bool
	more       bool // the last flush left something over

	busySince time.Time // since when some neighbors have something to acknowledge
	lastGroup time.Time // when something was last sent to many

	// Neighbors that are sent the table together, and those who are next.
	cohort    *cohort
	joining   []*neighbor
	joinTimer timers.Timer

	// Packets that wait until they are within EIGRP's share of the bandwidth.
	fifo      []*transmission
	freeAt    time.Time
	paceTimer timers.Timer

	helloSent, helloReceived uint64
	multicasts, unicasts     uint64
	acks                     uint64 // of unicasts
}

func (ifc *iface) primary() netip.Addr {
	if len(ifc.state.Addrs) == 0 {
		return netip.Addr{}
	}
	return ifc.state.Addrs[0].Addr()
}

// onLink says whether an address is of a subnet of the interface.
func (ifc *iface) onLink(a netip.Addr) bool {
	return slices.ContainsFunc(ifc.state.Addrs, func(p netip.Prefix) bool { return p.Contains(a) })
}

// common says whether an address is of the primary subnet: neighbors are, where there is one. What one on a secondary subnet would be sent comes from another
// subnet than its own.
func (ifc *iface) common(a netip.Addr) bool {
	return len(ifc.state.Addrs) > 0 && (ifc.state.Unnumbered || ifc.state.Addrs[0].Contains(a))
}

func (ifc *iface) isOwn(a netip.Addr) bool {
	return slices.ContainsFunc(ifc.state.Addrs, func(p netip.Prefix) bool { return p.Addr() == a })
}

// unicast says that all goes to each neighbor by itself.
func (ifc *iface) unicast() bool { return len(ifc.cfg.Neighbors) > 0 }

// wide says whether routes are written with wide metrics: if all neighbors read them.
func (ifc *iface) wide(m *Machine) bool {
	return m.cfg.Wide && !slices.ContainsFunc(ifc.nbrs, func(n *neighbor) bool { return !n.wide })
}

func (m *Machine) configureIface(ifc *iface, f Interface) {
	old := ifc.cfg
	switch { // neighbors go, told in the way that they know; the subnets stay, as packets go on
	case f.Passive != old.Passive:
		m.hush(ifc, MadePassive)
	case !slices.Equal(f.Neighbors, old.Neighbors):
		m.hush(ifc, Reconfigured)
	case f.Auth.Mode != old.Auth.Mode:
		m.hush(ifc, AuthChanged)
	}
	ifc.cfg = f
	ifc.enabled = true
	m.refresh(ifc)
	if f.Hello < old.Hello {
		m.helloSoon(ifc, f.Hello)
	}
}

func (m *Machine) interfaceState(s InterfaceState) {
	ifc := m.ifaceOf(s.Name)
	s.Addrs = slices.DeleteFunc(slices.Clone(s.Addrs), func(p netip.Prefix) bool { return !p.Addr().Is4() || !p.IsValid() })
	moved := ifc.primary() != netip.Addr{} && (len(s.Addrs) == 0 || s.Addrs[0].Addr() != ifc.primary())
	if ifc.running && moved {
		m.stopIface(ifc, InterfaceDown)
	}
	ifc.state = s
	m.refresh(ifc)
	m.configureSummaries() // automatic ones follow the networks
}

// refresh brings an interface in line with its configuration and state.
func (m *Machine) refresh(ifc *iface) {
	run := m.on && ifc.enabled && ifc.state.Up && len(ifc.state.Addrs) > 0
	if ifc.running && !run {
		m.stopIface(ifc, InterfaceDown)
	}
	link := m.link(&ifc.state)
	remeasure := ifc.running && link != ifc.link
	ifc.link = link
	if run && !ifc.running {
		ifc.running = true
	}
	was := ifc.talking
	ifc.talking = run && !ifc.cfg.Passive
	if ifc.talking && !was && m.now.Sub(m.restartBegan) < ifc.cfg.Hold {
		ifc.restartUntil = m.now.Add(restartLeast)
	}
	m.connect(ifc)
	if remeasure {
		m.remeasure(ifc)
	}
	switch {
	case ifc.talking && !ifc.helloTimer.On():
		m.timers.Set(&ifc.helloTimer, m.now)
		m.helloDue(ifc)
	case !ifc.talking:
		m.timers.Stop(&ifc.helloTimer)
	}
	for _, n := range slices.Clone(ifc.nbrs) {
		if !ifc.common(n.addr) {
			m.down(n, InterfaceDown)
		}
	}
}

// stopIface ends all neighbors, saying goodbye, and takes the subnets back.
func (m *Machine) stopIface(ifc *iface, why Reason) {
	if !ifc.running {
		return
	}
	m.hush(ifc, why)
	ifc.running = false
	m.connect(ifc)
}

// hush ends all neighbors of an interface, saying goodbye, and says no more until refresh has it talk again.
func (m *Machine) hush(ifc *iface, why Reason) {
	if ifc.talking && ifc.state.Up {
		m.goodbye(ifc)
	}
	ifc.talking = false
	for _, n := range slices.Clone(ifc.nbrs) {
		m.down(n, why)
	}
	m.timers.Stop(&ifc.helloTimer)
	m.timers.Stop(&ifc.flushTimer)
	m.timers.Stop(&ifc.paceTimer)
	m.timers.Stop(&ifc.joinTimer)
	m.endCohort(ifc)
	ifc.joining = nil
	ifc.changes, ifc.fifo = nil, nil
	clear(ifc.pending)
}

// remeasure works the paths by an interface out again.
func (m *Machine) remeasure(ifc *iface) {
	for _, p := range sortedPrefixes(m.entries) {
		e := m.entries[p]
		if e == nil {
			continue
		}
		touched := false
		for _, path := range e.paths {
			if path.ifc == ifc {
				m.measure(e, path)
				touched = true
			}
		}
		if touched {
			m.evaluate(e, nil)
		}
	}
}

// hello is one with our parameters.
func (m *Machine) hello(ifc *iface) *eigrpmsg.Packet {
	p := &eigrpmsg.Packet{
		Opcode: eigrpmsg.Hello, AS: m.cfg.AS,
		Parameters: &eigrpmsg.Parameters{K: m.cfg.K, Hold: uint16(min(max(ifc.cfg.Hold/time.Second, 1), 0xffff))},
		Software:   &eigrpmsg.Software{Major: 15, Minor: 0, TLVMajor: 1, TLVMinor: 2},
	}
	if m.cfg.Wide {
		p.Software.TLVMajor, p.Software.TLVMinor = 2, 0
	}
	if m.saysRestart(ifc) {
		p.Flags = eigrpmsg.FlagRestart
	}
	if m.cfg.Stub.Enabled {
		s := m.cfg.Stub.flags()
		p.Stub = &s
	}
	return p
}

func (m *Machine) helloDue(ifc *iface) {
	m.sendHello(ifc)
	// Up to a tenth earlier, so that routers that started together do not stay so.
	d := ifc.cfg.Hello
	if m.saysRestart(ifc) || slices.ContainsFunc(ifc.nbrs, func(n *neighbor) bool { return n.resyncing && !n.up }) {
		d = min(d, restartHello)
	}
	m.timers.Set(&ifc.helloTimer, m.now.Add(d-time.Duration(m.rng.Int64N(int64(d)/10+1))))
}

// helloSoon brings the next Hello forward.
func (m *Machine) helloSoon(ifc *iface, d time.Duration) {
	if at := m.now.Add(d); ifc.talking && ifc.helloTimer.On() && ifc.helloTimer.At().After(at) {
		m.timers.Set(&ifc.helloTimer, at)
	}
}

func (m *Machine) sendHello(ifc *iface) {
	ifc.lastHello = m.now
	m.toAll(ifc, m.hello(ifc))
}

// toAll sends a Hello to all who may hear it.
func (m *Machine) toAll(ifc *iface, p *eigrpmsg.Packet) {
	if !ifc.unicast() {
		m.send(ifc, Group, p)
		return
	}
	for _, a := range ifc.cfg.Neighbors {
		if ifc.common(a) && !ifc.isOwn(a) {
			m.send(ifc, a, p)
		}
	}
}

// goodbye says by K values of 255 that we leave the interface (RFC 7868 section 5.3.3).
func (m *Machine) goodbye(ifc *iface) {
	p := m.hello(ifc)
	p.Parameters.K = [6]uint8{255, 255, 255, 255, 255, 0}
	m.toAll(ifc, p)
}
