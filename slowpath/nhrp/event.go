package nhrp

import (
	"net/netip"
	"time"

	"nave/slowpath/nbma"
)

// Event is something that happened; Handle takes one at a time. The types of this file are all there are.
type Event interface{ event() }

// Received is an NHRP packet that arrived on a tunnel, without its GRE header. The machine keeps no part of Payload.
type Received struct {
	Iface    string
	From     nbma.Address // whom it came from: where NBMA.Inside is known, the session that the packet's association belongs to has it
	Identity string       // IKE identity of the peer whose SA it came by; empty without protection
	// Endpoint is where From is seen to send from in UDP, or would be: port 4500 where its ESP goes without UDP. It is only known with protection.
	Endpoint netip.AddrPort
	Payload  []byte
}

// Unresolved says that there was traffic towards a next hop without a direct path. Repeating it is harmless.
type Unresolved struct {
	Iface   string     // interface that the traffic leaves by
	Dst     netip.Addr // destination of the data packet
	NextHop netip.Addr // of the route; the zero Addr means Dst itself
}

// RedirectWanted says that a data packet came in by an NHRP network and leaves by the same one.
type RedirectWanted struct {
	Iface  string       // interface that it came in by
	From   nbma.Address // whom it came from
	Packet []byte       // the data packet from its IP header on, as received; 28 bytes are enough
}

// Used says that data was sent to a peer since the event was last given. It keeps idle entries and refreshes them.
type Used struct {
	Iface string
	NBMA  nbma.Address
}

// PeerState answers PeerWanted: the session with the peer is ready, or it is not (any more). Only interfaces with
// Protected need it. It may come unasked; what the machine has no use for is ignored.
type PeerState struct {
	Iface string
	NBMA  nbma.Address
	Up    bool
	IPsec bool // not up, but IKE is done with the peer: only for show output
	// Identity is the IKE identity of whom the session is up with; "" where that is not known.
	Identity string
}

// PeerMoved says that the peer of a session is at another address than before, as what is authentic comes from there. What is known of it moves along; what is configured stays.
type PeerMoved struct {
	Iface    string
	From, To nbma.Address
}

// RoutesChanged says that answers given and shortcuts in use are to be looked at again. One event may stand for many changes.
type RoutesChanged struct{}

// Inherited is a mapping that the fast path has from the process before: what it was learned by is not known any more. It is believed until Expires, or for two minutes where that is over, since nobody could renew it meanwhile; a direct
// path for ten minutes at most; where Expires is not known, a client's for a holding time of the interface, which is as long as a peer with the same configuration may have been
// promised; or until something is learned of the peer.
// A next hop (Prefix is NextHop/32) comes before the networks behind it.
type Inherited struct {
	Iface      string
	Prefix     netip.Prefix
	NextHop    netip.Addr // the peer's tunnel address
	NBMA       nbma.Address
	Registered bool // the peer is a client of ours, as far as that can be told
	Expires    time.Time
	Unique     bool // and it has registered so that nobody else may have its address
}

// Clear removes dynamic entries, and where Static is set also starts static ones afresh (`clear dmvpn session`,
// `clear ip nhrp`). What is set selects; the zero Clear is all dynamic entries of all interfaces.
type Clear struct {
	Which
	Protocol netip.Prefix // `clear ip nhrp A.B.C.D [mask]`: entries inside it
	Static   bool
	Sessions bool // sessions that nothing wants then end at once, also where the peer uses them
}

// ClearStatistics zeroes counters: of all interfaces, or of those that are selected, or of some peers alone.
type ClearStatistics struct{ Which }

// Tick does what is due. Give it when Deadline has come; at another time it does nothing wrong.
type Tick struct{}

func (Received) event()        {}
func (Unresolved) event()      {}
func (RedirectWanted) event()  {}
func (Used) event()            {}
func (PeerState) event()       {}
func (PeerMoved) event()       {}
func (RoutesChanged) event()   {}
func (Inherited) event()       {}
func (Clear) event()           {}
func (ClearStatistics) event() {}
func (Tick) event()            {}
