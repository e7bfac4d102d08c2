package nhrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// nhs is a next hop server that we are a client of.
//
//	          elected                reply
//	waiting ----------> expecting <--------> responding
//	        <----------     3 unanswered, refused
//	       a better one answers
type nhs struct {
	timer    timer
	ifc      *iface
	cfg      NHS
	proto    netip.Addr // learned where cfg has none
	peer     *peer      // held while elected
	state    NHSState
	since    time.Time
	down     bool // unanswered or refused; not a candidate for traffic
	awaiting bool
	sentAt   time.Time     // the last request, where it is not one that was repeated
	trip     time.Duration // to the server and back, as the last answer to such a one says
	opens    bool          // it tells us where it sees others, to open paths through NAT
	id       uint32
	tries    int // unanswered requests
	regID    uint32
	requests uint64
	replies  uint64
	failures uint64
}

// address is the server's NBMA address: given, mapped, or the other end of a point-to-point tunnel.
func (n *nhs) address() netip.Addr {
	if n.ifc.p2p() {
		return n.ifc.cfg.Destination
	}
	if n.cfg.NBMA.IsValid() || !n.cfg.Protocol.IsValid() {
		return n.cfg.NBMA
	}
	for _, mp := range n.ifc.cfg.Maps {
		if mp.Protocol.Contains(n.cfg.Protocol) {
			return mp.NBMA
		}
	}
	return netip.Addr{}
}

func (n *nhs) setState(m *Machine, s NHSState) {
	if n.state == s {
		return
	}
	if m.tracing&trace.NHRPDetail != 0 {
		m.traceServer(n, s)
	}
	n.state, n.since = s, m.now
}

// elect decides which servers are asked: of each cluster the best ones that answer or may still, as many as it is
// limited to, and all better ones that do not answer, to notice when they do.
func (m *Machine) elect(ifc *iface) {
	order := slices.Clone(ifc.nhs)
	slices.SortStableFunc(order, func(a, b *nhs) int { return int(a.cfg.Priority) - int(b.cfg.Priority) })
	picked := map[uint8]int{}
	var wake time.Time
	for i, n := range order {
		limit := ifc.limit(n.cfg.Cluster)
		if limit > 0 && picked[n.cfg.Cluster] >= limit {
			m.deactivate(n)
			continue
		}
		if n.peer == nil {
			m.activate(n)
		}
		if n.down || n.peer == nil {
			continue
		}
		// A server that came back must prove itself before one below it that answers is given up.
		if proven := n.since.Add(ifc.cfg.Fallback); limit > 0 && n.state == NHSResponding && m.now.Before(proven) && n.standIn(order[i+1:]) {
			if wake.IsZero() || proven.Before(wake) {
				wake = proven
			}
			continue
		}
		picked[n.cfg.Cluster]++
	}
	m.timers.set(&ifc.election, ifc, wake)
}

// standIn tells whether one of the servers below n serves its cluster.
func (n *nhs) standIn(below []*nhs) bool {
	return slices.ContainsFunc(below, func(b *nhs) bool {
		return b.cfg.Cluster == n.cfg.Cluster && b.state == NHSResponding
	})
}

func (ifc *iface) limit(cluster uint8) int {
	for _, c := range ifc.cfg.Clusters {
		if c.ID == cluster {
			return int(c.MaxConnections)
		}
	}
	return 0
}

// activate starts asking a server.
func (m *Machine) activate(n *nhs) {
	addr := n.address()
	if !unicast(addr) {
		if n.failures == 0 {
			n.failures++
			m.emit(Log{Kind: LogNoMapping, Iface: n.ifc.cfg.Name, Protocol: n.cfg.Protocol})
		}
		return
	}
	n.peer = m.hold(n.ifc, nbma.Of(addr))
	n.awaiting, n.tries, n.down = false, 0, false
	n.setState(m, NHSExpecting)
	if n.cfg.Multicast {
		m.replicate(n.peer, 1)
	}
	m.bindNHS(n)
	m.timers.set(&n.timer, n, m.now)
}

