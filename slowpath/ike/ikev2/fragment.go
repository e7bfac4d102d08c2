package ikev2

import (
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// Bounds of fragments (RFC 7383).
const (
	defaultFragment = 576 // bytes of an IPv4 packet: what every host takes (section 2.5.1)
	maxFragments    = 64
	maxReassembled  = 64 << 10
	ipUDP           = 28 // bytes of the headers of IPv4 and UDP
	nonESP          = 4  // bytes of the marker on port 4500
)

// maxMessage is how long a message may be before it is cut, in bytes.
func (s *sa) maxMessage() int {
	mtu := s.e.cfg.V2.FragmentMTU
	if mtu == 0 {
		mtu = defaultFragment
	}
	return max(mtu, 256) - ipUDP - nonESP
}

// protectFragments encrypts payloads in pieces.
func (s *sa) protectFragments(h ikemsg.Header, first uint8, plain []byte, limit int) [][]byte {
	room := limit - ikemsg.HeaderLen - ikemsg.Generic - 4 - s.sealOut.Overhead()
	total := (len(plain) + room - 1) / room
	packets := make([][]byte, 0, total)
	for i := range total {
		piece := plain[i*room : min((i+1)*room, len(plain))]
		f := ikev2msg.Fragment{Number: uint16(i + 1), Total: uint16(total)}
		prefix := ikev2msg.Prefix(h, first, &f, s.sealOut.SealedLen(len(piece)))
		packets = append(packets, s.sealOut.Seal(prefix, prefix, piece, s.e.env.Rand))
	}
	return packets
}

// reassembly is the fragments of one message, all of them authentic.
type reassembly struct {
	id       uint32
	response bool
	total    uint16
	first    uint8
	size     int
	pieces   map[uint16][]byte
}

// add takes a fragment and returns the whole once it is there. Fragments of another message, or of the same one cut otherwise into more pieces, take the
// place of what was gathered (section 2.6).
func (r *reassembly) add(m *ikev2msg.Message, piece []byte) (whole []byte, first uint8, done bool) {
	f := m.Fragment
	response := m.Flags&ikev2msg.FlagResponse != 0
	if f.Total > maxFragments {
		return nil, 0, false
	}
	if r.pieces == nil || r.id != m.MessageID || r.response != response || f.Total > r.total {
		*r = reassembly{id: m.MessageID, response: response, total: f.Total, pieces: make(map[uint16][]byte)}
	}
	if _, had := r.pieces[f.Number]; had || f.Total != r.total || r.size+len(piece) > maxReassembled {
		return nil, 0, false
	}
	if f.Number == 1 {
		r.first = m.First
	}
	r.pieces[f.Number] = piece
	r.size += len(piece)
	if len(r.pieces) < int(r.total) {
		return nil, 0, false
	}
	for i := range r.total {
		whole = append(whole, r.pieces[i+1]...)
	}
	first = r.first
	*r = reassembly{}
	return whole, first, true
}
