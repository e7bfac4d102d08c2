//go:build race

package arena

import "sync/atomic"

// fence tells the race detector what the epochs order: it does not see them, for the mapped region is not memory that it watches.
var fence atomic.Uint64

// left is called by a reader before it lets go of an epoch, seen by the writer once it has found that no reader is in one.
func left() { fence.Add(1) }
func seen() { fence.Load() }
