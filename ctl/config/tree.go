// Package config reads the IOS dialect that nave is configured in: text to a typed tree, checks with line
// numbers, the tree back to text, and the difference between two trees.
//
// The tree (Config and what hangs below it) says what somebody configured, no more. A zero value means "not
// configured"; methods such as NHRP.Hold and ISAKMPPolicy.Effective fill in the defaults. Nothing that runs
// keeps a part of the tree: each protocol has its own configuration struct, filled from here.
//
// The grammar is a table: one line of syntax a command, see package grammar. Parse reads a whole file, Apply a
// fragment on top of an existing tree, Check finds what is wrong with one or several routers, Running prints,
// Diff compares.
package config

import (
	"net/netip"
)

// Config is the configuration of one router.
type Config struct {
	Hostname string
	// Enable is the password of privileged exec, as written; empty means none.
	Enable Secret
	// EnableHashed is set where Enable was written with `secret 5|8|9`: a hash, not the password itself.
	EnableHashed int

	VRFs       []*VRF       // by name
	Interfaces []*Interface // by kind, then number; names are canonical ("Tunnel0", "Ethernet0/0.10")

	StaticRoutes []StaticRoute
	KernelImport []KernelImport // `ip route import kernel`: nave's own

	ISAKMP ISAKMP
	IKEv2  IKEv2
	IPsec  IPsec
	PKI    PKI

	BGP       *BGP
	EIGRP     []*EIGRP
	KeyChains []*KeyChain

	AccessLists []*AccessList
	PrefixLists []*PrefixList
	RouteMaps   []*RouteMap

	MPLS          MPLS
	Logging       Logging
	CallAdmission CallAdmission
	Platform      Platform
	Fastpath      Fastpath
	Hosts         []Host // `ip host`

	// Ignored holds the commands that are understood and have no effect here, as canonical text, so that they
	// print again.
	Ignored []Ignored
	// Asides holds those and the refused ones with their places, for checks that want to know of them. Equality of trees
	// ignores it, and it does not print.
	Asides []Aside

	Lines Lines
}

// Pos is where something was written. Equality of trees ignores it.
type Pos struct {
	File   string
	Line   int // from 1; 0 where unknown
	Column int // from 1, in bytes
}

// Lines remembers where the commands of one mode stand, keyed by the leading keywords of the command
// ("tunnel source") and, unless it has free text or a key in it, by the whole command. Equality of trees ignores it.
type Lines map[string]Pos

// Ignored is one command without effect, with the lines of its mode if it opens one (`line con 0`).
type Ignored struct {
	Text string // canonical, "no ..." included
	Sub  []string
}

// Toggle is a setting whose default is not the same in every release: on, off, or not configured.
type Toggle int8

// The states of a Toggle.
const (
	Unset Toggle = iota
	On
	Off
)

// Or returns whether the toggle is on, def where it is not configured.
func (t Toggle) Or(def bool) bool {
	if t == Unset {
		return def
	}
	return t == On
}

// VRF is `ip vrf NAME` or `vrf definition NAME`.
type VRF struct {
	Name string
	// Definition is set for the newer form, whose route targets stand in `address-family ipv4`.
	Definition  bool
	Description string
	RD          RD // zero: none
	Import      []RD
	Export      []RD
	ImportMap   string
	ExportMap   string
	Pos         Pos
	Lines       Lines
}

// RD is a route distinguisher or a route target, as configured: an administrator (an AS number or an IPv4
// address) and a number (RFC 4364 section 4.2, RFC 4360).
type RD struct {
	AS     uint32     // where Addr is not set
	Addr   netip.Addr // the IPv4 administrator
	Number uint32
}

// StaticRoute is `ip route [vrf NAME] PREFIX MASK ...`.
type StaticRoute struct {
	VRF       string // empty: the global table
	Prefix    netip.Prefix
	NextHop   netip.Addr // zero where only an interface is named
	Interface string     // canonical; "Null0" drops
	Global    bool       // the next hop is looked up in the global table
	DHCP      bool       // the next hop is the gateway that DHCP gave
	Distance  uint8      // 0: default, 1
	Tag       uint32
	Name      string
	Permanent bool
	Pos       Pos
}

// KernelImport is `ip route import kernel [vrf NAME] [distance N]`: routes that others put into the kernel's
// table enter nave's. It is nave's own command.
type KernelImport struct {
	VRF      string
	Distance uint8 // 0: that of the protocol that put the route there
}

// Host is `ip host NAME ADDRESS`.
type Host struct {
	Name string
	Addr netip.Addr
}

// CallAdmission limits how many IKE negotiations are taken.
type CallAdmission struct {
	Load          int // `call admission limit PERCENT`: of system load, 1 to 100; 0: no limit
	SA            int // `crypto call admission limit ike sa N`; 0: no limit
	InNegotiation int // `crypto call admission limit ike in-negotiation-sa N`; 0: no limit
}

// Platform is what `platform hardware profile` and the `mls` commands say about emulated hardware.
type Platform struct {
	HardwareProfile string
	TunnelRecursive bool // `mls mpls tunnel-recursive`
	TunnelRecir     bool // `mls mpls tunnel-recir`
	// MaximumRoutes is `mls cef maximum-routes {ip|mpls|ip-multicast|ipv6} THOUSANDS`.
	MaximumRoutes map[string]int
}

// Fastpath is nave's own section: how packets are polled.
type Fastpath struct {
	Workers string // "process" or "thread"; empty: default
	Poll    string // "strict" or "adaptive"; empty: default, adaptive
	CPUs    []int  // `fastpath cpu LIST`, ascending
	Count   int    // `fastpath workers count N`; 0: one a port queue or CPU
	// QueueDepth is `fastpath ring N`: descriptors of each AF_XDP ring, a power of two. 0: default.
	QueueDepth int
	HandOver   string // `fastpath hand-over`: "auto", "on" or "off"; empty: default, auto
	Spread     string // `fastpath spread`: "auto", "rss", "ntuple" or "off"; empty: default, auto
	// Flows is `fastpath flows NUMBER`: how many flows a worker remembers. 0: none.
	Flows int
	// BusyPoll is `fastpath busy-poll MICROSECONDS [budget PACKETS]`. 0: off; a budget of 0: default.
	BusyPoll, BusyBudget int
}
