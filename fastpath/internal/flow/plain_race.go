//go:build race

package flow

import "sync/atomic"

// put stores a word; under the race detector so that it sees that this is meant.
func put(p *uint64, v uint64) { atomic.StoreUint64(p, v) }
