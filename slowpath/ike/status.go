package ike

import (
	"net/netip"
	"time"

	"nave/slowpath/ike/suite"
)

// Status is a copy of what IKE knows. It holds no secret.
type Status struct {
	SAs       []SAStatus    // by ID
	Children  []ChildStatus // by ID
	Admission Admission
	Stats     [3]Stats // of version 1 and 2, at their number
}

// SAStatus is an IKE SA.
type SAStatus struct {
	ID          SAID
	Version     int
	Path        Path
	Initiator   bool
	Established bool
	// State is IOS's word: "MM_NO_STATE", "MM_KEY_EXCH", "QM_IDLE", ... of version 1; "IN-NEG", "READY", "DELETE" of version 2.
	State         string
	SPIi, SPIr    [8]byte
	Cipher        suite.Cipher
	KeyBits       int
	Hash          suite.Hash // IKEv1's hash; IKEv2's integrity, HashNone with a combined cipher
	PRF           suite.Hash
	Group         suite.Group
	Additional    []suite.Group // RFC 9370
	Auth          AuthMethod    // ours
	PeerAuth      AuthMethod
	Self, Peer    Identity
	NAT           NAT
	DPD           bool
	Fragmentation bool
	Aggressive    bool
	Created       time.Time
	Lifetime      time.Duration
	Children      []ChildID
	Profile       string
	MessageIDs    [4]uint32 // IKEv2: next to send, oldest sent; next to receive, last answered
}

// NAT says which side is behind NAT.
type NAT struct{ Self, Peer bool }

// ChildStatus is a child without its keys.
type ChildStatus struct {
	ID         ChildID
	SA         SAID
	Version    int
	Protection uint32
	Path       Path
	Encap      bool
	Transform  Transform
	Window     uint16
	ESP, AH    SPIs
	PFS        suite.Group
	Created    time.Time
	Lifetime   time.Duration
	Kilobytes  uint64
	Peer       Identity
	Claimed    netip.Addr
	Active     bool // used for sending
	Initiator  bool
}

// SPIs of a protocol; zero without it.
type SPIs struct{ In, Out uint32 }

// Stats counts.
type Stats struct {
	Received, Sent, Resent        uint64 // messages
	Malformed, Ignored            uint64 // messages that could not be read, or did not belong
	Initiated, Responded          uint64 // IKE SAs established, by who started
	Failed                        uint64
	FailedBy                      [WhyNATHub + 1]uint64
	ChildrenMade, ChildrenRekeyed uint64
	Rekeyed                       uint64 // IKE SAs
	DeadPeers                     uint64
	CookiesSent                   uint64
}
