package stall

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"nave/perf/hist"
	"nave/perf/tsc"
)

// gaps is how far apart polls were, in ticks, in the buckets of package hist.
type gaps struct {
	counts  [hist.Buckets]uint64
	largest uint64
	last    uint64 // when the latest poll was; 0 before the first
}

// poll counts a poll now. Allocates nothing.
func (g *gaps) poll() {
	now := tsc.Ticks()
	if g.last != 0 {
		gap := now - g.last
		g.counts[hist.Index(int64(gap))]++
		g.largest = max(g.largest, gap)
	}
	g.last = now
}

// result is what a process that looped, or allocated, says at its end.
type result struct {
	Hz        float64        `json:"hz"`
	Ran       float64        `json:"ran"` // seconds
	Counts    map[int]uint64 `json:"counts,omitempty"`
	Largest   uint64         `json:"largest,omitempty"`
	Allocated uint64         `json:"allocated,omitempty"` // bytes
}

func (g *gaps) result(ran time.Duration, hz float64) *result {
	r := &result{Hz: hz, Ran: ran.Seconds(), Counts: map[int]uint64{}, Largest: g.largest}
	for i, n := range g.counts {
		if n > 0 {
			r.Counts[i] = n
		}
	}
	return r
}

func readResult(in io.Reader) (*result, error) {
	r := new(result)
	if err := json.NewDecoder(in).Decode(r); err != nil {
		return nil, fmt.Errorf("what it says at its end: %w", err)
	}
	for i := range r.Counts {
		if i < 0 || i >= hist.Buckets {
			return nil, fmt.Errorf("what it says at its end: there is no bucket %d", i)
		}
	}
	if !(r.Hz > 0) || !(r.Ran > 0) {
		return nil, fmt.Errorf("what it says at its end: %g s at %g ticks a second", r.Ran, r.Hz)
	}
	return r, nil
}
