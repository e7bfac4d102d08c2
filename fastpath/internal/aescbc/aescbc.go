// Package aescbc is AES in CBC (RFC 3602) and counter mode (RFC 3686) for bursts of ESP packets, in place. Decryption and counter mode do sixteen blocks
// of a packet at a time; encryption in CBC, where each block waits for the one before, does four packets at a time.
//
// The assembly is written by the program in aesgcm/gen. It reads and writes exactly the text, and takes the same time whatever the key and the text.
// On a CPU without VAES all works, too, with the standard library, but allocates and is slow.
package aescbc

import (
	"unsafe"

	"nave/fastpath/internal/aeskey"
)

//go:generate sh -c "cd ../aesgcm/gen && go run . -set cbc -pkg aescbc -out ../../aescbc/kernel_amd64.s -stubs ../../aescbc/kernel_amd64.go"

// Size is that of a Key in bytes.
const Size = 512

// A Key is what a key expands to. It has no pointers and may live in memory that processes of one machine share, best at a multiple of 64 bytes. The zero
// Key is not usable: what is done by it is zeros.
type Key struct {
	round   [15][16]byte // round keys; the first of them are the key itself
	rounds  uint32       // 10, 12 or 14
	_       [12]byte
	inverse [15][16]byte // those of decryption, in their order
	_       [16]byte
}

// A Packet is one of a burst.
type Packet struct {
	Key  *Key
	Text unsafe.Pointer // encrypted or decrypted in place
	Len  uint32         // bytes; CBC takes whole blocks of 16, and leaves what is more as it is
	_    [12]byte
	IV   [16]byte // CBC: the IV. Counter mode: the first counter block; its last four bytes count, and wrap
	_    [16]byte // a Packet fills a cache line
}

// The kernels know where things are.
const (
	_ = -uint(unsafe.Sizeof(Key{}) ^ Size)
	_ = -uint(unsafe.Sizeof(Packet{}) ^ 64)
	_ = -uint(unsafe.Offsetof(Key{}.rounds) ^ 240)
	_ = -uint(unsafe.Offsetof(Key{}.inverse) ^ 256)
	_ = -uint(unsafe.Offsetof(Packet{}.Len)<<8 ^ unsafe.Offsetof(Packet{}.IV) ^ 0x1020)
)

// unit is the one in use.
var unit = min(aeskey.Best(), aeskey.AVX2)

// Kernel names the assembly that is used, or is empty when this CPU has not what it needs.
func Kernel() string { return unit.String() }

// Expand makes k of key, which has 16, 24 or 32 bytes; else it is aeskey.ErrSize. The time it takes does not depend on the key's value.
func (k *Key) Expand(key []byte) error {
	rounds := aeskey.Rounds(len(key))
	if rounds == 0 {
		return aeskey.ErrSize
	}
	*k = Key{rounds: rounds}
	copy(unsafe.Slice(&k.round[0][0], len(key)), key)
	if unit != aeskey.None {
		aeskey.Schedule(&k.round, rounds)
		aeskey.Inverse(&k.inverse, &k.round, rounds)
	}
	return nil
}

// Hold says which bytes are to be encrypted or decrypted: all of b, which is not empty.
func (p *Packet) Hold(b []byte) { p.Text, p.Len = unsafe.Pointer(&b[0]), uint32(len(b)) }

// Clear forgets the key.
func (k *Key) Clear() { *k = Key{} }

// usable says whether the kernels can work with the key.
func (k *Key) usable() bool {
	return unit != aeskey.None && (k.rounds == 10 || k.rounds == 12 || k.rounds == 14)
}
