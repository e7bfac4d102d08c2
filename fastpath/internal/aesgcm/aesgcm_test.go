package aesgcm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"nave/fastpath/internal/aeskey"
)

// each runs f by every kernel that this machine has, and by the standard library.
func each(t *testing.T, f func(t *testing.T)) {
	was := kernel
	defer func() { kernel = was }()
	for k := aeskey.None; k <= was; k++ {
		kernel = k
		t.Run(fmt.Sprintf("kernel=%s", k), f)
	}
}

// source is a random source that gives the same in each run of a test.
func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func fill(r *rand.Rand, b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, r.Uint64())
		b = b[8:]
	}
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// A rig is a packet, and what the standard library makes of it.
type rig struct {
	key   []byte
	k     *Key
	p     Packet
	plain []byte
	want  []byte // ciphertext and ICV
	buf   []byte // payload and ICV, a piece of a larger one
}

// newRig draws a packet whose text stands in buf, which has n+icv bytes.
func newRig(t testing.TB, r *rand.Rand, key []byte, k *Key, buf []byte, aad, icv int) *rig {
	t.Helper()
	n := len(buf) - icv
	g := &rig{key: key, k: k, buf: buf, plain: make([]byte, n)}
	fill(r, g.plain)
	g.p = Packet{Key: k, Text: unsafe.Pointer(unsafe.SliceData(buf)), Len: uint32(n), ICV: uint8(icv), AADLen: uint8(aad)}
	fill(r, g.p.Nonce[:])
	fill(r, g.p.AAD[:])
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	std, err := cipher.NewGCM(b)
	if err != nil {
		t.Fatal(err)
	}
	g.want = std.Seal(nil, g.p.Nonce[:12], g.plain, g.p.AAD[:aad])[:n+icv]
	copy(buf, g.plain)
	return g
}

func newKey(t testing.TB, r *rand.Rand, size int) ([]byte, *Key) {
	t.Helper()
	key := make([]byte, size)
	fill(r, key)
	k := new(Key)
	if err := k.Expand(key); err != nil {
		t.Fatal(err)
	}
	return key, k
}

// sealed and opened say whether the packet is what it must be.
func (g *rig) sealed(t testing.TB) {
	t.Helper()
	if !bytes.Equal(g.buf, g.want) {
		t.Fatalf("key %d, text %d, AAD %d, ICV %d: sealed\n%x, want\n%x", len(g.key), g.p.Len, g.p.AADLen, g.p.ICV, g.buf, g.want)
	}
}

func (g *rig) opened(t testing.TB) {
	t.Helper()
	if !g.p.OK {
		t.Fatalf("key %d, text %d, AAD %d, ICV %d: the ICV was right and is refused", len(g.key), g.p.Len, g.p.AADLen, g.p.ICV)
	}
	if !bytes.Equal(g.buf[:g.p.Len], g.plain) {
		t.Fatalf("key %d, text %d, AAD %d, ICV %d: opened\n%x, want\n%x", len(g.key), g.p.Len, g.p.AADLen, g.p.ICV, g.buf[:g.p.Len], g.plain)
	}
	if !bytes.Equal(g.buf[g.p.Len:], g.want[g.p.Len:]) {
		t.Fatal("opening wrote to the ICV")
	}
}

func (g *rig) seal() {
	one := [1]Packet{g.p}
	Seal(one[:])
}

func (g *rig) open() {
	one := [1]Packet{g.p}
	one[0].OK = true
	Open(one[:])
	g.p.OK = one[0].OK
}

// Every length, for each size of key, of AAD and of ICV.
func TestLengths(t *testing.T) {
	each(t, func(t *testing.T) {
		for _, size := range []int{16, 24, 32} {
			for n := range 2049 {
				r := source(uint64(n*size + 1))
				key, k := newKey(t, r, size)
				for _, aad := range []int{8, 12} {
					for _, icv := range []int{8, 12, 16} {
						whole := make([]byte, 64+n+icv+64)
						fill(r, whole)
						around := bytes.Clone(whole)
						g := newRig(t, r, key, k, whole[64:64+n+icv:64+n+icv], aad, icv)
						g.seal()
						g.sealed(t)
						g.open()
						g.opened(t)
						if !bytes.Equal(whole[:64], around[:64]) || !bytes.Equal(whole[64+n+icv:], around[64+n+icv:]) {
							t.Fatalf("text %d: bytes around it changed", n)
						}
					}
				}
			}
		}
	})
}
