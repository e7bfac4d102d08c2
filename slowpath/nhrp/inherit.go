package nhrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// inheritedDirect is how long a direct path is believed that was learned before this process. In use it is resolved again before.
const inheritedDirect = 10 * time.Minute

// inheritedGrace is how long a mapping is believed that ended while there was no process for its peer to renew it with: its address is free for others meanwhile.
const inheritedGrace = 2 * time.Minute

// inherit makes an entry of a mapping that the fast path has from the process before. Registrations come again when the clients are due, which
// may be half a holding time away: until then nobody else knows the mapping. What is configured, or learned meanwhile, stands above it.
func (m *Machine) inherit(ev Inherited) {
	ifc := m.ifaces[ev.Iface]
	if ifc == nil || ifc.p2p() || ev.Prefix != ev.Prefix.Masked() || !unicast(ev.NextHop) || !unicast(ev.NBMA.Addr) || m.isOwnNBMA(ev.NBMA.Addr) ||
		m.isLocal(ifc, ev.NextHop) || !m.belongs(ifc, ev.NextHop) || ifc.cache[ev.Prefix] != nil {
		return
	}
	kind := kResolved
	switch isHost := ev.Prefix == host(ev.NextHop); {
	case !isHost:
		hop := ifc.cache[host(ev.NextHop)]
		if !ifc.cfg.Shortcut || hop == nil || hop.peer == nil || hop.peer.at != ev.NBMA || m.clamp(ifc, middle(ev.Prefix), ev.Prefix.Bits()) != ev.Prefix {
			return
		}
		kind = kShortcut
	case ev.Registered:
		kind = kRegistered
	case m.findHost(ifc, ev.NextHop) != nil: // a map covers it
		return
	}
	e := m.put(ifc, ev.Prefix, kind, ev.NBMA, ev.NextHop)
	if e == nil {
		return
	}
	e.claimed, e.flags = claim(ev.NBMA), FlagInherited
	if kind == kShortcut {
		e.flags |= FlagRib
		e.asked = middle(ev.Prefix)
	}
	hold := ifc.cfg.HoldTime
	left := ev.Expires.Sub(m.now)
	over := !ev.Expires.IsZero() && left <= 0
	switch {
	case over:
		hold = inheritedGrace
	case !ev.Expires.IsZero():
		hold = min(left, MaxHoldTime) // the clock may have been set back
	}
	if kind == kRegistered {
		if ev.Unique && !over {
			e.flags |= FlagUnique
		}
		m.setMulticast(e, ifc.cfg.MulticastDynamic)
	} else {
		hold = min(hold, inheritedDirect)
	}
	m.live(e, hold)
	m.sync(e)
}

// middle is an address of a network to ask for: routers like to have the first ones and the last ones, and answer for those with less than the network.
func middle(p netip.Prefix) netip.Addr {
	if p.Bits() >= 31 || !p.Addr().Is4() {
		return p.Addr()
	}
	a := p.Addr().As4()
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(a[:])|1<<(31-p.Bits()))))
}
