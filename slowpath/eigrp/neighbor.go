package eigrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
	"nave/slowpath/timers"
)

// neighbor is a router that is heard on an interface.
type neighbor struct {
	ifc   *iface
	addr  netip.Addr
	since time.Time
	gone  bool

	gotInit bool   // its INIT has come
	ourInit uint32 // sequence number of ours
	acked   bool   // ours is acknowledged
	up      bool   // both: routes go to and fro

	hold      time.Duration
	holdTimer timers.Timer
	stub      bool
	stubFlags eigrpmsg.Stub
	software  eigrpmsg.Software
	wide      bool // reads wide metrics

	// Receiving.
	lastSeq      uint32
	lastContents uint64 // of the packet with it, hashed
	initSeq      uint32
	heard        bool // lastSeq says something
	needAck      bool
	ackListed    bool
	crSeq        uint32 // a multicast with conditional receive that is for us, too
	crOn         bool

	// Sending: the first of the queue is the one that is out.
	queue      []*message
	waiting    *message // that of them which waits for the interface's bandwidth
	retryTimer timers.Timer
	retries    int
	firstSent  time.Time
	rto, srtt  time.Duration

	// Restarting.
	saidRestart bool // by its last Hello
	resyncing   bool // it restarts, and its routes of before stay
	resyncBegan time.Time
	staleTimer  timers.Timer
	forgot      bool      // it has answered our restart by one of its own: it kept nothing of us
	regaining   bool      // after our restart: it has not acknowledged all of our table
	toldAll     bool      // its EOT has come
	lastTold    time.Time // when an Update of its came, or it came up
	initTimer   timers.Timer

	startup []*entry // of the table that it has not been sent yet
	inTable bool     // it is being sent the table, or is to be
	cohort  *cohort  // the neighbors that are sent it together with this one

	routes map[*entry]*path
	owes   map[*entry]bool // replies
	asks   []netip.Prefix  // it is to get replies about

	retransmits uint64
}

// neighborOf is the neighbor that a Hello is from, a new one if need be; nil if it can't be one.
func (m *Machine) neighborOf(ifc *iface, addr netip.Addr) *neighbor {
	if n := ifc.byAddr[addr]; n != nil {
		return n
	}
	if m.nbrs >= m.cfg.MaxNeighbors {
		m.log(Log{Kind: LogTooManyNeighbors, Iface: ifc.name, Neighbor: addr})
		return nil
	}
	n := &neighbor{ifc: ifc, addr: addr, since: m.now, rto: firstRTO, regaining: m.regaining, routes: map[*entry]*path{}, owes: map[*entry]bool{}}
	n.holdTimer.Fire = func() { m.down(n, HoldExpired) }
	n.retryTimer.Fire = func() { m.retry(n) }
	n.staleTimer.Fire = func() { m.staleExpired(n) }
	n.initTimer.Fire = func() {
		if !n.gotInit && n.acked {
			n.acked = false
			m.sendInit(n, 0)
		}
	}
	ifc.byAddr[addr] = n
	at, _ := slices.BinarySearchFunc(ifc.nbrs, addr, func(n *neighbor, a netip.Addr) int { return n.addr.Compare(a) })
	ifc.nbrs = slices.Insert(ifc.nbrs, at, n)
	m.nbrs++
	return n
}

// meet starts with a new neighbor: it gets to know us, and then our INIT.
func (m *Machine) meet(n *neighbor) {
	ifc := n.ifc
	if ifc.unicast() {
		m.send(ifc, n.addr, m.hello(ifc))
	} else if m.now.Sub(ifc.lastHello) >= helloGap {
		m.sendHello(ifc)
	} else {
		m.send(ifc, n.addr, m.hello(ifc))
	}
	m.sendInit(n, m.softly(n))
}

// softly is the flag of what is told to a neighbor that restarts, or while we do.
func (m *Machine) softly(n *neighbor) uint32 {
	if (n.resyncing || m.saysRestart(n.ifc)) && n.resumes() {
		return eigrpmsg.FlagRestart
	}
	return 0
}