// bindNHS makes the cache entry of a server whose tunnel address is known.
func (m *Machine) bindNHS(n *nhs) {
	if !n.proto.IsValid() || n.peer == nil {
		return
	}
	if e := m.put(n.ifc, host(n.proto), kNHS, n.peer.at, n.proto); e != nil {
		e.flags = e.flags&^FlagInherited | FlagNHS | FlagRouter
		m.timers.stop(&e.timer)
		e.expires, e.refreshAt = time.Time{}, time.Time{}
		m.sync(e)
	}
}

// deactivate stops asking a server: a better one answers, or the configuration has it no more.
func (m *Machine) deactivate(n *nhs) {
	m.timers.stop(&n.timer)
	n.awaiting = false
	if n.peer == nil {
		return
	}
	p := n.peer
	was := n.state
	n.setState(m, NHSWaiting)
	n.down = false
	if was == NHSResponding {
		m.nhsChanged(n, false)
	}
	if n.cfg.Multicast {
		m.replicate(p, -1)
	}
	n.peer = nil
	if e := n.ifc.cache[host(n.proto)]; e != nil && e.kind == kNHS {
		m.remove(e)
	}
	m.release(p)
	m.resyncVia(n.ifc)
}

// nhsSession takes in that the session with a server came up or went down.
func (m *Machine) nhsSession(n *nhs, up bool) {
	if up {
		n.awaiting, n.tries = false, 0
		m.timers.set(&n.timer, n, m.now)
		return
	}
	m.timers.stop(&n.timer)
	n.awaiting = false
	if n.state == NHSResponding {
		m.nhsDown(n)
	}
}

// expire sends the next registration, the same again if the last was not answered.
func (n *nhs) expire(m *Machine) {
	ifc := n.ifc
	if n.peer == nil || !n.peer.ready || !ifc.cfg.NBMA.IsValid() {
		return // the session or the address starts the timer again
	}
	if n.awaiting {
		n.tries++
		if n.tries >= nhsMisses && !n.down {
			n.failures++
			m.emit(Log{Kind: LogRegistrationFailed, Iface: ifc.cfg.Name, Protocol: n.proto, NBMA: n.peer.at.Addr})
			m.nhsDown(n)
			if n.peer == nil { // another server took over
				return
			}
		}
	} else {
		n.id = m.newID()
		n.awaiting = true
	}
	m.register(n)
	// Three unanswered requests say that the server is down. However short renewals are, that is known before three
	// of them have passed.
	wait := m.backoff(n.tries)
	if !n.down {
		wait = min(wait, ifc.renewal()/2)
	}
	m.timers.set(&n.timer, n, m.now.Add(wait))
}

