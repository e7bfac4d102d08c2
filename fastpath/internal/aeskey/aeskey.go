// Package aeskey is what the AES kernels have in common: which instructions this machine has for them, and the key schedule, which takes the same time
// whatever the key.
package aeskey

import "errors"

//go:generate sh -c "cd ../aesgcm/gen && go run . -set key -pkg aeskey -out ../../aeskey/key_amd64.s -stubs ../../aeskey/key_amd64.go"

// A Unit is what a kernel computes with: registers of a width, and AES and carry-less multiplication on all of their lanes.
type Unit uint8

// Units, the narrow ones first. A machine that has one has those before it.
const (
	None   Unit = iota
	AVX2        // VAES and VPCLMULQDQ on 256 bits
	AVX512      // the same on 512 bits, with masks
)

func (u Unit) String() string {
	return [...]string{None: "", AVX2: "VAES, AVX2", AVX512: "VAES, AVX-512"}[u]
}

// ErrSize says that a key is none of AES: give 16, 24 or 32 bytes.
var ErrSize = errors.New("an AES key has 16, 24 or 32 bytes")

// Rounds is how many rounds a key of so many bytes has: 10, 12 or 14, and 0 if there is no such key.
func Rounds(size int) uint32 {
	switch size {
	case 16, 24, 32:
		return uint32(6 + size/4)
	}
	return 0
}
