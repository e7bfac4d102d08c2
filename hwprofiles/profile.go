package hwprofiles

// Profile is what one set of hardware can do. A value that is not known (Fact.Known) restricts nothing.
type Profile struct {
	Name       string
	Platform   string // the chassis: "Catalyst 6500"
	Supervisor string // forwarding engine and route processor
	Module     string // crypto module; empty: none

	Forwarding     Forwarding
	RouteProcessor RouteProcessor
	FIB            FIB
	Adjacencies    Number
	NetFlow        NetFlow
	MPLS           MPLS
	Multicast      Multicast
	GRE            GRE
	MGRE           MGRE
	DMVPN          DMVPN
	Crypto         Crypto
	RateLimiters   RateLimiters

	// Values lists all that is known, in the order of the keys.
	Values []Value
}

// Fact is where a value comes from.
type Fact struct {
	Known bool
	// Found tells that the value stands in the source; else it is assumed, and the source says from what.
	Found  bool
	Source string
	File   string // the file that states it
	Line   int    // from 1
}

// Number is a quantity in the unit of its key.
type Number struct {
	Fact
	Value float64
}

// Int is the number, rounded down.
func (n Number) Int() int { return int(n.Value) }

// Over tells whether a count is more than the number, where that is known.
func (n Number) Over(count int) bool { return n.Known && float64(count) > n.Value }

// Flag is a yes or a no.
type Flag struct {
	Fact
	Yes bool
}

// No tells whether it is known that the answer is no.
func (f Flag) No() bool { return f.Known && !f.Yes }

// IsYes tells whether it is known that the answer is yes.
func (f Flag) IsYes() bool { return f.Known && f.Yes }

// Words is a list of names, or a single text.
type Words struct {
	Fact
	List []string
}

// Forwarding is what the hardware switches, in millions of packets a second.
type Forwarding struct {
	Bus        Number // all cards by the central engine, with fabric modules only
	ClassicBus Number // with one classic module in the chassis
	Fabric     Number // the whole chassis, with an engine on each card
	DFC        Number // one card's own engine
}

// RouteProcessor is what the software of the route processor forwards, in thousands of packets a second.
type RouteProcessor struct {
	CEF     Number // by its own express forwarding
	Process Number // packet by packet, in a process
	// Packets that wait for either; more are dropped.
	CEFQueue, ProcessQueue Number
}

// FIB is the routing table of the hardware: one pool of units of 72 bits.
type FIB struct {
	Units         Number // the pool
	IPMPLS        Number // entries for IPv4 and labels, unless split otherwise
	IPv6Multicast Number // entries for IPv6 and multicast, unless split otherwise
	MPLS          Number // entries for labels where the split is configured and says nothing of them
	// Units that one entry takes.
	IPv4Width, MPLSWidth, IPv6Width, MulticastWidth Number
	Exception                                       Number // packets a second to the route processor once the pool is full
}

// NetFlow is the table of flows that are counted.
type NetFlow struct {
	Entries   Number
	Effective Number // what the hash reaches
}

// MPLS is what is done with labels.
type MPLS struct {
	Hardware        Flag
	OverGRE         Flag // labels in GRE, without a service card
	TunnelRecursive Flag // a PE hub needs `mls mpls tunnel-recursive`
	AggregateLabels Number
	VRFs            Number
	Paths           Number
	Push, Pop       Number // labels a pass
	RecircCost      Number // what one more pass divides the rate by
}

// Multicast is what is done with multicast.
type Multicast struct {
	Routes       Number
	EncryptedGRE Flag
}

// GRE is what the hardware does with tunnels.
type GRE struct {
	UniqueSource Flag // each tunnel needs a source of its own
	Key          Flag // a tunnel key is switched in hardware
	Options      Flag // checksum and sequence number are
	Passes       Number
	VLANs        Number // internal VLANs, one a tunnel
}

// MGRE is which commands are supported on multipoint tunnels.
type MGRE struct {
	AdjustMSS, PreClassify, TunnelVRF, PathMTU Flag
}

// DMVPN is what the platform does as a member of one.
type DMVPN struct {
	Supported       Flag
	Phase3          Flag
	IPv6            Flag
	QoS             Flag  // on packets of the tunnels
	HubBehindNAT    Flag  // as a hub, and the hub of such a spoke
	PeerRelease     Words // what a peer of another platform needs, where a spoke is behind NAT
	BladeSwitchover Flag
	VRFAwareEIGRP   Flag
	IPMTU           Number // `ip mtu` of a multipoint tunnel that the route processor need not fragment for
}

// Crypto is the module, or what is without one.
type Crypto struct {
	Hardware      Flag
	Rate          Number // Gbit/s of large packets
	Tunnels       Number
	SetUp         Number // tunnels a second
	Ciphers       Words  // as in transform sets, without "esp-"
	GRE           Flag   // the module can do GRE, with any source
	Modules       Number // of a chassis
	Prefragmented Flag   // packets are cut before they are encrypted
}

// RateLimiters are the registers that protect the route processor.
type RateLimiters struct {
	L3, L2 Number
}

// Value is one value of a profile with its key, for showing.
type Value struct {
	Key  *Key
	Text string // the value as written, without the unit
	Any  any    // float64, bool or []string
	Fact
}
