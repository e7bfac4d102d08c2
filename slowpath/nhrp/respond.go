package nhrp

import (
	"net/netip"

	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// resolutionRequest answers or passes on (RFC 2332 section 5.2.1).
//
// Who answers: the box that the destination is at, or where it leaves the network. A server passes the request on to
// the client that owns the destination, as IOS has done since it forwards by CEF: only the owner knows what prefix the
// answer stands for, the answer comes by the direct path and so proves it, and the owner remembers whom to purge.
// AnswerFromCache makes the server answer for its clients itself, as IOS did before.
func (m *Machine) resolutionRequest(p *packet) {
	ifc := p.ifc
	if m.isSelf(ifc, p.SrcProto) {
		m.loop(p) // our own request came back
		return
	}
	if !unicast(p.SrcProto) || m.isOurs(ifc, m.locate(p, p.SrcNBMA, p.SrcProto).Addr, p.SrcNBMA) {
		m.drop(ifc, DropSource)
		return
	}
	if !unicast(p.DstProto) {
		m.drop(ifc, DropSource)
		m.refuse(p, nhrpmsg.NoBinding)
		return
	}
	route, routed := m.env.Lookup(ifc.cfg.Name, p.DstProto)
	owner := m.findHost(ifc, p.DstProto)
	out := m.ifaces[route.Iface]
	switch {
	case m.isSelf(ifc, p.DstProto) || routed && route.Local:
		m.answer(p, host(p.DstProto))
	case owner != nil && owner.kind == kRegistered && ifc.cfg.AnswerFromCache:
		m.answerFromCache(p, owner)
	case owner != nil && owner.prefix.Addr() != p.SrcProto:
		m.passOn(p, p.DstProto)
	case !routed || route.Iface == "" || owner != nil:
		m.refuse(p, nhrpmsg.NoBinding)
	case out != nil && out.net == ifc.net:
		m.passOn(p, p.DstProto)
	default: // it leaves the network here
		m.answer(p, route.Prefix.Masked())
	}
}

// answer replies that the destination is at, or behind, this box.
func (m *Machine) answer(p *packet, prefix netip.Prefix) {
	ifc := p.ifc
	if m.refuseExtension(p) {
		return
	}
	if m.tracing&trace.NHRPDetail != 0 {
		m.tell(ifc, Trace{Kind: TraceAnswer, NBMA: p.from, Protocol: p.SrcProto, NextHop: p.DstProto, Prefix: prefix, ID: p.RequestID})
	}
	asker, opening := m.learnAsker(p)
	route := prefix
	if prefix.Bits() < minShortcut {
		prefix = host(p.DstProto) // a default route says nothing about others
	}
	c := ifc.selfEntry()
	c.PrefixLen = uint8(prefix.Bits())
	if !m.remember(p, prefix, route) {
		m.refuse(p, nhrpmsg.InsufficientResources)
		return
	}
	reply := m.reply(p)
	reply.Flags |= nhrpmsg.ResAuthoritative | nhrpmsg.ResDestStable
	if prefix.IsSingleIP() {
		reply.Flags |= nhrpmsg.ResUnique
	}
	reply.CIEs = []nhrpmsg.CIE{c}
	if e := reply.Ext(nhrpmsg.ExtNAT); e != nil && ifc.public.IsValid() {
		e.AddEntry(ifc.natEntry(ifc.self, ifc.public))
	}
	if asker == nil || opening || asker.ready && asker.at == p.from {
		m.send(ifc, p.from, reply)
		return
	}
	m.sendOrQueue(asker, reply) // by the direct path, once it is there
}

// answerFromCache replies for a client of ours.
func (m *Machine) answerFromCache(p *packet, e *entry) {
	if m.refuseExtension(p) {
		return
	}
	if p.Flags&nhrpmsg.ResUnique != 0 && e.flags&FlagUnique == 0 {
		m.refuse(p, nhrpmsg.NotUnique)
		return
	}
	if !m.remember(p, e.prefix, netip.Prefix{}) {
		m.refuse(p, nhrpmsg.InsufficientResources)
		return
	}
	reply := m.reply(p)
	reply.Flags |= nhrpmsg.ResAuthoritative | nhrpmsg.ResDestStable
	if e.flags&FlagUnique != 0 {
		reply.Flags |= nhrpmsg.ResUnique
	}
	left := seconds(e.expires.Sub(m.now))
	reply.CIEs = []nhrpmsg.CIE{{PrefixLen: uint8(e.prefix.Bits()), MTU: p.ifc.cfg.MTU, HoldTime: max(left, 1), NBMA: e.claimed, Proto: e.prefix.Addr()}}
	if x := reply.Ext(nhrpmsg.ExtNAT); x != nil && e.peer.at.Addr != e.claimed {
		x.AddEntry(p.ifc.natEntry(e.prefix.Addr(), e.peer.at.Addr))
	}
	m.send(p.ifc, p.from, reply)
}

// refuse sends a negative reply to where the request came from.
func (m *Machine) refuse(p *packet, code nhrpmsg.Code) {
	if m.tracing&trace.NHRPError != 0 {
		m.tell(p.ifc, Trace{Kind: TraceRefuse, NBMA: p.from, Protocol: p.SrcProto, NextHop: p.DstProto, Type: p.Type, Code: uint16(code)})
	}
	m.drop(p.ifc, DropRefused)
	if m.refuseExtension(p) {
		return
	}
	reply := m.reply(p)
	reply.Flags |= nhrpmsg.ResAuthoritative
	reply.CIEs = []nhrpmsg.CIE{{Code: code}}
	m.send(p.ifc, p.from, reply)
}

// reply is the request turned round: same id and addresses, extensions kept, the responder filled in.
func (m *Machine) reply(p *packet) nhrpmsg.Message {
	r := detached(p.Message)
	r.Type, r.HopCount = nhrpmsg.ResolutionReply, replyHops
	r.Flags = p.Flags & (nhrpmsg.ResRouter | nhrpmsg.ResSourceStable | nhrpmsg.FlagNAT)
	for i := range r.Exts {
		switch e := &r.Exts[i]; e.Type {
		case nhrpmsg.ExtResponder:
			e.Value = nil
			e.AddEntry(p.ifc.selfEntry())
		case nhrpmsg.ExtNAT, nhrpmsg.ExtReverseTransit:
			e.Value = nil
		}
	}
	return r
}

// learnAsker makes the reverse binding that a request implies, and finds the peer that the answer goes to. nil if
// nothing is to be learned: the sender is nobody that we know, or there is no room.
// opening: the path to it is being opened, and it is to hear of that by the server.
func (m *Machine) learnAsker(p *packet) (asker *peer, opening bool) {
	ifc := p.ifc
	if !p.knows() || ifc.p2p() {
		return nil, false
	}
	if e := m.findHost(ifc, p.SrcProto); e != nil && e.kind > kResolved {
		return e.peer, false
	}
	at := m.locate(p, p.SrcNBMA, p.SrcProto)
	if m.isOwnNBMA(at.Addr) {
		return nil, false
	}
	if ifc.refraining(m.now, at) > openingSkew {
		return nil, false // who asks remembers as long as we do, and will not call
	}
	opening = m.openPath(p, at, false)
	e := m.put(ifc, host(p.SrcProto), kImplicit, at, p.SrcProto)
	if e == nil {
		return nil, false
	}
	if e.kind == kImplicit {
		hold := ifc.cfg.HoldTime
		if len(p.CIEs) > 0 && p.Flags&nhrpmsg.ResSourceStable != 0 {
			hold = holdOf(&p.CIEs[0], hold)
		}
		e.claimed, e.flags = p.SrcNBMA, FlagImplicit
		if p.Flags&nhrpmsg.ResRouter != 0 {
			e.flags |= FlagRouter
		}
		if p.Flags&nhrpmsg.FlagNAT != 0 {
			e.flags |= FlagNAT
		}
		m.live(e, hold)
	}
	m.sync(e)
	return e.peer, opening
}
