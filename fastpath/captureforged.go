package fastpath

import (
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
)

// What fails its integrity check is decrypted by then where it lay, with some ciphers, or overwritten with zeros. Neither is what arrived, and the first is nobody's to read: so
// it is sealed again for who captures it, or not shown.

// forged counts a packet that is not authentic: ESP of n bytes at at in its chunk.
//
//go:noinline
func (w *Worker) forged(p *pkt, s *table.SA, at, n int, seq uint64) {
	s.AuthBad.Add(1)
	if !w.tapped || w.tap.points&CaptureDrop == 0 {
		return
	}
	if s.Kernel == sa.KernelGCM {
		w.sealAgain(s, p.chunk[at:at+n], seq)
	} else if t := w.transform(s); t != nil && t.Spoils() {
		p.spoiled = uint16(at + t.Front())
	}
}

// sealAgain makes an ESP packet what it was before it was decrypted: the key stream is the same, and the ICV is kept.
func (w *Worker) sealAgain(s *table.SA, esp []byte, seq uint64) {
	var icv [16]byte
	end := len(esp) - int(s.ICV)
	n := copy(icv[:], esp[end:])
	b := &w.opening.alone
	b.Add(w.t.Key(s), s.Salt, s.Is(table.SAESN), esp, end-sa.KernelFront, s.ICV, seq)
	b.Seal()
	copy(esp[end:], icv[:n])
}

// unspoiled is what of b, that is to be shown of a packet, is still what arrived.
func (p *pkt) unspoiled(proto uint16, b []byte) []byte {
	if p.spoiled == 0 {
		return b
	}
	from := p.start
	if proto == 0 {
		from = int(p.frame.Start)
	}
	return b[:min(max(int(p.spoiled)-from, 0), len(b))]
}
