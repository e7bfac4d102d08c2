package slowpath

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// tell queues an event for the protocol that it belongs to: what a protocol says to another is heard when it has said all.
func (r *Router) tell(ev any) { r.todo = append(r.todo, ev) }

// work gives protocols the events that are queued, until none is left.
func (r *Router) work() {
	for len(r.todo) > 0 {
		ev := r.todo[0]
		r.todo = r.todo[1:]
		switch ev := ev.(type) {
		case nhrp.Event:
			r.carryOut(r.nhrp.Handle(r.now, ev))
		case ike.Event:
			r.carryOutIKE(r.ike.Handle(r.now, ev))
		case dmvpn.Event:
			r.carryOutSessions(r.sessions.Handle(r.now, ev))
		}
	}
	r.todo = nil
}

// carryOutIKE does what IKE wants done. What it sends goes out once the fast path knows the associations that the message is about: the peer may
// use them as soon as it reads it.
func (r *Router) carryOutIKE(effects []ike.Effect) {
	for _, e := range effects {
		if r.debug.topics&ikeTraceTopics != 0 {
			r.tellIKE(e)
		}
		switch e := e.(type) {
		case ike.Trace:
		case ike.Send:
			r.outbox.ike = append(r.outbox.ike, e)
		case ike.NATKeepalive:
			r.linux.SendNATKeepalive(e.Path)
		case ike.Log:
			r.linux.Log(e)
			r.carryOutSessions(r.sessions.Handle(r.now, dmvpn.FromIKE{Effect: e}))
		case ike.Install:
			r.carryOutSessions(r.sessions.Handle(r.now, dmvpn.FromIKE{Effect: e}))
			e.Child.Clear()
		default:
			r.carryOutSessions(r.sessions.Handle(r.now, dmvpn.FromIKE{Effect: e}))
		}
	}
}

// carryOutSessions does what the sessions want done.
func (r *Router) carryOutSessions(effects []dmvpn.Effect) {
	for _, e := range effects {
		if r.debug.topics&sessionTraceTopics != 0 {
			r.tellSession(e)
		}
		switch e := e.(type) {
		case dmvpn.InstallSA:
			r.rib.InstallSA(e.SA)
		case dmvpn.RemoveSA:
			r.rib.RemoveSA(e.SA)
			delete(r.counted, e.SA)
			r.forgetSPI(e.SA)
		case dmvpn.Secure:
			w := &e.Way
			r.rib.Secure(e.Iface, e.NBMA, rib.Seal{
				SA: w.SA, AH: w.AH, To: w.To, Encap: w.Encap, LocalPort: w.LocalPort, RemotePort: w.RemotePort,
				Fixed: w.Seal.Fixed, Trailer: w.Seal.Trailer, Block: w.Seal.Block,
			})
		case dmvpn.Unsecure:
			r.rib.Unsecure(e.Iface, e.NBMA)
		case dmvpn.ToIKE:
			r.tell(e.Event)
		case dmvpn.Opener:
			r.linux.SendNATKeepalive(e.Path)
		case dmvpn.Unopened:
			r.tell(nhrp.Unopened(e))
		case dmvpn.ToNHRP:
			r.tell(e.Event)
		case dmvpn.Log:
			r.linux.Log(e)
		}
	}
}

// outbox is what leaves at the end of a step.
type outbox struct {
	ike  []ike.Send
	nhrp []nhrp.Send // of protected tunnels
}

// sendOutbox sends what waited for the fast path.
func (r *Router) sendOutbox() {
	out := r.outbox
	r.outbox = outbox{}
	for _, s := range out.ike {
		r.linux.SendIKE(s.Path, s.Packet)
	}
	for _, s := range out.nhrp {
		r.sendSealed(s)
	}
}

// sendSealed sends an NHRP packet through the session with its receiver, and never otherwise.
func (r *Router) sendSealed(s nhrp.Send) {
	adj, ok := r.rib.PeerAdjacency(s.Iface, s.To)
	if ok && r.inject(fastpath.Inject{Kind: fastpath.InjectAdjacent, Adj: adj, Proto: greProtoNHRP, TOS: nhrpTOS, Packet: s.Payload}) {
		r.stats.NHRPSent++
	} else {
		r.stats.NHRPLost++
	}
}

// refuse tells sessions of associations that found no room. It returns whether there were any.
func (r *Router) refuse() bool {
	refused := r.rib.RefusedSAs()
	for _, id := range refused {
		r.tell(dmvpn.Refused{SA: id})
	}
	r.work()
	return len(refused) > 0
}

// IKE takes a message that came by UDP port 500, or by 4500 without the four zero bytes in front. The Router keeps no part of b.
func (r *Router) IKE(p ike.Path, b []byte) {
	_ = r.step(func() { r.tell(ike.Received{Path: p, Packet: b}) })
}