// resumes says whether a neighbor may be sent the INIT of a restart. FRR's eigrpd, which gives its own version with the form 1.2 of TLVs, can fall over it;
// IOS of that form is 12 or more.
func (n *neighbor) resumes() bool {
	return n.software.TLVMajor >= 2 || n.software.Major >= 12
}

func (m *Machine) sendInit(n *neighbor, flag uint32) {
	n.ourInit = m.nextSequence()
	m.enqueue(n, &message{op: eigrpmsg.Update, flags: eigrpmsg.FlagInit | flag, seq: n.ourInit})
}

// answerInit acknowledges an INIT by ours, as long as that is not acknowledged: there are routers that take no other answer.
func (m *Machine) answerInit(n *neighbor) {
	switch {
	case n.acked:
	case len(n.queue) == 0:
		m.sendInit(n, m.softly(n))
	case !n.firstSent.IsZero():
		n.retries++
		m.transmit(n.ifc, &transmission{to: n, msg: n.queue[0]})
	}
}

// advance brings a neighbor up when both INITs have arrived.
func (m *Machine) advance(n *neighbor) {
	if n.up || !n.gotInit || !n.acked {
		return
	}
	n.up, n.lastTold = true, m.now
	m.timers.Stop(&n.initTimer)
	if !n.resyncing {
		n.since = m.now
		m.log(Log{Kind: LogNeighborUp, Iface: n.ifc.name, Neighbor: n.addr})
	} else {
		m.askAgain(n)
	}
	m.tellTable(n)
}

// restarted handles an INIT of a neighbor whose INIT has come before: it has forgotten us. If it acknowledges our INIT with that, it has begun anew because
// of it, and must not be sent another one: each would be the cause of the next.
func (m *Machine) restarted(n *neighbor, ack uint32) *neighbor {
	m.down(n, PeerRestarted)
	fresh := m.neighborOf(n.ifc, n.addr)
	if fresh == nil {
		return nil
	}
	fresh.hold, fresh.stub, fresh.stubFlags, fresh.software, fresh.wide = n.hold, n.stub, n.stubFlags, n.software, n.wide
	fresh.ourInit, fresh.acked = n.ourInit, ack != 0 && ack == n.ourInit
	m.heardFrom(fresh)
	return fresh
}

func (m *Machine) heardFrom(n *neighbor) { m.timers.Set(&n.holdTimer, m.now.Add(n.hold)) }

// terminate tells one neighbor that we end it.
func (m *Machine) terminate(n *neighbor) {
	p := m.hello(n.ifc)
	p.Termination = []netip.Addr{n.addr}
	m.send(n.ifc, n.addr, p)
}

// down ends a neighbor and all that it told.
func (m *Machine) down(n *neighbor, why Reason) {
	if n.gone {
		return
	}
	n.gone = true
	ifc := n.ifc
	delete(ifc.byAddr, n.addr)
	ifc.nbrs = slices.DeleteFunc(ifc.nbrs, func(x *neighbor) bool { return x == n })
	m.nbrs--
	m.timers.Stop(&n.holdTimer)
	m.timers.Stop(&n.retryTimer)
	m.timers.Stop(&n.staleTimer)
	m.timers.Stop(&n.initTimer)
	if n.up || n.resyncing {
		m.log(Log{Kind: LogNeighborDown, Iface: ifc.name, Neighbor: n.addr, Reason: why})
	}
	n.up, n.resyncing, n.queue, n.startup = false, false, nil, nil
	touched := map[netip.Prefix]bool{}
	for e := range n.routes {
		touched[e.prefix] = true
	}
	for e := range n.owes {
		touched[e.prefix] = true
	}
	for _, p := range sortedPrefixes(touched) {
		if e := m.entries[p]; e != nil {
			m.lost(e, n)
		}
	}
	n.routes, n.owes = nil, nil
	if ifc.talking {
		m.wantFlush(ifc) // others may have waited for it
	}
}
