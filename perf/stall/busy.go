package stall

import (
	"context"
	"time"
)

// node is what the busy process makes: with pointers to follow and bytes to clear.
type node struct {
	next *node
	data []byte
}

const (
	// live is how many nodes are held at any time: some 100 MiB for the collector to look at.
	live = 1 << 15
	// step is how often the rate is looked at.
	step = time.Millisecond
)

// allocate allocates rate bytes a second until ctx ends, and holds what it made last; it returns how many bytes that were. What is behind catches up, so the rate is kept on average
// as long as the machine can.
func allocate(ctx context.Context, rate float64) (total uint64) {
	held := make([]*node, live)
	var last *node
	begin := time.Now()
	for i, size := 0, 0; ctx.Err() == nil; {
		due := uint64(rate * time.Since(begin).Seconds())
		if total >= due {
			time.Sleep(step)
			continue
		}
		for total < due && ctx.Err() == nil {
			size = 64 << (i % 9) // 64 bytes to 16 KiB
			n := &node{data: make([]byte, size)}
			if i%4 != 0 { // chains of four
				n.next = last
			}
			last = n
			held[i%live] = n
			total += uint64(size) + 32
			i++
		}
	}
	return total
}
