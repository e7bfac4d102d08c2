package dmvpn

import (
	"net/netip"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// Event is something that happened; Handle takes one at a time. The types of this file are all there are.
type Event interface{ event() }

// Wanted is nhrp.PeerWanted.
type Wanted nhrp.PeerWanted

// Released is nhrp.PeerReleased.
type Released nhrp.PeerReleased

// FromIKE is an effect of IKE that concerns sessions: Install, Activate, Remove, Rehomed, Failed, and Log of IKE SAs that come and go.
// The keys of an Install are copied.
type FromIKE struct{ Effect ike.Effect }

// SoftLimit says that an association has come to its soft limit of bytes or sequence numbers; Hard: to the hard one.
type SoftLimit struct {
	SA   fib.SAID
	Hard bool
}

// Heard says that packets came by an inbound association since this was last said.
type Heard struct{ SA fib.SAID }

// Used says that packets left by an outbound association since this was last said.
type Used struct{ SA fib.SAID }

// Moved says that the newest authentic packet of an inbound association in UDP came from another address or port.
type Moved struct {
	SA     fib.SAID
	Remote netip.AddrPort
}

// Stray says that a peer sends by an association that we do not have.
type Stray struct {
	VRF           uint16
	Local, Remote netip.AddrPort // ports 0 without UDP
}

// EndInherited takes inherited associations away: those with a peer, or all where Remote is the zero Addr. Sessions that are wanted begin again.
type EndInherited struct{ Remote netip.Addr }

// Refused says that the fast path did not install an association.
type Refused struct{ SA fib.SAID }

// Reset takes sessions down and lets those that are wanted begin again (`clear dmvpn session`). What is set selects.
type Reset struct {
	Iface  string
	NBMA   netip.Addr
	Inside netip.Addr // with NBMA: the peer there that has this address behind NAT
	// Unwanted leaves sessions alone that NHRP wants.
	Unwanted bool
}

// Tick does what is due.
type Tick struct{}

func (Wanted) event()       {}
func (Released) event()     {}
func (FromIKE) event()      {}
func (SoftLimit) event()    {}
func (Heard) event()        {}
func (Used) event()         {}
func (Moved) event()        {}
func (Stray) event()        {}
func (Refused) event()      {}
func (EndInherited) event() {}
func (Reset) event()        {}
func (Tick) event()         {}
