package nhrp

import (
	"net/netip"
	"time"
)

// Status is a copy of what the machine knows. Interfaces are in the order of the configuration, entries in the order
// of their addresses.
type Status struct {
	Time       time.Time // when it was taken
	Interfaces []InterfaceStatus
	Entries    []EntryStatus
	Limit      int    // MaxEntries
	Unknown    uint64 // packets dropped because no interface of that name runs NHRP
}

// InterfaceStatus is one interface of Status.
type InterfaceStatus struct {
	Name      string
	ID        uint16
	VRF       string
	NetworkID uint32
	Address   netip.Prefix
	NBMA      netip.Addr
	Public    netip.Addr // NBMA address as an NHS sees it, where it differs: this box is behind NAT
	Spoke     bool       // has an NHS to register with
	NHS       []NHSStatus
	Peers     []PeerStatus
	Multicast []netip.Addr
	MaxSend   MaxSend
	Usage     int // of MaxSend, percent
	Traffic   Traffic
}

// EntryType is the type column of `show ip nhrp`.
type EntryType uint8

// The types.
const (
	TypeStatic EntryType = iota
	TypeDynamic
	TypeIncomplete
	TypeNegative
)

var entryTypeNames = [...]string{"static", "dynamic", "incomplete", "negative"}

// String names the type as IOS does.
func (t EntryType) String() string { return name(entryTypeNames[:], int(t)) }

// EntryFlags are the flags of `show ip nhrp`.
type EntryFlags uint16

// The flags.
const (
	FlagAuthoritative EntryFlags = 1 << iota // from the owner's own registration or answer
	FlagImplicit                             // learned from a request's source
	FlagUnique
	FlagRegistered // by a client of this server
	FlagUsed       // carried traffic lately
	FlagRouter
	FlagLocal     // a network of ours that was answered for
	FlagNAT       // the owner knows the NAT extension
	FlagNATed     // NBMA differs from what the owner claims
	FlagNHS       // the entry of a next hop server
	FlagRib       // installed as a route
	FlagVia       // traffic goes through the NHS for now
	FlagNoSock    // waits for the peer's session
	FlagInherited // known from the fast path alone, since before this process
	FlagUnopened  // of TypeNegative: no path to the peer could be opened through NAT
)

// EntryStatus is one cache entry.
type EntryStatus struct {
	Iface   string
	Prefix  netip.Prefix
	NextHop netip.Addr // the peer's tunnel address
	Type    EntryType
	Flags   EntryFlags
	NBMA    netip.Addr
	Inside  netip.Addr // the peer's address behind NAT, where its session has one
	Direct  netip.Addr // where the peer is, while NBMA is the server that its traffic takes
	Claimed netip.Addr
	Created time.Time
	Expires time.Time // the zero Time: never
	// Holders are those that a local entry was answered to (they get the purge).
	Holders []netip.Addr
}

// NHSState is what is known of a next hop server.
type NHSState uint8

// The states, with the letters of `show ip nhrp nhs`.
const (
	NHSWaiting    NHSState = iota // W: not asked, because a better one of its cluster is, or an address is missing
	NHSExpecting                  // E: asked, no answer yet
	NHSResponding                 // R
)

var nhsStateNames = [...]string{"W", "E", "R"}

// String is the letter that IOS shows.
func (s NHSState) String() string { return name(nhsStateNames[:], int(s)) }

// NHSStatus is one next hop server.
type NHSStatus struct {
	Protocol  netip.Addr
	NBMA      netip.Addr
	State     NHSState
	Priority  uint8
	Cluster   uint8
	Dynamic   bool      // address learned from a reply
	Since     time.Time // of the state
	Requests  uint64
	Replies   uint64
	Failures  uint64    // refusals and registrations given up
	Next      time.Time // next registration request
	RequestID uint32
}

// PeerStage is the state column of `show dmvpn`.
type PeerStage uint8

// The stages.
const (
	StageIKE   PeerStage = iota // waits for the session
	StageIPsec                  // the same, and IKE is done
	StageNHRP                   // session ready; waits for NHRP
	StageUp
)

var peerStageNames = [...]string{"IKE", "IPSEC", "NHRP", "UP"}

// String is the word that IOS shows.
func (s PeerStage) String() string { return name(peerStageNames[:], int(s)) }

// PeerStatus is one NBMA peer of an interface, for `show dmvpn`. Destinations that are being resolved (Incomplete) have
// no NBMA address; a row with Local stands for this box and counts what it answered for.
type PeerStatus struct {
	NBMA    netip.Addr
	Inside  netip.Addr // the address behind NAT, which tells apart peers with one NBMA address
	Tunnel  netip.Addr // of the first entry
	Entries int
	Stage   PeerStage
	Since   time.Time // of the stage; the zero Time means never up

	Static, Dynamic, Incomplete, NATed, Local, NoSocket bool // S D I N L X
	Inherited                                           bool // an entry is known from the fast path alone, since before this process

	Sent, Received uint64 // NHRP packets
}

// Traffic counts NHRP packets of an interface. Index 1 to 8 of the arrays is the packet type; 0 is other types.
type Traffic struct {
	Sent     [9]uint64
	Received [9]uint64
	Drops    [NumDrops]uint64
}

// DropReason says why a packet was not answered, passed on or sent.
type DropReason uint8

// The reasons.
const (
	DropMalformed DropReason = iota // truncated, lying lengths, wrong version or family
	DropChecksum
	DropAuth
	DropType   // unknown packet type
	DropSource // absurd source addresses
	DropHopCount
	DropLoop
	DropNoRoute     // nowhere to pass it on to
	DropExtension   // unknown compulsory extension
	DropUnsolicited // reply to nothing that was asked
	DropFull        // cache or queue full
	DropQuota       // max-send
	DropErrorLimit  // error indications are rate-limited
	DropDisabled    // redirect, shortcut or the like is off
	DropRefused     // registration or resolution refused
	DropNoAddress   // our own NBMA address is unknown

	NumDrops = int(DropNoAddress) + 1
)

var dropNames = [NumDrops]string{
	"malformed", "checksum", "authentication", "unknown-type", "bad-source", "hop-count", "loop", "no-route",
	"unknown-extension", "unsolicited", "full", "max-send", "error-limit", "disabled", "refused", "no-address",
}

// String names the reason.
func (r DropReason) String() string { return name(dropNames[:], int(r)) }
