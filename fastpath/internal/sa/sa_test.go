package sa

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"

	"nave/fastpath/fib"
)

func key(n int) fib.Key {
	b := make(fib.Key, n)
	for i := range b {
		b[i] = byte(3*i + n)
	}
	return b
}

// every is each cipher with an integrity algorithm where it takes one, each integrity algorithm with NULL, and each length of key and ICV.
func every() map[string]*fib.SA {
	list := map[string]*fib.SA{}
	for a := fib.AuthHMACMD5; int(a) < len(macs); a++ {
		list["null-"+macs[a].name] = &fib.SA{Auth: a, AuthKey: key(macs[a].key)}
	}
	for name, c := range map[string]struct {
		cipher fib.Cipher
		keys   []int
	}{
		"des": {fib.CipherDES, []int{8}}, "3des": {fib.Cipher3DES, []int{24}}, "aes-cbc": {fib.CipherAESCBC, []int{16, 24, 32}}, "aes-ctr": {fib.CipherAESCTR, []int{20, 28, 36}},
	} {
		for _, n := range c.keys {
			list[fmt.Sprintf("%s-%d", name, 8*n)] = &fib.SA{Cipher: c.cipher, CipherKey: key(n), Auth: fib.AuthHMACSHA256, AuthKey: key(32)}
		}
	}
	for _, n := range []int{20, 28, 36} {
		for _, icv := range []uint8{8, 12, 16} {
			list[fmt.Sprintf("aes-gcm-%d-%d", 8*n-32, icv)] = &fib.SA{Cipher: fib.CipherAESGCM, CipherKey: key(n), ICV: icv}
		}
		list[fmt.Sprintf("aes-gmac-%d", 8*n-32)] = &fib.SA{Cipher: fib.CipherAESGMAC, CipherKey: key(n)}
	}
	list["chacha20-poly1305"] = &fib.SA{Cipher: fib.CipherChaCha20Poly1305, CipherKey: key(36)}
	for _, f := range list {
		f.SPI = 0xfeed0001
	}
	return list
}

const room = 64 // in front of packets

// sealed is a packet in a chunk that ends with it, but for the tail.
func sealed(tr *Transform, x *Scratch, payload []byte, seq uint64) (chunk []byte, n int) {
	padded := tr.Padded(len(payload))
	chunk = make([]byte, room+tr.Front()+padded+tr.Tail())
	for i := range room {
		chunk[i] = 0xee
	}
	copy(chunk[room+tr.Front():], payload)
	Trailer(chunk[room+tr.Front():room+tr.Front()+padded], len(payload), 47)
	n = tr.Seal(x, chunk, room, padded, seq)
	return chunk, n
}

// TestEveryBit: of what is sealed no bit can be changed, no byte taken away, and no other upper half of the sequence number be true.
func TestEveryBit(t *testing.T) {
	x := scratch(t)
	for name, f := range every() {
		for _, esn := range []bool{false, true} {
			f := *f
			f.ESN = esn
			tr := transform(t, &f)
			payload := []byte("a payload of some forty bytes, not aligned")
			seq := uint64(1<<40 | 7)
			chunk, n := sealed(tr, x, payload, seq)
			if n != tr.Sealed(len(payload)) {
				t.Errorf("%s: %d bytes, foretold %d", name, n, tr.Sealed(len(payload)))
			}
			if f.Cipher != fib.CipherNull && f.Cipher != fib.CipherAESGMAC && bytes.Contains(chunk, payload[:8]) {
				t.Errorf("%s: payload in clear", name)
			}
			for bit := range 8 * n {
				c := bytes.Clone(chunk)
				c[room+bit/8] ^= 1 << (bit % 8)
				if binary.BigEndian.Uint32(c[room+4:]) != uint32(seq) && tr.mac == nil && tr.kind != kernelGMAC {
					continue // the number comes to Open as an argument, and is in no other field of the AEADs' input
				}
				if binary.BigEndian.Uint32(c[room:]) != f.SPI && tr.mac == nil && (tr.kind != kernelGMAC || esn) {
					continue // the same of the SPI, which found the transform
				}
				if _, ok := tr.Open(x, c, room, n, seq); ok {
					t.Fatalf("%s, ESN %v: bit %d may change", name, esn, bit)
				}
			}
			for cut := tr.Shape().Align; ; cut += tr.Shape().Align {
				if _, whole, _ := tr.Body(n - cut); !whole {
					break
				}
				if _, ok := tr.Open(x, bytes.Clone(chunk), room, n-cut, seq); ok {
					t.Errorf("%s: opens without its last %d bytes", name, cut)
				}
			}
			if _, ok := tr.Open(x, bytes.Clone(chunk), room, n, seq+1<<32); ok == esn {
				t.Errorf("%s, ESN %v: another upper half opens: %v", name, esn, ok)
			}
			got, ok := tr.Open(x, chunk, room, n, seq)
			m, next, good := Strip(got)
			if !ok || !good || next != 47 || !bytes.Equal(got[:m], payload) {
				t.Errorf("%s: opened %v as %q", name, ok, got)
			}
			if c := bytes.Count(chunk[:room], []byte{0xee}); c != room {
				t.Errorf("%s: %d bytes in front were changed", name, room-c)
			}
		}
	}
}

