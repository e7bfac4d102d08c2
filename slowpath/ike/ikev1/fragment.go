package ikev1

import (
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// fragments are those of the message that is being put together; one at a time, an SA.
type fragments struct {
	id    uint16
	parts [][]byte // by number, from 1
	last  int      // number of the last one; 0: not yet known
	bytes int
	since time.Time
}

// fragmentLife is how long parts are waited for.
const fragmentLife = 10 * time.Second

// fragment takes a part in, and the message once it is whole.
func (e *Engine) fragment(s *sa, m *message) {
	if m.path.Remote.Addr() != s.path.Remote.Addr() {
		e.rejected(m.path, s, malformed("a fragment from another address"))
		return
	}
	if f := m.parse(m.raw[ikemsg.HeaderLen:]); f != nil {
		e.rejected(m.path, s, f)
		return
	}
	part, err := ikev1msg.ParseFragment(m.payloads[0].Body)
	if err != nil || part.Number == 0 || part.Number > fragmentsMost {
		e.rejected(m.path, s, malformed("fragment %d: %v", part.Number, err))
		return
	}
	whole := s.collect(e.now, part)
	if whole == nil {
		return
	}
	h, err := ikemsg.ParseHeader(whole)
	switch {
	case err != nil:
		e.rejected(m.path, s, malformed("put together of fragments: %v", err))
	case h.Initiator != m.head.Initiator || h.NextPayload == ikev1msg.PayloadFragment || h.Version>>4 != ikemsg.Version1>>4:
		e.rejected(m.path, s, faultf(ike.WhyMalformed, 0, "fragments of another SA's message"))
	default:
		e.route(&message{head: h, path: m.path, raw: whole[:h.Length]})
	}
}

// collect keeps a part, and returns the message if it was the missing one.
func (s *sa) collect(now time.Time, part ikev1msg.Fragment) []byte {
	f := s.fragments
	if f == nil || f.id != part.ID || now.Sub(f.since) > fragmentLife {
		f = &fragments{id: part.ID, since: now, parts: make([][]byte, fragmentsMost+1)}
		s.fragments = f
	}
	n := int(part.Number)
	if f.parts[n] != nil || f.bytes+len(part.Data) > messageMost || f.last > 0 && (n > f.last || part.Last) {
		return nil
	}
	f.parts[n] = append([]byte(nil), part.Data...)
	f.bytes += len(part.Data)
	if part.Last {
		f.last = n
	}
	if f.last == 0 {
		return nil
	}
	whole := make([]byte, 0, f.bytes)
	for k := 1; k <= f.last; k++ {
		if f.parts[k] == nil {
			return nil
		}
		whole = append(whole, f.parts[k]...)
	}
	s.fragments = nil
	return whole
}
