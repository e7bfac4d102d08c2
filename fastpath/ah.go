package fastpath

import (
	"encoding/binary"

	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// ahOpen takes an AH packet for us (RFC 4302 section 3.4). What comes out of it is ESP, or what an ESP packet could carry.
func (w *Worker) ahOpen(p *pkt) verdict {
	hl := p.ip.HeaderLen()
	ah := p.ip[hl:]
	if len(ah) < sa.AHLen {
		return p.drop(AHShort)
	}
	s, v := w.inbound(p, binary.BigEndian.Uint32(ah[4:]), table.SAAH)
	if s == nil {
		return v
	}
	t := w.transform(s)
	if t == nil {
		return w.unknownSPI(p) // it was taken away in this moment
	}
	// Some align the header to 8 bytes in IPv4 too.
	n, least := (int(ah[1])+2)*4, sa.AHLen+t.Shape().ICV
	addr, _ := s.Remote()
	switch {
	case addr != p.ip.Src():
		return w.refuse(p, s, SAWrongPeer)
	case n != least && n != (least+7)&^7:
		return w.refuse(p, s, AHLength)
	case n > len(ah):
		return w.refuse(p, s, AHShort)
	}
	if s.Bytes.Load() >= s.Hard.Load() {
		return w.expired(p, s)
	}
	seq, r := w.sequence(p, s, binary.BigEndian.Uint32(ah[8:]))
	if r != Unknown {
		return p.drop(r)
	}
	ok, options := t.OpenAH(w.scratch, p.ip[:hl], ah, n, seq)
	if !options {
		return w.refuse(p, s, AHOptions)
	}
	if !ok {
		s.AuthBad.Add(1)
		return p.drop(SAAuth)
	}
	w.accept(p, s, seq)
	if p.reason != Unknown {
		return p.drop(p.reason)
	}
	inside := len(ah) - n
	p.ah, p.sa = s.ID, s.ID
	w.opened(p, s, inside, false)
	if s.Is(table.SAOver) && ah[0] != packet.ProtoESP {
		return w.refuse(p, s, AHNextHeader)
	}
	if ah[0] == packet.ProtoESP {
		return w.espOpen(p, hl+n, false)
	}
	return w.espInner(p, s, p.start+hl+n, inside, ah[0])
}
