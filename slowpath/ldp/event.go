package ldp

import "net/netip"

// Event is something that happened; Handle takes one at a time. The types of this file are all there are.
type Event interface{ event() }

// Conn names a TCP connection.
type Conn uint64

// Inbound is set in the names that the driver gives to connections that it accepted, and in none of the machine's own (Connect). A name is not used again.
const Inbound Conn = 1 << 63

// HelloReceived is a datagram to 224.0.0.2 and UDP port 646, without its headers. The machine keeps no part of Payload.
type HelloReceived struct {
	Iface   string
	From    netip.Addr
	Payload []byte
}

// Connected says that a Connect succeeded. Signed: each segment is checked by the key that the Connect had. A neighbor that has a key gets no session otherwise.
type Connected struct {
	Conn          Conn
	Local, Remote netip.AddrPort
	Signed        bool
}

// Accepted is a connection that was made to a Listen address. Signed: each segment is checked by the Key of its peer, which the listener had when the connection
// was made.
type Accepted struct {
	Conn          Conn
	Local, Remote netip.AddrPort
	Signed        bool
}

// Data is what came by a connection, in order, cut in any way. The machine keeps no part of Bytes.
type Data struct {
	Conn  Conn
	Bytes []byte
}

// Closed says that a connection ended, whoever ended it, or that a Connect failed. It may be given after a Close, too.
type Closed struct{ Conn Conn }

// InterfaceState is what an interface of the routing table is like now, whether it has `mpls ip` or not. One that went away is down, without addresses.
type InterfaceState struct {
	Name  string
	Up    bool
	Addrs []netip.Addr // the primary one first
}

// Source says where a route is from.
type Source uint8

// The sources.
const (
	FromConnected Source = iota // also addresses of loopbacks; implicit null
	FromStatic
	FromIGP
	FromBGP // the same as none: BGP gives labels itself
)

// NextHop is one path of a route.
type NextHop struct {
	Iface string
	Addr  netip.Addr // the zero Addr: none, on the link itself
}

// Route is a route of the RIB.
type Route struct {
	Prefix   netip.Prefix
	Source   Source
	NextHops []NextHop
}

// Routes are routes that are new or not as they were, and prefixes that have none any more. Much in one event makes fewer, fuller PDUs.
type Routes struct {
	Changed []Route
	Gone    []netip.Prefix
}

// Inherited are labels of ours that the fast path has from the process before. Give them after the first Configure, which says the range,
// and before the first Routes. Where the prefix of one is not known, the zero Prefix: nobody gets the label within the grace time.
// It also says that all this serves for two minutes more, which neighbors are told if there is graceful restart.
type Inherited struct{ Labels []LocalLabel }

// Clear ends sessions and lets them start anew at once (`clear mpls ldp neighbor`).
type Clear struct{ Neighbor netip.Addr } // router ID; the zero Addr: all

// Shutdown ends all sessions, telling the peers, and takes all labels back. The next Configure starts again.
type Shutdown struct{}

// Tick does what is due. Give it when Deadline has come; at another time it does nothing wrong.
type Tick struct{}

func (HelloReceived) event()  {}
func (Connected) event()      {}
func (Accepted) event()       {}
func (Data) event()           {}
func (Closed) event()         {}
func (InterfaceState) event() {}
func (Routes) event()         {}
func (Inherited) event()      {}
func (Clear) event()          {}
func (Shutdown) event()       {}
func (Tick) event()           {}
