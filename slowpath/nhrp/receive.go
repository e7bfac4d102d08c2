package nhrp

import (
	"crypto/subtle"
	"errors"
	"net/netip"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
)

// packet is what is being handled.
type packet struct {
	ifc      *iface
	from     nbma.Address
	identity string
	endpoint netip.AddrPort
	raw      []byte
	nhrpmsg.Message
}

// receive checks a packet and hands it to its handler. Nothing is learned from what fails a check.
func (m *Machine) receive(ev Received) {
	ifc := m.ifaces[ev.Iface]
	if ifc == nil {
		m.unknown++
		return
	}
	msg, err := nhrpmsg.Parse(ev.Payload)
	var fault *nhrpmsg.ParseError
	if errors.As(err, &fault) {
		m.about = about{from: ev.From, proto: msg.SrcProto, dst: msg.DstProto, kind: msg.Type}
		if fault.Checksum {
			m.drop(ifc, DropChecksum)
		} else {
			m.drop(ifc, DropMalformed)
		}
		if fault.Code != 0 && msg.Protocol == nhrpmsg.ProtocolOf(ifc.self) {
			m.sendError(ifc, ev.From, &msg, fault.Code, fault.Offset, ev.Payload)
		}
		return
	}
	ifc.traffic.Received[kind(msg.Type)]++
	m.about = about{from: ev.From, proto: msg.SrcProto, dst: msg.DstProto, kind: msg.Type}
	if p := ifc.peers[ev.From]; p != nil {
		p.received++
	}
	pkt := &packet{ifc: ifc, from: ev.From, identity: ev.Identity, endpoint: ev.Endpoint, raw: ev.Payload, Message: msg}
	switch {
	case msg.Protocol != nhrpmsg.ProtocolOf(ifc.self) || msg.Family != nhrpmsg.FamilyOf(ev.From.Addr):
		m.drop(ifc, DropMalformed)
	case kind(msg.Type) == 0:
		m.drop(ifc, DropType)
	case !unicast(ev.From.Addr) || m.isOwnNBMA(ev.From.Addr) || !msg.SrcProto.IsValid() || !msg.DstProto.IsValid() || !unicast(msg.SrcNBMA):
		m.drop(ifc, DropSource)
	case len(ev.Payload) > maxPacket && msg.Type.IsRequest():
		m.drop(ifc, DropMalformed)
		m.sendError(ifc, ev.From, &msg, nhrpmsg.SizeExceeded, 0, ev.Payload)
	case !m.authentic(pkt):
		m.drop(ifc, DropAuth)
		m.emit(Log{Kind: LogAuthMismatch, Iface: ifc.cfg.Name, Protocol: msg.SrcProto, NBMA: ev.From.Addr})
		m.sendError(ifc, ev.From, &msg, nhrpmsg.AuthenticationFailure, 0, ev.Payload)
	default:
		m.dispatch(pkt)
	}
}

// authentic compares the authentication extension, its length too, in constant time. An error that says that ours was
// wrong cannot bring the right one.
func (m *Machine) authentic(p *packet) bool {
	if p.ifc.cfg.Authentication == "" {
		return true
	}
	if p.Type == nhrpmsg.ErrorIndication && nhrpmsg.ErrorCode(p.Code) == nhrpmsg.AuthenticationFailure {
		return true
	}
	found, same := 0, 0
	want := nhrpmsg.Auth(string(p.ifc.cfg.Authentication)).Value
	for i := range p.Exts {
		if p.Exts[i].Type == nhrpmsg.ExtAuthentication {
			found++
			same = subtle.ConstantTimeCompare(p.Exts[i].Value, want)
		}
	}
	return found == 1 && same == 1
}

func (m *Machine) dispatch(p *packet) {
	switch p.Type {
	case nhrpmsg.RegistrationRequest:
		m.registrationRequest(p)
	case nhrpmsg.ResolutionRequest:
		m.resolutionRequest(p)
	case nhrpmsg.TrafficIndication:
		m.trafficIndication(p)
	case nhrpmsg.PurgeRequest:
		if m.ours(p, p.DstProto) {
			m.purgeRequest(p)
		}
	case nhrpmsg.ErrorIndication:
		if m.ours(p, p.DstProto) {
			m.errorIndication(p)
		}
	default: // replies go back to whom the request came from
		if !m.ours(p, p.SrcProto) {
			return
		}
		switch p.Type {
		case nhrpmsg.RegistrationReply:
			m.registrationReply(p)
		case nhrpmsg.ResolutionReply:
			m.resolutionReply(p)
		case nhrpmsg.PurgeReply:
			m.purgeReply(p)
		}
	}
}

