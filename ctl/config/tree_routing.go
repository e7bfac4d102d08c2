package config

import (
	"net/netip"
	"time"
)

// BGP is `router bgp AS`.
type BGP struct {
	AS               uint32
	RouterID         netip.Addr
	ClusterID        netip.Addr
	LogChanges       Toggle // `bgp log-neighbor-changes`
	DefaultIPv4      Toggle // `bgp default ipv4-unicast`; default on
	LocalPreference  uint32 // `bgp default local-preference`; 0: default, 100
	GracefulRestart  bool
	RestartTime      time.Duration // 0: default, 120 s
	StalePathTime    time.Duration // 0: default, 360 s
	AlwaysCompareMED bool
	Internal         bool // `bgp redistribute-internal`
	Timers           BGPTimers
	// Neighbors are the sessions of the global table, Groups the peer groups.
	Neighbors []*BGPNeighbor
	// Families: IPv4 unicast of the global table is here once something was said about it, at the top or
	// under `address-family ipv4`.
	Families []*BGPFamily
	Pos      Pos
	Lines    Lines
}

// BGPTimers is keepalive and hold time. Zero: default, 60 and 180 s.
type BGPTimers struct {
	Keepalive, Hold time.Duration
	Set             bool
}

// BGPNeighbor is a session, or a peer group where Addr is not valid.
type BGPNeighbor struct {
	Addr         netip.Addr
	Group        string // the peer group's own name
	RemoteAS     uint32
	PeerGroup    string // the group that a session belongs to
	Description  string
	UpdateSource string // canonical interface name
	Password     Secret // TCP MD5 (RFC 2385)
	Timers       BGPTimers
	MultiHop     int // `ebgp-multihop`; 0: none
	Shutdown     bool
	LocalAS      uint32
	BFD          bool // `fall-over bfd`
	Pos          Pos
	Lines        Lines
}

// ID is the address or the group name, as written after `neighbor`.
func (n *BGPNeighbor) ID() string {
	if n.Addr.IsValid() {
		return n.Addr.String()
	}
	return n.Group
}

// BGPFamily is `address-family ...` of BGP.
type BGPFamily struct {
	Family                                            string         // "ipv4", "vpnv4", "vpnv6"
	VRF                                               string         // of ipv4
	Neighbors                                         []*BGPNeighbor // sessions inside the VRF
	Policies                                          []*BGPPolicy   // what is said about neighbours in this family
	Networks                                          []BGPNetwork
	Aggregates                                        []BGPAggregate
	Redistribute                                      []Redistribute
	Synchronization                                   Toggle
	AutoSummary                                       Toggle
	DefaultOriginate                                  bool // `default-information originate`
	MaximumPaths                                      int  // 0: default, 1
	MaximumPathsIBGP                                  int
	DistanceExternal, DistanceInternal, DistanceLocal uint8 // 0: defaults 20, 200, 200
	Pos                                               Pos
	Lines                                             Lines
}

// BGPPolicy is what one family says about one neighbour.
type BGPPolicy struct {
	Neighbor                    string // BGPNeighbor.ID
	Activate                    Toggle
	SendStandard                bool // `send-community`
	SendExtended                bool // `send-community extended`
	ReflectorClient             bool
	NextHopSelf                 bool
	NextHopSelfAll              bool
	NextHopUnchanged            bool
	RouteMapIn, RouteMapOut     string
	PrefixListIn, PrefixListOut string
	DistributeIn, DistributeOut string
	SoftReconfiguration         bool
	DefaultOriginate            bool
	DefaultOriginateMap         string
	MaximumPrefix               int
	MaximumPrefixWarningOnly    bool
	AllowASIn                   int
	AsOverride                  bool
	SiteOfOrigin                RD
	RemovePrivateAS             bool
	Weight                      int
	Pos                         Pos
}

// BGPNetwork is `network PREFIX [mask MASK] [route-map NAME]`.
type BGPNetwork struct {
	Prefix   netip.Prefix
	RouteMap string
}

