package aescbc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"unsafe"

	"nave/fastpath/internal/aeskey"
)

// each runs f by every kernel that this machine has, and by the standard library.
func each(t *testing.T, f func(t *testing.T)) {
	was := unit
	defer func() { unit = was }()
	for unit = aeskey.None; unit <= was; unit++ {
		t.Run("kernel="+unit.String(), f)
	}
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

func fill(r *rand.Rand, b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, r.Uint64())
		b = b[8:]
	}
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newKey(t testing.TB, key []byte) *Key {
	t.Helper()
	k := new(Key)
	if err := k.Expand(key); err != nil {
		t.Fatal(err)
	}
	return k
}

// A mode is what is tested, and how the standard library does it.
type mode struct {
	name string
	f    func([]Packet)
	std  func(b cipher.Block, iv, text []byte)
}

var modes = []mode{
	{"encrypt", Encrypt, func(b cipher.Block, iv, text []byte) {
		cipher.NewCBCEncrypter(b, iv).CryptBlocks(text[:len(text)&^15], text[:len(text)&^15])
	}},
	{"decrypt", Decrypt, func(b cipher.Block, iv, text []byte) {
		cipher.NewCBCDecrypter(b, iv).CryptBlocks(text[:len(text)&^15], text[:len(text)&^15])
	}},
	{"counter", CTR, func(b cipher.Block, iv, text []byte) {
		// The library's counter has 128 bits: begin anew where ours wraps.
		first := uint64(binary.BigEndian.Uint32(iv[12:]))
		before := min(uint64(len(text)), (1<<32-first)*16)
		cipher.NewCTR(b, iv).XORKeyStream(text[:before], text[:before])
		again := bytes.Clone(iv)
		clear(again[12:])
		cipher.NewCTR(b, again).XORKeyStream(text[before:], text[before:])
	}},
}

// A rig is a packet and what must become of it.
type rig struct {
	p         Packet
	buf, want []byte
}

func (m *mode) rig(t testing.TB, r *rand.Rand, key []byte, k *Key, buf []byte) *rig {
	t.Helper()
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{p: Packet{Key: k, Text: unsafe.Pointer(unsafe.SliceData(buf)), Len: uint32(len(buf))}, buf: buf, want: make([]byte, len(buf))}
	fill(r, g.p.IV[:])
	if r.IntN(4) == 0 {
		binary.BigEndian.PutUint32(g.p.IV[12:], -uint32(r.IntN(40)))
	}
	fill(r, buf)
	copy(g.want, buf)
	m.std(b, g.p.IV[:], g.want)
	return g
}

func (g *rig) check(t testing.TB, m *mode) {
	t.Helper()
	if !bytes.Equal(g.buf, g.want) {
		t.Fatalf("%s, %d bytes, IV %x:\n%x, want\n%x", m.name, len(g.buf), g.p.IV, g.buf, g.want)
	}
}

// vectors: RFC 3602, section 4, cases 1 and 4; RFC 3686, section 6, cases 1, 3, 6 and 9; NIST SP 800-38A, F.2.3 and F.2.5.
var vectors = []struct{ name, key, iv, plain, sealed string }{
	{"CBC 1", "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41", "53696e676c6520626c6f636b206d7367", "e353779c1079aeb82708942dbe77181a"},
	{"CBC 4", "56e47a38c5598974bc46903dba290349", "8ce82eefbea0da3c44699ed7db51b7d9",
		"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
		"c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55"},
	{"CBC F.2.3, 192 bits", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "000102030405060708090a0b0c0d0e0f",
		"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51", "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"},
	{"CBC F.2.5, 256 bits", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "000102030405060708090a0b0c0d0e0f",
		"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51", "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"},
	{"counter 1", "ae6852f8121067cc4bf7a5765577f39e", "00000030000000000000000000000001", "53696e676c6520626c6f636b206d7367", "e4095d4fb7a7b3792d6175a3261311b8"},
	{"counter 3", "7691be035e5020a8ac6e618529f9a0dc", "00e0017b27777f3f4a1786f000000001",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223",
		"c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f"},
	{"counter 6, 192 bits", "02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe", "0007bdfd5cbd60278dcc091200000001",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223",
		"96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188abee0935"},
	{"counter 9, 256 bits", "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d", "001cc5b751a51d70a1c1114800000001",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223",
		"eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8"},
}

