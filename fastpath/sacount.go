package fastpath

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
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
	// Remote and RemotePort are where the peer is: as installed, or of an inbound one of ESP in UDP as last heard from.
	Remote     netip.Addr `json:"remote"`
	RemotePort uint16     `json:"remote_port"`
}

// SACount is the numbers of security association id; false when it is not installed. It is cheap: a few cache lines.
func (e *Engine) SACount(id fib.SAID) (SACount, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return SACount{}, false
	}
	s := e.tables.SA(uint32(id))
	if s == nil {
		return SACount{}, false
	}
	return countSA(s), true
}

func countSA(s *table.SA) SACount {
	addr, port := s.Remote()
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], addr)
	n := SACount{
		Packets: s.Packets.Load(), Bytes: s.Bytes.Load(),
		AuthFailed: s.AuthBad.Load(), Replayed: s.Replayed.Load(), Errors: s.Errors.Load(),
		LastSeq: min(s.Seq.Load(), s.SeqLimit), Heard: s.Marks.Load()&table.MarkHeard != 0,
		Remote: netip.AddrFrom4(b), RemotePort: port,
	}
	if !s.Is(table.SAInbound) {
		n.Packets = n.LastSeq // every number taken is a packet sealed
	}
	return n
}
