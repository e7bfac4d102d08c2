package ike

import (
	"net/netip"
	"time"
)

// Event is something that happened; Handle takes one at a time. The types of this file are all there are.
type Event interface{ event() }

// Received is an IKE message from UDP port 500, or from 4500 without the four zero bytes in front. Nobody keeps a part of Packet.
type Received struct {
	Path   Path
	Packet []byte
}

// Initiate asks for a child with a peer. It is answered by Install and Activate, or by Failed; while one is being made or there is one,
// it does nothing. Remote's port is 0 for the standard ones.
type Initiate struct {
	Protection uint32
	Remote     netip.AddrPort
	// Within is for a peer behind NAT that begins at the same moment, and whose port is therefore given (RFC 7296 section 2.23 lets IKE begin on port 4500): the first message is
	// repeated fast, and when it was not answered in so long, that is the end. While the peer's own attempt is under way it is waited for. 0: as usual.
	Within time.Duration
}

// Release says that children with a peer are not wanted any more: the peer is told, and the IKE SA goes when nothing is left on it.
type Release struct {
	Protection uint32
	Remote     netip.AddrPort // port 0: all of the address
}

// Drop takes one child down, as Release does.
type Drop struct{ Child ChildID }

// Volume says that a child has carried its soft limit of bytes (rekey), or that its end is near for another reason (sequence numbers).
// Hard: it has ended.
type Volume struct {
	Child ChildID
	Hard  bool
}

// Heard says that something authentic came by a child since this was last said: the peer lives. First use of a new child's inbound SA comes at once.
type Heard struct{ Child ChildID }

// Moved says that the newest authentic packet of a child with Encap came from another address or port.
type Moved struct {
	Child  ChildID
	Remote netip.AddrPort
}

// UnknownSPI says that ESP or AH came to an SPI that is not ours.
type UnknownSPI struct {
	Path     Path // ports 0 without UDP
	Protocol uint8
	SPI      uint32
}

// Load is the system's load, in per cent, for call admission.
type Load struct{ Percent int }

// Clear takes down IKE SAs and their children (`clear crypto isakmp`, `clear crypto session`). What is set selects; the zero Clear is all.
type Clear struct {
	SA       SAID
	Remote   netip.Addr
	Children bool // only the children; IKE SAs stay
	Version  int  // 1 or 2; 0: both
}

// Tick does what is due.
type Tick struct{}

func (Received) event()   {}
func (Initiate) event()   {}
func (Release) event()    {}
func (Drop) event()       {}
func (Volume) event()     {}
func (Heard) event()      {}
func (Moved) event()      {}
func (UnknownSPI) event() {}
func (Load) event()       {}
func (Clear) event()      {}
func (Tick) event()       {}
