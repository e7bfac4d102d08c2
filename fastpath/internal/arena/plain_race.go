//go:build race

package arena

import "sync/atomic"

// Set stores a word; under the race detector so that it sees that this is meant.
func Set(p *atomic.Uint64, v uint64) { p.Store(v) }