func TestVectors(t *testing.T) {
	each(t, func(t *testing.T) {
		for _, v := range vectors {
			there, back := Encrypt, Decrypt
			if v.name[1] == 'o' {
				there, back = CTR, CTR
			}
			k := newKey(t, unhex(t, v.key))
			plain, sealed := unhex(t, v.plain), unhex(t, v.sealed)
			buf := bytes.Clone(plain)
			ps := []Packet{{Key: k, Text: unsafe.Pointer(&buf[0]), Len: uint32(len(buf)), IV: [16]byte(unhex(t, v.iv))}}
			there(ps)
			if !bytes.Equal(buf, sealed) {
				t.Errorf("%s: %x, want %x", v.name, buf, sealed)
			}
			copy(buf, sealed)
			back(ps)
			if !bytes.Equal(buf, plain) {
				t.Errorf("%s back: %x, want %x", v.name, buf, plain)
			}
		}
	})
}

// Every length, for each size of key, at any place in a cache line.
func TestLengths(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(1)
		for i := range modes {
			m := &modes[i]
			for _, size := range []int{16, 24, 32} {
				key := make([]byte, size)
				fill(r, key)
				k := newKey(t, key)
				for n := range 2049 {
					at := 64 + n&63
					whole := make([]byte, at+n+64)
					fill(r, whole)
					around := bytes.Clone(whole)
					g := m.rig(t, r, key, k, whole[at:at+n:at+n])
					m.f([]Packet{g.p})
					g.check(t, m)
					if !bytes.Equal(whole[:at], around[:at]) || !bytes.Equal(whole[at+n:], around[at+n:]) {
						t.Fatalf("%s, %d bytes: bytes around them changed", m.name, n)
					}
				}
			}
		}
	})
}

// Bursts of anything: keys of all sizes, all lengths, none among them, and keys that are not usable.
func TestBursts(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(2)
		var keys [9][]byte
		var ks [9]*Key
		for i := range ks {
			keys[i] = make([]byte, 16+8*(i/3))
			fill(r, keys[i])
			ks[i] = newKey(t, keys[i])
		}
		for range 300 {
			for i := range modes {
				m := &modes[i]
				var gs []*rig
				var ps []Packet
				for range r.IntN(40) {
					k := r.IntN(len(ks))
					if r.IntN(2) == 0 {
						k %= 3
					}
					g := m.rig(t, r, keys[k], ks[k], make([]byte, []int{r.IntN(40), r.IntN(300), 16 * r.IntN(94)}[r.IntN(3)]))
					if r.IntN(20) == 0 {
						g.p.Key = new(Key)
						clear(g.want)
					}
					gs, ps = append(gs, g), append(ps, g.p)
				}
				m.f(ps)
				for j, g := range gs {
					g.check(t, m)
					if ps[j] != g.p {
						t.Fatalf("%s changed a packet's description", m.name)
					}
				}
			}
		}
	})
}

func TestKeys(t *testing.T) {
	for n := range 40 {
		var k Key
		err := k.Expand(make([]byte, n))
		if (err == nil) != (aeskey.Rounds(n) != 0) {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
		if k.Clear(); k != (Key{}) {
			t.Errorf("a forgotten key of %d bytes is still there", n)
		}
	}
}

func TestAllocations(t *testing.T) {
	if unit == aeskey.None {
		return // the standard library allocates
	}
	r := source(3)
	key := make([]byte, 16)
	k := newKey(t, key)
	for i := range modes {
		m := &modes[i]
		ps := make([]Packet, 16)
		for j := range ps {
			ps[j] = m.rig(t, r, key, k, make([]byte, 100+j)).p
		}
		if n := testing.AllocsPerRun(100, func() { m.f(ps) }); n != 0 {
			t.Errorf("%s: %v allocations a burst", m.name, n)
		}
	}
}

func FuzzAgainstStandard(f *testing.F) {
	f.Add(uint64(1), uint16(72), uint8(0), uint8(0))
	f.Add(uint64(2), uint16(1408), uint8(1), uint8(1))
	f.Add(uint64(3), uint16(259), uint8(2), uint8(7))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, which, shape uint8) {
		was := unit
		defer func() { unit = was }()
		for unit = aeskey.None; unit <= was; unit++ {
			r, m := source(seed), &modes[int(which)%len(modes)]
			key := make([]byte, 16+8*int(shape%3))
			fill(r, key)
			k := newKey(t, key)
			var gs []*rig
			var ps []Packet
			for i := range 1 + int(shape/3%6) {
				g := m.rig(t, r, key, k, make([]byte, (int(n)+i*int(which))%4096))
				gs, ps = append(gs, g), append(ps, g.p)
			}
			m.f(ps)
			for _, g := range gs {
				g.check(t, m)
			}
		}
	})
}