// ours tells whether a packet ends here; if not, it is passed on.
func (m *Machine) ours(p *packet, dst netip.Addr) bool {
	if m.isLocal(p.ifc, dst) {
		return true
	}
	m.passOn(p, dst)
	return false
}

// isLocal tells whether an address is one of this box.
func (m *Machine) isLocal(ifc *iface, a netip.Addr) bool {
	if m.isSelf(ifc, a) {
		return true
	}
	r, ok := m.env.Lookup(ifc.cfg.Name, a)
	return ok && r.Local
}

// knows tells whether a packet comes from somebody we have to do with.
func (p *packet) knows() bool { return p.ifc.peers[p.from] != nil }

// compulsoryUnknown finds an extension that the sender wants to be understood and that is not.
func (p *packet) compulsoryUnknown() bool {
	for i := range p.Exts {
		if p.Exts[i].Compulsory && !p.Exts[i].Type.Known() {
			return true
		}
	}
	return false
}

// refuseExtension answers a compulsory extension that we, to whom the packet is addressed, do not know.
func (m *Machine) refuseExtension(p *packet) bool {
	if !p.compulsoryUnknown() {
		return false
	}
	m.drop(p.ifc, DropExtension)
	m.sendError(p.ifc, p.from, &p.Message, nhrpmsg.UnrecognizedExtension, 0, p.raw)
	return true
}

// natOf is what the NAT extension says of a protocol address; the zero Addr for nothing.
func natOf(msg *nhrpmsg.Message, proto netip.Addr) netip.Addr {
	e := msg.Ext(nhrpmsg.ExtNAT)
	if e == nil {
		return netip.Addr{}
	}
	entries, err := msg.Entries(e)
	if err != nil {
		return netip.Addr{}
	}
	for _, c := range entries {
		if c.Proto == proto && unicast(c.NBMA) {
			return c.NBMA
		}
	}
	return netip.Addr{}
}

// errorIndication takes in what another node says of a packet of ours. It is never answered.
func (m *Machine) errorIndication(p *packet) {
	m.emit(Log{Kind: LogErrorReceived, Iface: p.ifc.cfg.Name, Protocol: p.SrcProto, NBMA: p.SrcNBMA, Code: p.Code})
	inner, ok := nhrpmsg.ParsePrefix(p.Packet)
	if !ok || !m.isSelf(p.ifc, inner.SrcProto) {
		m.drop(p.ifc, DropUnsolicited)
		return
	}
	switch inner.Type {
	case nhrpmsg.RegistrationRequest:
		for _, n := range p.ifc.nhs {
			if n.awaiting && n.id == inner.RequestID {
				m.registrationRefused(n, p.Code)
			}
		}
	case nhrpmsg.ResolutionRequest:
		// Unauthenticated, it must not undo anything.
		if q := p.ifc.pending[inner.DstProto]; q != nil && q.id == inner.RequestID && nhrpmsg.ErrorCode(p.Code) != nhrpmsg.AuthenticationFailure {
			m.unresolvable(q, p.Code)
		}
	}
}

// locate is where a peer is that calls itself claimed, and has a protocol address that the NAT extension may know another NBMA address of. Who speaks for itself
// is where its session is.
func (m *Machine) locate(p *packet, claimed, proto netip.Addr) nbma.Address {
	at := nbma.Of(claimed)
	if nat := natOf(&p.Message, proto); nat.IsValid() {
		at = p.ifc.behind(nat, claimed)
	}
	if at.Addr == p.from.Addr && (!p.from.Inside.IsValid() || p.from.Inside == claimed) {
		if from := p.ifc.peers[p.from]; from != nil && !from.serves() {
			return p.from
		}
	}
	return at
}

// behind is where a peer is that is seen at addr. On an interface without protection, peers behind one address can't be told apart.
func (ifc *iface) behind(addr, inside netip.Addr) nbma.Address {
	if !ifc.cfg.Protected {
		return nbma.Of(addr)
	}
	return nbma.Behind(addr, inside)
}

// isOurs tells whether a peer that calls itself claimed and is seen at addr says that it is where we are. With protection it may be: two sites behind different NAT boxes can have the same
// private address.
func (m *Machine) isOurs(ifc *iface, addr, claimed netip.Addr) bool {
	return m.isOwnNBMA(addr) || m.isOwnNBMA(claimed) && (!ifc.cfg.Protected || addr == claimed)
}

// claim is what a peer calls itself, as far as its name tells.
func claim(at nbma.Address) netip.Addr {
	if at.Inside.IsValid() {
		return at.Inside
	}
	return at.Addr
}
