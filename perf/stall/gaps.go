package stall

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	Waited    float64        `json:"waited"`              // seconds that threads were ready to run and had no CPU
}

func (g *gaps) result(ran time.Duration, hz float64) *result {
	r := &result{Hz: hz, Ran: ran.Seconds(), Counts: map[int]uint64{}, Largest: g.largest, Waited: waited()}
	for i, n := range g.counts {
		if n > 0 {
			r.Counts[i] = n
		}
	}
	return r
}

// waited is how long threads of this process, those that are there, have been ready to run while something else had the CPU, in seconds; 0 where the kernel does not tell.
func waited() float64 {
	files, err := filepath.Glob("/proc/self/task/*/schedstat")
	if err != nil {
		return 0
	}
	sum := 0.0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread is gone
		}
		fields := strings.Fields(string(text)) // time on a CPU, time waiting for one, both in nanoseconds, and turns
		if len(fields) != 3 {
			continue
		}
		if ns, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
			sum += float64(ns) / 1e9
		}
	}
	return sum
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
