package nhrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// answerKey names what was answered to whom.
type answerKey struct {
	prefix netip.Prefix
	holder netip.Addr // tunnel address
}

// answer remembers a reply given, so that its holder can be told when it is no longer true.
type answer struct {
	timer   timer
	ifc     *iface
	key     answerKey
	asked   netip.Addr
	route   netip.Prefix // that it stands for; the zero Prefix where the answer was for a client
	to      nbma.Address // to send the purge to where the holder has no entry any more
	ours    netip.Addr   // our NBMA address, when it was given
	created time.Time
	expires time.Time
}

// purge is a request that waits for its reply.
type purge struct {
	timer timer
	ifc   *iface
	to    nbma.Address
	tries int
	msg   nhrpmsg.Message
}

// remember notes an answer that is about to be given. It fails when the memory for that is full.
func (m *Machine) remember(p *packet, prefix, route netip.Prefix) bool {
	ifc := p.ifc
	key := answerKey{prefix, p.SrcProto}
	a := ifc.answered[key]
	if a == nil {
		if m.answers >= m.maxEntries {
			m.drop(ifc, DropFull)
			return false
		}
		m.answers++
		a = &answer{ifc: ifc, key: key, created: m.now}
		ifc.answered[key] = a
	}
	a.asked, a.route, a.to, a.ours = p.DstProto, route, p.from, ifc.cfg.NBMA
	a.expires = m.now.Add(ifc.cfg.HoldTime)
	m.timers.set(&a.timer, a, a.expires)
	return true
}

// expire forgets an answer whose holder has dropped it by now.
func (a *answer) expire(m *Machine) {
	if a.ifc.answered[a.key] == a {
		delete(a.ifc.answered, a.key)
		m.answers--
	}
	m.timers.stop(&a.timer)
}

// purgeAnswers tells all holders of what was answered inside a prefix. The invalid prefix is everything.
func (m *Machine) purgeAnswers(ifc *iface, inside netip.Prefix) {
	if len(ifc.answered) == 0 {
		return
	}
	for _, a := range ifc.answersSorted() {
		if !inside.IsValid() || contains(inside, a.key.prefix) {
			m.purgeAnswer(a)
		}
	}
}

// purgeClient tells those who were answered for a client of ours.
func (m *Machine) purgeClient(e *entry) {
	m.sameNetwork(e.ifc.net, func(i *iface) bool {
		m.purgeAnswers(i, e.prefix)
		return true
	})
}

func (ifc *iface) answersSorted() []*answer {
	out := make([]*answer, 0, len(ifc.answered))
	for _, a := range ifc.answered {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *answer) int {
		if d := a.key.prefix.Compare(b.key.prefix); d != 0 {
			return d
		}
		return a.key.holder.Compare(b.key.holder)
	})
	return out
}

// contains tells whether every address of inner is in outer.
func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func (m *Machine) purgeAnswer(a *answer) {
	a.expire(m)
	m.sendPurge(a.ifc, m.holderAt(a), a.key.holder, a.key.prefix, m.newID(), true)
}

// correctAnswers takes back, by a server of ours, what was answered from an NBMA address that we had before: its holders
// don't know us by the new one, and take no word from there.
func (m *Machine) correctAnswers(n *nhs) {
	for _, a := range n.ifc.answersSorted() {
		if a.ours != n.ifc.cfg.NBMA {
			a.expire(m)
			m.sendPurge(a.ifc, n.peer.at, a.key.holder, a.key.prefix, m.newID(), true)
		}
	}
}

// holderAt is where to reach the holder: directly while there is a path, else the way its request came.
func (m *Machine) holderAt(a *answer) nbma.Address {
	if e := m.findHost(a.ifc, a.key.holder); e != nil && e.ifc == a.ifc && e.peer.ready {
		return e.peer.at
	}
	return a.to
}

