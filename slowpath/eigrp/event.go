package eigrp

import (
	"net/netip"

	"nave/slowpath/eigrp/eigrpmsg"
)

// Event is something that happened; Handle takes one at a time. The types of this file are all there are.
type Event interface{ event() }

// PacketReceived is a packet of IP protocol 88, without its IP header. The machine keeps no part of Payload.
type PacketReceived struct {
	Iface     string
	From      netip.Addr
	Multicast bool // it came to 224.0.0.10
	Payload   []byte
}

// InterfaceState is what an interface of the routing table is like now. One that went away is down, without addresses.
type InterfaceState struct {
	Name        string
	Up          bool
	Addrs       []netip.Prefix // address and length of its subnet; the primary one first
	Unnumbered  bool           // the addresses are another interface's (`ip unnumbered`): there is no subnet, and neighbors have any address
	Bandwidth   uint64         // kbit/s
	Delay       uint64         // tens of microseconds
	Reliability uint8          // of 255; 0 counts as 255
	Load        uint8          // of 255; 0 counts as 1
	MTU         int            // of IP, bytes; 0 counts as 1500
}

// ExternalRoute is a route of another protocol.
type ExternalRoute struct {
	Prefix      netip.Prefix
	Bandwidth   uint64 // kbit/s
	Delay       uint64 // tens of microseconds
	Reliability uint8
	Load        uint8
	MTU         uint32
	Protocol    eigrpmsg.Protocol
	AS          uint32 // of the protocol
	Metric      uint32 // of the protocol
	Tag         uint32
	Distance    uint8 // administrative distance by which the RIB has it: neighbors' routes of a lesser one go before it. 0: none do

	// Internal: it is told as an internal route, and what is said of the other protocol is of no meaning. FromCommunities makes such ones.
	Internal  bool
	Router    netip.Addr      // who brought it into EIGRP; the zero Addr: this router
	Vector    eigrpmsg.Metric // with HasVector: the metric, in the classic form, in place of Bandwidth to MTU
	HasVector bool
}

// Redistributed are routes that are new or not as they were, and prefixes that have none any more.
type Redistributed struct {
	Changed []ExternalRoute
	Gone    []netip.Prefix
}

// Complete says that all has been Redistributed that was awaited (Config.Awaiting).
type Complete struct{}

// Clear ends neighbors and lets them start anew (`clear ip eigrp neighbors`). Zero values: all.
type Clear struct {
	Neighbor netip.Addr
	Iface    string
}

// Leave ends the neighbors of an interface and tells them so, as it is about to go down in an orderly way. The next InterfaceState of it, or Configure, has
// it talk again if it did not.
type Leave struct{ Iface string }

// Shutdown ends all neighbors, telling them, and takes all routes back. The next Configure starts again; events before it are of no use.
type Shutdown struct{}

// Tick does what is due. Give it when Deadline has come; at another time it does nothing wrong.
type Tick struct{}

func (PacketReceived) event() {}
func (InterfaceState) event() {}
func (Redistributed) event()  {}
func (Complete) event()       {}
func (Clear) event()          {}
func (Leave) event()          {}
func (Shutdown) event()       {}
func (Tick) event()           {}
