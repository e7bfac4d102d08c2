package eigrp

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// receive is a packet's way in: authentication first, then the header, then what its opcode says.
func (m *Machine) receive(ev PacketReceived) {
	ifc := m.ifaces[ev.Iface]
	if !m.on || ifc == nil || !ifc.talking || ifc.isOwn(ev.From) {
		return
	}
	if ifc.unicast() && (ev.Multicast || !slices.Contains(ifc.cfg.Neighbors, ev.From)) {
		return
	}
	if !ifc.cfg.Auth.genuine(m.now, ev.Payload, ev.From) {
		m.traffic.AuthFailures++
		m.log(Log{Kind: LogAuthFailure, Iface: ifc.name, Neighbor: ev.From})
		return
	}
	p, err := eigrpmsg.Parse(ev.Payload)
	if err != nil {
		m.traffic.Malformed++
		m.log(Log{Kind: LogMalformed, Iface: ifc.name, Neighbor: ev.From})
		return
	}
	if p.AS != m.cfg.AS || p.VirtualRouter != 0 {
		return
	}
	if !ifc.common(ev.From) {
		m.log(Log{Kind: LogNotOnSubnet, Iface: ifc.name, Neighbor: ev.From})
		return
	}
	m.traffic.Received.add(p)
	n := ifc.byAddr[ev.From]
	if p.Opcode == eigrpmsg.Hello && p.Ack == 0 {
		ifc.helloReceived++
		m.helloFrom(ifc, n, ev.From, p)
		return
	}
	if n == nil {
		return // nobody is a neighbor without a Hello
	}
	m.heardFrom(n)
	if p.Ack != 0 && !ev.Multicast {
		m.acknowledged(n, p.Ack)
	}
	if n.gone || p.Opcode == eigrpmsg.Hello || p.Sequence == 0 {
		return
	}
	m.reliable(n, p, maphash.Bytes(m.hash, ev.Payload[eigrpmsg.HeaderLen:]))
}

// helloFrom takes a Hello, of a neighbor or one to be.
func (m *Machine) helloFrom(ifc *iface, n *neighbor, from netip.Addr, p *eigrpmsg.Packet) {
	if slices.ContainsFunc(p.Termination, ifc.isOwn) {
		if n != nil {
			m.down(n, PeerTerminated)
		}
		return
	}
	if pp := p.Parameters; pp != nil {
		switch {
		case pp.Goodbye():
			if n != nil {
				m.down(n, Goodbye)
			}
			return
		case pp.K != m.cfg.K:
			m.log(Log{Kind: LogKMismatch, Iface: ifc.name, Neighbor: from})
			if n != nil {
				m.down(n, KMismatch)
			}
			return
		}
		if n != nil && n.up && !n.saidRestart && !n.resumable() && p.Flags&eigrpmsg.FlagRestart != 0 {
			m.down(n, PeerRestarted)
			n = nil
		}
		fresh := n == nil
		if n = m.neighborOf(ifc, from); n == nil {
			return
		}
		n.hold = max(time.Duration(pp.Hold)*time.Second, time.Second)
		m.describe(n, p)
		if fresh {
			m.meet(n)
		}
	}
	if n == nil {
		return
	}
	m.heardFrom(n)
	if p.Parameters != nil {
		m.restartFlag(n, p.Flags)
	}
	if p.HasNext {
		n.crSeq, n.crOn = p.NextMulticast, !slices.ContainsFunc(p.Sequenced, ifc.isOwn)
	}
}

// describe keeps what a Hello says of its sender. The lists that come with a conditional multicast need not have it all.
func (m *Machine) describe(n *neighbor, p *eigrpmsg.Packet) {
	if p.Software != nil {
		n.software, n.wide = *p.Software, p.Software.TLVMajor >= 2
	}
	was := n.stub
	if p.Stub != nil {
		n.stub, n.stubFlags = true, *p.Stub
	} else if !p.HasNext {
		n.stub, n.stubFlags = false, 0
	}
	if n.stub && !was {
		// Whoever waits for its replies waits no more.
		for _, e := range sortedEntries(n.owes) {
			m.replied(e, n)
		}
	}
}

