package eigrp

import (
	"net/netip"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// Traffic counts packets, for `show ip eigrp traffic`.
type Traffic struct {
	Sent, Received Packets
	Retransmitted  uint64
	Duplicates     uint64
	AuthFailures   uint64
	Malformed      uint64
}

// Packets counts by what they are for.
type Packets struct{ Hellos, Updates, Queries, Replies, Acks, SIAQueries, SIAReplies uint64 }

func (c *Packets) add(p *eigrpmsg.Packet) {
	switch p.Opcode {
	case eigrpmsg.Hello:
		if p.Ack != 0 {
			c.Acks++
		} else {
			c.Hellos++
		}
	case eigrpmsg.Update:
		c.Updates++
	case eigrpmsg.Query:
		c.Queries++
	case eigrpmsg.Reply:
		c.Replies++
	case eigrpmsg.SIAQuery:
		c.SIAQueries++
	case eigrpmsg.SIAReply:
		c.SIAReplies++
	}
}

// NeighborStatus is a neighbor, for `show ip eigrp neighbors`.
type NeighborStatus struct {
	Iface       string
	Addr        netip.Addr
	Up          bool // routes go to and fro
	Resyncing   bool // it restarts, and its routes stay
	Since       time.Time
	Hold        time.Duration // that it asks for
	Expires     time.Time
	SRTT, RTO   time.Duration
	Queue       int    // packets that it has not acknowledged
	Sequence    uint32 // the last that came from it
	Retransmits uint64
	Retries     int // of the packet that is out
	Prefixes    int // learned from it
	Software    eigrpmsg.Software
	Stub        bool
	StubFlags   eigrpmsg.Stub
}

// InterfaceStatus is an interface that EIGRP runs on, for `show ip eigrp interfaces`.
type InterfaceStatus struct {
	Name                 string
	Running, Passive     bool
	Neighbors            int
	Queue, Pending       int // packets that wait for their turn; prefixes to tell of
	SRTT                 time.Duration
	Hello, Hold          time.Duration
	SplitHorizon         bool
	NextHopSelf          bool
	Auth                 AuthMode
	HelloSent, HelloRecv uint64
	Multicasts, Unicasts uint64        // sent, other than Hellos
	Acks                 uint64        // of Unicasts
	Pacing               time.Duration // between packets of 1500 bytes
}

// TopologyStatus is a prefix, for `show ip eigrp topology`.
type TopologyStatus struct {
	Prefix     netip.Prefix
	Active     bool
	Pending    bool  // neighbors are still to be told of it
	Origin     uint8 // of the query, while active
	Since      time.Time
	FD         uint64 // feasible distance; all bits set: none
	Successors int
	Waiting    []netip.Addr // that replies are to come from
	Paths      []PathStatus
}

// PathStatus is a path of a prefix.
type PathStatus struct {
	Kind               string // "neighbor", "connected", "redistributed", "summary"
	Iface              string
	Hop                netip.Addr
	From               netip.Addr // the neighbor; the zero Addr: local
	Distance, Reported uint64     // all bits set: unreachable
	Metric             eigrpmsg.Metric
	Wide               bool // Metric is
	External           *eigrpmsg.External
	Successor          bool
	Feasible           bool
}

var pathKindNames = [...]string{"neighbor", "connected", "redistributed", "summary"}

// Traffic counts since the machine was made.
func (m *Machine) Traffic() Traffic { return m.traffic }

// Running says whether EIGRP is on, and for which AS.
func (m *Machine) Running() (as uint16, on bool) { return m.cfg.AS, m.on }

// Neighbors are those that are heard, by interface and address.
func (m *Machine) Neighbors() []NeighborStatus {
	var out []NeighborStatus
	for _, ifc := range m.order {
		for _, n := range ifc.nbrs {
			out = append(out, NeighborStatus{
				Iface: ifc.name, Addr: n.addr, Up: n.up || n.resyncing, Resyncing: n.resyncing, Since: n.since, Hold: n.hold, Expires: n.holdTimer.At(), SRTT: n.srtt, RTO: n.rto,
				Queue: len(n.queue), Sequence: n.lastSeq, Retransmits: n.retransmits, Retries: n.retries, Prefixes: len(n.routes),
				Software: n.software, Stub: n.stub, StubFlags: n.stubFlags,
			})
		}
	}
	return out
}

// Interfaces are those of the configuration, by name.
func (m *Machine) Interfaces() []InterfaceStatus {
	var out []InterfaceStatus
	for _, ifc := range m.order {
		if !ifc.enabled {
			continue
		}
		s := InterfaceStatus{
			Name: ifc.name, Running: ifc.running, Passive: ifc.cfg.Passive, Neighbors: len(ifc.nbrs), Queue: len(ifc.fifo), Pending: len(ifc.changes),
			Hello: ifc.cfg.Hello, Hold: ifc.cfg.Hold, SplitHorizon: !ifc.cfg.NoSplitHorizon, NextHopSelf: !ifc.cfg.NoNextHopSelf, Auth: ifc.cfg.Auth.Mode,
			HelloSent: ifc.helloSent, HelloRecv: ifc.helloReceived, Multicasts: ifc.multicasts, Unicasts: ifc.unicasts, Acks: ifc.acks,
		}
		if bps := ifc.share(); bps > 0 {
			s.Pacing = time.Duration(1500 * 8 * uint64(time.Second) / bps)
		}
		for _, n := range ifc.nbrs {
			s.SRTT += n.srtt / time.Duration(len(ifc.nbrs))
		}
		out = append(out, s)
	}
	return out
}

// Topology is all that is known of prefixes, in order.
func (m *Machine) Topology() []TopologyStatus {
	out := make([]TopologyStatus, 0, len(m.entries))
	for _, p := range sortedPrefixes(m.entries) {
		e := m.entries[p]
		t := TopologyStatus{Prefix: p, Active: e.active, Origin: uint8(e.origin), Since: e.since, FD: e.fd}
		for _, ifc := range m.order {
			if _, on := ifc.pending[p]; on {
				t.Pending = true
			}
		}
		for _, n := range sortedNeighbors(e.replies) {
			t.Waiting = append(t.Waiting, n.addr)
		}
		for _, x := range e.paths {
			s := PathStatus{
				Kind: name(pathKindNames[:], int(x.kind)), Hop: x.hop, Distance: x.dist, Reported: x.rd, Metric: x.vec, Wide: m.cfg.Wide,
				Successor: x == e.succ || e.succ != nil && !e.active && x.dist == e.succ.dist && e.feasible(x), Feasible: x.dist != infinity && e.feasible(x),
			}
			if x.ifc != nil {
				s.Iface = x.ifc.name
			}
			if x.nbr != nil {
				s.From = x.nbr.addr
			}
			if x.external {
				ext := x.ext
				s.External = &ext
			}
			if s.Successor {
				t.Successors++
			}
			t.Paths = append(t.Paths, s)
		}
		out = append(out, t)
	}
	return out
}
