//go:build !amd64

package stall

import (
	"nave/perf/hist"
	"nave/perf/tsc"
)

// spin is the loop in Go, for machines that no assembly is written for: unlike the one in assembly, the runtime may stop it.
func spin(until, every uint64, counts *[hist.Buckets]uint64, largest *uint64) {
	for last, now := tsc.Ticks(), uint64(0); now < until; {
		if now = tsc.Ticks(); now-last < every {
			continue
		}
		counts[hist.Index(int64(now-last))]++
		*largest = max(*largest, now-last)
		last = now
	}
}
