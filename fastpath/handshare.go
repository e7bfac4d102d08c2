package fastpath

import (
	"errors"
	"fmt"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/ring"
)

// What the process that has the tables says about handing over: which ports, by whom, and how much is whose.

// HandOver makes the workers in from, which have a queue of port id, hand over what they receive there to the worker that each flow
// belongs to; none ends it. It takes effect with the next burst. ErrFull: the arena has no room for the rings.
func (e *Engine) HandOver(id fib.PortID, from ...int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || id == 0 || int(id) >= e.cfg.MaxPorts {
		return fmt.Errorf("fastpath: hand over what port %d receives: numbers go from 1 to %d", id, e.cfg.MaxPorts-1)
	}
	for _, f := range from {
		for to := range e.cfg.Workers {
			if err := e.needRing(f, to); err != nil {
				return err
			}
		}
	}
	var on [2]uint32
	if e.cfg.Workers > 1 {
		for _, f := range from {
			on[f/32] |= 1 << (f % 32)
		}
	}
	for k, bits := range on {
		word, _ := e.handPort(id, 32*k)
		atomic.StoreUint32(word, bits)
	}
	atomic.AddUint32(&e.hand[handGeneration], 1)
	return nil
}

// HandsOver tells whether what port id receives on a queue of any worker is handed over.
func (e *Engine) HandsOver(id fib.PortID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || int(id) >= e.cfg.MaxPorts {
		return false
	}
	low, _ := e.handPort(id, 0)
	high, _ := e.handPort(id, 32)
	return atomic.LoadUint32(low)|atomic.LoadUint32(high) != 0
}

// ReceivedBy is how many packets of port id each worker has taken from its queue: how evenly a link spreads them.
func (e *Engine) ReceivedBy(id fib.PortID) []uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || int(id) >= e.cfg.MaxPorts {
		return nil
	}
	out := make([]uint64, len(e.workers))
	for i, w := range e.workers {
		out[i] = atomic.LoadUint64(&w.c.ports[linkWords*int(id)+rxPackets])
	}
	return out
}

// needRing makes the ring from one worker to another if there is none. A ring stays: its ends may be in use.
func (e *Engine) needRing(from, to int) error {
	if from < 0 || from >= e.cfg.Workers || to < 0 || to >= e.cfg.Workers {
		return fmt.Errorf("fastpath: hand over from worker %d to %d: there are %d", from, to, e.cfg.Workers)
	}
	word := e.handRing(from, to)
	if from == to || atomic.LoadUint32(word) != 0 {
		return nil
	}
	if e.late.joined {
		return fmt.Errorf("fastpath: there is no ring from worker %d to %d, and the process that writes the tables has to make it", from, to)
	}
	n := ring.Bytes(e.cfg.handSlots(), e.cfg.SlotSize)
	r, err := e.arena.AllocKept(n)
	if err == nil {
		_, err = ring.New(e.arena.Bytes(r, n), e.cfg.handSlots(), e.cfg.SlotSize)
	}
	if errors.Is(err, arena.ErrFull) {
		err = ErrFull
	}
	if err != nil {
		return fmt.Errorf("fastpath: ring from worker %d to %d, %d KiB: %w", from, to, n>>10, err)
	}
	atomic.StoreUint32(word, uint32(r))
	return nil
}

// Busy is how long each worker has been at work, in ticks of the CPU's time stamp counter, links included.
func (e *Engine) Busy() []uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	out := make([]uint64, len(e.workers))
	for i, w := range e.workers {
		out[i] = atomic.LoadUint64(&w.c.words[cntTicks]) + atomic.LoadUint64(&w.c.words[cntLinkTicks])
	}
	return out
}

// Shares is how many of the buckets that flows hash to each worker owns.
func (e *Engine) Shares() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	return e.shares()
}

func (e *Engine) shares() []int {
	out := make([]int, e.cfg.Workers)
	for b := range handBuckets {
		out[e.hand[handOwners+b]]++
	}
	return out
}

// Share gives each worker so many buckets, Buckets together. No more of them change their owner than must: the flows in those may be out of order for a moment.
func (e *Engine) Share(want []int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(want) != e.cfg.Workers {
		return fmt.Errorf("fastpath: shares of %d workers: there are %d", len(want), e.cfg.Workers)
	}
	sum := 0
	for _, n := range want {
		if n < 0 {
			return fmt.Errorf("fastpath: a share of %d buckets", n)
		}
		sum += n
	}
	if sum != Buckets {
		return fmt.Errorf("fastpath: shares of %d buckets: there are %d", sum, Buckets)
	}
	have, to := e.shares(), 0
	for b := range handBuckets {
		from := &e.hand[handOwners+b]
		if have[*from] <= want[*from] {
			continue
		}
		for have[to] >= want[to] {
			to++
		}
		have[*from]--
		have[to]++
		atomic.StoreUint32(from, uint32(to))
	}
	atomic.AddUint32(&e.hand[handGeneration], 1)
	return nil
}

// Buckets is how many buckets flows hash to.
const Buckets = handBuckets
