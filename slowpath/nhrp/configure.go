package nhrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/nbma"
)

// Check says what of a configuration the machine would leave out, and what to do about it. It reads no cross-references
// between commands: that is the business of whoever parses them.
func (c Config) Check() error {
	seen := map[string]bool{}
	for _, i := range c.Interfaces {
		switch {
		case i.Name == "":
			return fmt.Errorf("nhrp: an interface without a name: give it one")
		case seen[i.Name]:
			return fmt.Errorf("nhrp: %s is there twice: keep one", i.Name)
		case i.NetworkID != 0 && !i.Address.IsValid():
			return fmt.Errorf("nhrp: %s has no tunnel address: set `ip address` before `ip nhrp network-id`", i.Name)
		case len(i.Authentication) > 64:
			return fmt.Errorf("nhrp: %s: the authentication string has more than 64 bytes: shorten it (8 for other makers)", i.Name)
		case i.HoldTime < 0 || i.HoldTime > MaxHoldTime:
			return fmt.Errorf("nhrp: %s: hold time of %v: use 1 to 65535 seconds", i.Name, i.HoldTime)
		case i.MaxSend.Packets < 0 || i.MaxSend.Interval < 0:
			return fmt.Errorf("nhrp: %s: max-send of %d in %v: use positive numbers", i.Name, i.MaxSend.Packets, i.MaxSend.Interval)
		}
		seen[i.Name] = true
		for _, mp := range i.Maps {
			if !mp.Protocol.IsValid() || !unicast(mp.NBMA) {
				return fmt.Errorf("nhrp: %s: map of %v to %v: both must be unicast addresses", i.Name, mp.Protocol, mp.NBMA)
			}
		}
	}
	return nil
}

// normal fills defaults in.
func (i Interface) normal() Interface {
	if i.HoldTime <= 0 {
		i.HoldTime = DefaultHoldTime
	}
	i.HoldTime = max(min(i.HoldTime, MaxHoldTime), time.Second)
	if i.MaxSend.Packets <= 0 || i.MaxSend.Interval <= 0 {
		i.MaxSend = DefaultMaxSend
	}
	if i.RedirectTimeout <= 0 {
		i.RedirectTimeout = DefaultRedirect
	}
	i.Maps, i.NHS, i.Clusters = slices.Clone(i.Maps), slices.Clone(i.NHS), slices.Clone(i.Clusters)
	i.MulticastStatic = slices.Clone(i.MulticastStatic)
	return i
}

// Configure makes cfg the configuration. Only what differs is touched: what is established survives an unrelated change.
// An interface that Check objects to, or without network-id or address, does not run NHRP.
func (m *Machine) Configure(now time.Time, cfg Config) []Effect {
	m.begin(now)
	m.maxEntries = cfg.MaxEntries
	if m.maxEntries <= 0 {
		m.maxEntries = DefaultMaxEntries
	}
	wanted := map[string]Interface{}
	var names []string
	for _, i := range cfg.Interfaces {
		one := Config{Interfaces: []Interface{i}}
		if _, twice := wanted[i.Name]; twice || one.Check() != nil || i.NetworkID == 0 || !i.Address.IsValid() {
			continue
		}
		wanted[i.Name] = i.normal()
		names = append(names, i.Name)
	}
	for _, ifc := range slices.Clone(m.order) {
		if w, stays := wanted[ifc.cfg.Name]; !stays || ifc.mustRestart(w) {
			m.stop(ifc)
		}
	}
	m.order = m.order[:0]
	for _, n := range names {
		ifc := m.ifaces[n]
		fresh := ifc == nil
		if fresh {
			ifc = newIface(wanted[n])
			m.ifaces[n] = ifc
		}
		m.order = append(m.order, ifc)
		m.adjust(ifc, wanted[n], fresh)
	}
	return m.end()
}

// mustRestart tells the changes that leave nothing of an interface's state true.
func (ifc *iface) mustRestart(w Interface) bool {
	c := ifc.cfg
	return c.Address != w.Address || c.NetworkID != w.NetworkID || c.VRF != w.VRF || c.Destination != w.Destination || c.Protected != w.Protected
}

// stop takes an interface out of service: those whom we registered with and gave answers to are told.
func (m *Machine) stop(ifc *iface) {
	m.purgeAnswersOnce(ifc)
	for _, n := range ifc.nhs {
		m.dismiss(n)
	}
	ifc.nhs = nil
	for _, e := range ifc.sorted() {
		m.remove(e)
	}
	for _, p := range ifc.static {
		m.replicate(p, -1)
		m.release(p)
	}
	for _, q := range ifc.purges {
		m.timers.stop(&q.timer)
	}
	for _, q := range ifc.pending {
		m.timers.stop(&q.timer)
	}
	for _, a := range ifc.answersSorted() {
		a.expire(m)
	}
	m.timers.stop(&ifc.election)
	delete(m.ifaces, ifc.cfg.Name)
	m.order = slices.DeleteFunc(m.order, func(o *iface) bool { return o == ifc })
}

// purgeAnswersOnce tells the holders without waiting for replies, as nobody will be there to take them.
func (m *Machine) purgeAnswersOnce(ifc *iface) {
	for _, a := range ifc.answersSorted() {
		m.sendPurge(ifc, m.holderAt(a), a.key.holder, a.key.prefix, m.newID(), false)
	}
}

