package fastpath

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// benchSuites is what is measured, of all that there is.
var benchSuites = []suite{
	{name: "clear"},
	{name: "aes-gcm-128", cipher: fib.CipherAESGCM, key: 20},
	{name: "aes-gcm-256", cipher: fib.CipherAESGCM, key: 36},
	{name: "aes-gcm-128-8", cipher: fib.CipherAESGCM, key: 20, icv: 8},
	{name: "aes-gmac-128", cipher: fib.CipherAESGMAC, key: 20},
	{name: "chacha20-poly1305", cipher: fib.CipherChaCha20Poly1305, key: 36},
	{name: "aes-cbc-128-sha1", cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA1, authKey: 20},
	{name: "aes-cbc-128-sha256", cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA256, authKey: 32},
	{name: "aes-cbc-256-sha512", cipher: fib.CipherAESCBC, key: 32, auth: fib.AuthHMACSHA512, authKey: 64},
	{name: "aes-ctr-128-sha256", cipher: fib.CipherAESCTR, key: 20, auth: fib.AuthHMACSHA256, authKey: 32},
	{name: "null-sha1", auth: fib.AuthHMACSHA1, authKey: 20},
	{name: "des", cipher: fib.CipherDES, key: 8},
	{name: "des-md5", cipher: fib.CipherDES, key: 8, auth: fib.AuthHMACMD5, authKey: 16},
	{name: "3des-sha1", cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20},
	{name: "ah-sha1", ahOnly: true, ah: fib.AuthHMACSHA1, ahKey: 20},
}

// BenchmarkESP is the whole way of an inner packet of so many bytes into a sealed one (seal) and of a sealed one into what was inside (open), beside
// the library's call for as many bytes (bare). What is called clear is the way without the cipher.
func BenchmarkESP(b *testing.B) {
	for _, s := range benchSuites {
		for _, size := range []int{64, 512, 1400} {
			at := fmt.Sprintf("%s/%d", s.name, size)
			b.Run("seal/"+at, func(b *testing.B) { benchSeal(b, s, size) })
			b.Run("open/"+at, func(b *testing.B) { benchOpen(b, s, size) })
			if s.name != "clear" {
				b.Run("bare/"+at, func(b *testing.B) { benchBare(b, s, size) })
			}
		}
	}
}

// sealedBurst is small, so that slow ciphers' packets fit their lane.
const sealedBurst = 64

func benchPair(b *testing.B, s suite) *pair {
	if s.name == "clear" {
		open := func(_ *Config, f *fib.Batch) { f.Tunnels[0].Protected, f.SAs, f.Adjacencies[1].SA = false, nil, 0 }
		return newPair(b, s, open)
	}
	return newPair(b, s)
}

func benchSeal(b *testing.B, s suite, size int) {
	p := benchPair(b, s)
	frames := flows(sealedBurst, func(int) []byte { return toLAN(ipv4(hostIP, behind1, pattern(size-packet.IPv4Len))) })
	benchReplay(b, p.hub, lan, frames, 64)
}

func benchOpen(b *testing.B, s suite, size int) {
	p := benchPair(b, s)
	frame := p.one(p.sealed(ipv4(behind1, hostIP, pattern(size-packet.IPv4Len))))
	frames := flows(sealedBurst, func(int) []byte { return frame })
	benchReplay(b, p.hub, wan, frames, len(frame)) // which is decrypted in place, so all of it is written back
}

// benchReplay is benchmark for frames that may wait for a slow cipher.
func benchReplay(b *testing.B, r *rig, in fib.PortID, frames [][]byte, head int) {
	r.w.Detach(wan)
	r.w.Detach(lan)
	pool := r.w.pool
	ports := map[fib.PortID]*replay{wan: newReplay(pool, nil, 0), lan: newReplay(pool, nil, 0)}
	ports[in] = newReplay(pool, frames, head)
	for id, p := range ports {
		if err := r.w.Attach(id, p); err != nil {
			b.Fatal(err)
		}
	}
	p := ports[in]
	p.free = pool.Free()
	turn := func() {
		p.on = true
		for r.w.Poll(1) > 0 {
		}
	}
	turn()
	before := r.e.Counters().Workers[0]
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(frames) {
		turn()
	}
	b.StopTimer()
	after := r.e.Counters().Workers[0]
	packets := after.Packets - before.Packets
	if got := after.Forwarded - before.Forwarded; got != packets {
		b.Fatalf("%d of %d packets were forwarded: %v", got, packets, r.nonZero())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
	r.frames = pool.Free()
}

// benchBare is the library's own call for GRE and an inner packet of size bytes.
func benchBare(b *testing.B, s suite, size int) {
	n := size + 8
	block := aes.BlockSize
	var enc func(p []byte)
	key := testKey(s.key, 1)
	var blk cipher.Block
	var err error
	nonce, aad := make([]byte, 12), make([]byte, 8)
	var aead cipher.AEAD
	switch s.cipher {
	case fib.CipherNull:
		enc = func([]byte) {}
	case fib.CipherDES:
		blk, err = des.NewCipher(key)
	case fib.Cipher3DES:
		blk, err = des.NewTripleDESCipher(key)
	case fib.CipherAESCBC:
		blk, err = aes.NewCipher(key)
	case fib.CipherChaCha20Poly1305:
		aead, err = chacha20poly1305.New(key[:32])
	default:
		if blk, err = aes.NewCipher(key[:len(key)-4]); err == nil {
			aead, err = cipher.NewGCM(blk)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, n+64)
	switch {
	case s.cipher == fib.CipherAESCTR:
		stream := cipher.NewCTR(blk, make([]byte, 16))
		enc = func(p []byte) { stream.XORKeyStream(p, p) }
	case s.cipher == fib.CipherAESGMAC:
		tag := make([]byte, 0, 16)
		enc = func(p []byte) { aead.Seal(tag, nonce, nil, p) }
	case aead != nil:
		enc = func(p []byte) { aead.Seal(p[:0], nonce, p, aad) }
	case blk != nil:
		block = blk.BlockSize()
		mode := cipher.NewCBCEncrypter(blk, make([]byte, block))
		enc = func(p []byte) { mode.CryptBlocks(p, p) }
	}
	if s.cipher == fib.CipherAESCBC || s.cipher == fib.CipherDES || s.cipher == fib.Cipher3DES {
		n = (n + 2 + block - 1) &^ (block - 1)
	}
	var mac hash.Hash
	if a := s.auth + s.ah; a != 0 {
		mac = hmac.New([]func() hash.Hash{nil, md5.New, sha1.New, sha256.New, sha512.New384, sha512.New, sha256.New}[a], testKey(s.authKey+s.ahKey, 2))
	}
	sum := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		enc(buf[:n])
		if mac != nil {
			mac.Reset()
			mac.Write(buf[:n])
			mac.Sum(sum)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/packet")
}
