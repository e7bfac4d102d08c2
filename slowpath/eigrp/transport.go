package eigrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// message is what a packet that has to be acknowledged says; it is in the queue of each neighbor that it is for.
type message struct {
	op    eigrpmsg.Opcode
	flags uint32
	seq   uint32
	body  []byte // route TLVs
}

// transmission is a message on its way to one neighbor, or by multicast to several.
type transmission struct {
	to     *neighbor // nil: multicast
	msg    *message
	cr     bool        // the multicast is conditional
	group  []*neighbor // who it is for
	sent   time.Time   // the multicast
	others []netip.Addr
}

func (m *Machine) nextSequence() uint32 {
	if m.sequence++; m.sequence == 0 {
		m.sequence = 1
	}
	return m.sequence
}

// send writes a packet and sends it at once.
func (m *Machine) send(ifc *iface, to netip.Addr, p *eigrpmsg.Packet) {
	var key *Key
	if ifc.cfg.Auth.Mode != AuthNone {
		if key = ifc.cfg.Auth.sending(m.now); key == nil {
			m.log(Log{Kind: LogNoKey, Iface: ifc.name})
			return
		}
		p.Auth = eigrpmsg.NewAuth(ifc.cfg.Auth.Mode.wire(), key.ID)
	}
	b, err := p.Append(make([]byte, 0, 128+len(p.Encoded)))
	if err != nil {
		return // no packet of ours is that long
	}
	from := ifc.primary()
	if key != nil {
		eigrpmsg.Sign(b, key.Secret, from)
	}
	m.count(ifc, p, to)
	m.do(Send{Iface: ifc.name, From: from, To: to, Payload: b})
}

func (m *Machine) count(ifc *iface, p *eigrpmsg.Packet, to netip.Addr) {
	m.traffic.Sent.add(p)
	switch {
	case p.Opcode == eigrpmsg.Hello && p.Ack == 0:
		ifc.helloSent++
	case to == Group:
		ifc.multicasts++
	default:
		ifc.unicasts++
		if p.Opcode == eigrpmsg.Hello {
			ifc.acks++
		}
	}
}

func (m *Machine) sendAck(n *neighbor) {
	n.needAck = false
	m.send(n.ifc, n.addr, &eigrpmsg.Packet{Opcode: eigrpmsg.Hello, AS: m.cfg.AS, Ack: n.lastSeq})
}

// ackLater sees to it that what came last from a neighbor is acknowledged in this step.
func (m *Machine) ackLater(n *neighbor) {
	n.needAck = true
	if !n.ackListed {
		n.ackListed = true
		m.toAck = append(m.toAck, n)
	}
}

// enqueue sends a message to one neighbor after all that it is still to acknowledge.
func (m *Machine) enqueue(n *neighbor, msg *message) {
	if n.gone {
		return
	}
	if len(n.queue) >= maxQueue {
		m.terminate(n)
		m.down(n, QueueOverflow)
		return
	}
	n.queue = append(n.queue, msg)
	if len(n.queue) == 1 {
		m.start(n)
	}
}

// start puts the first message of a neighbor's queue on its way.
func (m *Machine) start(n *neighbor) {
	n.retries, n.firstSent = 0, time.Time{}
	m.transmit(n.ifc, &transmission{to: n, msg: n.queue[0]})
}

func (m *Machine) message(op eigrpmsg.Opcode, body []byte) *message {
	return &message{op: op, seq: m.nextSequence(), body: body}
}

// deliver sends a message to neighbors of an interface: by multicast to those that wait for nothing, if that is worth it, and to the others in turn.
// It returns what goes by multicast, nil: nothing.
func (m *Machine) deliver(ifc *iface, targets []*neighbor, msg *message) *transmission {
	idle := func(n *neighbor) bool { return n.up && len(n.queue) == 0 }
	group := make(map[*neighbor]bool, len(targets))
	for _, n := range targets {
		if idle(n) {
			group[n] = true
		}
	}
	others := outside(ifc, group, true)
	if len(others) > maxExcluded && msg.op == eigrpmsg.Update {
		// Rather than leave many out, those take it who may know it: what is told is so for all.
		for _, n := range ifc.nbrs {
			if idle(n) {
				group[n] = true
			}
		}
		others = outside(ifc, group, true)
	}
	if ifc.unicast() || len(others) > maxExcluded || len(group) == 0 || len(group) < leastReady && len(group) < len(ifc.nbrs) {
		for _, n := range targets {
			m.enqueue(n, msg)
		}
		return nil
	}
	// Those that are not up yet would not take it; they are told so as far as there is room.
	others = append(others, outside(ifc, group, false)...)
	t := &transmission{msg: msg, others: others[:min(len(others), maxExcluded)]}
	t.cr = len(t.others) > 0
	for _, n := range ifc.nbrs {
		if group[n] {
			t.group = append(t.group, n)
			n.queue = append(n.queue, msg)
			n.retries, n.firstSent = 0, time.Time{}
		}
	}
	for _, n := range targets {
		if !group[n] {
			m.enqueue(n, msg)
		}
	}
	m.transmit(ifc, t)
	return t
}

// outside are the neighbors of an interface that are not of a group, those that are up or those that are not.
func outside(ifc *iface, group map[*neighbor]bool, up bool) (out []netip.Addr) {
	for _, n := range ifc.nbrs {
		if n.up == up && !group[n] {
			out = append(out, n.addr)
		}
	}
	return out
}

