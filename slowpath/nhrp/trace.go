package nhrp

import (
	"net/netip"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// TraceKind says what a Trace is about; the text is made elsewhere.
type TraceKind uint8

// The kinds, with the fields that each fills beside Iface, VRF and what is known of the peer.
const (
	TraceDropped     TraceKind = iota // a packet was not taken or sent: Type, Reason; Protocol and NextHop are its source and destination
	TraceRefuse                       // a request was refused: Type, Code; Protocol asked, NextHop was asked for
	TraceCacheAdd                     // an entry: Prefix, NextHop, Entry, Hold
	TraceCacheUpdate                  // the same
	TraceCacheDelete                  // the same
	TraceServer                       // the state of a next hop server: Was, State
	TraceRegister                     // a registration is sent: ID, Count of tries
	TraceSession                      // the way to a peer is ready, or not any more: Up
	TraceAsk                          // a resolution request is sent to the peer: Protocol is asked for; ID, Count of tries
	TraceResolved                     // it is answered: Protocol by NextHop, which is at NBMA
	TraceAnswer                       // a request of Protocol for NextHop is answered: it stands for Prefix
	TracePassOn                       // a packet of NextHop for Protocol goes on to the peer: Type
	TraceRedirect                     // the sender of a packet from Protocol to NextHop is told of a shorter way
	TracePurge                        // Protocol is to forget Prefix
)

// EntryKind says where a cache entry comes from.
type EntryKind uint8

// The kinds, in the order of belief.
const (
	EntryNegative EntryKind = iota
	EntryIncomplete
	EntryShortcut
	EntryImplicit
	EntryResolved
	EntryRegistered
	EntryNHS
	EntryStatic
)

var entryKindNames = [...]string{"negative", "incomplete", "shortcut", "implicit", "resolved", "registered", "nhs", "static"}

// String names the kind.
func (k EntryKind) String() string { return name(entryKindNames[:], int(k)) }

// Trace is something that the machine does or decides. It is told while somebody wants to know its topic (Machine.Trace), and never holds a secret.
type Trace struct {
	Kind  TraceKind
	Topic trace.Topics
	Iface string
	VRF   string // of the interface
	// NBMA is the peer that it is about, or whom a packet came from or goes to; the zero Address: nobody is known.
	NBMA     nbma.Address
	Protocol netip.Addr
	NextHop  netip.Addr
	Prefix   netip.Prefix
	Type     nhrpmsg.Type
	Sent     bool // of TraceDropped: the packet was ours
	Reason   DropReason
	Code     uint16 // of a client information entry
	Entry    EntryKind
	Hold     time.Duration // until the entry ends; 0: it does not
	ID       uint32        // of the request
	Count    int
	Was      NHSState
	State    NHSState
	Up       bool
}

func (Trace) effect() {}

// Topics that this machine has.
const traceTopics = trace.NHRP &^ (trace.NHRPPacket | trace.NHRPExtension)

// Trace has the effects Trace of these topics given from now on. Packets are not among them: whoever drives the machine sees them in Received and Send.
func (m *Machine) Trace(t trace.Topics) { m.tracing = t & traceTopics }

// about is the packet that is under way: what a drop is told of.
type about struct {
	from  nbma.Address
	proto netip.Addr
	dst   netip.Addr
	kind  nhrpmsg.Type
	sent  bool
}

// topics are those of the kinds but TraceDropped.
func (k TraceKind) topic() trace.Topics {
	switch k {
	case TraceRefuse:
		return trace.NHRPError
	case TraceCacheAdd, TraceCacheUpdate, TraceCacheDelete:
		return trace.NHRPCache
	}
	return trace.NHRPDetail
}

// tell gives a Trace of an interface.
func (m *Machine) tell(ifc *iface, t Trace) {
	t.Iface, t.VRF = ifc.cfg.Name, ifc.cfg.VRF
	if t.Topic == 0 {
		t.Topic = t.Kind.topic()
	}
	m.emit(t)
}

// traceDrop tells of a packet that was not taken or sent. What a limit held back is a topic of its own.
func (m *Machine) traceDrop(ifc *iface, r DropReason) {
	topic := trace.NHRPError
	if r == DropQuota || r == DropErrorLimit {
		topic = trace.NHRPRate
	}
	if m.tracing&topic == 0 || r == DropRefused { // TraceRefuse says that, with the code
		return
	}
	a := m.about
	m.tell(ifc, Trace{Kind: TraceDropped, Topic: topic, NBMA: a.from, Protocol: a.proto, NextHop: a.dst, Type: a.kind, Sent: a.sent, Reason: r})
}

// traceEntry tells what becomes of a cache entry.
func (m *Machine) traceEntry(k TraceKind, e *entry) {
	t := Trace{Kind: k, Prefix: e.prefix, NextHop: e.nextHop, Protocol: e.nextHop, Entry: EntryKind(e.kind)}
	if e.peer != nil {
		t.NBMA = e.peer.at
	}
	if !e.expires.IsZero() {
		t.Hold = max(0, e.expires.Sub(m.now))
	}
	m.tell(e.ifc, t)
}

// traceServer tells that a next hop server is about to be in another state.
func (m *Machine) traceServer(n *nhs, to NHSState) {
	t := Trace{Kind: TraceServer, Protocol: n.proto, NBMA: nbma.Of(n.address()), Was: n.state, State: to}
	if n.peer != nil {
		t.NBMA = n.peer.at
	}
	m.tell(n.ifc, t)
}

// tunnel is the peer's tunnel address, as far as it is known: of its first entry, or of the server there.
func (p *peer) tunnel() netip.Addr {
	if len(p.entries) > 0 {
		return p.entries[0].nextHop
	}
	for _, n := range p.ifc.nhs {
		if n.peer == p {
			return n.proto
		}
	}
	return netip.Addr{}
}

// Where is the peer that has a tunnel address, on the network of an interface. ok is false where nobody is known to have it.
func (m *Machine) Where(iface string, tunnel netip.Addr) (at nbma.Address, ok bool) {
	ifc := m.ifaces[iface]
	if ifc == nil {
		return at, false
	}
	e := m.findHost(ifc, tunnel)
	if e == nil || e.peer == nil {
		return at, false
	}
	return e.peer.at, true
}

// TunnelAt is the tunnel address of the peer at an address; the zero Addr where it has none that is known.
func (m *Machine) TunnelAt(iface string, at nbma.Address) netip.Addr {
	if ifc := m.ifaces[iface]; ifc != nil {
		if p := ifc.peers[at]; p != nil {
			return p.tunnel()
		}
	}
	return netip.Addr{}
}
