// Package fib holds the nouns of forwarding: ports, tunnels, routes, adjacencies and groups as plain values,
// and Batch, a set of them to install together.
//
// It is the language between the slow path, which decides, and the engine, which forwards. Entries are
// values: whoever builds one keeps no pointer into the engine's tables, and applying the same entry twice
// changes nothing. Package fib imports nothing of nave's.
package fib

import "net/netip"

// VRF numbers a routing table. Zero is the global table.
type VRF uint16

// Global is the table of everything that no `ip vrf forwarding` puts elsewhere.
const Global VRF = 0

// PortID numbers a port, from 1. Zero means no port.
type PortID uint16

// TunnelID numbers a tunnel interface, from 1. Zero means no tunnel.
type TunnelID uint16

// AdjID numbers an adjacency. The slow path chooses the numbers, densely, from FirstAdj on.
type AdjID uint32

// Adjacencies that always exist.
const (
	Drop     AdjID = 0 // counted as no-route
	Receive  AdjID = 1 // one of our own addresses: to the host stack
	Null     AdjID = 2 // a route to Null0: dropped on purpose, no ICMP error
	FirstAdj AdjID = 16
)

// GroupID numbers a replication list, from 1. Zero means none.
type GroupID uint32

// SAID numbers one direction of a security association, densely from 1. Zero means none: packets leave in clear.
type SAID uint32

// ProtectionID numbers the tunnels that share their security associations: one tunnel with `tunnel protection`, or all
// of one profile and source with `shared`. Zero means none.
type ProtectionID uint32

// Port is a link that packets come from and leave by.
type Port struct {
	ID   PortID
	VRF  VRF
	MAC  [6]byte
	Addr netip.Addr // primary IPv4 address, source of ICMP errors; zero while it has none
	MTU  uint16     // largest IP packet the link takes, in bytes
	MSS  uint16     // `ip tcp adjust-mss`: clamp TCP SYNs in both directions; 0 leaves them
	// Group replicates multicast that a host or a protocol of this box sends out of the port. Zero for most ports.
	Group GroupID
	MPLS  bool // `mpls ip`: takes labelled packets
	// Parent and VLAN are of a subinterface: the port whose frames carry its own, with that 802.1Q tag (1 to 4094). It has no queues. All frames
	// that are not forwarded or ended here are punted for the host, which has no other way to them.
	Parent PortID
	VLAN   uint16
}

// Tunnel is a GRE tunnel interface as the receiving side needs it. A packet belongs to the tunnel whose
// OuterVRF, Local and key are those of the packet and whose Remote, if set, is its sender; a tunnel with a
// Remote wins over one without.
type Tunnel struct {
	ID       TunnelID
	VRF      VRF        // where decapsulated packets are routed (`ip vrf forwarding`)
	OuterVRF VRF        // where GRE packets arrive and leave (`tunnel vrf`)
	Local    netip.Addr // tunnel source
	Remote   netip.Addr // tunnel destination; the zero Addr for multipoint GRE
	Key      uint32     // `tunnel key`
	HasKey   bool       // false: only packets without a key are the tunnel's
	Addr     netip.Addr // the tunnel's own address, source of ICMP errors
	MTU      uint16     // `ip mtu`
	MSS      uint16     // `ip tcp adjust-mss`; 0 leaves SYNs alone
	Network  uint32     // NHRP network-id; tunnels of one network-id are one network. 0: no NHRP
	Redirect bool       // `ip nhrp redirect`: punt Redirect for what leaves by the network it came from
	Group    GroupID    // where transit multicast of the tunnel goes; 0 drops it
	// Protected tunnels take only packets that came out of an SA of this Protection (fail closed).
	Protected  bool
	Protection ProtectionID
	MPLS       bool // `mpls ip`: takes labelled packets
}

// AdjKind says what an adjacency does with a packet.
type AdjKind uint8

// The kinds. The zero value drops.
const (
	AdjDrop   AdjKind = iota
	AdjLink           // Outer is an Ethernet header; leaves by Port
	AdjTunnel         // Inner is GRE; Outer is Ethernet and IPv4; leaves by Port
	AdjGlean          // next hop not resolved yet: punted with reason Glean
	AdjLookup         // looked up again among the routes of the adjacency's VRF, once: a route that leaks from there
)

// Longest byte strings of an adjacency: Outer is Ethernet with a tag, MaxLabels label stack entries, IPv4 and UDP at most.
const (
	MaxInner = 32
	MaxOuter = 18 + 4*MaxLabels + 20 + 8
)

