//go:build amd64 || arm64

package tsc

// Ticks reads the counter, not before what comes before it in the program is done.
func Ticks() uint64
