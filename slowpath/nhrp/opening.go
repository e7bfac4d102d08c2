package nhrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
)

// Two spokes behind NAT boxes that both drop what nobody inside has asked for reach each other if both send at once, each to the port by which the other is seen. Only their server
// knows those ports, by the associations that they registered through; it tells them in an extension (nhrpmsg.Opening), and only those who have said that they can.
//
//	A                            hub                             B
//	Registration, "can"  ──────►     ◄──────  Registration, "can"
//	         ◄──────  "can, too"     "can, too"  ──────►
//	Resolution Request   ──────►     request, A's port  ──────►    openers to A, later IKE
//	IKE to B             ◄──────     reply, B's port    ◄──────    Resolution Reply
//
// The word of a server counts only while we are registered with it and it has said that it can: a spoke can't have another one send packets to a third party.

// Bounds of opening.
const (
	openingBurst = 20                     // paths opened at once, an interface
	openingEvery = 500 * time.Millisecond // and one more each time
	unopenedHold = time.Minute            // a path that did not open is not tried again so long, and then twice as long
	unopenedMost = 10 * time.Minute
	openingTrip  = 500 * time.Millisecond // the longest way to a server and back that is reckoned with
	openingSkew  = 5 * time.Second        // between the ends of the two sides' memory of one failure
	maxUnopened  = 4096                   // peers remembered, an interface
)

// PeerOpening says that the way to a peer which is about to be wanted leads through NAT on both sides, and is to be opened now. Unopened is the answer if that fails.
type PeerOpening struct {
	Iface    string
	NBMA     nbma.Address
	Endpoint netip.AddrPort // where a server of ours sees the peer
	Calls    bool           // we have asked for the peer, and not it for us
	// After is when the peer is likely to begin, where it is not we who call: it hears of us by the server.
	After time.Duration
}

// Unopened says that the path which PeerOpening is about did not open.
type Unopened struct {
	Iface string
	NBMA  nbma.Address
}

func (PeerOpening) effect() {}
func (Unopened) event()     {}

// unopened is a peer to which no path could be opened.
type unopened struct {
	fails int
	until time.Time
}

// opens tells whether paths are opened on the interface.
func (ifc *iface) opens() bool { return ifc.cfg.SimultaneousOpen && ifc.cfg.Protected && !ifc.p2p() }

// offerOpening says in a registration request that we can.
func (ifc *iface) offerOpening(msg *nhrpmsg.Message) {
	if ifc.opens() {
		msg.SetOpening(&nhrpmsg.Opening{Kind: nhrpmsg.OpeningOffer})
	}
}

// acceptOpening notes whether a client can, and says that we can, too.
func (m *Machine) acceptOpening(p *packet, reply *nhrpmsg.Message) {
	o, ok := p.Opening()
	can := ok && o.Kind == nhrpmsg.OpeningOffer && p.ifc.opens()
	if e := p.ifc.cache[host(p.SrcProto)]; e != nil && e.kind == kRegistered && e.peer != nil && e.peer.at == p.from {
		e.opens = can
	}
	if can {
		reply.SetOpening(&nhrpmsg.Opening{Kind: nhrpmsg.OpeningAccepted})
	}
}

// acceptedOpening reads a server's answer to our offer.
func (n *nhs) acceptedOpening(p *packet) {
	o, ok := p.Opening()
	n.opens = ok && o.Kind == nhrpmsg.OpeningAccepted && n.ifc.opens()
}

// asksOrAnswers tells resolution requests and replies.
func (p *packet) asksOrAnswers() bool {
	return p.Type == nhrpmsg.ResolutionRequest || p.Type == nhrpmsg.ResolutionReply
}

// maker is what the maker of a resolution request or reply calls itself; the zero Addr where a reply says different things.
func (p *packet) maker() netip.Addr {
	if p.Type == nhrpmsg.ResolutionRequest {
		return p.SrcNBMA
	}
	var a netip.Addr
	for i := range p.CIEs {
		if i > 0 && p.CIEs[i].NBMA != a {
			return netip.Addr{}
		}
		a = p.CIEs[i].NBMA
	}
	return a
}

// withholdEndpoint has what somebody else says about where a peer is seen go no further: the receiver would take it for our word. That is so whatever else the packet lacks. A server that
// does not open paths leaves the message as it is, as nobody believes it.
func (p *packet) withholdEndpoint(msg *nhrpmsg.Message, out *iface) {
	if p.asksOrAnswers() && (p.ifc.opens() || out.opens()) {
		msg.SetOpening(nil)
	}
}

