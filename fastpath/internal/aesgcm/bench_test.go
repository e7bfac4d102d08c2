package aesgcm

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"
	"unsafe"

	"nave/fastpath/internal/aeskey"
)

// A load is packets of a size, in bursts, over a number of keys, in as many buffers as a worker has in flight.
type load struct {
	keys, burst int
	sizes       [8192]int // of one packet after the other
	text        []byte
	ks          []Key
	ps          []Packet
	order       []int // of the keys, so that nothing foresees the next one
	at, key     int
	seq         uint64
}

const (
	loadBuffers = 1024
	loadStride  = 2048
)

// aligned are n keys, each at the start of a cache line.
func aligned(n int) []Key {
	raw := make([]byte, (n+1)*Size)
	skip := -uintptr(unsafe.Pointer(&raw[0])) & 63
	return unsafe.Slice((*Key)(unsafe.Pointer(&raw[skip])), n)
}

func newLoad(b *testing.B, size, keys, burst, keySize int) *load {
	l := &load{keys: keys, burst: burst, ks: aligned(keys), text: make([]byte, max(loadBuffers, burst)*loadStride), ps: make([]Packet, burst)}
	r := source(1)
	for i := range l.sizes {
		if l.sizes[i] = size; size == 0 { // IMIX: of twelve packets, seven are short and four of 570 bytes or so
			l.sizes[i] = []int{48, 48, 48, 48, 48, 48, 48, 576, 576, 576, 576, 1504}[r.IntN(12)]
		}
	}
	l.order = r.Perm(keys)
	key := make([]byte, keySize)
	for i := range l.ks {
		fill(r, key)
		if err := l.ks[i].Expand(key); err != nil {
			b.Fatal(err)
		}
	}
	return l
}

// next describes the next burst, as a worker does it.
func (l *load) next() []Packet {
	for i := range l.ps {
		p := &l.ps[i]
		p.Key = &l.ks[l.order[l.key]]
		if l.key++; l.key == l.keys {
			l.key = 0
		}
		l.seq++
		p.Text = unsafe.Pointer(&l.text[l.at*loadStride+66])
		l.at = (l.at + 1) & (loadBuffers - 1)
		p.Len, p.ICV, p.AADLen = uint32(l.sizes[l.seq&8191]), 16, 8
		binary.LittleEndian.PutUint64(p.Nonce[4:], l.seq)
		binary.LittleEndian.PutUint64(p.AAD[:], l.seq)
	}
	return l.ps
}

// run reports the mean, and the best of the pieces of the run: that is what it takes when nobody else disturbs the machine.
func run(b *testing.B, l *load, f func([]Packet)) {
	b.ReportAllocs()
	best := time.Duration(math.MaxInt64)
	piece := max(1, 1024/l.burst)
	for n := 0; n < b.N; n += piece * l.burst {
		start := time.Now()
		for range piece {
			f(l.next())
		}
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(best)/float64(piece*l.burst), "best-ns/op")
}

// Times are for one packet, its description included. Sizes are payloads: those of inner packets of 64, 90, 512 and 1400 bytes under GRE and ESP; 0 is a mixture.
func BenchmarkGCM(b *testing.B) {
	was := kernel
	defer func() { kernel = was }()
	for k := aeskey.AVX2; k <= was; k++ {
		for _, work := range []struct {
			name string
			f    func([]Packet)
		}{{"seal", Seal}, {"open", Open}} {
			for _, keys := range []int{1, 1000, 10000} {
				for _, burst := range []int{1, 32, 64} {
					for _, size := range []int{72, 96, 520, 1408, 0} {
						b.Run(fmt.Sprintf("kernel=%s/%s/keys=%d/burst=%d/%d", k, work.name, keys, burst, size), func(b *testing.B) {
							kernel = k
							run(b, newLoad(b, size, keys, burst, 16), work.f)
						})
					}
				}
			}
		}
	}
}

// The standard library at the same work, a cipher made for each key.
func BenchmarkStandard(b *testing.B) {
	for _, keys := range []int{1, 1000, 10000} {
		for _, size := range []int{72, 96, 520, 1408, 0} {
			b.Run(fmt.Sprintf("seal/keys=%d/%d", keys, size), func(b *testing.B) {
				l := newLoad(b, size, keys, 32, 16)
				std := make([]cipher.AEAD, keys)
				for i := range std {
					blk, err := aes.NewCipher(l.ks[i].round[0][:])
					if err != nil {
						b.Fatal(err)
					}
					if std[i], err = cipher.NewGCM(blk); err != nil {
						b.Fatal(err)
					}
				}
				at := 0
				run(b, l, func(ps []Packet) {
					for i := range ps {
						p := &ps[i]
						size := int(p.Len)
						text := unsafe.Slice((*byte)(p.Text), size+16)
						std[at].Seal(text[:0], p.Nonce[:12], text[:size], p.AAD[:8])
						if at++; at == keys {
							at = 0
						}
					}
				})
			})
		}
	}
}
