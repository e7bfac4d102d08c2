// Package aesgcm is AES-GCM for bursts of ESP packets (RFC 4106, RFC 4543's AAD aside): sealing and opening in place, with assembly for CPUs that
// have AES and carry-less multiplication on wide registers (VAES, VPCLMULQDQ), and in one pass for each packet.
//
// The assembly is written by the program in gen. What it reads and writes is exactly the packet: text, ICV, and the Packet and Key themselves.
// Nothing that it does, nor the time that it takes, depends on a key, on text or on a tag's value; only on lengths.
//
// On a CPU without these instructions Kernel is empty. Seal and Open work there, too, but allocate and are slow: the standard library with a cipher
// made once for each key is the better choice then.
package aesgcm

import (
	"unsafe"

	"nave/fastpath/internal/aeskey"
)

//go:generate sh -c "cd gen && go run . -set gcm -pkg aesgcm -out ../kernel_amd64.s -stubs ../kernel_amd64.go"

// Size is that of a Key in bytes.
const Size = 512

// MaxLen is the largest payload of a Packet in bytes.
const MaxLen = 65535

// A Key is what a key expands to: all that Seal and Open need of it. It has no pointers and may live in memory that processes of one machine share,
// best at a multiple of 64 bytes. The zero Key is not usable: it opens nothing, and what is sealed by it is zeros.
type Key struct {
	power  [16][16]byte // H^16 to H^1, times x, as the kernels take them
	rounds uint32       // 10, 12 or 14
	_      [12]byte
	round  [15][16]byte // round keys; the first of them are the key itself
}

// A Packet is one of a burst.
type Packet struct {
	Key    *Key
	Text   unsafe.Pointer // the payload, encrypted or decrypted in place; the ICV stands right behind its Len bytes
	Len    uint32         // bytes of payload, 0 to MaxLen
	ICV    uint8          // bytes of the ICV: 8, 12 or 16
	AADLen uint8          // bytes of the AAD: 8 or 12 (any up to 16 work)
	OK     bool           // set by Open: the ICV is right
	_      uint8
	Nonce  [16]byte // salt and IV, 12 bytes (RFC 4106, section 4); the last four bytes are not looked at
	AAD    [16]byte // AADLen of it (RFC 4106, section 5)
	_      [8]byte  // a Packet fills a cache line
}

// The kernels know where things are.
const (
	_ = -uint(unsafe.Sizeof(Key{}) ^ Size)
	_ = -uint(unsafe.Sizeof(Packet{}) ^ 64)
	_ = -uint(unsafe.Offsetof(Key{}.round) ^ 272)
	_ = -uint(unsafe.Offsetof(Key{}.rounds) ^ 256)
	_ = -uint(unsafe.Offsetof(Packet{}.Len)<<24 ^ unsafe.Offsetof(Packet{}.ICV)<<16 ^ unsafe.Offsetof(Packet{}.AADLen)<<8 ^ unsafe.Offsetof(Packet{}.OK) ^ 0x10141516)
	_ = -uint(unsafe.Offsetof(Packet{}.Nonce)<<8 ^ unsafe.Offsetof(Packet{}.AAD) ^ 0x1828)
)

// kernel is the one in use.
var kernel = aeskey.Best()

// Expand makes k of key, which has 16, 24 or 32 bytes; else it is aeskey.ErrSize. The time it takes does not depend on the key's value.
func (k *Key) Expand(key []byte) error {
	rounds := aeskey.Rounds(len(key))
	if rounds == 0 {
		return aeskey.ErrSize
	}
	*k = Key{rounds: rounds}
	copy(unsafe.Slice(&k.round[0][0], len(key)), key)
	if kernel != aeskey.None {
		aeskey.Schedule(&k.round, rounds)
		k.hashPowers()
	}
	return nil
}

// At is the Key that Bytes gave, wherever it was copied to.
func At(b *[Size]byte) *Key { return (*Key)(unsafe.Pointer(b)) }

// Bytes is the memory of the key.
func (k *Key) Bytes() *[Size]byte { return (*[Size]byte)(unsafe.Pointer(k)) }

// Hold says which payload it is: n bytes at the start of b, which has the ICV or room for it behind them.
func (p *Packet) Hold(b []byte, n int) {
	_ = b[n+int(p.ICV)-1]
	p.Text, p.Len = unsafe.Pointer(&b[0]), uint32(n)
}

// Kernel names the assembly that is used, or is empty when this CPU has not what it needs.
func Kernel() string { return kernel.String() }