// TestGMAC is RFC 4543 in the library's words.
func TestGMAC(t *testing.T) {
	x := scratch(t)
	f := &fib.SA{Cipher: fib.CipherAESGMAC, CipherKey: key(20), SPI: 0x11223344, ESN: true}
	tr := transform(t, f)
	chunk, n := sealed(tr, x, []byte("payload"), 1<<32|9)
	b, err := aes.NewCipher(f.CipherKey[:16])
	if err != nil {
		t.Fatal(err)
	}
	g, err := cipher.NewGCM(b)
	if err != nil {
		t.Fatal(err)
	}
	p := chunk[room : room+n]
	aad := bytes.Join([][]byte{p[:4], {0, 0, 0, 1}, p[4 : n-16]}, nil)
	if want := g.Seal(nil, append(bytes.Clone(f.CipherKey[16:]), p[8:16]...), nil, aad); !bytes.Equal(p[n-16:], want) {
		t.Errorf("ICV %x, want %x", p[n-16:], want)
	}
}

// TestIVs: no IV comes twice; those of the counter modes are the sequence number, those of CBC tell nothing about it.
func TestIVs(t *testing.T) {
	x := scratch(t)
	for _, name := range []string{"aes-gcm-128-16", "aes-ctr-160", "chacha20-poly1305", "aes-gmac-128", "aes-cbc-128", "des-64", "3des-192"} {
		f := every()[name]
		tr := transform(t, f)
		seen := map[string]bool{}
		for seq := uint64(1); seq < 2000; seq++ {
			chunk, _ := sealed(tr, x, []byte("x"), seq)
			iv := string(chunk[room+8 : room+tr.Front()])
			if seen[iv] {
				t.Fatalf("%s: IV %x twice", name, iv)
			}
			seen[iv] = true
			isSeq := len(iv) == 8 && binary.BigEndian.Uint64([]byte(iv)) == seq
			if tr.kind == kernelCBC == isSeq {
				t.Fatalf("%s: IV %x of packet %d", name, iv, seq)
			}
		}
	}
	// Two processes have two keys.
	a, b := scratch(t), scratch(t)
	tr := transform(t, every()["aes-cbc-128"])
	c1, _ := sealed(tr, a, nil, 1)
	c2, _ := sealed(tr, b, nil, 1)
	if bytes.Equal(c1[room+8:room+24], c2[room+8:room+24]) {
		t.Error("two processes make the same IV")
	}
}

// TestShared: many workers seal and open with one transform at once (run with -race).
func TestShared(t *testing.T) {
	for name, f := range every() {
		tr := transform(t, f)
		ivs := scratch(t).ivs
		var wg sync.WaitGroup
		for w := range 3 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				x := NewScratch(4096, ivs)
				payload := bytes.Repeat([]byte{byte(w)}, 100)
				for i := range uint64(100) {
					chunk, n := sealed(tr, x, payload, i*3+uint64(w)+1)
					got, ok := tr.Open(x, chunk, room, n, i*3+uint64(w)+1)
					if !ok || !bytes.HasPrefix(got, payload) {
						t.Errorf("%s: opened %v as %x", name, ok, got)
						return
					}
				}
			}()
		}
		wg.Wait()
	}
}

func TestNoAllocations(t *testing.T) {
	for name, f := range every() {
		x := scratch(t)
		tr := transform(t, f)
		payload := make([]byte, 200)
		chunk, n := sealed(tr, x, payload, 1)
		seq := uint64(1)
		if a := testing.AllocsPerRun(100, func() {
			if _, ok := tr.Open(x, chunk, room, n, seq); !ok {
				t.Errorf("%s: does not open", name)
			}
			seq++
			tr.Seal(x, chunk, room, tr.Padded(len(payload)), seq)
		}); a != 0 {
			t.Errorf("%s: %v allocations a packet", name, a)
		}
	}
}

