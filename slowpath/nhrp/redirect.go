package nhrp

import (
	"net/netip"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// pair is whose traffic was redirected.
type pair struct{ src, dst netip.Addr }

// redirectWanted tells a spoke that its traffic can go directly, once in a while per pair of addresses.
func (m *Machine) redirectWanted(ev RedirectWanted) {
	ifc := m.ifaces[ev.Iface]
	if ifc == nil {
		return
	}
	if !ifc.cfg.Redirect {
		m.drop(ifc, DropDisabled)
		return
	}
	src, dst, ok := nhrpmsg.DataAddrs(ev.Packet)
	if !ok || !unicast(src) || !unicast(dst) || src.BitLen() != ifc.self.BitLen() || !unicast(ev.From.Addr) || m.isOwnNBMA(ev.From.Addr) {
		m.drop(ifc, DropSource)
		return
	}
	key := pair{src, dst}
	if until, limited := ifc.pairs[key]; limited && m.now.Before(until) {
		return
	}
	if len(ifc.pairs) >= maxPairs && !ifc.forgetPairs(m.now) {
		m.drop(ifc, DropFull)
		return
	}
	ifc.pairs[key] = m.now.Add(ifc.cfg.RedirectTimeout)
	msg := ifc.message(nhrpmsg.TrafficIndication, src)
	msg.Code = nhrpmsg.TrafficRedirect
	msg.Packet = nhrpmsg.DataStart(ev.Packet)
	msg.Exts = []nhrpmsg.Extension{
		nhrpmsg.Empty(nhrpmsg.ExtForwardTransit), nhrpmsg.Empty(nhrpmsg.ExtReverseTransit),
		{Type: nhrpmsg.ExtNAT}, nhrpmsg.End(),
	}
	if m.tracing&trace.NHRPDetail != 0 {
		m.tell(ifc, Trace{Kind: TraceRedirect, NBMA: ev.From, Protocol: src, NextHop: dst})
	}
	m.send(ifc, ev.From, msg)
}

// forgetPairs makes room in the rate limit; false if none of its pairs has had its time.
func (ifc *iface) forgetPairs(now time.Time) bool {
	for k, until := range ifc.pairs {
		if !now.Before(until) {
			delete(ifc.pairs, k)
		}
	}
	return len(ifc.pairs) < maxPairs
}

// trafficIndication takes in that somebody we sent traffic to knows a shorter way, and asks for it.
func (m *Machine) trafficIndication(p *packet) {
	ifc := p.ifc
	if !ifc.cfg.Shortcut || ifc.p2p() {
		m.drop(ifc, DropDisabled)
		return
	}
	src, dst, ok := nhrpmsg.DataAddrs(p.Packet)
	if !ok || p.Code != nhrpmsg.TrafficRedirect {
		m.drop(ifc, DropMalformed)
		return
	}
	if !p.knows() || !unicast(src) || !m.mayResolve(ifc, dst) {
		m.drop(ifc, DropSource)
		return
	}
	// Only traffic that goes into this network can be shortened.
	r, ok := m.env.Lookup(ifc.cfg.Name, dst)
	if out := m.ifaces[r.Iface]; !ok || r.Local || out == nil || out.net != ifc.net {
		m.drop(ifc, DropNoRoute)
		return
	}
	if m.findHost(ifc, dst) != nil || ifc.shortcutTo(dst) {
		return
	}
	m.resolve(ifc, dst, false)
}

// shortcutTo tells whether a shortcut covers dst.
func (ifc *iface) shortcutTo(dst netip.Addr) bool {
	for bits := dst.BitLen(); bits >= minShortcut; bits-- {
		prefix, _ := dst.Prefix(bits)
		if e := ifc.cache[prefix]; e != nil && e.kind == kShortcut {
			return true
		}
	}
	return false
}
