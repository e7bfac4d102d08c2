package fastpath

import (
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
)

// inbound finds the association of a packet for us. nil: v is what became of the packet.
func (w *Worker) inbound(p *pkt, spi uint32, flag uint16) (s *table.SA, v verdict) {
	dst := p.ip.Dst()
	p.spi = spi
	s = w.lastSA
	if s == nil || s.SPI != spi || s.Local != dst || s.VRF != p.vrf || s.Flags&table.SAAH != flag {
		if s = w.t.FindSA(p.vrf, dst, spi, flag); s == nil {
			return nil, w.unknownSPI(p)
		}
		w.lastSA = s
	}
	return s, drop
}

// unknownSPI drops a packet without an association, and tells the slow path once a sender, SPI and second.
func (w *Worker) unknownSPI(p *pkt) verdict {
	if w.limit.Allow(limitSPI|uint64(p.vrf)<<32|uint64(p.spi), uint64(p.ip.Src())<<16|uint64(p.outerPort), w.now, spiEvery) {
		p.outerSrc, p.outerDst = p.ip.Src(), p.ip.Dst()
		w.puntAdj(p, SAUnknown, p.ip, 0, 0, 0)
	}
	return p.drop(SAUnknownSPI)
}

// spiEvery is how often the slow path hears of one sender's unknown SPI, in nanoseconds.
const spiEvery = 1e9

// outbound is the association and transform that an adjacency leaves by; nil for none, and for one that is not there.
func (w *Worker) outbound(id uint32) (*table.SA, *sa.Transform) {
	if id == 0 {
		return nil, nil
	}
	s := w.t.SA(id)
	if s == nil || s.Is(table.SAInbound) {
		return nil, nil
	}
	t := w.transform(s)
	if t == nil {
		return nil, nil
	}
	return s, t
}

// transform is what belongs to an association. A number that was given to another meanwhile has another generation: its key is never used with
// the sequence numbers of this one.
func (w *Worker) transform(s *table.SA) *sa.Transform {
	t := w.e.transforms[s.ID].Load()
	if t == nil || t.Generation != s.Generation {
		if w.sealing.waits() {
			w.sealAll() // with what was there under this number, maybe, which goes now
		}
		return w.e.lateTransform(s)
	}
	return t
}

// window is the anti-replay window of an inbound association, until the next call.
func (w *Worker) window(s *table.SA) *sa.Window {
	win := &w.win
	win.Top, win.Slots, win.Size = &s.Seq, s.Slots(), 0
	if len(win.Slots) > 0 {
		win.Size = uint64(s.Window)
	}
	return win
}

// sequence is the whole sequence number of a packet that may be authentic. The reason is Unknown if it is in the window and new.
func (w *Worker) sequence(p *pkt, s *table.SA, low uint32) (uint64, Reason) {
	p.reason = Unknown
	if seq := uint64(low); seq > s.Seq.Load() && !s.Is(table.SAESN) {
		return seq, Unknown // as nearly all
	}
	win := w.window(s)
	seq, ok := uint64(low), true
	if s.Is(table.SAESN) {
		seq, ok = win.Extend(low)
	}
	if ok {
		switch win.Check(seq) {
		case sa.Fresh:
			return seq, Unknown
		case sa.Dup:
			s.Replayed.Add(1)
			return 0, SAReplay
		}
	}
	s.Replayed.Add(1)
	return 0, SATooOld
}

// accept enters the number of an authentic packet. p.reason is not Unknown if another worker was faster with the same one.
func (w *Worker) accept(p *pkt, s *table.SA, seq uint64) (newest bool) {
	v, newest := w.window(s).Accept(seq)
	switch v {
	case sa.Fresh:
		return newest
	case sa.Dup:
		p.reason = SAReplay
	default:
		p.reason = SATooOld
	}
	s.Replayed.Add(1)
	return false
}

// opened counts a packet of n bytes that came out of an association, at once or together with others of its vector.
func (w *Worker) opened(p *pkt, s *table.SA, n int, together bool) {
	if together {
		w.tally.add(s, n)
	} else {
		s.Packets.Add(1)
		if s.Bytes.Add(uint64(n)) >= s.Soft.Load() {
			w.puntOnce(p, SASoft, s, table.MarkSoft)
		}
	}
	w.puntOnce(p, SAHeard, s, table.MarkHeard)
}

// refuse drops a packet that its association does not take.
func (w *Worker) refuse(p *pkt, s *table.SA, r Reason) verdict {
	s.Errors.Add(1)
	return p.drop(r)
}

// expired drops a packet of an association that has carried all it may.
func (w *Worker) expired(p *pkt, s *table.SA) verdict {
	w.puntOnce(p, SAHard, s, table.MarkHard)
	return w.refuse(p, s, SAExpired)
}

// cannotSeal drops a packet that does not fit its frame.
func (w *Worker) cannotSeal(p *pkt, esp, ah *table.SA, r Reason) verdict {
	if esp == nil {
		esp = ah
	}
	return w.refuse(p, esp, r)
}

// takeNumbers takes the sequence numbers of a packet of n bytes, ESP's and AH's. From now on they are used, whatever becomes of the packet. No number is
// taken for a packet that may still be dropped, so a receiver sees no gaps.
func (w *Worker) takeNumbers(p *pkt, esp, ah *table.SA, n int) (seqESP, seqAH uint64, r Reason) {
	for _, s := range [...]*table.SA{esp, ah} {
		if s != nil && s.Bytes.Load() >= s.Hard.Load() {
			w.expired(p, s)
			return 0, 0, SAExpired
		}
	}
	if esp != nil {
		if seqESP, r = w.takeNumber(p, esp, n); r != Unknown {
			return 0, 0, r
		}
	}
	if ah != nil {
		seqAH, r = w.takeNumber(p, ah, n)
	}
	return seqESP, seqAH, r
}

func (w *Worker) takeNumber(p *pkt, s *table.SA, n int) (uint64, Reason) {
	seq := s.Seq.Add(1)
	if seq > s.SeqLimit {
		w.puntOnce(p, SAHard, s, table.MarkHard)
		s.Errors.Add(1)
		return 0, SASequence
	}
	if s.Bytes.Add(uint64(n)) >= s.Soft.Load() || seq >= s.SeqSoft() {
		w.puntOnce(p, SASoft, s, table.MarkSoft)
	}
	return seq, Unknown
}

// puntOnce tells the slow path about an association, once. What finds no room in the ring is tried again with the next packet.
func (w *Worker) puntOnce(p *pkt, r Reason, s *table.SA, mark uint32) {
	if s.Marks.Load()&mark != 0 || !s.Mark(mark) {
		return
	}
	if addr, port := s.Remote(); !w.puntSA(p, r, s, addr, port) {
		s.Unmark(mark)
	}
}

// puntSA tells the slow path about an association whose peer is at an address and port, without a packet. False: there was no room.
func (w *Worker) puntSA(p *pkt, r Reason, s *table.SA, addr uint32, port uint16) bool {
	was := *p
	p.tunnel, p.vrf, p.sa, p.spi = nil, s.VRF, s.ID, s.SPI
	p.outerSrc, p.outerDst, p.outerPort = addr, s.Local, port
	before := w.c.words[cntReasons+int(r)]
	w.puntAdj(p, r, nil, 0, 0, 0)
	*p = was
	return w.c.words[cntReasons+int(r)] != before
}
