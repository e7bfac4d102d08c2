package table

import "unsafe"

// prefetchSAs asks for the lines of n associations, of which there is at least one.
//
//go:noescape
func prefetchSAs(at *unsafe.Pointer, n int)