// BGPAggregate is `aggregate-address PREFIX MASK [summary-only] [as-set]`.
type BGPAggregate struct {
	Prefix      netip.Prefix
	SummaryOnly bool
	ASSet       bool
}

// Redistribute is `redistribute PROTOCOL [ID] [route-map NAME] [metric ...]`.
type Redistribute struct {
	Protocol  string // "connected", "static", "eigrp", "bgp", "ospf", "rip", "kernel"
	ID        uint32 // AS or process number of eigrp, bgp, ospf
	RouteMap  string
	Metric    []uint32 // one for BGP; bandwidth, delay, reliability, load, MTU for EIGRP
	HasMetric bool
}

// EIGRP is one process: classic (`router eigrp AS`) or named (`router eigrp NAME`).
type EIGRP struct {
	AS   uint16 // classic
	Name string // named
	// Families of a classic process: the global table (VRF "") first, always there; of a named one: as
	// configured.
	Families []*EIGRPFamily
	Shutdown bool // named
	Pos      Pos
	Lines    Lines
}

// EIGRPFamily is EIGRP in one table.
type EIGRPFamily struct {
	VRF                                string
	AS                                 uint16 // 0: `autonomous-system` is missing
	RouterID                           netip.Addr
	Networks                           []EIGRPNetwork
	AutoSummary                        Toggle
	PassiveDefault                     bool
	Passive                            []string // canonical interface names
	NotPassive                         []string // `no passive-interface` where the default is passive
	Neighbors                          []EIGRPNeighbor
	Stub                               EIGRPStub
	Variance                           int // 0: default, 1
	MaximumPaths                       int // 0: default, 4
	Redistribute                       []Redistribute
	DefaultMetric                      []uint32 // five values
	Distribute                         []DistributeList
	DistanceInternal, DistanceExternal uint8         // 0: defaults 90, 170
	LogChanges                         Toggle        // `eigrp log-neighbor-changes`
	LogWarnings                        Toggle        // `eigrp log-neighbor-warnings`
	ActiveTime                         time.Duration // `timers active-time`; 0: default, 180 s
	ActiveDisabled                     bool          // `timers active-time disabled`
	Weights                            []int         // `metric weights TOS K1 .. K5 [K6]`
	MaximumHops                        int           // `metric maximum-hops`; 0: default, 100
	Shutdown                           bool
	Interfaces                         []*EIGRPNamedInterface // named mode
	Pos                                Pos
	Lines                              Lines
}

// EIGRPNetwork is `network ADDRESS [WILDCARD]`.
type EIGRPNetwork struct {
	Prefix   netip.Prefix
	Classful bool // no wildcard was written: the class's mask
}

// EIGRPNeighbor is `neighbor ADDRESS INTERFACE`: hellos by unicast.
type EIGRPNeighbor struct {
	Addr      netip.Addr
	Interface string
}

// EIGRPStub is `eigrp stub ...`.
type EIGRPStub struct {
	Enabled                                                bool
	Connected, Static, Summary, Redistributed, ReceiveOnly bool
	LeakMap                                                string
}

// DistributeList is `distribute-list {ACL|prefix NAME|route-map NAME} {in|out} [INTERFACE|PROTOCOL]`.
type DistributeList struct {
	AccessList, PrefixList, RouteMap string
	Out                              bool
	Interface                        string
	Protocol                         string // of `out`: what is redistributed from there; as in Redistribute
	ID                               uint32 // of it
}

// EIGRPNamedInterface is `af-interface {default|INTERFACE}`.
type EIGRPNamedInterface struct {
	Name string // "default" or canonical
	EIGRPInterface
	Pos   Pos
	Lines Lines
}

// KeyChain is `key chain NAME`.
type KeyChain struct {
	Name string
	Keys []*Key
	Pos  Pos
}

// Key is one key of a chain.
type Key struct {
	ID     uint32
	String Secret
	// Send and Accept are lifetimes as ParseKeyLifetime reads them; empty: always.
	Send, Accept string
}

