//go:build !amd64

package table

import "unsafe"

// prefetchSAs does nothing where there is no assembly for it: packets wait for what they need.
func prefetchSAs(*unsafe.Pointer, int) {}
