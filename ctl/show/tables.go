package show

import (
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// Table names what a Query asks for.
type Table string

// The tables. They can be large, or take a walk to find, so they are no part of a Status.
const (
	TableRoutes     Table = "routes"       // of a VRF
	TableCEF        Table = "cef"          // what packets to Dest take
	TableLabels     Table = "labels"       // labels of ours
	TableLDP        Table = "ldp"          // neighbours and discovery
	TableBindings   Table = "ldp bindings" // of LDP
	TableBGP        Table = "bgp"          // BGP itself and its neighbours
	TableNeighbours Table = "bgp neighbors"
	TablePaths      Table = "bgp paths"
	TableEIGRP      Table = "eigrp"          // processes of EIGRP with neighbors, interfaces and traffic
	TableTopology   Table = "eigrp topology" // with topology, or what it says of Dest
	TableARP        Table = "arp"            // neighbours on links, in all VRFs or (GlobalVRF: none) one
)

// Query asks for a table. What is left out selects everything.
type Query struct {
	Table Table `json:"table"`
	// VRF is a VRF's name; empty: the global table. Of BGP's VPN paths: only those that are in the VRF. AllVRFs is for EIGRP.
	VRF string `json:"vrf,omitempty"`
	// Dest is a prefix (Exact), or a host's address as a prefix of full length, for which the longest match is wanted.
	Dest  netip.Prefix `json:"dest,omitzero"`
	Exact bool         `json:"exact,omitempty"`
	// Neighbour is of BGP; with From it says which of its paths are wanted.
	Neighbour netip.Addr `json:"neighbor,omitzero"`
	From      PathsOf    `json:"from,omitempty"`
	Family    bgp.Family `json:"family,omitempty"` // of paths
	RD        bgp.RD     `json:"rd,omitempty"`     // of VPN paths; 0: all
	AS        uint16     `json:"as,omitempty"`     // of EIGRP; 0: all
}

// PathsOf says which paths of a neighbour are wanted.
type PathsOf string

// What there is of a neighbour.
const (
	Received   PathsOf = "received"   // as it sent them, before the policies
	Accepted   PathsOf = "accepted"   // what the policies let in
	Advertised PathsOf = "advertised" // what it is sent
)

// Answer is what a Query finds.
type Answer struct {
	Routes     []rib.Route            `json:",omitempty"`
	CEF        *CEF                   `json:",omitempty"` // nil: no route
	Labels     []Label                `json:",omitempty"`
	LDP        *slowpath.LDPStatus    `json:",omitempty"` // Bindings only of TableBindings
	BGP        *bgp.Status            `json:",omitempty"`
	Neighbours []bgp.NeighbourStatus  `json:",omitempty"` // with all counts
	Paths      []bgp.PathStatus       `json:",omitempty"`
	Hops       []Hop                  `json:",omitempty"` // next hops of VPN paths that can't be used
	EIGRP      []slowpath.EIGRPStatus `json:",omitempty"`
	ARP        []Neighbour            `json:",omitempty"`
}

// Label is a label of ours.
type Label struct {
	rib.LabelEntry
	Count fastpath.Count // of what came with it
	RD    bgp.RD         // of a VPN prefix of others; 0: not known, or none
}

// CEF is what packets to a destination take.
type CEF struct {
	Prefix       netip.Prefix
	Paths        []CEFPath
	Local        uint32 // label of ours for it, with HasLocal
	HasLocal     bool
	Dependencies int // next hops that are resolved by it
}

// CEFPath is one way.
type CEFPath struct {
	rib.Path
	Through netip.Prefix // the route by which NextHop was resolved; zero: it stands on the interface
	Leak    string       // the VRF in which the packet is looked up again
}

// Hop is a next hop of VPN paths that labelled packets don't come to, and why.
type Hop struct {
	Addr netip.Addr
	Why  rib.Reach
}

// reachText says why packets can't go to a next hop.
func reachText(r rib.Reach) string {
	switch r {
	case rib.ReachNoRoute:
		return "no route to it"
	case rib.ReachNoMPLS:
		return "the interface to it has no `mpls ip`"
	case rib.ReachNoLabel:
		return "no label for the route to it: does LDP run with the neighbor on the way?"
	}
	return ""
}

// Errors of queries.
var (
	ErrNoBGP = errors.New("% BGP not active")
	ErrNoLDP = errors.New("% LDP is not running: no interface of the global table has `mpls ip`, or there is no router ID")
)

// ErrNoNeighbour says that there is no such neighbour of BGP.
func ErrNoNeighbour(vrf string, a netip.Addr) error {
	where, list := "", "show ip bgp summary"
	if vrf != "" {
		where, list = " in VRF "+vrf, "show ip bgp vpnv4 vrf "+vrf+" summary"
	}
	return fmt.Errorf("%% No such neighbor or address family: %s%s; `%s` lists them", a, where, list)
}

// UnknownInterface says that there is no interface of a name.
func UnknownInterface(name string) error {
	return fmt.Errorf("there is no interface %s; `show interfaces` lists them", name)
}

// ErrNoBGPInVRF says that BGP has no part in a VRF.
func ErrNoBGPInVRF(name string) error {
	return fmt.Errorf("VRF %s has no part in BGP: say `rd` in it, and `address-family ipv4 vrf %s` under `router bgp`", name, name)
}

// ErrNoTable says that a query asks for something that is none.
func ErrNoTable(t Table) error { return fmt.Errorf("there is no table %q", t) }

// ErrNoLDPNeighbor says that there is no LDP neighbor with a router ID.
func ErrNoLDPNeighbor(id netip.Addr) error {
	return fmt.Errorf("%% No LDP neighbor %s; `show mpls ldp neighbor` lists them", id)
}
