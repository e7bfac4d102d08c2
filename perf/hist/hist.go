// Package hist is a histogram of durations whose buckets widen with the value: a bucket is at most 1/32 of what it holds, so every
// percentile is right to about 3 % from nanoseconds to minutes, in 10 kB and without an allocation after the first.
//
// The XDP receiver of package perf/xdp sorts into the same buckets in the kernel.
package hist

import (
	"math"
	"math/bits"
	"time"
)

const (
	subBits = 5
	sub     = 1 << subBits // buckets of one power of two
	// maxBits is how large a value may be: 2^40 ns are 18 minutes. What is larger counts into the last bucket.
	maxBits = 40
	// Buckets is how many there are.
	Buckets = (maxBits - subBits + 1) * sub
)

// Hist counts values. The zero value is empty and ready.
type Hist struct {
	counts [Buckets]uint64
	total  uint64
	sum    float64
	min    int64
	max    int64
}

// Index is the bucket of a value in nanoseconds. Below zero counts as zero: two clocks can disagree by a little.
func Index(v int64) int {
	if v < sub {
		return int(max(v, 0))
	}
	e := bits.Len64(uint64(v)) - 1
	if e >= maxBits {
		return Buckets - 1
	}
	return (e-subBits+1)*sub + int(v>>(e-subBits))&(sub-1)
}

// low is the smallest value of a bucket.
func low(i int) int64 {
	if i < sub {
		return int64(i)
	}
	e := i/sub - 1
	return int64(sub+i%sub) << e
}

// mid is what stands for the values of a bucket.
func mid(i int) int64 {
	l := low(i)
	if i < sub {
		return l
	}
	return l + int64(1)<<(i/sub-1)/2
}

// Add counts one value, nanoseconds.
func (h *Hist) Add(v int64) {
	v = max(v, 0)
	h.counts[Index(v)]++
	if h.total == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.total++
	h.sum += float64(v)
}

// AddBuckets counts what somebody else has sorted: counts by bucket, and the smallest and largest value, which only matter if there is any.
func (h *Hist) AddBuckets(counts []uint64, smallest, largest int64) {
	var n uint64
	for i, c := range counts[:min(len(counts), Buckets)] {
		h.counts[i] += c
		n += c
		h.sum += float64(c) * float64(mid(i))
	}
	if n == 0 {
		return
	}
	if h.total == 0 || smallest < h.min {
		h.min = smallest
	}
	h.max = max(h.max, largest)
	h.total += n
}

// Merge counts all of o.
func (h *Hist) Merge(o *Hist) {
	sum := h.sum + o.sum
	h.AddBuckets(o.counts[:], o.min, o.max)
	h.sum = sum
}

// Count is how many values there are.
func (h *Hist) Count() uint64 { return h.total }

// Quantile is the value that a part q (0 to 1) of all are at or below; 0 without any.
func (h *Hist) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	want := uint64(math.Ceil(q * float64(h.total)))
	want = min(max(want, 1), h.total)
	var n uint64
	for i, c := range h.counts {
		if n += c; n >= want {
			return time.Duration(min(max(mid(i), h.min), h.max))
		}
	}
	return time.Duration(h.max)
}

// Summary is a histogram in a few numbers, nanoseconds.
type Summary struct {
	Count uint64  `json:"count"`
	Min   int64   `json:"min_ns"`
	Mean  float64 `json:"mean_ns"`
	P50   int64   `json:"p50_ns"`
	P99   int64   `json:"p99_ns"`
	P999  int64   `json:"p999_ns"`
	Max   int64   `json:"max_ns"`
}

// Summary is what most people ask of it.
func (h *Hist) Summary() Summary {
	if h.total == 0 {
		return Summary{}
	}
	return Summary{
		Count: h.total, Min: h.min, Mean: h.sum / float64(h.total), Max: h.max,
		P50: int64(h.Quantile(0.5)), P99: int64(h.Quantile(0.99)), P999: int64(h.Quantile(0.999)),
	}
}
