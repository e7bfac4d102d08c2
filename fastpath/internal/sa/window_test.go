package sa

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func newWindow(size int) *Window {
	return &Window{Top: new(atomic.Uint64), Slots: make([]atomic.Uint64, Slots(size)), Size: uint64(size)}
}

// model is the window as RFC 4303 section 3.4.3 says it.
type model struct {
	seen map[uint64]bool
	top  uint64
	size uint64
}

func (m *model) accept(seq uint64) Verdict {
	switch {
	case seq == 0 || seq+m.size <= m.top:
		return Old
	case m.seen[seq]:
		return Dup
	}
	m.seen[seq] = true
	m.top = max(m.top, seq)
	return Fresh
}

func TestWindow(t *testing.T) {
	for size := 64; size <= 1024; size += 64 {
		for start := range 3 {
			rnd := rand.New(rand.NewPCG(uint64(size), uint64(start)))
			w := newWindow(size)
			m := &model{seen: map[uint64]bool{}, size: uint64(size)}
			next := []uint64{1, 1<<32 - 500, 1<<62 - 3}[start]
			for range 30000 {
				seq := next
				switch rnd.IntN(4) {
				case 0:
					next += uint64(rnd.IntN(3))
				case 1:
					seq = next - min(next, uint64(rnd.IntN(2*size)))
				case 2:
					next += uint64(rnd.IntN(100)) * uint64(rnd.IntN(2)*rnd.IntN(30))
				}
				want := m.accept(seq)
				if got := w.Check(seq); got != want {
					t.Fatalf("window of %d, top %d: check of %d says %d, want %d", size, m.top, seq, got, want)
				}
				if want != Fresh {
					continue
				}
				got, newest := w.Accept(seq)
				if got != want || newest != (m.top == seq) {
					t.Fatalf("window of %d, top %d: accept of %d says %d, %v", size, m.top, seq, got, newest)
				}
				if got, _ := w.Accept(seq); got != Dup {
					t.Fatalf("window of %d: %d twice says %d", size, seq, got)
				}
			}
		}
	}
}

// TestWindowShared: of many workers that have the same packets, one takes each.
func TestWindowShared(t *testing.T) {
	w := newWindow(128)
	const packets = 20000
	taken := make([]atomic.Int32, packets+1)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			for base := 1; base <= packets; base += 16 {
				for _, j := range rnd.Perm(16) {
					if seq := base + j; seq <= packets && w.Check(uint64(seq)) == Fresh {
						if v, _ := w.Accept(uint64(seq)); v == Fresh {
							taken[seq].Add(1)
						}
					}
				}
			}
		}()
	}
	wg.Wait()
	for seq := range taken {
		if n := taken[seq].Load(); n > 1 {
			t.Fatalf("number %d was taken %d times", seq, n)
		}
	}
}

func TestWindowNone(t *testing.T) {
	w := newWindow(0)
	for _, seq := range []uint64{5, 5, 1, 0} {
		if v := w.Check(seq); v != Fresh {
			t.Errorf("check of %d says %d", seq, v)
		}
		if v, newest := w.Accept(seq); v != Fresh || newest != (seq == 5 && w.Top.Load() == 5 && newest) {
			t.Errorf("accept of %d says %d, %v", seq, v, newest)
		}
	}
	if w.Top.Load() != 5 {
		t.Errorf("top %d", w.Top.Load())
	}
}

// TestExtend: RFC 4303 appendix A2.2, at both ends of a window that lies in one subspace of 2^32 numbers or across two.
func TestExtend(t *testing.T) {
	const hi = uint64(5) << 32
	for _, c := range []struct {
		top  uint64
		low  uint32
		want uint64
		ok   bool
	}{
		{0, 1, 1, true}, {0, 1<<32 - 1, 0, false}, {hi | 1000, 1001, hi | 1001, true}, {hi | 1000, 937, hi | 937, true},
		{hi | 1000, 936, hi + 1<<32 | 936, true}, {hi | 63, 0, hi, true}, {hi | 10, 5, hi | 5, true}, {hi | 10, 1<<32 - 53, hi - 53, true},
		{hi | 10, 1<<32 - 54, hi | (1<<32 - 54), true}, {hi | (1<<32 - 1), 0, hi + 1<<32, true}, {hi | (1<<32 - 10), 3, hi + 1<<32 | 3, true},
	} {
		w := newWindow(64)
		w.Top.Store(c.top)
		if seq, ok := w.Extend(c.low); ok != c.ok || ok && seq != c.want {
			t.Errorf("top %#x, low %#x: %#x, %v, want %#x, %v", c.top, c.low, seq, ok, c.want, c.ok)
		}
	}
	// Whatever was sent within the window of the top, and up to half the space beyond, is found again.
	for _, size := range []int{0, 64, 1024} {
		rnd := rand.New(rand.NewPCG(7, uint64(size)))
		w := newWindow(size)
		for range 20000 {
			top := rnd.Uint64N(1<<40) + 2000
			w.Top.Store(top)
			sent := top - 63 + rnd.Uint64N(1<<31)
			if seq, ok := w.Extend(uint32(sent)); !ok || seq != sent {
				t.Fatalf("window of %d, top %#x: %#x came out as %#x, %v", size, top, sent, seq, ok)
			}
		}
	}
}

// TestAcceptBlock: numbers of a block that are accepted together are those that are accepted one by one.
func TestAcceptBlock(t *testing.T) {
	for _, size := range []int{0, 64, 128, 192, 1024} {
		rnd := rand.New(rand.NewPCG(3, uint64(size)))
		together, single := newWindow(size), newWindow(size)
		next := uint64(1)
		for range 30000 {
			block, _ := Block(next)
			var bits uint32
			newest := false
			var fresh, dup uint32
			for range 1 + rnd.IntN(6) {
				seq := block<<blockBits | uint64(rnd.IntN(32))
				_, bit := Block(seq)
				if seq == 0 || bits&bit != 0 {
					continue
				}
				bits |= bit
			}
			for i := range 32 {
				seq := block<<blockBits | uint64(i)
				_, bit := Block(seq)
				if bits&bit == 0 {
					continue
				}
				v, n := single.Accept(seq)
				switch v {
				case Fresh:
					fresh |= bit
					newest = newest || n
				case Dup:
					dup |= bit
				}
			}
			if bits != 0 {
				f, d, n := together.AcceptBlock(block, bits)
				if size == 0 {
					newest = n // one number at a time may each be the newest
				}
				if f != fresh || d != dup || n != newest || together.Top.Load() != single.Top.Load() {
					t.Fatalf("window of %d, block %d, bits %#x: %#x, %#x, %v, want %#x, %#x, %v", size, block, bits, f, d, n, fresh, dup, newest)
				}
			}
			switch rnd.IntN(5) {
			case 0:
				next += uint64(rnd.IntN(3*size + 40))
			case 1:
				next -= min(next-1, uint64(rnd.IntN(2*size+40)))
			}
		}
	}
}
