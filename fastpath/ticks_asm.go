//go:build amd64 || arm64

package fastpath

// ticks reads the CPU's time stamp counter: a constant rate, and no time that anything depends on.
func ticks() uint64