// dismiss ends our being a server's client. The purge has the id of the registration: IOS looks at it.
func (m *Machine) dismiss(n *nhs) {
	if n.state == NHSResponding && n.regID != 0 && n.proto.IsValid() {
		m.sendPurge(n.ifc, n.peer.at, n.proto, host(n.ifc.self), n.regID, false)
	}
	m.deactivate(n)
}

// adjust brings a running interface to its configuration.
func (m *Machine) adjust(ifc *iface, w Interface, fresh bool) {
	old := ifc.cfg
	if fresh {
		old = Interface{}
	}
	ifc.cfg = w
	moved := !fresh && old.NBMA != w.NBMA
	m.adjustMaps(ifc, old.Maps, w.Maps)
	m.adjustMulticast(ifc, old.MulticastStatic, w.MulticastStatic)
	if old.MulticastDynamic != w.MulticastDynamic {
		for _, e := range ifc.sorted() {
			if e.kind == kRegistered {
				m.setMulticast(e, w.MulticastDynamic)
			}
		}
	}
	m.adjustNHS(ifc, w.NHS)
	if moved {
		m.moved(ifc)
	}
	if !fresh && (old.HoldTime != w.HoldTime || old.RegistrationTimeout != w.RegistrationTimeout || old.NoUnique != w.NoUnique || old.SimultaneousOpen != w.SimultaneousOpen) {
		for _, n := range ifc.nhs {
			m.registerAgain(n)
		}
	}
	if old.IdleTimeout != w.IdleTimeout {
		for _, e := range ifc.sorted() {
			if e.kind.direct() {
				m.schedule(e)
			}
		}
	}
	m.elect(ifc)
}

// moved takes in that our NBMA address is another one, or that there is one now.
func (m *Machine) moved(ifc *iface) {
	ifc.public = netip.Addr{}
	for _, n := range ifc.nhs {
		m.registerAgain(n)
		if n.state == NHSResponding && !ifc.cfg.NBMA.IsValid() {
			m.nhsDown(n)
		}
	}
	if ifc.cfg.NBMA.IsValid() && len(ifc.nhs) == 0 {
		m.purgeAnswers(ifc, netip.Prefix{}) // they hold the old one; a client's correctAnswers follows its registration
	}
}

// registerAgain sends a registration at once, a new one.
func (m *Machine) registerAgain(n *nhs) {
	if n.peer == nil || !n.peer.ready {
		return
	}
	n.awaiting, n.tries = false, 0
	m.timers.set(&n.timer, n, m.now)
}

func (m *Machine) adjustMaps(ifc *iface, old, want []Map) {
	for _, mp := range old {
		p := mp.Protocol.Masked()
		if slices.ContainsFunc(want, func(w Map) bool { return w.Protocol.Masked() == p }) {
			continue
		}
		if e := ifc.cache[p]; e != nil && e.kind == kStatic {
			m.remove(e)
			for _, n := range ifc.nhs {
				if n.proto == p.Addr() {
					m.bindNHS(n)
				}
			}
		}
	}
	for _, mp := range want {
		hop := mp.Protocol.Addr()
		e := m.put(ifc, mp.Protocol.Masked(), kStatic, nbma.Of(mp.NBMA), hop)
		m.timers.stop(&e.timer)
		e.expires, e.refreshAt, e.claimed = time.Time{}, time.Time{}, mp.NBMA
		e.flags = e.flags&^FlagInherited | FlagAuthoritative
		m.sync(e)
	}
}

func (m *Machine) adjustMulticast(ifc *iface, old, want []netip.Addr) {
	if slices.Equal(old, want) {
		return
	}
	before := ifc.static
	ifc.static = nil
	for _, a := range want {
		if unicast(a) {
			p := m.hold(ifc, nbma.Of(a))
			m.replicate(p, 1)
			ifc.static = append(ifc.static, p)
		}
	}
	for _, p := range before {
		m.replicate(p, -1)
		m.release(p)
	}
}

// adjustNHS keeps the servers that are still configured, whatever their place in the list.
func (m *Machine) adjustNHS(ifc *iface, want []NHS) {
	var next []*nhs
	left := ifc.nhs
	for _, w := range want {
		at := slices.IndexFunc(left, func(n *nhs) bool { return n.cfg.Protocol == w.Protocol && n.cfg.NBMA == w.NBMA })
		if at < 0 {
			next = append(next, &nhs{ifc: ifc, cfg: w, proto: w.Protocol, since: m.now})
			continue
		}
		n := left[at]
		left = slices.Delete(slices.Clone(left), at, at+1)
		if n.cfg.Multicast != w.Multicast && n.peer != nil {
			m.replicate(n.peer, map[bool]int{true: 1, false: -1}[w.Multicast])
		}
		n.cfg = w
		next = append(next, n)
	}
	for _, n := range left {
		m.dismiss(n)
	}
	ifc.nhs = next
	for _, n := range next {
		// A map may have given the server another address, or taken it away.
		if n.peer != nil && n.peer.at != nbma.Of(n.address()) {
			m.dismiss(n)
		}
		if n.peer == nil {
			n.failures = 0
		}
	}
}
