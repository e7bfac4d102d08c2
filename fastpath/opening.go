package fastpath

import (
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
)

// opening is packets that came in by associations whose cipher has a kernel, and have passed all that can be asked before they are decrypted. They are
// opened together when all of their vector have come so far, and then go on, one after the other.
type opening struct {
	n     int
	todo  [vector]openJob
	burst sa.Burst
	alone sa.Burst // of one packet that is not of a vector
}

// openJob is a packet to open.
type openJob struct {
	p     *pkt
	sa    *table.SA
	seq   uint64
	at, n int32 // of the payload in the chunk
}

// forged tells of a packet that was not authentic.
//
//go:noinline
func (j *openJob) forged(w *Worker) {
	w.forged(j.p, j.sa, int(j.at)-sa.KernelFront, int(j.n)+sa.KernelFront+int(j.sa.ICV), j.seq)
}

// kernelOpen opens an ESP packet of n bytes at at in its chunk, or lets it wait for the others of its vector.
func (w *Worker) kernelOpen(p *pkt, s *table.SA, at, n int, seq uint64) verdict {
	if !p.together {
		return w.openAlone(p, s, at, n, seq)
	}
	if near(s) {
		w.openAll() // those before it
		return w.openAlone(p, s, at, n, seq)
	}
	o := &w.opening
	o.burst.Add(w.t.Key(s), s.Salt, s.Is(table.SAESN), p.chunk[at:at+n], n-sa.KernelFront-int(s.ICV), s.ICV, seq)
	j := &o.todo[o.n]
	j.p, j.sa, j.seq, j.at, j.n = p, s, seq, int32(at+sa.KernelFront), int32(n-sa.KernelFront-int(s.ICV))
	o.n++
	return waits
}

// openAlone is kernelOpen for a packet that does not wait.
func (w *Worker) openAlone(p *pkt, s *table.SA, at, n int, seq uint64) verdict {
	b, esp, payload := &w.opening.alone, p.chunk[at:at+n], n-sa.KernelFront-int(s.ICV)
	b.Add(w.t.Key(s), s.Salt, s.Is(table.SAESN), esp, payload, s.ICV, seq)
	b.Open()
	if !b.OK(0) {
		w.forged(p, s, at, n, seq)
		return p.drop(SAAuth)
	}
	newest := w.accept(p, s, seq)
	if p.reason != Unknown {
		return p.drop(p.reason)
	}
	return w.espOpened(p, s, esp[sa.KernelFront:sa.KernelFront+payload], at+sa.KernelFront, newest, false)
}

// openAll opens the packets that wait and goes on with them.
func (w *Worker) openAll() {
	o := &w.opening
	o.burst.Open()
	for i := range o.todo[:o.n] {
		if !o.burst.OK(i) {
			o.todo[i].forged(w)
			o.todo[i].p.reason = SAAuth
		}
	}
	w.acceptAll()
	if w.far {
		w.lookInside()
	}
	for i := range o.todo[:o.n] {
		j := &o.todo[i]
		p := j.p
		if p.reason != Unknown {
			w.finish(p, p.drop(p.reason))
			continue
		}
		w.finish(p, w.espOpened(p, j.sa, p.chunk[j.at:j.at+j.n], int(j.at), p.newest, true))
	}
	w.tally.count()
	o.n = 0
}

// tally is what an association has carried in packets that were opened together, to be counted in one step.
type tally struct {
	sa             *table.SA
	packets, bytes uint64
}

// add counts a packet of n bytes.
func (t *tally) add(s *table.SA, n int) {
	if t.sa != s {
		t.count()
		t.sa = s
	}
	t.packets++
	t.bytes += uint64(n)
}

// count adds to the association what there is to add. It is not near its limits, so nobody has to be told. Two workers that do so at the same time may lose what the
// others count meanwhile: no more than passes while one of them is between load and store. A lock for it would cost more than all the rest of the counting.
func (t *tally) count() {
	if t.packets != 0 {
		s := t.sa
		arena.Set(&s.Packets, s.Packets.Load()+t.packets)
		arena.Set(&s.Bytes, s.Bytes.Load()+t.bytes)
	}
	*t = tally{}
}

// acceptAll enters the sequence numbers of the authentic packets: those of one association and block of numbers that came one after the other in one step. The
// reason of a packet is Unknown if its number is new.
func (w *Worker) acceptAll() {
	o := &w.opening
	for i := 0; i < o.n; {
		s := o.todo[i].sa
		block, bit := sa.Block(o.todo[i].seq)
		var group uint32
		if o.todo[i].p.reason == Unknown {
			group = bit
		}
		run := i + 1
		for ; run < o.n && o.todo[run].sa == s; run++ {
			b, bit := sa.Block(o.todo[run].seq)
			if b != block || group&bit != 0 {
				break
			}
			if o.todo[run].p.reason == Unknown {
				group |= bit
			}
		}
		if group != 0 {
			fresh, dup, newest := w.window(s).AcceptBlock(block, group)
			for ; i < run; i++ {
				w.judged(&o.todo[i], fresh, dup, newest)
			}
		}
		i = run
	}
}

// judged notes what the window said of a packet.
func (w *Worker) judged(j *openJob, fresh, dup uint32, newest bool) {
	p := j.p
	if p.reason != Unknown {
		return
	}
	_, bit := sa.Block(j.seq)
	switch {
	case fresh&bit != 0:
		p.newest = newest && j.sa.Seq.Load() == j.seq
		return
	case dup&bit != 0:
		p.reason = SAReplay
	default:
		p.reason = SATooOld
	}
	j.sa.Replayed.Add(1)
}
