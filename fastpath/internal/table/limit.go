package table

import "math/bits"

// Limiter lets something happen once per flow and interval. It has a fixed size and belongs to one worker: the flow table
// behind punts of which one a flow is enough. What it remembers ends by itself with the interval, and when a set of
// entries is full of flows that are still held back, the one that ends first makes room: too many flows cost a few punts too many, never memory.
type Limiter struct {
	sets []limitSet
	seed uint64
}

const ways = 4

// limitSet is one cache line: the flows whose hash falls here, and when each may pass again.
type limitSet struct {
	flow  [ways]uint64
	until [ways]int64
}

// NewLimiter makes one with room for flows flows. seed keeps strangers from choosing flows that collide.
func NewLimiter(flows int, seed uint64) *Limiter {
	n := 1
	for n*ways < flows {
		n *= 2
	}
	return &Limiter{make([]limitSet, n), seed | 1}
}

// Allow tells whether the flow (a, b) may pass at now, and if so holds it back for interval. Times are nanoseconds of one clock.
func (l *Limiter) Allow(a, b uint64, now, interval int64) bool {
	hi, lo := bits.Mul64(a^l.seed, 0x9e3779b97f4a7c15^bits.RotateLeft64(l.seed, 32))
	x := hi ^ lo ^ b
	hi, lo = bits.Mul64(x^l.seed>>7, 0xa0761d6478bd642f)
	id := (hi ^ lo) | 1 // 0 is a free entry
	s := &l.sets[(id>>32)&uint64(len(l.sets)-1)]
	oldest := 0
	for i := range s.flow {
		if s.flow[i] == id {
			if now < s.until[i] {
				return false
			}
			s.until[i] = now + interval
			return true
		}
		if s.until[i] < s.until[oldest] {
			oldest = i
		}
	}
	s.flow[oldest], s.until[oldest] = id, now+interval
	return true
}