// sendPurge asks a node to forget a prefix (RFC 2332 section 5.2.5).
func (m *Machine) sendPurge(ifc *iface, to nbma.Address, node netip.Addr, prefix netip.Prefix, id uint32, repeat bool) {
	msg := ifc.message(nhrpmsg.PurgeRequest, node)
	msg.RequestID = id
	msg.CIEs = []nhrpmsg.CIE{{PrefixLen: uint8(prefix.Bits()), Proto: prefix.Addr()}}
	msg.Exts = requestExts(nhrpmsg.Extension{Type: nhrpmsg.ExtNAT})
	if m.tracing&trace.NHRPDetail != 0 {
		m.tell(ifc, Trace{Kind: TracePurge, NBMA: to, Protocol: node, Prefix: prefix, ID: id})
	}
	if !repeat || len(ifc.purges) >= m.maxEntries {
		msg.Flags = nhrpmsg.PurgeNoReply
		m.send(ifc, to, msg)
		return
	}
	q := &purge{ifc: ifc, to: to, msg: msg}
	ifc.purges[id] = q
	q.expire(m)
}

// expire sends the purge request, again until it is answered or tried often enough.
func (q *purge) expire(m *Machine) {
	if q.tries >= purgeTries {
		delete(q.ifc.purges, q.msg.RequestID)
		return
	}
	m.send(q.ifc, q.to, q.msg)
	m.timers.set(&q.timer, q, m.now.Add(m.backoff(q.tries)))
	q.tries++
}

func (m *Machine) purgeReply(p *packet) {
	q := p.ifc.purges[p.RequestID]
	if q == nil {
		m.drop(p.ifc, DropUnsolicited)
		return
	}
	m.timers.stop(&q.timer)
	delete(p.ifc.purges, p.RequestID)
}

// purgeRequest forgets what it names, as far as the sender has a say in it, and replies unless that is not wanted.
func (m *Machine) purgeRequest(p *packet) {
	ifc := p.ifc
	if m.refuseExtension(p) {
		return
	}
	if !unicast(p.SrcProto) || m.isSelf(ifc, p.SrcProto) {
		m.drop(ifc, DropSource)
		return
	}
	for i := range p.CIEs {
		c := &p.CIEs[i]
		if !c.Proto.IsValid() {
			continue
		}
		prefix, err := c.Proto.Prefix(c.Bits(c.Proto))
		if err != nil {
			continue
		}
		m.sameNetwork(ifc.net, func(i *iface) bool {
			m.forgetPrefix(i, p, prefix)
			return true
		})
	}
	if p.Flags&nhrpmsg.PurgeNoReply != 0 {
		return
	}
	reply := p.Message
	reply.Type, reply.HopCount = nhrpmsg.PurgeReply, replyHops
	reply.Exts = detached(p.Message).Exts
	for i := range reply.Exts {
		if reply.Exts[i].Type == nhrpmsg.ExtResponder {
			reply.Exts[i].Value = nil
			reply.Exts[i].AddEntry(ifc.selfEntry())
		}
	}
	m.send(ifc, p.from, reply)
}

// forgetPrefix removes what is inside a prefix and came from the sender of the purge, or through an NHS of ours.
func (m *Machine) forgetPrefix(ifc *iface, p *packet, prefix netip.Prefix) {
	if prefix.IsSingleIP() { // the common case, without looking at everything
		if e := ifc.cache[prefix]; e != nil && e.purgeable(p) {
			m.remove(e)
		}
		return
	}
	if !p.knows() {
		return
	}
	for _, e := range ifc.sorted() {
		if contains(prefix, e.prefix) && e.purgeable(p) {
			m.remove(e)
		}
	}
}

// purgeable tells whether the sender of a purge has a say: it is the peer itself, or word comes by an NHS of ours about
// what we learned by asking. Clients of ours speak for themselves.
func (e *entry) purgeable(p *packet) bool {
	if e.peer == nil || e.kind.configured() {
		return false
	}
	from := p.ifc.peers[p.from]
	if from == nil {
		return false
	}
	if e.peer == from && (p.SrcProto == e.nextHop || p.SrcProto == e.prefix.Addr()) {
		return true
	}
	return e.kind.direct() && from.serves()
}

// recheckAnswers purges what is no longer true after routes changed.
func (m *Machine) recheckAnswers(ifc *iface) {
	for _, a := range ifc.answersSorted() {
		if !a.route.IsValid() {
			continue // goes with the client's entry
		}
		r, ok := m.env.Lookup(ifc.cfg.Name, a.asked)
		if ok && r.Local && a.key.prefix.IsSingleIP() || m.isSelf(ifc, a.asked) {
			continue
		}
		out := m.ifaces[r.Iface]
		if ok && !r.Local && r.Iface != "" && r.Prefix.Masked() == a.route && (out == nil || out.net != ifc.net) {
			continue
		}
		m.purgeAnswer(a)
	}
}
