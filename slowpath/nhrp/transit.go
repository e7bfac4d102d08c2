package nhrp

import (
	"net/netip"

	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// passOn sends a packet a hop nearer to dst, as a transit NHS (RFC 2332 sections 5.2 and 5.3).
func (m *Machine) passOn(p *packet, dst netip.Addr) {
	if m.visited(p) {
		m.loop(p)
		return
	}
	out, to := m.towards(p, dst)
	if to == nil {
		m.drop(p.ifc, DropNoRoute)
		if p.Type == nhrpmsg.ResolutionRequest {
			m.refuse(p, nhrpmsg.NoBinding)
			return
		}
		m.transitError(p, nhrpmsg.ProtocolUnreachable, 0)
		return
	}
	if p.HopCount <= 1 {
		m.drop(p.ifc, DropHopCount)
		m.transitError(p, nhrpmsg.HopCountExceeded, 9)
		return
	}
	msg := detached(p.Message)
	msg.HopCount--
	p.withholdEndpoint(&msg, out)
	if p.compulsoryUnknown() {
		// Not for us to understand: passed on, but without taking part.
	} else if e := msg.Ext(transitExt(p.Type)); e != nil {
		c := out.selfEntry()
		c.PrefixLen = 0
		e.AddEntry(c)
		m.fillNAT(p, &msg)
		m.tellEndpoint(p, &msg, to)
	}
	if size := len(p.raw) + 64; size > maxPacket {
		m.drop(p.ifc, DropFull)
		m.transitError(p, nhrpmsg.SizeExceeded, 0)
		return
	}
	if m.tracing&trace.NHRPDetail != 0 {
		m.tell(out, Trace{Kind: TracePassOn, NBMA: to.at, Protocol: dst, NextHop: p.SrcProto, Type: p.Type, ID: p.RequestID})
	}
	m.send(out, to.at, msg)
}

// transitExt is the list that those whom a packet passes enter themselves in.
func transitExt(t nhrpmsg.Type) nhrpmsg.ExtType {
	if t == nhrpmsg.ResolutionReply || t == nhrpmsg.RegistrationReply || t == nhrpmsg.PurgeReply {
		return nhrpmsg.ExtReverseTransit
	}
	return nhrpmsg.ExtForwardTransit
}

// visited tells whether the packet was here before: our protocol address is in its list. An NBMA address would not do,
// as nodes behind one NAT box share it.
func (m *Machine) visited(p *packet) bool {
	e := p.Ext(transitExt(p.Type))
	if e == nil {
		return false
	}
	entries, err := p.Entries(e)
	if err != nil {
		return false
	}
	for _, c := range entries {
		if m.isSelf(p.ifc, c.Proto) {
			return true
		}
	}
	return false
}

func (m *Machine) loop(p *packet) {
	m.drop(p.ifc, DropLoop)
	m.emit(Log{Kind: LogLoop, Iface: p.ifc.cfg.Name, Protocol: p.SrcProto, NBMA: p.from.Addr, Other: p.DstProto})
	m.transitError(p, nhrpmsg.LoopDetected, 0)
}

// transitError reports to the maker of a packet, straight if we know where it is: the way back may be the loop.
func (m *Machine) transitError(p *packet, code nhrpmsg.ErrorCode, offset int) {
	ifc, to := p.ifc, p.from
	if e := m.findHost(ifc, p.SrcProto); e != nil && e.peer.ready {
		ifc, to = e.ifc, e.peer.at
	}
	m.sendError(ifc, to, &p.Message, code, offset, p.raw)
}

// towards is the next hop to a protocol address in the packet's network: its own entry, or that of the routed next hop.
// It is never where the packet came from.
func (m *Machine) towards(p *packet, dst netip.Addr) (*iface, *peer) {
	e := m.findHost(p.ifc, dst)
	if e == nil {
		r, ok := m.env.Lookup(p.ifc.cfg.Name, dst)
		out := m.ifaces[r.Iface]
		if !ok || r.Local || out == nil || out.net != p.ifc.net || !r.NextHop.IsValid() {
			return nil, nil
		}
		if e = out.cache[host(r.NextHop)]; e == nil || e.peer == nil {
			return nil, nil
		}
	}
	if !e.peer.ready || e.ifc == p.ifc && e.peer.at == p.from {
		return nil, nil
	}
	return e.ifc, e.peer
}

// fillNAT tells the receiver the address behind NAT that the packet's maker may not know: of the requester in a
// request, of the responder in a reply. What is there already stays, unless we know better.
func (m *Machine) fillNAT(p *packet, msg *nhrpmsg.Message) {
	x := msg.Ext(nhrpmsg.ExtNAT)
	if x == nil {
		return
	}
	whose := p.SrcProto
	if p.Type == nhrpmsg.ResolutionReply {
		if len(p.CIEs) == 0 {
			return
		}
		whose = p.CIEs[0].Proto
	} else if p.Type != nhrpmsg.ResolutionRequest {
		return
	}
	e := m.findHost(p.ifc, whose)
	if e == nil || !e.claimed.IsValid() || e.claimed == e.peer.at.Addr {
		return
	}
	// A client of ours that speaks for itself may not know yet that its NAT box has another address now.
	stale := e.kind == kRegistered && e.peer.at == p.from && natOf(&p.Message, whose).IsValid() && natOf(&p.Message, whose) != e.peer.at.Addr
	if stale {
		x.Value = nil
	}
	if len(x.Value) == 0 {
		x.AddEntry(p.ifc.natEntry(whose, e.peer.at.Addr))
	}
}
