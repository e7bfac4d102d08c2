package slowpath

import (
	"net/netip"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// EIGRPKey names a process of EIGRP: its routing table and autonomous system.
type EIGRPKey struct {
	VRF fib.VRF
	AS  uint16
}

// EIGRP is one process of EIGRP in one table. Key.AS and Run.AS are the same. What is known of interfaces the Router tells it.
type EIGRP struct {
	Key          EIGRPKey
	Name         string // of named mode, `router eigrp NAME`; "": classic
	Quiet        bool   // `no eigrp log-neighbor-changes`
	NoWarnings   bool   // `no eigrp log-neighbor-warnings`
	Run          eigrp.Config
	Redistribute []EIGRPSource
	// Policy stands for what the functions in Run and Redistribute say: they say the same as long as it is the same. "": there are none.
	Policy string
}

// EIGRPSource is `redistribute` of EIGRP: routes of the same table that another protocol has there.
type EIGRPSource struct {
	Source  rib.Source
	Process uint32 // of Source EIGRP: its AS; else 0
	Set     EIGRPAttributes
	// Permit tells which prefixes, and with what, for `route-map`; nil: all, with Set. A tag that the map does not set is the route's.
	Permit func(p netip.Prefix, r *rib.Route) (EIGRPAttributes, bool)
}

// EIGRPAttributes are what a route is redistributed with.
type EIGRPAttributes struct {
	// Bandwidth is in kbit/s, Delay in tens of microseconds, MTU in bytes. HasMetric: by `metric`, a route-map or `default-metric`. Without it connected and static routes
	// get the metric of the interface that they leave by, EIGRP routes keep theirs, routes of BGP that bring EIGRP's communities have theirs, and others are not redistributed.
	Bandwidth, Delay  uint64
	Reliability, Load uint8
	MTU               uint32
	HasMetric         bool
	Tag               uint32
	HasTag            bool
}

// KernelImport is `ip route import kernel` of a table, or what `redistribute kernel` means: routes that others put into the kernel's table of the namespace are routes of nave's.
type KernelImport struct {
	Distance uint8 // administrative distance; 0: that of the protocol that put the route there
}

// KernelRoute is a route of the kernel's main table that somebody else put there: the best of its prefix there.
type KernelRoute struct {
	VRF      fib.VRF
	Prefix   netip.Prefix
	Protocol uint8         // the kernel's number: rtm_protocol
	Metric   uint32        // the kernel's priority
	Hops     []rib.NextHop // by interfaces of nave's; none, and not Discard: by others, and of no use
	Discard  bool          // blackhole, unreachable or prohibit
	Gone     bool          // there is none any more; only VRF and Prefix are set
}

// EIGRPStatus is what a process of EIGRP is like and knows, for show output.
type EIGRPStatus struct {
	Key                                       EIGRPKey
	Name                                      string // of named mode
	Running                                   bool
	RouterID                                  netip.Addr
	Wide                                      bool     // named mode: wide metrics
	K                                         [6]uint8 // the constants of the metric
	Variance, MaximumPaths, MaximumHops       int
	Internal, External                        uint8 // administrative distances
	ActiveTime                                time.Duration
	ActiveDisabled                            bool
	AutoSummary                               bool
	Stub                                      bool
	Connected, Static, Summary, Redistributed bool // what a stub tells of
	ReceiveOnly                               bool
	Sources                                   []EIGRPSourceStatus
	Neighbors                                 []eigrp.NeighborStatus
	Interfaces                                []eigrp.InterfaceStatus
	Topology                                  []eigrp.TopologyStatus // where it was asked for
	Traffic                                   eigrp.Traffic
}

// EIGRPSourceStatus is a source that is redistributed.
type EIGRPSourceStatus struct {
	Source  rib.Source
	Process uint32
	Routes  int // of it that are taken
}
