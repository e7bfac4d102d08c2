package nhrp

import (
	"cmp"
	"net/netip"

	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// registrationRequest serves a client (RFC 2332 section 5.2.3). It is for us if it names one of our addresses, or the
// client's own because it does not know ours, or the broadcast address of the tunnel's subnet.
func (m *Machine) registrationRequest(p *packet) {
	ifc := p.ifc
	if p.DstProto != p.SrcProto && p.DstProto != broadcast(ifc.cfg.Address) && !m.isLocal(ifc, p.DstProto) {
		m.drop(ifc, DropNoRoute)
		m.sendError(ifc, p.from, &p.Message, nhrpmsg.ProtocolUnreachable, 0, p.raw)
		return
	}
	if m.refuseExtension(p) {
		return
	}
	if !unicast(p.SrcProto) || m.isLocal(ifc, p.SrcProto) || m.isOurs(ifc, p.from.Addr, p.SrcNBMA) {
		m.drop(ifc, DropSource)
		return
	}
	unique := p.Flags&nhrpmsg.RegUnique != 0
	if len(p.CIEs) == 0 || unique && len(p.CIEs) > 1 {
		m.drop(ifc, DropMalformed)
		m.sendError(ifc, p.from, &p.Message, nhrpmsg.ProtocolError, 0, p.raw)
		return
	}
	reply := p.Message
	reply.Type, reply.HopCount = nhrpmsg.RegistrationReply, replyHops
	if !m.isLocal(ifc, p.DstProto) {
		reply.DstProto = ifc.self // so the client learns whom it registered with
	}
	reply.CIEs = make([]nhrpmsg.CIE, len(p.CIEs))
	for i, c := range p.CIEs {
		c.Code = m.admit(p, &c, unique)
		if c.Code != nhrpmsg.Success {
			if m.tracing&trace.NHRPError != 0 {
				m.tell(ifc, Trace{Kind: TraceRefuse, NBMA: p.from, Protocol: p.SrcProto, NextHop: p.DstProto, Type: p.Type, Code: uint16(c.Code)})
			}
			m.drop(ifc, DropRefused)
			c.HoldTime = 0
		}
		reply.CIEs[i] = c
	}
	reply.Exts = m.registrationExts(p)
	m.acceptOpening(p, &reply)
	m.send(ifc, p.from, reply)
}

// broadcast is the directed broadcast address of an IPv4 subnet; the zero Addr where there is none.
func broadcast(p netip.Prefix) netip.Addr {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return netip.Addr{}
	}
	a := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(a)
}

// registrationExts are a request's extensions as they go back: the responder filled in, NAT told.
func (m *Machine) registrationExts(p *packet) []nhrpmsg.Extension {
	exts := detached(p.Message).Exts
	for i := range exts {
		switch exts[i].Type {
		case nhrpmsg.ExtResponder:
			exts[i].Value = nil
			exts[i].AddEntry(p.ifc.selfEntry())
		case nhrpmsg.ExtNAT:
			if p.from.Addr != p.SrcNBMA && natOf(&p.Message, p.SrcProto) != p.from.Addr {
				exts[i].AddEntry(p.ifc.natEntry(p.SrcProto, p.from.Addr))
			}
		}
	}
	return exts
}

// admit takes one client in, or says why not. A protocol address belongs to the claimed NBMA address that registered it
// first, unless it was registered without the unique flag.
func (m *Machine) admit(p *packet, c *nhrpmsg.CIE, unique bool) nhrpmsg.Code {
	ifc := p.ifc
	proto, claimed := p.SrcProto, p.SrcNBMA
	if c.Proto.IsValid() {
		proto = c.Proto
	}
	if c.NBMA.IsValid() && c.NBMA != claimed || c.Bits(proto) != proto.BitLen() || !unicast(proto) || m.isLocal(ifc, proto) ||
		proto == broadcast(ifc.cfg.Address) || !m.belongs(ifc, proto) {
		return nhrpmsg.Prohibited // for others, for whole networks, for us, for everybody, for somewhere else
	}
	if old := m.findHost(ifc, proto); old != nil {
		if code, done := m.occupied(p, old, claimed, unique); done {
			return code
		}
	}
	e := m.put(ifc, host(proto), kRegistered, p.from, proto)
	if e == nil {
		return nhrpmsg.InsufficientResources
	}
	fresh := e.flags&FlagRegistered == 0
	if e.peer != nil && e.bound.NBMA.IsValid() && e.bound.NBMA != p.from {
		m.purgeClient(e) // who was told the old address must ask again
	}
	e.claimed, e.identity, e.requestID = claimed, p.identity, p.RequestID
	e.flags = FlagRegistered | FlagAuthoritative | FlagRouter
	if unique {
		e.flags |= FlagUnique
	}
	if p.Flags&nhrpmsg.FlagNAT != 0 {
		e.flags |= FlagNAT
	}
	m.live(e, holdOf(c, ifc.cfg.HoldTime))
	if fresh {
		m.emit(Log{Kind: LogClientRegistered, Iface: ifc.cfg.Name, Protocol: proto, NBMA: p.from.Addr})
	}
	m.setMulticast(e, ifc.cfg.MulticastDynamic)
	m.sync(e)
	return nhrpmsg.Success
}

// occupied decides about a client whose address has an entry already. done is false if the client may have it.
func (m *Machine) occupied(p *packet, old *entry, claimed netip.Addr, unique bool) (code nhrpmsg.Code, done bool) {
	// What a peer calls itself tells who it is only where nothing better is known. Whoever has proved who it is may be a client of the process before, until its session is
	// renewed and says who that is.
	who := cmp.Or(old.identity, old.peer.identity)
	same := old.peer.at == p.from || old.claimed == claimed && (p.identity == "" || who == "") ||
		p.identity != "" && (p.identity == who || who == "" && old.flags&FlagInherited != 0)
	switch {
	case old.kind.configured():
		if old.peer.at == p.from {
			return nhrpmsg.Success, true // as configured; nothing to learn
		}
	case old.kind != kRegistered || same || old.flags&FlagUnique == 0 || !old.peer.ready:
		// Hearsay, the client itself, one that allowed it, or one whose session is gone.
		if old.ifc != p.ifc {
			m.remove(old) // the client moved to another tunnel of the network
		}
		return 0, false
	}
	m.emit(Log{Kind: LogUniqueRefused, Iface: p.ifc.cfg.Name, Protocol: old.prefix.Addr(), NBMA: p.from.Addr, Other: old.peer.at.Addr})
	return nhrpmsg.AlreadyRegistered, true
}
