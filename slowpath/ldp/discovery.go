package ldp

import (
	"net/netip"
	"time"

	"nave/slowpath/ldp/ldpmsg"
	"nave/slowpath/timers"
)

// iface is an interface of the routing table.
type iface struct {
	name      string
	mpls      bool // has `mpls ip`
	cfg       Interface
	known     bool // it was heard of
	up        bool
	addrs     []netip.Addr
	running   bool // sends and takes Hellos
	adjs      map[ID]*adjacency
	hello     timers.Timer
	lastHello time.Time
	sent      uint64 // Hellos
	received  uint64
}

// adjacency is a neighbor that is heard on an interface (RFC 5036 section 2.5.5).
type adjacency struct {
	ifc      *iface
	nb       *neighbor
	from     netip.Addr
	proposed uint16        // the peer's hold time as it came, seconds
	hold     time.Duration // agreed; 0: for ever
	expires  timers.Timer
	since    time.Time
}

func (m *Machine) iface(name string) *iface {
	ifc := m.ifaces[name]
	if ifc == nil {
		ifc = &iface{name: name, adjs: map[ID]*adjacency{}}
		ifc.hello.Fire = func() { m.sendHello(ifc) }
		m.ifaces[name] = ifc
	}
	return ifc
}

// refresh starts or stops an interface as it is configured and as it is.
func (m *Machine) refresh(ifc *iface) {
	running := m.on && ifc.mpls && ifc.up && len(ifc.addrs) > 0
	switch {
	case running && !ifc.running:
		ifc.running = true
		m.sendHello(ifc)
	case !running && ifc.running:
		ifc.running = false
		m.timers.Stop(&ifc.hello)
		m.loseAll(ifc)
	}
}

// loseAll ends all adjacencies of an interface, of our own accord.
func (m *Machine) loseAll(ifc *iface) {
	for _, nb := range append([]*neighbor(nil), m.order...) {
		if adj := nb.adjs[ifc.name]; adj != nil {
			m.lose(adj, shutdown)
		}
	}
}

// sendHello sends one and says when the next is due.
func (m *Machine) sendHello(ifc *iface) {
	h := ldpmsg.Hello{HoldTime: uint16(m.cfg.HelloHold / time.Second), Transport: m.transport(ifc), Sequence: m.sequence, Sequenced: true}
	if msg, err := ldpmsg.Append(nil, m.newID(), &h); err == nil { // a transport address of IPv6 is a configuration that is not accepted
		m.emit(Hello{Iface: ifc.name, From: ifc.addrs[0], Payload: ldpmsg.Pack(nil, m.id, ownMaxPDU, msg)})
		ifc.sent++
	}
	ifc.lastHello = m.now
	every := min(m.cfg.HelloInterval, m.cfg.HelloHold/3)
	for _, adj := range ifc.adjs {
		if adj.hold > 0 {
			every = min(every, adj.hold/3)
		}
	}
	m.timers.Set(&ifc.hello, m.now.Add(every))
}

// answerHello lets a new neighbor know of us without delay, so that it takes a session of ours. Many new ones get one Hello.
func (m *Machine) answerHello(ifc *iface) {
	at := ifc.lastHello.Add(helloGap)
	if !at.After(m.now) {
		m.sendHello(ifc)
	} else if at.Before(ifc.hello.At()) {
		m.timers.Set(&ifc.hello, at)
	}
}

func (m *Machine) newID() uint32 {
	m.nextMsg++
	if m.nextMsg == 0 {
		m.nextMsg = 1
	}
	return m.nextMsg
}

func (m *Machine) drop(r DropReason) { m.drops[r]++ }

func (m *Machine) helloReceived(ev HelloReceived) {
	ifc := m.ifaces[ev.Iface]
	from := ev.From.Unmap()
	switch {
	case ifc == nil || !ifc.running:
		m.drop(DropOff)
		return
	case !unicast(from):
		m.drop(DropSource)
		return
	case m.own[from] != nil:
		m.drop(DropOwn)
		return
	}
	id, body, err := ldpmsg.ParsePDU(ev.Payload, ownMaxPDU)
	for err == nil && len(body) > 0 {
		var raw ldpmsg.Raw
		var msg ldpmsg.Message
		if raw, body, err = ldpmsg.Next(body); err != nil {
			break
		}
		if msg, err = ldpmsg.Parse(raw); err != nil {
			break
		}
		if h, ok := msg.(*ldpmsg.Hello); ok {
			m.hello(ifc, id, from, h)
			return
		}
	}
	m.drop(DropMalformed)
}