// register sends a registration request (RFC 2332 section 5.2.3).
func (m *Machine) register(n *nhs) {
	ifc := n.ifc
	dst := n.proto
	if !dst.IsValid() {
		dst = ifc.self // whoever serves this network
	}
	msg := ifc.message(nhrpmsg.RegistrationRequest, dst)
	msg.RequestID = n.id
	msg.Flags = nhrpmsg.FlagNAT
	if !ifc.cfg.NoUnique {
		msg.Flags |= nhrpmsg.RegUnique
	}
	msg.CIEs = []nhrpmsg.CIE{{PrefixLen: 255, MTU: ifc.cfg.MTU, HoldTime: seconds(ifc.cfg.HoldTime)}}
	nat := nhrpmsg.Extension{Type: nhrpmsg.ExtNAT}
	proto := n.proto
	if !proto.IsValid() {
		proto = unspecified(ifc.self)
	}
	nat.AddEntry(ifc.natEntry(proto, n.peer.at.Addr))
	msg.Exts = requestExts(nat)
	ifc.offerOpening(&msg)
	if n.tries == 0 {
		n.sentAt = m.now
	}
	n.requests++
	if m.tracing&trace.NHRPDetail != 0 {
		m.tell(ifc, Trace{Kind: TraceRegister, NBMA: n.peer.at, Protocol: n.proto, ID: n.id, Count: n.tries + 1})
	}
	m.send(ifc, n.peer.at, msg)
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// registrationReply takes in what a server answers.
func (m *Machine) registrationReply(p *packet) {
	var n *nhs
	for _, c := range p.ifc.nhs {
		if c.awaiting && c.id == p.RequestID {
			n = c
		}
	}
	if n == nil || p.SrcProto != p.ifc.self {
		m.drop(p.ifc, DropUnsolicited)
		return
	}
	n.replies++
	for i := range p.CIEs {
		if c := p.CIEs[i].Code; c != nhrpmsg.Success {
			m.registrationRefused(n, uint16(c))
			return
		}
	}
	if n.tries == 0 {
		n.trip = m.now.Sub(n.sentAt)
	}
	n.awaiting, n.tries = false, 0
	n.regID = n.id
	m.learnServer(n, p)
	m.learnPublic(p)
	n.acceptedOpening(p)
	m.timers.set(&n.timer, n, m.now.Add(m.jitter(p.ifc.renewal())))
	if n.state != NHSResponding {
		n.down = false
		n.setState(m, NHSResponding)
		m.nhsChanged(n, true)
		m.resyncVia(p.ifc)
		m.elect(p.ifc)
	}
	m.correctAnswers(n)
}

// learnServer takes the tunnel address of a server that was configured without one.
func (m *Machine) learnServer(n *nhs, p *packet) {
	if n.cfg.Protocol.IsValid() {
		return
	}
	proto := p.DstProto
	if m.isSelf(p.ifc, proto) || !unicast(proto) {
		e := p.Ext(nhrpmsg.ExtResponder)
		if e == nil {
			return
		}
		entries, err := p.Entries(e)
		if err != nil || len(entries) == 0 || !unicast(entries[0].Proto) || m.isSelf(p.ifc, entries[0].Proto) {
			return
		}
		proto = entries[0].Proto
	}
	if n.proto == proto {
		return
	}
	if e := p.ifc.cache[host(n.proto)]; e != nil && e.kind == kNHS {
		m.remove(e)
	}
	n.proto = proto
	m.bindNHS(n)
}

// learnPublic reads from the NAT extension whether we are behind NAT: the server then adds our address as it sees it.
func (m *Machine) learnPublic(p *packet) {
	p.ifc.public = natOf(&p.Message, p.ifc.self)
	if p.ifc.public == p.ifc.cfg.NBMA {
		p.ifc.public = netip.Addr{}
	}
}

// registrationRefused takes in a negative answer; the next try is a new request, later.
func (m *Machine) registrationRefused(n *nhs, code uint16) {
	n.failures++
	m.emit(Log{Kind: LogRegistrationFailed, Iface: n.ifc.cfg.Name, Protocol: n.proto, NBMA: n.peer.at.Addr, Code: code})
	n.awaiting = false
	n.tries++
	m.timers.set(&n.timer, n, m.now.Add(m.backoff(n.tries)))
	if !n.down {
		m.nhsDown(n)
	}
}

// nhsDown takes a server out of use until it answers; it is asked on.
func (m *Machine) nhsDown(n *nhs) {
	was := n.state
	n.down = true
	n.setState(m, NHSExpecting)
	if was == NHSResponding {
		m.nhsChanged(n, false)
	}
	m.resyncVia(n.ifc)
	m.elect(n.ifc)
}

func (m *Machine) nhsChanged(n *nhs, up bool) {
	kind := LogNHSDown
	if up {
		kind = LogNHSUp
	}
	m.emit(NHSChanged{n.ifc.cfg.Name, n.proto, n.peer.at.Addr, up})
	m.emit(Log{Kind: kind, Iface: n.ifc.cfg.Name, Protocol: n.proto, NBMA: n.peer.at.Addr})
}

// liveNHS is the server for the n-th try of a request: the best one first. nil if none answers.
func (ifc *iface) liveNHS(try int) *nhs {
	var live []*nhs
	for _, n := range ifc.nhs {
		if n.state == NHSResponding && n.peer.ready {
			live = append(live, n)
		}
	}
	if len(live) == 0 {
		return nil
	}
	slices.SortStableFunc(live, func(a, b *nhs) int { return int(a.cfg.Priority) - int(b.cfg.Priority) })
	return live[try%len(live)]
}

// resyncVia moves what goes through a server for now when the servers changed.
func (m *Machine) resyncVia(ifc *iface) {
	for _, e := range ifc.sorted() {
		if e.via || e.bound.Via || e.kind.direct() {
			m.sync(e)
		}
	}
}

// renewal is the time between registrations.
func (ifc *iface) renewal() time.Duration {
	if d := ifc.cfg.RegistrationTimeout; d > 0 {
		return d
	}
	return ifc.cfg.HoldTime / 3
}