// tellEndpoint tells the receiver of a resolution request or reply that passes here where we see its sender, if both are clients that can and either is behind NAT. It must call itself what
// its session says: else somebody behind the same NAT box could have the path to another one opened to itself.
func (m *Machine) tellEndpoint(p *packet, msg *nhrpmsg.Message, to *peer) {
	if !p.ifc.opens() || !p.asksOrAnswers() {
		return
	}
	from := p.ifc.peers[p.from]
	if from == nil || !from.opens() || !to.opens() || !p.endpoint.IsValid() || !from.at.Inside.IsValid() && !to.at.Inside.IsValid() {
		return
	}
	if from.at.Inside.IsValid() && p.maker() != from.at.Inside {
		return
	}
	msg.SetOpening(&nhrpmsg.Opening{Kind: nhrpmsg.OpeningEndpoint, Endpoint: p.endpoint})
}

// opens tells whether a client that can is at the peer.
func (p *peer) opens() bool {
	return slices.ContainsFunc(p.entries, func(e *entry) bool { return e.kind == kRegistered && e.opens })
}

// openPath has the way to a peer opened, if a server of ours has said with the packet where it sees the peer. It tells whether that is under way, so that the peer needs to hear of us by
// the server. calls: we have asked for the peer.
func (m *Machine) openPath(p *packet, at nbma.Address, calls bool) bool {
	ifc := p.ifc
	o, ok := p.Opening()
	if !ok || o.Kind != nhrpmsg.OpeningEndpoint || o.Endpoint.Addr() != at.Addr || !unicast(at.Addr) || m.isOwnNBMA(at.Addr) || !ifc.opens() {
		return false
	}
	k := slices.IndexFunc(ifc.nhs, func(n *nhs) bool { return n.opens && n.state == NHSResponding && n.peer != nil && n.peer.at == p.from })
	if k < 0 {
		return false
	}
	if q := ifc.peers[at]; q != nil && (q.ready || q.serves()) {
		return false
	}
	if !ifc.openings.take(m.now, openingBurst, openingBurst*openingEvery) {
		m.drop(ifc, DropQuota)
		return false
	}
	open := PeerOpening{Iface: ifc.cfg.Name, NBMA: at, Endpoint: o.Endpoint, Calls: calls}
	if !calls {
		open.After = min(ifc.nhs[k].trip, openingTrip)
	}
	m.emit(open)
	return true
}

// unopenedPath takes in that a path did not open: traffic stays with the server, and the peer is not asked for again for a while, which grows.
func (m *Machine) unopenedPath(ev Unopened) {
	ifc := m.ifaces[ev.Iface]
	if ifc == nil {
		return
	}
	p := ifc.peers[ev.NBMA]
	if p == nil || p.ready {
		return
	}
	hold := ifc.giveUp(m.now, ev.NBMA)
	for _, e := range sortedHostsFirst(p.entries, false) {
		if !e.kind.direct() || ifc.cache[e.prefix] != e {
			continue
		}
		asked, via := e.target(), e.kind == kResolved
		own := e.kind != kImplicit
		m.remove(e)
		if own && ifc.cache[host(asked)] == nil {
			m.refrain(ifc, asked, via, hold)
		}
	}
}

// giveUp remembers that no path to a peer could be opened, and says for how long.
func (ifc *iface) giveUp(now time.Time, at nbma.Address) time.Duration {
	u := ifc.unopened[at]
	if now.Sub(u.until) > unopenedMost {
		u.fails = 0
	}
	hold := unopenedHold << min(u.fails, 8)
	hold = min(hold, unopenedMost)
	if len(ifc.unopened) >= maxUnopened {
		clear(ifc.unopened)
	}
	if ifc.unopened == nil {
		ifc.unopened = make(map[nbma.Address]unopened)
	}
	ifc.unopened[at] = unopened{u.fails + 1, now.Add(hold)}
	return hold
}

// refraining is how long a peer is left alone yet, since no path to it could be opened; 0: it is not, or there is a session with it by now.
func (ifc *iface) refraining(now time.Time, at nbma.Address) time.Duration {
	if p := ifc.peers[at]; p != nil && p.ready || !ifc.opens() {
		return 0
	}
	return max(0, ifc.unopened[at].until.Sub(now))
}

// refrain makes the entry that keeps a destination from being asked for. via: traffic to it is taken by a server.
func (m *Machine) refrain(ifc *iface, dst netip.Addr, via bool, hold time.Duration) {
	e := m.put(ifc, host(dst), kIncomplete, nbma.Address{}, dst)
	if e == nil || e.peer != nil {
		return
	}
	e.flags = FlagUnopened
	e.kind, e.via, e.updated, e.expires = kNegative, via, m.now, m.now.Add(hold)
	m.schedule(e)
	m.sync(e)
}