// hello takes in a Hello that can be read.
func (m *Machine) hello(ifc *iface, id ID, from netip.Addr, h *ldpmsg.Hello) {
	transport := from
	if h.Transport.IsValid() {
		transport = h.Transport
	}
	switch {
	case h.Targeted:
		m.drop(DropTargeted)
		return
	case id.LSR == m.id.LSR:
		m.drop(DropDuplicate)
		m.emit(Log{Kind: LogDuplicateID, Iface: ifc.name, Address: from})
		return
	case !unicast(id.LSR) || !unicast(transport) || m.own[transport] != nil || transport == m.transport(ifc):
		m.drop(DropSource)
		return
	}
	adj := ifc.adjs[id]
	switch {
	case adj == nil:
		if adj = m.meet(ifc, id, from, transport); adj == nil {
			return
		}
	case adj.from != from: // the router that is known there goes first until it is silent
		m.drop(DropSource)
		return
	case adj.nb.transport != transport:
		if adj = m.move(adj, from, transport); adj == nil {
			return
		}
	}
	ifc.received++
	adj.proposed = h.HoldTime
	adj.hold = m.agree(h.HoldTime)
	if adj.hold == 0 {
		m.timers.Stop(&adj.expires)
	} else {
		m.timers.Set(&adj.expires, m.now.Add(adj.hold))
	}
	nb := adj.nb
	if h.Sequenced && h.Sequence != nb.sequence {
		// The peer's configuration changed: what it refused before it may take now (section 2.5.3).
		if nb.sequenced && nb.session == nil {
			nb.refused, nb.flaps = 0, 0
			m.retry(nb, 0)
		}
		nb.changed = nb.sequenced && nb.session != nil
		nb.sequence, nb.sequenced = h.Sequence, true
	}
	m.connect(nb)
}

// agree is the hold time of an adjacency (section 3.5.2), 0 for ever.
func (m *Machine) agree(peer uint16) time.Duration {
	theirs := time.Duration(peer) * time.Second
	if peer == 0 {
		theirs = defaultHold
	}
	hold := min(theirs, m.cfg.HelloHold)
	if hold == ldpmsg.HoldForever*time.Second {
		return 0
	}
	return hold
}

// meet makes an adjacency, and with the first of a neighbor the neighbor.
func (m *Machine) meet(ifc *iface, id ID, from, transport netip.Addr) *adjacency {
	nb := m.neighbors[id]
	switch {
	case nb != nil && nb.transport != transport:
		m.drop(DropTransport)
		m.emit(Log{Kind: LogTransportChanged, Neighbor: id, Iface: ifc.name, Address: transport})
		return nil
	case nb == nil && len(m.order) >= m.cfg.MaxNeighbors:
		m.drop(DropFull)
		m.emit(Log{Kind: LogTooManyNeighbors, Neighbor: id, Iface: ifc.name, Address: from, Count: len(m.order)})
		return nil
	case nb == nil:
		nb = m.newNeighbor(id, m.transport(ifc), transport)
	}
	adj := &adjacency{ifc: ifc, nb: nb, from: from, since: m.now}
	adj.expires.Fire = func() { m.lose(adj, ldpmsg.HoldTimerExpired) }
	ifc.adjs[id], nb.adjs[ifc.name] = adj, adj
	m.answerHello(ifc)
	m.rebindNeighbor(nb)
	m.admit(nb)
	return adj
}

// move takes another transport address of a neighbor in, if it is known by this adjacency alone. Then its session is another one, too.
func (m *Machine) move(adj *adjacency, from, transport netip.Addr) *adjacency {
	if len(adj.nb.adjs) > 1 {
		m.drop(DropTransport)
		m.emit(Log{Kind: LogTransportChanged, Neighbor: adj.nb.id, Iface: adj.ifc.name, Address: transport})
		return nil
	}
	id := adj.nb.id
	m.lose(adj, shutdown)
	return m.meet(adj.ifc, id, from, transport)
}

// lose ends an adjacency. With the last one the neighbor goes, and its session.
func (m *Machine) lose(adj *adjacency, why Code) {
	nb := adj.nb
	m.timers.Stop(&adj.expires)
	delete(adj.ifc.adjs, nb.id)
	delete(nb.adjs, adj.ifc.name)
	if len(nb.adjs) > 0 {
		m.rebindNeighbor(nb)
		return
	}
	if nb.session != nil {
		m.fail(nb.session, why)
	}
	m.removeNeighbor(nb)
}
