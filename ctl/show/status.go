// Package show turns what a box knows into the text that IOS shows, and into JSON. All operator text of nave is made
// here: the protocols report values.
//
// Every function is pure. The shapes of the text are those of the DMVPN guide for IOS 12.2SR, which scripts of many
// years read; what nave has beyond IOS (show fastpath) is its own.
package show

import (
	"time"

	"nave/bpf"
	"nave/fastpath"
	"nave/slowpath"
	"nave/slowpath/rib"
)

// Status is a copy of all that a box can show.
type Status struct {
	Time       time.Time
	Started    time.Time
	Version    string
	Hostname   string
	Running    string // the running configuration, in IOS form
	Problems   []Problem
	Router     slowpath.Status
	Fastpath   fastpath.Snapshot
	Ports      []Port
	Memory     []Memory
	Shares     []int                 // of the flows that are handed over: buckets of each worker
	Workers    []Process             // where they are processes of their own
	Interfaces map[string]Configured // what the configuration says of an interface and routing does not need
	Crypto     Crypto                // and of IKE and IPsec
	VRFs       []VRF                 // in the order of the configuration
	MPLS       MPLS
	Protocols  Protocols
	KeyChains  []KeyChain
	BGPAS      uint32    // of `router bgp`; 0: there is none
	Peers      []rib.Use // adjacencies of tunnels, to find their counters in Fastpath.Adjacencies
	Steering   bpf.Verdicts
	QueueLost  uint64    // punts and requests to Linux that found their queue full
	Hardware   *Hardware // that is emulated; nil: none
	System     System
	Usage      Usage
	Cleared    map[string]ClearedCount // by interface: since when it is counted
}

// Problem is something configured that is not carried out, and why.
type Problem struct {
	What string // "interface Tunnel0"
	Why  string
}

// Configured is what the configuration says of an interface.
type Configured struct {
	Description string
	Shutdown    bool
	DHCP        bool   // the address comes from a server
	Bandwidth   int    // kbit/s; 0: default
	Delay       int    // tens of microseconds; 0: default
	Source      string // tunnel source, as configured
	Multipoint  bool
	Profile     string // of tunnel protection
	Shared      bool   // with other tunnels of the same source
	MPLS        bool   // `mpls ip`
	BGPLabels   bool   // `mpls bgp forwarding`
	MPLSMTU     int    // bytes; 0: default
}

// Process is a worker that is a process of its own.
type Process struct {
	Worker   int
	PID      int // 0: there is none at the moment
	CPU      int // that it is tied to; -1: none
	Started  time.Time
	Restarts int  // times that it died and was started again
	Adopted  bool // the naved before had started it
}