// AccessList is a standard or an extended list, named or numbered.
type AccessList struct {
	Name     string
	Extended bool
	Entries  []AccessEntry
	Pos      Pos
}

// AccessEntry is one line of an access list.
type AccessEntry struct {
	Seq         int
	Remark      string // a remark has nothing else
	Permit      bool
	Protocol    string // extended: "ip", "tcp", "udp", "icmp", "gre", "esp", "ahp", "eigrp", ... or a number
	Source      AddressMatch
	SrcPort     PortMatch
	Dest        AddressMatch
	DstPort     PortMatch
	ICMPType    string // "echo", ... or a number
	Established bool
	Fragments   bool
	Log         bool
}

// AddressMatch is `any`, `host A` or `A WILDCARD`.
type AddressMatch struct {
	Addr     netip.Addr // zero: any
	Wildcard netip.Addr // bits set are not compared
}

// PortMatch is `eq N`, `range N M` and so on.
type PortMatch struct {
	Op       string // "eq", "neq", "lt", "gt", "range"; empty: any
	From, To uint16
}

// PrefixList is `ip prefix-list NAME`.
type PrefixList struct {
	Name        string
	Description string
	Entries     []PrefixEntry // by sequence number
	Pos         Pos
}

// PrefixEntry is one line of a prefix list.
type PrefixEntry struct {
	Seq    int
	Permit bool
	Prefix netip.Prefix
	GE, LE int // 0: none
}

// RouteMap is `route-map NAME`.
type RouteMap struct {
	Name    string
	Clauses []*RouteMapClause // by sequence number
	Pos     Pos
}

// RouteMapClause is `route-map NAME {permit|deny} SEQ`.
type RouteMapClause struct {
	Seq         int
	Permit      bool
	Description string
	Continue    int // 0: none

	MatchACL       []string // `match ip address`
	MatchPrefix    []string // `match ip address prefix-list`
	MatchNextHop   []string
	MatchNextHopPL []string
	MatchInterface []string
	MatchTag       []uint32
	MatchMetric    []uint32

	SetNextHop      netip.Addr
	SetNextHopSelf  bool
	SetNextHopPeer  bool // `set ip next-hop peer-address`
	SetLocalPref    *uint32
	SetMetric       *uint32
	SetMetricEIGRP  []uint32 // bandwidth, delay, reliability, load, MTU
	SetTag          *uint32
	SetWeight       *uint32
	SetCommunity    []string
	SetCommunityAdd bool
	SetExtRT        []RD
	SetExtRTAdd     bool
	SetPrepend      []uint32
	SetOrigin       string // "igp", "incomplete"

	Pos   Pos
	Lines Lines
}

// MPLS is the global `mpls ...` part.
type MPLS struct {
	Off                bool   // `no mpls ip`
	LabelProtocol      string // "ldp" or "tdp" (refused); empty: default, ldp
	RangeMin, RangeMax int    // `mpls label range`; 0: default, 16 to 1048575
	LDPRouterID        string // interface
	LDPForce           bool
	LDPHoldTime        time.Duration // session; 0: default, 180 s
	HelloHold          time.Duration // 0: default, 15 s
	HelloInterval      time.Duration // 0: default, 5 s
	LDPPasswords       []LDPPassword
	GracefulRestart    bool
	NoPropagateTTL     bool // `no mpls ip propagate-ttl`
	LabelModes         []LabelMode
}

// LDPPassword is `mpls ldp neighbor ADDRESS password SECRET`.
type LDPPassword struct {
	Neighbor netip.Addr
	VRF      string
	Password Secret
}

// LabelMode is `mpls label mode {vrf NAME|all-vrfs} protocol bgp-vpnv4 {per-prefix|per-vrf}`.
type LabelMode struct {
	VRF  string // empty: all
	Mode string // "per-prefix" (default) or "per-vrf"
}
