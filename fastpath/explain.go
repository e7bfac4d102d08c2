package fastpath

import (
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// What would become of a packet is found out by sending it: through a worker of its own (explain_run.go), over the same tables, in a mapping of the arena where what is
// written is nobody else's. So it is the code that forwards that says so, and no sequence number is used, no counter moves and no flow is remembered by it. What that
// worker did not leave behind (which prefix was the longest) is looked up once more (explain_read.go).

// Question is a packet that Explain is asked about.
type Question struct {
	Packet []byte   // IPv4, from its header on
	Labels []uint32 // that it comes with, outermost first, with the packet's TTL
	From   Origin
}

// Origin is where a packet comes from.
type Origin struct {
	Own bool    `json:"own,omitempty"` // this box sends it
	VRF fib.VRF `json:"vrf"`           // that it is routed in: of Own; otherwise what the interface says
	// Port is where the frame comes in, and Tunnel what the packet comes out of, 0 for none. Port may be 0 with a Tunnel. Of Own, the interface that multicast goes to, whose
	// VRF VRF has to be.
	Port   fib.PortID   `json:"port,omitempty"`
	Tunnel fib.TunnelID `json:"tunnel,omitempty"`
	// Peer is the outer source of what comes out of a tunnel, PeerPort its port where ESP is in UDP. The zero Addr: somebody's.
	Peer     netip.Addr `json:"peer,omitzero"`
	PeerPort uint16     `json:"peer_port,omitempty"`
	// SA is the association that it comes out of; 0: in clear. Explain fills it in.
	SA fib.SAID `json:"sa,omitempty"`
}

// Fate is what becomes of a packet.
type Fate uint8

// Fates.
const (
	Dropped   Fate = iota
	Punted         // the slow path has it
	Forwarded      // as it is, cut, or in copies
)

// Explanation is what would become of a packet, and by what.
type Explanation struct {
	From    Origin
	Src     netip.Addr
	Dst     netip.Addr
	Proto   uint8
	Ports   [2]uint16 // source and destination, of TCP and UDP
	Length  int       // of the IPv4 packet, bytes
	TTL     uint8
	TOS     uint8
	DF      bool
	Labels  []LabelUse // that were looked at, outermost first
	Looks   []RouteUse // at the routes, one after the other
	Flow    FlowUse    // what workers remember of the packet's flow
	Group   fib.GroupID
	Members int         // of the group; 0: it is for one
	Ways    []Way       // by which it leaves, or was to; of a group MostWays at most
	Spent   []BudgetUse // of hardware that is emulated
	Fate    Fate
	Reason  Reason   // of what is not forwarded
	Lost    bool     // and the slow path would not get it either, at this moment
	MTU     uint16   // of FragNeeded: what would fit, bytes
	Cut     bool     // forwarded in fragments
	Told    []Reason // what the slow path is told of beside
	// MSS is what a TCP SYN's is lowered to, if it is larger; 0: nothing.
	MSS uint16
}

// MostWays is how many members of a group an Explanation tells of.
const MostWays = 64

// LabelUse is a look at a label.
type LabelUse struct {
	Label    uint32          `json:"label"`
	Known    bool            `json:"known"`
	Action   fib.LabelAction `json:"action"`
	VRF      fib.VRF         `json:"vrf"`      // of fib.LabelLookup
	Paths    []fib.AdjID     `json:"paths"`    // of the others
	Software bool            `json:"software"` // it has no room in the table of the hardware that is emulated
}

// RouteUse is a look at the routes.
type RouteUse struct {
	VRF      fib.VRF      `json:"vrf"`
	Found    bool         `json:"found"`
	Prefix   netip.Prefix `json:"prefix"` // the longest
	Paths    []fib.AdjID  `json:"paths"`  // a path as often as it has a share of the flows
	Chosen   fib.AdjID    `json:"chosen"`
	Software bool         `json:"software"` // as of a label
}

// FlowUse is what workers remember of a flow.
type FlowUse struct {
	Known  bool `json:"known"`
	Worker int  `json:"worker"`
	Stale  bool `json:"stale"` // routes have changed since: it is looked up again with the next packet
}

// Way is an adjacency that a packet leaves by, or was to.
type Way struct {
	Adj      fib.AdjID
	Kind     fib.AdjKind
	Port     fib.PortID
	Tunnel   fib.TunnelID // 0: a link
	VRF      fib.VRF      // of the interface; of AdjLookup the one that is looked at next
	NextHop  netip.Addr   // what it was resolved by, or is to be
	Peer     netip.Addr   // where the outer header leads
	PeerPort uint16       // of ESP in UDP
	Labels   []uint32     // that are pushed on the packet, outermost first
	Outside  []uint32     // by which the peer is reached, outermost first
	MTU      int          // of the packet, the labels above left out
	Limit    int          // longest packet that needs no second thought: fits the link too, with all headers
	LinkMTU  int          // of the outer packet; 0: no limit
	HasKey   bool         // GRE key
	Key      uint32
	Inner    int // bytes of GRE header and labels, or of a link's Ethernet header and labels
	Outer    int // bytes of outer IPv4 and UDP header
	MSS      uint16
	Seals    []SealUse // ESP before AH
	MustSeal bool      // protected, and no association: nothing leaves
	CopyDF   bool
	Resolve  bool // NHRP is asked for a better way now and then
	Network  uint32
	Left     bool    // a packet has left by it
	Reason   Reason  // why none did, where that is of the way
	Frames   []Frame // that left; of a group none is told apart
}

// SealUse is an association that a packet leaves by, or came by.
type SealUse struct {
	ID         fib.SAID
	Installed  bool
	AH         bool
	SPI        uint32
	Cipher     fib.Cipher
	KeyLen     int // bytes of the cipher's key, salt left out
	Auth       fib.Auth
	IV         int // bytes
	ICV        int // bytes
	Align      int // what is sealed is padded to so many bytes
	TunnelMode bool
	Encap      bool // ESP in UDP
	ESN        bool
	Local      netip.Addr
	Remote     netip.Addr
	RemotePort uint16
	Bytes      uint64 // carried so far
	Soft, Hard uint64 // bytes; 0: no limit
	Packets    uint64
	Expires    int64 // Unix seconds; 0 is not known
}

// Frame is what leaves a port, as far as anybody on the way can read it.
type Frame struct {
	Port     fib.PortID // that the link is on
	VLAN     uint16     // its tag; 0: none
	SrcMAC   [6]byte
	DstMAC   [6]byte
	Labels   []uint32   // outermost first
	Length   int        // of the IPv4 packet, bytes
	Src, Dst netip.Addr // zero: what is under the labels is not IPv4
	Proto    uint8
	TTL, TOS uint8
	DF       bool
	Offset   int // of a fragment, bytes
	More     bool
	SrcPort  uint16 // of ESP in UDP
	DstPort  uint16
	SPI      uint32 // of ESP or AH
}

// BudgetUse is what a packet takes of a budget.
type BudgetUse struct {
	Budget  fib.Budget `json:"budget"`
	Units   uint64     `json:"units"`
	Refused bool       `json:"refused"` // too little is left: the packet, or the punt, is lost
	Level   int64      `json:"level"`   // units that are left
	Rate    uint64     `json:"rate"`    // units a second; 0: no end
	Burst   uint64     `json:"burst"`
}

// ErrNoPort and ErrNoTunnel are of a packet that comes from nowhere.
var (
	ErrNoPort   = errors.New("no such port is installed")
	ErrNoTunnel = errors.New("no such tunnel is installed")
)

// Explain tells what would become of a packet at now (as Poll counts it), and changes nothing. Meanwhile the tables are not written: that takes a millisecond or so.
// ErrNoPort and ErrNoTunnel: it comes in nowhere. ErrTooLong: no worker has frames for it.
func (e *Engine) Explain(now int64, q Question) (Explanation, error) {
	if ip, fault := packet.ParseIPv4(q.Packet); fault != packet.OK || len(ip) != len(q.Packet) {
		return Explanation{}, fmt.Errorf("fastpath: explain: %d bytes that are no IPv4 packet: %s", len(q.Packet), ipFault[fault].Text())
	}
	t, err := e.tryOut(now, framesFor(&q))
	if err != nil {
		return Explanation{}, fmt.Errorf("fastpath: explain: %w", err)
	}
	defer t.end()
	x, err := t.explain(&q)
	if err != nil {
		return Explanation{}, fmt.Errorf("fastpath: explain: %w", err)
	}
	return x, nil
}

// Back is where packets to an address leave, and so where packets from there come in, if they come the same way.
type Back struct {
	Origin
	Prefix   netip.Prefix // the route
	Found    bool         // there is one
	Leads    bool         // and it leads out of the box, or is ours
	Labelled bool         // what goes there has labels inside: what comes from there comes with one of ours
}

// WayBack finds it by the routes of a VRF. A route that leads into another VRF is followed there.
func (e *Engine) WayBack(vrf fib.VRF, src netip.Addr) (b Back) {
	if !src.Is4() {
		return b
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return b
	}
	t, dst := e.tables, addrWordOf(src)
	b.VRF = vrf
	for range 2 {
		plen, ok := t.Longest(uint16(b.VRF), dst)
		if !ok {
			return b
		}
		b.Prefix, b.Found = netip.PrefixFrom(src, plen).Masked(), true
		id := t.Members(t.Lookup(uint16(b.VRF), dst))[0]
		if id == uint32(fib.Receive) {
			b.Own, b.Leads = true, true
			return b
		}
		a := t.Adj(id)
		switch {
		case a == nil || a.Kind == fib.AdjDrop:
			return b
		case a.Kind == fib.AdjLookup:
			b.VRF = fib.VRF(a.VRF)
			continue
		}
		b.Port, b.Tunnel, b.Leads, b.Labelled = fib.PortID(a.Out()), fib.TunnelID(a.Tunnel), true, a.Labels > 0
		if dst := a.OuterDst(); dst != 0 {
			b.Peer, b.PeerPort = wordAddr(dst), a.OuterPort()
		}
		return b
	}
	return b
}
