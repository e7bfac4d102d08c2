//go:build !race

package arena

import (
	"sync/atomic"
	"unsafe"
)

// Set stores a word of which a later value may be lost when another worker stores at the same time, but never half of one. It costs a tenth of an atomic
// store, which on this architecture locks the line and waits for all stores before it.
func Set(p *atomic.Uint64, v uint64) { *(*uint64)(unsafe.Pointer(p)) = v }
