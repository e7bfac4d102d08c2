package fib

// MPLS label values (RFC 3032 section 2.1). Labels 4 to 15 are reserved (RFC 7274) and mean nothing here.
const (
	ExplicitNull uint32 = 0 // IPv4 follows, or by RFC 4182 another label
	RouterAlert  uint32 = 1 // the packet is for the router's own software
	ImplicitNull uint32 = 3 // in signalling only: push nothing. Never in a packet
	FirstLabel   uint32 = 16
	LastLabel    uint32 = 1<<20 - 1
)

// MaxLabels is how many labels an adjacency can push.
const MaxLabels = 3

// LabelAction says what to do with a packet whose outermost label is known. The zero value is none: such a Label is malformed.
type LabelAction uint8

// Actions.
const (
	// LabelLookup takes the label off and looks up what was under it: the next label, or an IPv4 packet in VRF. The label of a whole VRF
	// (aggregate), or of this router itself.
	LabelLookup LabelAction = iota + 1
	// LabelForward takes the label off and forwards the IPv4 packet under it by Paths, without a look at the VRF's routes: the label of one
	// prefix. If another label is under it, the packet is dropped: whoever got it would take that for a label of its own.
	LabelForward
	// LabelSwap takes the label off, and Paths put on theirs, however many. A path without labels is penultimate hop popping: what was under
	// the label leaves, labelled or not, and no IPv4 header's TTL is counted down for this hop.
	LabelSwap
)

// Label is what to do with packets whose outermost label is In: an incoming label map entry (RFC 3031 section 3.11). Labels are of the platform: the
// same by whatever interface a packet comes in.
type Label struct {
	// In is FirstLabel to LastLabel. ExplicitNull may be installed too, to change Pipe and CopyEXP of what it does anyhow: LabelLookup, in the VRF of the
	// interface that the packet came in by.
	In     uint32
	Action LabelAction
	VRF    VRF     // of LabelLookup
	Paths  []AdjID // of LabelForward and LabelSwap, up to MaxPaths, chosen by a hash of the flow
	// Pipe leaves the TTL of what is under the label alone (`no mpls ip propagate-ttl`, the short pipe model of RFC 3443 section 3.3). Otherwise the
	// label's goes on in it where that is smaller (the uniform model).
	Pipe bool
	// CopyEXP writes the label's traffic class (EXP, RFC 5462) into what is under it: the next label's, or the IPv4 precedence (the uniform model
	// of RFC 3270 section 2.6). Otherwise that stays as it was.
	CopyEXP bool
}
