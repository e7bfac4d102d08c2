package rib

import (
	"net/netip"

	"nave/fastpath/fib"
)

// LabelUse says what packets that come with a label of ours are for. One of the three is set.
type LabelUse struct {
	// Lookup: the label is a VRF's, whose routes decide (per-VRF labels, and connected prefixes).
	Lookup bool
	// Forward: by the route that the VRF has for Prefix, without a look at others (per-prefix labels).
	Forward bool
	// Swap: as the route of Prefix in the global table goes (LDP), or, with Hop.Addr, to that next hop with its labels (BGP).
	Swap bool

	VRF    fib.VRF
	Prefix netip.Prefix
	Hop    NextHop
}

// LabelEntry is a label of ours as it stands, for show output.
type LabelEntry struct {
	In uint32
	LabelUse
	// Paths are where it leads now; none: nowhere, its packets are dropped.
	Paths []LabelPath
	// Leaves: of a label that is swapped, the packets leave the labelled network, as no next hop has told a label for the prefix. What is IPv4 under the label goes on.
	Leaves bool
}

// LabelPath is one way on: the labels that packets leave with (none: popped) by Iface to Addr.
type LabelPath struct {
	Out   []uint32
	Iface string
	Addr  netip.Addr
}

// Path is a route as the fast path has it, for `show ip cef`.
type Path struct {
	LabelPath
	Adjacency fib.AdjID
	NextHop   netip.Addr // before it was resolved
	Slots     int        // of several paths: how many of the route's slots are this one's; each is for as many flows as any other
}
