package nhrp

import (
	"net/netip"
	"slices"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// pending is a resolution request that waits for its reply.
type pending struct {
	timer   timer
	ifc     *iface
	dst     netip.Addr
	id      uint32
	tries   int
	entry   *entry // incomplete, or the one to refresh
	refresh bool
}

// unresolved starts looking for the direct path to a next hop (phase 2). Meanwhile traffic goes through an NHS.
func (m *Machine) unresolved(ev Unresolved) {
	ifc := m.ifaces[ev.Iface]
	dst := ev.NextHop
	if !dst.IsValid() {
		dst = ev.Dst
	}
	if !m.mayResolve(ifc, dst) {
		return
	}
	if e := m.findHost(ifc, dst); e != nil {
		return
	}
	m.resolve(ifc, dst, true)
}

// mayResolve tells whether a resolution makes sense.
func (m *Machine) mayResolve(ifc *iface, dst netip.Addr) bool {
	if ifc == nil || ifc.p2p() || !unicast(dst) || dst.BitLen() != ifc.self.BitLen() || m.isSelf(ifc, dst) {
		return false
	}
	if ifc.cfg.ServerOnly {
		m.drop(ifc, DropDisabled)
		return false
	}
	return true
}

// resolve makes the incomplete entry of a destination and asks for it, unless that is under way or failed lately.
func (m *Machine) resolve(ifc *iface, dst netip.Addr, via bool) {
	if e := ifc.cache[host(dst)]; e != nil {
		if via && !e.via && e.kind <= kIncomplete {
			e.via = true
			m.sync(e)
		}
		return
	}
	if ifc.pending[dst] != nil {
		return
	}
	e := m.put(ifc, host(dst), kIncomplete, nbma.Address{}, dst)
	if e == nil {
		return
	}
	e.via = via
	m.sync(e)
	m.ask(&pending{ifc: ifc, dst: dst, entry: e})
}

// refresh asks again for an entry that is in use and runs out.
func (m *Machine) refresh(e *entry) {
	dst := e.target()
	if e.ifc.pending[dst] != nil || e.ifc.cfg.ServerOnly {
		return
	}
	m.ask(&pending{ifc: e.ifc, dst: dst, entry: e, refresh: true})
}

func (m *Machine) ask(p *pending) {
	p.id = m.newID()
	p.ifc.pending[p.dst] = p
	p.expire(m)
}

func (m *Machine) forget(p *pending) {
	m.timers.stop(&p.timer)
	p.ifc.done[p.ifc.doneAt%len(p.ifc.done)] = p.id
	p.ifc.doneAt++
	delete(p.ifc.pending, p.dst)
}

// expire sends the request, again with the same id each time; after the last wait the destination counts as unknown.
func (p *pending) expire(m *Machine) {
	if p.tries > resolveTries {
		m.unresolvable(p, 0)
		return
	}
	to := m.server(p)
	if to == nil && len(p.ifc.nhs) == 0 {
		m.unresolvable(p, 0) // nobody to ask
		return
	}
	if to != nil {
		m.request(p, to)
	}
	m.timers.set(&p.timer, p, m.now.Add(m.backoff(p.tries)))
	p.tries++
}

// server is whom to ask: the routed next hop first, then one NHS after the other.
func (m *Machine) server(p *pending) *peer {
	if p.tries == 0 {
		if r, ok := m.env.Lookup(p.ifc.cfg.Name, p.dst); ok && r.NextHop.IsValid() && r.NextHop != p.dst && r.Iface == p.ifc.cfg.Name {
			if e := p.ifc.cache[host(r.NextHop)]; e != nil && e.peer != nil && e.peer.ready {
				return e.peer
			}
		}
	}
	if n := p.ifc.liveNHS(p.tries); n != nil {
		return n.peer
	}
	return nil
}

// request sends a resolution request (RFC 2332 section 5.2.1).
func (m *Machine) request(p *pending, to *peer) {
	ifc := p.ifc
	msg := ifc.message(nhrpmsg.ResolutionRequest, p.dst)
	msg.RequestID = p.id
	msg.Flags = nhrpmsg.ResRouter | nhrpmsg.ResAuthoritative | nhrpmsg.ResSourceStable | nhrpmsg.FlagNAT
	msg.CIEs = []nhrpmsg.CIE{{PrefixLen: 255, MTU: ifc.cfg.MTU, HoldTime: seconds(ifc.cfg.HoldTime)}}
	nat := nhrpmsg.Extension{Type: nhrpmsg.ExtNAT}
	if ifc.public.IsValid() {
		nat.AddEntry(ifc.natEntry(ifc.self, ifc.public))
	}
	msg.Exts = requestExts(nat)
	if m.tracing&trace.NHRPDetail != 0 {
		m.tell(ifc, Trace{Kind: TraceAsk, NBMA: to.at, Protocol: p.dst, ID: p.id, Count: p.tries + 1})
	}
	m.send(ifc, to.at, msg)
}

// unresolvable remembers for a while that a destination cannot be resolved. What was being refreshed lives out its
// time if nobody answered, and ends if it was refused.
func (m *Machine) unresolvable(p *pending, code uint16) {
	m.forget(p)
	m.emit(Log{Kind: LogResolutionFailed, Iface: p.ifc.cfg.Name, Protocol: p.dst, Code: code})
	e := p.entry
	if p.refresh {
		if code != 0 {
			m.remove(e)
		}
		return
	}
	e.kind, e.updated = kNegative, m.now
	e.expires = m.now.Add(negativeHold)
	m.schedule(e)
	m.sync(e)
}

// resolutionReply takes in an answer (RFC 2332 section 5.2.2).
func (m *Machine) resolutionReply(p *packet) {
	q := p.ifc.pending[p.DstProto]
	if q == nil || q.id != p.RequestID || p.SrcProto != p.ifc.self {
		m.drop(p.ifc, DropUnsolicited)
		if q == nil && !m.answeredBefore(p) {
			m.sendError(p.ifc, p.from, m.responder(p), nhrpmsg.InvalidResolutionReply, 0, p.raw)
		}
		return
	}
	if len(p.CIEs) == 0 {
		m.drop(p.ifc, DropMalformed)
		return
	}
	// The first entry that can be used: others are less preferred or multipath.
	best := -1
	for i := range p.CIEs {
		c := &p.CIEs[i]
		if c.Code == nhrpmsg.Success && m.usable(p, c) && (best < 0 || c.Preference > p.CIEs[best].Preference) {
			best = i
		}
	}
	if best < 0 {
		code := uint16(p.CIEs[0].Code)
		if code == 0 {
			m.drop(p.ifc, DropSource)
			code = uint16(nhrpmsg.NoBinding)
		}
		m.unresolvable(q, code)
		return
	}
	m.learn(p, q, &p.CIEs[best])
}

// answeredBefore tells a reply that came twice from one that was never asked for.
func (m *Machine) answeredBefore(p *packet) bool {
	return p.RequestID != 0 && slices.Contains(p.ifc.done[:], p.RequestID)
}

// responder is the message with the one who made the reply as its source, for an error about it.
func (m *Machine) responder(p *packet) *nhrpmsg.Message {
	of := p.Message
	if len(p.CIEs) > 0 && p.CIEs[0].Proto.IsValid() {
		of.SrcProto = p.CIEs[0].Proto
	}
	return &of
}

// usable refuses answers that would point traffic at ourselves or nowhere.
func (m *Machine) usable(p *packet, c *nhrpmsg.CIE) bool {
	hop := c.Proto
	if !hop.IsValid() {
		hop = p.DstProto
	}
	return unicast(c.NBMA) && unicast(hop) && !m.isSelf(p.ifc, hop) && !m.isOurs(p.ifc, m.locate(p, c.NBMA, hop).Addr, c.NBMA)
}

// learn makes entries of an answer: the peer's tunnel address, and if that is not what was asked for, a route by it.
func (m *Machine) learn(p *packet, q *pending, c *nhrpmsg.CIE) {
	ifc := p.ifc
	hop := c.Proto
	if !hop.IsValid() {
		hop = q.dst
	}
	at := m.locate(p, c.NBMA, hop)
	if from := ifc.peers[p.from]; at.Addr == c.NBMA && p.from.Addr != c.NBMA && (from == nil || !from.serves()) {
		at = p.from
	}
	hold := holdOf(c, ifc.cfg.HoldTime)
	m.forget(q)
	if q.entry.kind == kIncomplete && hop != q.dst {
		m.remove(q.entry)
	}
	if hold := ifc.refraining(m.now, at); hold > 0 {
		m.refrain(ifc, q.dst, q.entry.via, hold) // the way to it did not open lately
		return
	}
	if m.tracing&trace.NHRPDetail != 0 {
		m.tell(ifc, Trace{Kind: TraceResolved, NBMA: at, Protocol: q.dst, NextHop: hop, ID: q.id})
	}
	m.openPath(p, at, true)
	peerEntry := m.put(ifc, host(hop), kResolved, at, hop)
	if peerEntry == nil {
		return
	}
	if peerEntry.kind == kResolved {
		peerEntry.claimed, peerEntry.requestID = c.NBMA, p.RequestID
		peerEntry.flags = replyFlags(p.Flags)
		m.live(peerEntry, hold)
	}
	m.sync(peerEntry)
	if hop == q.dst {
		return
	}
	prefix := m.clamp(ifc, q.dst, c.Bits(q.dst))
	e := m.put(ifc, prefix, kShortcut, peerEntry.peer.at, hop)
	if e == nil {
		return
	}
	if e.kind == kShortcut {
		e.claimed, e.requestID, e.flags = c.NBMA, p.RequestID, replyFlags(p.Flags)|FlagRib
		e.asked = q.dst
		m.live(e, hold)
	}
	m.sync(e)
	if q.refresh && q.entry != e && q.entry != peerEntry {
		m.remove(q.entry) // the responder's route has another prefix now
	}
}

func replyFlags(f uint16) EntryFlags {
	var out EntryFlags
	for _, t := range [...]struct {
		wire uint16
		flag EntryFlags
	}{{nhrpmsg.ResRouter, FlagRouter}, {nhrpmsg.ResAuthoritative, FlagAuthoritative}, {nhrpmsg.ResUnique, FlagUnique}, {nhrpmsg.FlagNAT, FlagNAT}} {
		if f&t.wire != 0 {
			out |= t.flag
		}
	}
	return out
}

// serves tells whether an NHS of ours is at the peer.
func (p *peer) serves() bool {
	return slices.ContainsFunc(p.ifc.nhs, func(n *nhs) bool { return n.peer == p })
}

// minShortcut is the shortest prefix believed of a responder; beneath it, only the host asked for is.
const minShortcut = 8

// clamp is the route that an answer stands for: never wider than the route that the traffic took before.
func (m *Machine) clamp(ifc *iface, dst netip.Addr, bits int) netip.Prefix {
	if bits < minShortcut {
		bits = dst.BitLen()
	}
	if r, ok := m.env.Lookup(ifc.cfg.Name, dst); ok && r.Prefix.IsValid() && r.Prefix.Bits() > bits {
		bits = r.Prefix.Bits()
	}
	p, _ := dst.Prefix(bits)
	return p
}

// routesChanged looks again at what was answered and what is used.
func (m *Machine) routesChanged() {
	for _, ifc := range m.order {
		// A shortcut lives as long as the route that it shortens leads into its network.
		for _, e := range ifc.shortcuts() {
			r, ok := m.env.Lookup(ifc.cfg.Name, e.prefix.Addr())
			if out := m.ifaces[r.Iface]; !ok || r.Local || out == nil || out.net != ifc.net || r.Prefix.Bits() > e.prefix.Bits() {
				m.remove(e)
			}
		}
		m.recheckAnswers(ifc)
	}
}

// shortcuts are the entries that are, in the order of their prefixes. A hub with thousands of clients has none: it is asked whenever a route changes.
func (ifc *iface) shortcuts() (out []*entry) {
	for _, e := range ifc.cache {
		if e.kind == kShortcut {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return a.prefix.Compare(b.prefix) })
	return out
}

// sorted are the entries in the order of their prefixes, so that effects come in the same order each time.
func (ifc *iface) sorted() []*entry {
	out := make([]*entry, 0, len(ifc.cache))
	for _, e := range ifc.cache {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *entry) int { return a.prefix.Compare(b.prefix) })
	return out
}
