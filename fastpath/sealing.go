package fastpath

import (
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
)

// sealing is packets that leave by associations whose cipher has a kernel. All that is left to do for them is to take their sequence numbers, once for a
// run of packets of one association, and to encrypt, many at once. Meanwhile they stand in their queues; before those are handed to
// the ports, it is done. What comes from AES-CBC (chains) has its number already; it is done after the others, in an order of its own.
type sealing struct {
	n      int
	todo   [sa.BurstSize]sealJob
	burst  sa.Burst
	chains sa.Chains
}

// waits tells whether packets wait to be sealed.
func (l *sealing) waits() bool { return l.n|l.chains.Len() != 0 }

// sealJob is a packet to seal.
type sealJob struct {
	sa    *table.SA
	esp   []byte // from the SPI to the end of the ICV
	bytes uint64 // that the association counts
	seq   uint64 // 0: not taken yet
}

// numberSlack is more sequence numbers than all workers can have packets waiting for.
const numberSlack = 1 << 16

// near tells whether an association comes to one of its limits: then each packet takes its number before it is certain to leave.
func near(s *table.SA) bool {
	return s.Seq.Load()+numberSlack >= s.SeqSoft() || s.Bytes.Load() >= s.Calm.Load()
}

// kernelSeal is espSeal for an association whose cipher has a kernel, without AH.
func (w *Worker) kernelSeal(p *pkt, q *queue, a *table.Adj, s *table.SA, id uint32, n int, tos uint8, df bool) verdict {
	start, size, next := sealSpan(p, a, s, n)
	padded := (size + 2 + sa.KernelAlign - 1) &^ (sa.KernelAlign - 1)
	if p.start < copyReach+sealReach {
		return w.refuse(p, s, NoHeadroom)
	}
	if start+padded+int(s.ICV) > len(p.chunk) {
		return w.refuse(p, s, NoTailroom)
	}
	var seq uint64
	atOnce := near(s)
	if atOnce {
		var r Reason
		w.sealAll()
		if seq, _, r = w.takeNumbers(p, s, nil, n+int(a.InnerLen)); r != Unknown {
			return p.drop(r)
		}
	}
	w.countSent(a, id, n)
	w.pushInside(p, a, s, start, size, tos, df)
	sa.Trailer(p.chunk[start:start+padded], size, next)
	at, total := start-sa.KernelFront, sa.KernelFront+padded+int(s.ICV)
	w.sealLater(s, p.chunk[at:at+total], uint64(n+int(a.InnerLen)), seq)
	// What is cut after it was sealed is copied, so it is sealed now.
	if atOnce || a.Cuts(total) {
		w.sealAll()
	}
	if a.Via != 0 {
		return w.pushBehind(p, q, a, at, total, tos, df, nil, 0)
	}
	return w.pushOuter(p, q, a, at, total, tos, df, nil, 0)
}

// sealLater puts a packet to those that wait to be sealed.
func (w *Worker) sealLater(s *table.SA, esp []byte, bytes, seq uint64) {
	l := &w.sealing
	if l.n == len(l.todo) {
		w.sealAll()
	}
	j := &l.todo[l.n]
	l.n++
	j.sa, j.esp, j.bytes, j.seq = s, esp, bytes, seq
}

// sealAll seals the packets that wait, in the order in which they were put there.
func (w *Worker) sealAll() {
	l := &w.sealing
	for i := 0; i < l.n; {
		s := l.todo[i].sa
		run, bytes, seq := i+1, l.todo[i].bytes, l.todo[i].seq
		if seq == 0 {
			for run < l.n && l.todo[run].sa == s && l.todo[run].seq == 0 {
				bytes += l.todo[run].bytes
				run++
			}
			// From now on these numbers are used, whatever becomes of the packets.
			seq = s.Seq.Add(uint64(run-i)) - uint64(run-i) + 1
			arena.Set(&s.Bytes, s.Bytes.Load()+bytes) // as in tally.count
		}
		key, esn := w.t.Key(s), s.Is(table.SAESN)
		for ; i < run; i++ {
			esp := l.todo[i].esp
			sa.PutHeader(esp, s.SPI, seq)
			l.burst.Add(key, s.Salt, esn, esp, len(esp)-sa.KernelFront-int(s.ICV), s.ICV, seq)
			seq++
		}
	}
	l.burst.Seal()
	l.n = 0
	if l.chains.Len() > 0 {
		l.chains.Seal(w.scratch)
	}
}

// transformSeal seals an ESP packet with what its key became in this process: now, or if it pays and nothing is to be done with the sealed packet before it leaves, with others
// later. It returns its length.
func (w *Worker) transformSeal(t *sa.Transform, chunk []byte, at, padded int, seq uint64, later bool) int {
	if !later || !t.Chained() {
		n := t.Seal(w.scratch, chunk, at, padded, seq)
		w.lane.pay(t.Cost(padded))
		return n
	}
	if w.sealing.chains.Len() == sa.BurstSize {
		w.sealAll()
	}
	return w.sealing.chains.Add(w.scratch, t, chunk, at, padded, seq)
}

// kernelSA is the association of an adjacency that kernelSeal is for, nil when it is for another.
func (w *Worker) kernelSA(a *table.Adj) *table.SA {
	if a.AH != 0 {
		return nil
	}
	s := w.t.SA(a.SA)
	if s == nil || s.Kernel != sa.KernelGCM || s.Flags&(table.SAInbound|table.SAAH) != 0 {
		return nil
	}
	return s
}