// transmit sends at once, or when the interface's share of the bandwidth allows it.
func (m *Machine) transmit(ifc *iface, t *transmission) {
	if len(ifc.fifo) == 0 && !ifc.freeAt.After(m.now) {
		m.emit(ifc, t)
		return
	}
	if t.to != nil {
		if t.to.waiting == t.msg {
			return // whatever asks for it once more, it goes once
		}
		t.to.waiting = t.msg
	}
	at := len(ifc.fifo)
	if t.to == nil { // what many wait for goes before what is for one
		if at = slices.IndexFunc(ifc.fifo, func(x *transmission) bool { return x.to != nil }); at < 0 {
			at = len(ifc.fifo)
		}
	}
	ifc.fifo = slices.Insert(ifc.fifo, at, t)
	if !ifc.paceTimer.On() {
		m.timers.Set(&ifc.paceTimer, ifc.freeAt)
	}
}

// drain sends what waited.
func (m *Machine) drain(ifc *iface) {
	for len(ifc.fifo) > 0 && !ifc.freeAt.After(m.now) {
		t := ifc.fifo[0]
		ifc.fifo[0] = nil
		ifc.fifo = ifc.fifo[1:]
		m.emit(ifc, t)
	}
	if len(ifc.fifo) > 0 {
		m.timers.Set(&ifc.paceTimer, ifc.freeAt)
	}
}

// share is what EIGRP may take of the bandwidth, in bit/s.
func (ifc *iface) share() uint64 {
	return ifc.state.Bandwidth * 1000 * uint64(ifc.cfg.BandwidthPercent) / 100
}

// emit sends a transmission now.
func (m *Machine) emit(ifc *iface, t *transmission) {
	n := t.to
	if n != nil && n.waiting == t.msg {
		n.waiting = nil
	}
	if n != nil && (n.gone || len(n.queue) == 0 || n.queue[0] != t.msg) {
		return // it has come by multicast since, or nobody wants it
	}
	size := 60 + len(t.msg.body) // with headers
	if bps := ifc.share(); bps > 0 {
		ifc.freeAt = m.now.Add(time.Duration(uint64(size) * 8 * uint64(time.Second) / bps))
	}
	p := &eigrpmsg.Packet{Opcode: t.msg.op, Flags: t.msg.flags, AS: m.cfg.AS, Sequence: t.msg.seq, Encoded: t.msg.body}
	if n != nil {
		m.outstanding(n)
		if n.heard {
			p.Ack, n.needAck = n.lastSeq, false
		}
		m.send(ifc, n.addr, p)
		return
	}
	if t.cr {
		h := m.hello(ifc)
		h.Sequenced, h.NextMulticast, h.HasNext = t.others, t.msg.seq, true
		m.send(ifc, Group, h)
		p.Flags |= eigrpmsg.FlagCR
	}
	ifc.lastGroup, t.sent = m.now, m.now
	for _, n := range t.group {
		if !n.gone && len(n.queue) > 0 && n.queue[0] == t.msg {
			m.outstanding(n)
		}
	}
	m.send(ifc, Group, p)
}

// outstanding starts the wait for an acknowledgement.
func (m *Machine) outstanding(n *neighbor) {
	if n.firstSent.IsZero() {
		n.firstSent = m.now
	}
	wait := n.rto
	for i := 0; i < n.retries && wait < mostRTO; i++ {
		wait += wait / 2
	}
	m.timers.Set(&n.retryTimer, m.now.Add(min(wait, mostRTO)))
}

// retry sends the message that is out again, by unicast; a neighbor that does not answer for long goes down.
func (m *Machine) retry(n *neighbor) {
	if len(n.queue) == 0 {
		return
	}
	if n.retries >= maxRetries && (!n.up && !n.resyncing || m.now.Sub(n.firstSent) >= n.hold) { // one that was never up may ask for any hold time
		m.terminate(n)
		m.down(n, RetryLimit)
		return
	}
	n.retries++
	n.retransmits++
	m.traffic.Retransmitted++
	m.transmit(n.ifc, &transmission{to: n, msg: n.queue[0]})
}

// acknowledged takes an acknowledgement; one of anything but what is out says nothing.
func (m *Machine) acknowledged(n *neighbor, seq uint32) {
	if len(n.queue) == 0 || n.queue[0].seq != seq || n.firstSent.IsZero() {
		return
	}
	if n.retries == 0 { // else nobody knows which of them it is for
		rtt := max(m.now.Sub(n.firstSent), time.Millisecond)
		if n.srtt == 0 {
			n.srtt = rtt
		} else {
			n.srtt = (7*n.srtt + rtt) / 8
		}
		n.rto = min(max(6*n.srtt, leastRTO), mostRTO)
	}
	first := n.queue[0]
	n.queue[0] = nil
	n.queue = n.queue[1:]
	m.timers.Stop(&n.retryTimer)
	if len(n.queue) > 0 {
		m.start(n)
	}
	if first.flags&eigrpmsg.FlagInit != 0 {
		n.acked = true
		if first.flags&eigrpmsg.FlagRestart != 0 && !n.gotInit {
			m.timers.Set(&n.initTimer, m.now.Add(plainInit)) // it may be one that knows no restart
		}
		m.advance(n)
		return
	}
	if first.flags&eigrpmsg.FlagEOT != 0 {
		n.regaining = false
	}
	if len(n.queue) == 0 {
		m.feed(n, first.seq)
	}
	if len(n.queue) == 0 && len(n.ifc.changes) > 0 {
		m.wantFlush(n.ifc)
	}
}
