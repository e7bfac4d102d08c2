//go:build !amd64

package aeskey

// Best says that there is no assembly for this architecture.
func Best() Unit { return None }

// Schedule is not for machines without a unit: it does nothing.
func Schedule(*[15][16]byte, uint32) {}

// Inverse is not for machines without a unit: it does nothing.
func Inverse(_, _ *[15][16]byte, _ uint32) {}
