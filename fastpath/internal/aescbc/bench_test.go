package aescbc

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"testing"
	"unsafe"
)

// Times are for a packet, in bursts of 32, beside the standard library with a cipher made before.
func BenchmarkModes(b *testing.B) {
	key := make([]byte, 16)
	k := newKey(b, key)
	blk, err := aes.NewCipher(key)
	if err != nil {
		b.Fatal(err)
	}
	for i := range modes {
		m := &modes[i]
		for _, size := range []int{80, 528, 1408} {
			memory := make([]byte, 32*2048)
			ps := make([]Packet, 32)
			for j := range ps {
				ps[j] = Packet{Key: k, Text: unsafe.Pointer(&memory[j*2048+66]), Len: uint32(size)}
			}
			b.Run(fmt.Sprintf("%s/%d", m.name, size), func(b *testing.B) {
				b.ReportAllocs()
				for n := 0; n < b.N; n += len(ps) {
					m.f(ps)
				}
			})
			b.Run(fmt.Sprintf("%s/standard/%d", m.name, size), func(b *testing.B) {
				var iv [16]byte
				enc, dec := cipher.NewCBCEncrypter(blk, iv[:]), cipher.NewCBCDecrypter(blk, iv[:])
				for n := range b.N {
					text := memory[n%32*2048+66:][:size]
					switch m.name {
					case "encrypt":
						enc.CryptBlocks(text, text)
					case "decrypt":
						dec.CryptBlocks(text, text)
					default:
						cipher.NewCTR(blk, iv[:]).XORKeyStream(text, text)
					}
				}
			})
		}
	}
}
