package stall

import "nave/perf/hist"

// spin is the loop without a runtime. every must be 32 at least. It can not be preempted, so it ends by itself.
//
//go:noescape
func spin(until, every uint64, counts *[hist.Buckets]uint64, largest *uint64)
