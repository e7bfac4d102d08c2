package sa

import (
	"math/bits"
	"sync/atomic"

	"nave/fastpath/internal/arena"
)

// Verdict is what an anti-replay window says of a sequence number. The zero value is not accepted.
type Verdict uint8

// Verdicts.
const (
	Old   Verdict = iota // left of the window
	Dup                  // seen before
	Fresh                // neither
)

// Window is the anti-replay window of an inbound association (RFC 4303 section 3.4.3): the highest sequence number so far, and which of
// the Size before it were seen. Its words are in the arena and any number of workers may use it at once.
//
// Each slot is a block of 32 sequence numbers: in the upper half which block, below a bit for each. A slot goes on to a later block and never
// back, and what belongs to an earlier block is too old. So no number is accepted twice, whatever two workers do at the same time, and
// whenever one of them dies.
type Window struct {
	Top   *atomic.Uint64
	Slots []atomic.Uint64 // a power of two of them
	Size  uint64          // packets; 0 checks nothing
}

const blockBits = 5

// Slots is how many slots a window of size packets takes.
func Slots(size int) int {
	if size == 0 {
		return 0
	}
	n := 1
	for n < size>>blockBits+1 {
		n *= 2
	}
	return n
}

func (w *Window) slot(seq uint64) *atomic.Uint64 {
	return &w.Slots[(seq>>blockBits)&uint64(len(w.Slots)-1)]
}

// judge is what a slot's value says of seq, and what the value is with it.
func judge(v, seq uint64) (Verdict, uint64) {
	block, bit := uint32(seq>>blockBits), uint64(1)<<(seq&(1<<blockBits-1))
	switch d := int32(block - uint32(v>>32)); {
	case v == 0: // nothing seen here yet
		return Fresh, uint64(block)<<32 | bit
	case d < 0:
		return Old, 0
	case d > 0:
		return Fresh, uint64(block)<<32 | bit
	case v&bit != 0:
		return Dup, 0
	}
	return Fresh, v | bit
}

// Check tells about seq before the packet is opened; nothing changes.
func (w *Window) Check(seq uint64) Verdict {
	if w.Size == 0 {
		return Fresh
	}
	if seq == 0 {
		return Old // the first packet has 1
	}
	top := w.Top.Load()
	if seq > top {
		return Fresh
	}
	if seq+w.Size <= top {
		return Old
	}
	v, _ := judge(w.slot(seq).Load(), seq)
	return v
}

// Accept enters seq, whose packet is authentic. newest tells whether it is the highest so far.
func (w *Window) Accept(seq uint64) (v Verdict, newest bool) {
	top := w.Top.Load()
	for seq > top {
		// The top comes first: what is left of the window then is refused whatever its slot says.
		if w.Top.CompareAndSwap(top, seq) {
			newest = true
			break
		}
		top = w.Top.Load()
	}
	if w.Size == 0 {
		return Fresh, newest
	}
	if !newest && seq+w.Size <= top {
		return Old, false
	}
	s := w.slot(seq)
	for {
		old := s.Load()
		v, with := judge(old, seq)
		if v != Fresh || s.CompareAndSwap(old, with) {
			return v, newest && v == Fresh
		}
	}
}

// Block is which block of 32 sequence numbers seq is in, and its bit there: for AcceptBlock.
func Block(seq uint64) (block uint64, bit uint32) {
	return seq >> blockBits, 1 << (seq & (1<<blockBits - 1))
}

// AcceptBlock is Accept for the sequence numbers of one block whose bits are set, of packets that came one after the other: one step on shared memory for
// all of them. It returns the bits of those that are accepted, and of those that were seen before. newest tells whether the highest of bits is the highest so far.
//
// What is to the left of the window is refused by the slots alone, each of which goes on to later blocks only; so the top may be stored without a lock. When
// two workers do so at the same time it may fall back to the lower of both numbers, and the window is that much wider for a moment.
func (w *Window) AcceptBlock(block uint64, want uint32) (fresh, dup uint32, newest bool) {
	highest := block<<blockBits | uint64(31-bits.LeadingZeros32(want))
	top := w.Top.Load()
	if highest > top {
		arena.Set(w.Top, highest) // first, as in Accept
		newest, top = true, highest
	}
	if w.Size == 0 {
		return want, 0, newest
	}
	if top >= w.Size { // what is left of the window is too old
		if least := top - w.Size + 1; least>>blockBits > block {
			return 0, 0, false
		} else if least>>blockBits == block {
			want &= ^uint32(0) << (least & (1<<blockBits - 1))
		}
	}
	s := &w.Slots[block&uint64(len(w.Slots)-1)]
	for {
		v := s.Load()
		with := uint64(uint32(block))<<32 | uint64(want)
		fresh, dup = want, 0
		switch d := int32(uint32(block) - uint32(v>>32)); {
		case v == 0 || d > 0:
		case d < 0:
			return 0, 0, newest
		default:
			dup = want & uint32(v)
			fresh = want &^ dup
			with |= v
		}
		if fresh == 0 || s.CompareAndSwap(v, with) {
			return fresh, dup, newest && fresh>>(highest&(1<<blockBits-1))&1 != 0
		}
	}
}

// esnLeast is what a window counts as, where there is none, to work out sequence numbers.
const esnLeast = 1024

// Extend works out the 64-bit sequence number of which low was sent (RFC 4303 appendix A2.2). ok is false where it would be before the first.
func (w *Window) Extend(low uint32) (seq uint64, ok bool) {
	top, size := w.Top.Load(), uint32(max(w.Size, esnLeast))
	if w.Size != 0 {
		size = uint32(w.Size)
	}
	hi, tl := top>>32, uint32(top)
	bottom := tl - size + 1 // modulo 2^32
	switch {
	case tl >= size-1 && low < bottom:
		hi++
	case tl < size-1 && low >= bottom:
		if hi == 0 {
			return 0, false
		}
		hi--
	}
	return hi<<32 | uint64(low), true
}