// Adjacency is how to reach one next hop: two byte strings and a key. Encapsulation is always: push Inner,
// seal if there is an SA, push Outer. All that is known before the packet comes stands in the strings; per packet
// only lengths, identification, TOS, DF and checksum of the outer header are filled in.
type Adjacency struct {
	ID     AdjID
	Kind   AdjKind
	Port   PortID
	Tunnel TunnelID // the tunnel interface it belongs to; 0 for a link
	VRF    VRF      // of the interface (for Glean and Resolve punts)
	Inner  []byte   // GRE header, as long as MaxInner at most; protocol field 0x0800
	SA     SAID     // outbound ESP; 0: none
	AH     SAID     // outbound AH, put on after Outer, over SA's packet where there is one; 0: none
	// Outer is the Ethernet header, of a subinterface with its 802.1Q tag; then, of a tunnel whose peer is reached along a label switched path, up to
	// MaxLabels label stack entries (the last with the bottom bit, TTL set, EXP zero and filled in from the outer TOS; the Ethernet type is then MPLS's); then for a
	// tunnel the outer IPv4 header (TTL set, DF clear, length and checksum zero; its protocol is GRE's,
	// and becomes ESP's, AH's or UDP's with the SA), then for ESP in UDP the UDP header (length and checksum zero).
	Outer []byte
	// Labels are pushed in front of the packet before Inner, outermost first: at most MaxLabels, whatever the packet is, with its EXP and TTL (RFC 3032).
	// Inner's and Outer's protocol fields become MPLS's by that.
	Labels []uint32
	// Pipe gives the labels that are new to the packet a TTL of 255 (`no mpls ip propagate-ttl`, RFC 3443 section 3.2). Otherwise it is the packet's.
	Pipe bool
	// MTU is the largest packet taken before Inner, Labels counted, bytes: `ip mtu` of the tunnel, or the link's MTU.
	MTU uint16
	// LinkMTU is the largest IP packet that Port takes, or labelled packet with its labels: those of Outer count, a tag does not. What is larger is fragmented after
	// encapsulation, each fragment with the labels.
	LinkMTU uint16
	MSS     uint16 // clamp TCP SYNs that leave here; 0 leaves them
	// CopyDF copies the inner DF bit outside (`tunnel path-mtu-discovery`); otherwise outer DF is clear.
	CopyDF bool
	// Network is the NHRP network the adjacency leads into. 0: none.
	Network uint32
	// Resolve forwards and also punts, once in a while per destination, so that NHRP looks for a direct path.
	Resolve bool
	// NextHop is what to resolve (Glean, Resolve). The zero Addr means the packet's own destination.
	NextHop netip.Addr
	// Expires is when the mapping ends that it was made of, Unix seconds, and Unique says that until then nobody else may have NextHop: for who finds it installed and does
	// not know where it came from. The engine does nothing about it. 0: not known.
	Expires int64
	Unique  bool
}

// Route sends a prefix of a VRF to one of up to MaxPaths adjacencies, chosen by a hash of the flow. Each path gets as many flows as any other; an adjacency that is
// to have more of them is there more than once.
type Route struct {
	VRF    VRF
	Prefix netip.Prefix // IPv4, masked
	Paths  []AdjID
}

// MaxPaths is how many paths a route can have.
const MaxPaths = 16

// RouteKey names a route to remove.
type RouteKey struct {
	VRF    VRF
	Prefix netip.Prefix
}

// Group is a replication list: a packet sent to it leaves once by each member.
type Group struct {
	ID      GroupID
	Members []AdjID
}

// Batch is entries to install and to remove, applied together. SAs come first and go last; labels and routes come last and go first. Removals come after installs, so that a batch
// can point routes elsewhere and then take away the adjacency they used. Removing what does not exist is no error. A number that was taken away should rest before it is given
// to something else: a worker that looked at a route in that moment follows the number.
type Batch struct {
	SAs         []SA
	Ports       []Port
	Tunnels     []Tunnel
	Adjacencies []Adjacency
	Groups      []Group
	Routes      []Route
	Labels      []Label

	DelRoutes      []RouteKey
	DelLabels      []uint32
	DelGroups      []GroupID
	DelAdjacencies []AdjID
	DelTunnels     []TunnelID
	DelPorts       []PortID
	DelSAs         []SAID
}

// Empty tells whether the batch says nothing.
func (b *Batch) Empty() bool {
	return len(b.SAs)+len(b.DelSAs)+len(b.Ports)+len(b.Tunnels)+len(b.Adjacencies)+len(b.Groups)+len(b.Routes)+len(b.Labels)+
		len(b.DelRoutes)+len(b.DelLabels)+len(b.DelGroups)+len(b.DelAdjacencies)+len(b.DelTunnels)+len(b.DelPorts) == 0
}

// Refusal is one entry of a batch that the engine did not install, and why (often ErrFull). The rest of the batch stands.
// Of the numbers the one of the entry is set and the others are zero, for whoever wants to try again.
type Refusal struct {
	What string // "route 0 10.1.0.0/24", "adjacency 17"
	Err  error

	Port   PortID
	Tunnel TunnelID
	Adj    AdjID
	Group  GroupID
	Route  RouteKey
	SA     SAID
	Label  uint32
}
