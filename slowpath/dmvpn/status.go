package dmvpn

import (
	"net/netip"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
)

// Status is a copy of what the machine knows. It holds no secret.
type Status struct {
	Sessions []SessionStatus // by protection and address of the peer
	SAs      int             // associations in the fast path, each direction counted
}

// State is how far a session has come: the state column of `show dmvpn`.
type State uint8

// The states.
const (
	Closed      State = iota // nothing wants it
	Negotiating              // no IKE SA with the peer yet: "IKE"
	Securing                 // IKE SA, no IPsec SAs yet: "IPSEC"
	Up                       // packets go under protection
)

var stateNames = [...]string{"closed", "IKE", "IPSEC", "UP"}

// String names the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// SessionStatus is one session.
type SessionStatus struct {
	Protection uint32
	Profile    string
	Shared     bool
	Ifaces     []string // tunnels of the protection
	Wanted     []string // of those, the ones whose NHRP wants the peer
	VRF        uint16
	Local      netip.Addr
	Peer       netip.Addr
	Port       uint16       // of the peer, with ESP in UDP; 0: without
	Identity   ike.Identity // of the peer, from its newest child
	State      State
	Since      time.Time // of State
	Socket     bool      // the crypto socket is open
	Passive    bool      // the peer began, and NHRP has not asked for it
	Children   []ChildStatus
	Tries      int       // negotiations begun since it was last up
	NextTry    time.Time // the zero Time: none is planned
	// What ended it, or a negotiation, last; WhyNone where nothing has.
	LastWhy ike.Why
	LastEnd time.Time
}

// ChildStatus is a child of a session and its associations in the fast path; zero IDs where there are none.
type ChildStatus struct {
	Child             ike.ChildID
	IKE               ike.SAID
	Active            bool
	ESPIn, ESPOut     fib.SAID
	AHIn, AHOut       fib.SAID
	InSPI, OutSPI     uint32 // of ESP, or of AH where there is no ESP
	Remote            netip.AddrPort
	Created           time.Time
	SoftBytes         uint64
	Refused           bool // the fast path has no room for it
	HeardAt, UsedLast time.Time
}
