package fastpath

import (
	"net/netip"

	"nave/fastpath/fib"
)

// SACount is what one security association has carried and refused since it was installed.
type SACount struct {
	Packets uint64 `json:"packets"` // sealed, or opened and authenticated
	Bytes   uint64 `json:"bytes"`   // of what was inside, without the headers, padding and ICV of ESP or AH
	// AuthFailed, Replayed (too old ones too) and Errors (anything else) count packets that were dropped.
	AuthFailed uint64 `json:"auth_failed"`
	Replayed   uint64 `json:"replayed"`
	Errors     uint64 `json:"errors"`
	// LastSeq is the last sequence number sent, or the highest received.
	LastSeq uint64 `json:"last_seq"`
	Heard   bool   `json:"heard"` // an inbound one has opened a packet
	// Remote and RemotePort are where the peer of an inbound one was last heard from.
	Remote     netip.Addr `json:"remote"`
	RemotePort uint16     `json:"remote_port"`
}

// SACount is the numbers of security association id; false when it is not installed. It is cheap: a few cache lines.
func (e *Engine) SACount(id fib.SAID) (SACount, bool) {
	return SACount{}, false
}