// ClearIKE takes down IKE SAs and their children; what is still wanted begins again.
func (r *Router) ClearIKE(c ike.Clear) {
	_ = r.step(func() {
		r.tell(c)
		if c.SA == 0 { // what is inherited belongs to no IKE SA that there is
			r.tell(dmvpn.EndInherited{Remote: c.Remote})
		}
	})
}

// Goodbye tells all peers that the associations with them are no more. Nothing else follows from it: it is the last that a Router does.
func (r *Router) Goodbye() {
	for _, e := range r.ike.Handle(r.now, ike.Clear{}) {
		if s, ok := e.(ike.Send); ok {
			r.linux.SendIKE(s.Path, s.Packet)
		}
	}
}

// Load says how busy the box is, in per cent, for call admission.
func (r *Router) Load(percent int) { _ = r.step(func() { r.tell(ike.Load{Percent: percent}) }) }

// associationPunt takes what the fast path says of an association.
func (r *Router) associationPunt(p *fastpath.Punt) {
	switch p.Reason {
	case fastpath.SAHeard:
		r.tell(dmvpn.Heard{SA: p.SA})
	case fastpath.SAMoved:
		if p.OuterPort != 0 { // only a peer with ESP in UDP may move
			r.tell(dmvpn.Moved{SA: p.SA, Remote: netip.AddrPortFrom(p.OuterSrc, p.OuterPort)})
		}
	case fastpath.SASoft:
		r.tell(dmvpn.SoftLimit{SA: p.SA})
	case fastpath.SAHard:
		r.tell(dmvpn.SoftLimit{SA: p.SA, Hard: true})
	case fastpath.SAUnknown:
		if ev, ok := unknownSPI(p); ok {
			r.tell(ev)
			r.tell(dmvpn.Stray{VRF: ev.Path.VRF, Local: ev.Path.Local, Remote: ev.Path.Remote})
		}
	}
}

// unknownSPI reads what came to an SPI that is not ours: the punted packet is the outer one, as it came.
func unknownSPI(p *fastpath.Punt) (ev ike.UnknownSPI, ok bool) {
	if !p.OuterSrc.IsValid() || !p.OuterDst.IsValid() || len(p.Packet) < 20 {
		return ev, false
	}
	ev = ike.UnknownSPI{Protocol: p.Packet[9], SPI: p.SPI, Path: ike.Path{
		VRF: uint16(p.VRF), Local: netip.AddrPortFrom(p.OuterDst, 0), Remote: netip.AddrPortFrom(p.OuterSrc, p.OuterPort),
	}}
	if p.OuterPort != 0 {
		ev.Protocol, ev.Path.Local = protoESP, netip.AddrPortFrom(p.OuterDst, portNATT)
	}
	return ev, true
}

// countSAs tells sessions which associations carried packets since the last sweep.
func (r *Router) countSAs() {
	for _, u := range r.sessions.SAs() {
		c, ok := r.engine.SACount(u.SA)
		if !ok || c.Packets == r.counted[u.SA] {
			continue
		}
		r.counted[u.SA] = c.Packets
		if u.Inbound {
			r.tell(dmvpn.Heard{SA: u.SA})
		} else {
			r.tell(dmvpn.Used{SA: u.SA})
		}
	}
}

// Protocols and ports of protected packets.
const (
	protoUDP = 17
	protoESP = 50
	protoAH  = 51
	portNATT = 4500
)

// tooBigSealed takes a router's word about a packet of ours that was protected; quoted is what followed its IP header.
func (r *Router) tooBigSealed(vrf fib.VRF, t TooBig) {
	q := dmvpn.Quoted{VRF: uint16(vrf), Local: netip.AddrPortFrom(t.Local, 0), Remote: netip.AddrPortFrom(t.Remote, 0)}
	b := t.Quoted
	switch {
	case len(b) < 8:
		return
	case t.Protocol == protoESP:
		q.SPI = binary.BigEndian.Uint32(b)
	case t.Protocol == protoAH:
		q.SPI = binary.BigEndian.Uint32(b[4:])
	default:
		q.Local = netip.AddrPortFrom(t.Local, binary.BigEndian.Uint16(b))
		q.Remote = netip.AddrPortFrom(t.Remote, binary.BigEndian.Uint16(b[2:]))
		if len(b) >= 12 {
			q.SPI = binary.BigEndian.Uint32(b[8:])
		}
	}
	if t.Protocol != protoUDP && q.SPI == 0 {
		return
	}
	ifaces, names, ok := r.sessions.PeerOf(q)
	if !ok {
		return
	}
	for _, name := range ifaces {
		if i, ok := r.tunnel(name); ok && i.Tunnel.PathMTU {
			for _, at := range names {
				r.learnPathMTU(tunnelPeer{name, at}, t.MTU)
			}
		}
	}
}

// counters of associations at the last sweep.
type counted map[fib.SAID]uint64