// reliable takes a packet that is to be acknowledged: in order, and once. There are routers that number a packet like the one before; so one is that one come
// again only if it says the same.
func (m *Machine) reliable(n *neighbor, p *eigrpmsg.Packet, contents uint64) {
	if p.Flags&eigrpmsg.FlagCR != 0 {
		if !n.crOn || n.crSeq != p.Sequence {
			return // not for us; it comes by unicast
		}
		n.crOn = false
	}
	// With routes in it, the INIT of a restart begins nothing anew: the neighbor tells all again (`clear ip eigrp neighbors soft`).
	soft := p.Opcode == eigrpmsg.Update && p.Flags&(eigrpmsg.FlagInit|eigrpmsg.FlagRestart) == eigrpmsg.FlagInit|eigrpmsg.FlagRestart && n.up && len(p.Routes) > 0
	if p.Opcode == eigrpmsg.Update && p.Flags&eigrpmsg.FlagInit != 0 && !soft {
		if n = m.introduced(n, p); n == nil {
			return
		}
	} else if !n.up || !m.isNext(n, p, contents) {
		return // one of a neighbor that is not up will be sent again
	} else if soft {
		m.stale(n)
		m.tellTable(n)
	}
	n.lastContents = contents ^ uint64(p.Opcode)
	if n.up { // else it is an INIT, which has no routes
		m.takeRoutes(n, p)
	}
}

// introduced takes an INIT, the first packet to a neighbor that the sender knows nothing of. It returns who is the neighbor now; nil: there is nothing more to do.
func (m *Machine) introduced(n *neighbor, p *eigrpmsg.Packet) *neighbor {
	if n.gotInit && n.initSeq == p.Sequence {
		m.ackLater(n)
		return nil
	}
	if n.gotInit && n.up && n.resumable() && p.Flags&eigrpmsg.FlagRestart != 0 {
		// One that acknowledges our INIT by its own has begun anew because of ours.
		m.resync(n)
		n.saidRestart, n.acked = true, p.Ack != 0 && p.Ack == n.ourInit
	} else if n.gotInit && n.up || n.resyncing && !n.up && p.Flags&eigrpmsg.FlagRestart == 0 {
		// One that says nothing of a restart any more is through with it without us, and goes by what we do not know.
		if n = m.restarted(n, p.Ack); n == nil {
			return nil
		}
	}
	n.gotInit, n.initSeq, n.lastSeq, n.heard = true, p.Sequence, p.Sequence, true
	n.forgot = p.Flags&eigrpmsg.FlagRestart == 0
	n.saidRestart = n.saidRestart || !n.forgot
	m.ackLater(n)
	m.answerInit(n)
	m.advance(n)
	return n
}

// isNext acknowledges a packet, and says whether it is a new one.
func (m *Machine) isNext(n *neighbor, p *eigrpmsg.Packet, contents uint64) bool {
	d := int32(p.Sequence - n.lastSeq)
	if d > 0 || d == 0 && contents^uint64(p.Opcode) != n.lastContents {
		n.lastSeq, n.heard = p.Sequence, true
		m.ackLater(n)
		return true
	}
	m.traffic.Duplicates++
	if d == 0 {
		m.ackLater(n)
	} else {
		m.send(n.ifc, n.addr, &eigrpmsg.Packet{Opcode: eigrpmsg.Hello, AS: m.cfg.AS, Ack: p.Sequence})
	}
	return false
}

// takeRoutes takes what a packet says of prefixes, and whether that was all.
func (m *Machine) takeRoutes(n *neighbor, p *eigrpmsg.Packet) {
	for i := range p.Routes {
		for _, prefix := range p.Routes[i].Prefixes {
			if n.gone {
				return
			}
			m.told(n, p.Opcode, &p.Routes[i], prefix)
		}
		if len(n.asks) > maxAsked { // they wait while we restart
			m.terminate(n)
			m.down(n, QueueOverflow)
		}
	}
	if p.Opcode == eigrpmsg.Update && !n.gone {
		n.lastTold = m.now
		m.stillResyncing(n)
		if p.Flags&eigrpmsg.FlagEOT != 0 {
			n.toldAll = true
			m.resynced(n)
		}
	}
}

// told is one prefix of a packet.
func (m *Machine) told(n *neighbor, op eigrpmsg.Opcode, r *eigrpmsg.Route, prefix netip.Prefix) {
	switch op {
	case eigrpmsg.Update:
		if e := m.learn(n, r, prefix); e != nil {
			m.evaluate(e, nil)
		}
	case eigrpmsg.Query:
		e := m.learn(n, r, prefix)
		if e == nil {
			m.reply(n, prefix)
			return
		}
		m.evaluate(e, n)
	case eigrpmsg.Reply:
		if e := m.learn(n, r, prefix); e != nil {
			m.evaluate(e, nil)
			m.replied(e, n)
		}
	case eigrpmsg.SIAQuery:
		m.siaQueried(n, r, prefix)
	case eigrpmsg.SIAReply:
		m.siaReplied(n, r, prefix)
	}
}
