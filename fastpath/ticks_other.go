//go:build !amd64 && !arm64

package fastpath

import "time"

var ticksStart = time.Now()

// ticks counts nanoseconds where no counter of the CPU is at hand.
func ticks() uint64 { return uint64(time.Since(ticksStart)) }