func TestStrip(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		n    int
		next uint8
		ok   bool
	}{
		{[]byte{}, 0, 0, false}, {[]byte{0}, 0, 0, false}, {[]byte{0, 47}, 0, 47, true}, {[]byte{1, 1, 47}, 0, 47, true},
		{[]byte{9, 9, 1, 2, 2, 4}, 2, 4, true}, {[]byte{9, 9, 1, 3, 2, 4}, 0, 0, false}, {[]byte{9, 9, 0, 0, 2, 4}, 0, 0, false},
		{[]byte{1, 2, 3, 4, 4, 4}, 0, 4, true}, {[]byte{1, 2, 3, 4, 5, 4}, 0, 0, false}, {[]byte{1, 2, 255, 4}, 0, 0, false},
	} {
		n, next, ok := Strip(c.in)
		if n != c.n || next != c.next || ok != c.ok {
			t.Errorf("%v: %d, %d, %v", c.in, n, next, ok)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, f := range every() {
		if err := Check(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		short := *f
		if len(f.CipherKey) > 0 {
			short.CipherKey = f.CipherKey[1:]
		} else {
			short.AuthKey = f.AuthKey[1:]
		}
		if err := Check(&short); err == nil {
			t.Errorf("%s: a short key passes", name)
		} else if len(f.CipherKey) > 0 && strings.Contains(err.Error(), fmt.Sprintf("%x", []byte(f.CipherKey[1:]))) {
			t.Errorf("%s: the key is in %q", name, err)
		}
		if _, err := New(&short); err == nil {
			t.Errorf("%s: a transform of a short key", name)
		}
	}
	for name, f := range map[string]fib.SA{
		"AH with a cipher":   {AH: true, Cipher: fib.CipherAESCBC, CipherKey: key(16), Auth: fib.AuthHMACSHA1, AuthKey: key(20)},
		"AH without auth":    {AH: true},
		"GCM with auth":      {Cipher: fib.CipherAESGCM, CipherKey: key(20), Auth: fib.AuthHMACSHA1, AuthKey: key(20)},
		"CTR without auth":   {Cipher: fib.CipherAESCTR, CipherKey: key(20)},
		"ICV of 10":          {Cipher: fib.CipherAESGCM, CipherKey: key(20), ICV: 10},
		"ICV of CBC":         {Cipher: fib.CipherAESCBC, CipherKey: key(16), ICV: 12},
		"ICV of 12, ChaCha":  {Cipher: fib.CipherChaCha20Poly1305, CipherKey: key(36), ICV: 12},
		"no such cipher":     {Cipher: 99},
		"no such integrity":  {Auth: 99},
		"key of a NULL":      {CipherKey: key(8), Auth: fib.AuthHMACSHA1, AuthKey: key(20)},
		"integrity key only": {AuthKey: key(20)},
	} {
		if Check(&f) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// TestClear: nothing of HMAC's keys stays.
func TestClear(t *testing.T) {
	tr := transform(t, every()["aes-ctr-160"])
	m := tr.mac
	tr.Clear()
	if !bytes.Equal(m.inner, make([]byte, len(m.inner))) || !bytes.Equal(m.outer, make([]byte, len(m.outer))) || tr.salt != [saltLen]byte{} || tr.block != nil {
		t.Errorf("left: %+v", tr)
	}
}

// TestChains: what is sealed together is what is sealed alone, and the library opens it.
func TestChains(t *testing.T) {
	x := scratch(t)
	var c Chains
	type one struct {
		lib         *Transform
		want, chunk []byte
		n           int
		seq         uint64
	}
	var all []one
	for i := range BurstSize {
		f := &fib.SA{Cipher: fib.CipherAESCBC, CipherKey: key([]int{16, 24, 32}[i%3]), Auth: fib.AuthHMACSHA1, AuthKey: key(20), SPI: uint32(0x1000 + i), ESN: i%2 == 0}
		if i%5 == 0 {
			f.Auth, f.AuthKey = fib.AuthNone, nil
		}
		tr := transform(t, f)
		if !tr.Chained() {
			t.Log("no kernel: nothing is sealed together")
			return
		}
		lib, err := NewLibrary(f)
		if err != nil {
			t.Fatal(err)
		}
		o := one{lib: lib, seq: uint64(i) + 1<<33}
		o.want, o.n = sealed(tr, x, bytes.Repeat([]byte{byte(i)}, 1+37*i%900), o.seq)
		padded := o.n - tr.Front() - tr.Shape().ICV
		o.chunk = make([]byte, len(o.want))
		copy(o.chunk, o.want[:room])
		copy(o.chunk[room+tr.Front():], bytes.Repeat([]byte{byte(i)}, 1+37*i%900))
		Trailer(o.chunk[room+tr.Front():room+tr.Front()+padded], 1+37*i%900, 47)
		if n := c.Add(x, tr, o.chunk, room, padded, o.seq); n != o.n {
			t.Fatalf("packet %d: %d bytes, want %d", i, n, o.n)
		}
		all = append(all, o)
	}
	c.Seal(x)
	if c.Len() != 0 {
		t.Fatal("packets wait after they were sealed")
	}
	for i, o := range all {
		if !bytes.Equal(o.chunk[:room+o.n], o.want[:room+o.n]) {
			t.Fatalf("packet %d differs", i)
		}
		if _, ok := o.lib.Open(x, o.chunk, room, o.n, o.seq); !ok {
			t.Fatalf("packet %d: the library does not open it", i)
		}
	}
}
