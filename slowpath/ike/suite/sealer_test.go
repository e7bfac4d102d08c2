package suite

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
)

var sealed = []V2Suite{
	{Cipher: CipherDES, Integrity: HashMD5}, {Cipher: Cipher3DES, Integrity: HashSHA1},
	{Cipher: CipherAESCBC, KeyBits: 128, Integrity: HashSHA256}, {Cipher: CipherAESCBC, KeyBits: 256, Integrity: HashSHA512},
	{Cipher: CipherAESCTR, KeyBits: 192, Integrity: HashSHA384},
	{Cipher: CipherAESGCM, KeyBits: 128, ICV: 8}, {Cipher: CipherAESGCM, KeyBits: 192, ICV: 12}, {Cipher: CipherAESGCM, KeyBits: 256, ICV: 16}, {Cipher: CipherAESGCM, KeyBits: 256},
	{Cipher: CipherChaCha20Poly1305},
}

func sealerOf(t testing.TB, s V2Suite) Sealer {
	t.Helper()
	n, err := KeyLen(s.Cipher, s.KeyBits)
	if err != nil {
		t.Fatal(err)
	}
	enc, auth := make([]byte, n), make([]byte, s.Integrity.KeyLen())
	for i := range enc {
		enc[i] = byte(i)
	}
	x, err := NewSealer(s, enc, auth)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (s V2Suite) name() string {
	return fmt.Sprintf("%s-%d-%d-%s", s.Cipher, s.KeyBits, s.ICV, s.Integrity)
}

func TestSealerRoundTrip(t *testing.T) {
	for _, s := range sealed {
		t.Run(s.name(), func(t *testing.T) {
			x := sealerOf(t, s)
			for n := range 70 {
				plain := bytes.Repeat([]byte{0xa5}, n)
				aad := []byte("the header of a message")
				whole := x.Seal(aad, aad, plain, rand.Reader)
				text := whole[len(aad):]
				if len(text) != x.SealedLen(n) || len(text)-n > x.Overhead() {
					t.Fatalf("%d bytes become %d; SealedLen %d, Overhead %d", n, len(text), x.SealedLen(n), x.Overhead())
				}
				if n > 8 && bytes.Contains(text, plain) {
					t.Fatal("the text is in clear")
				}
				got, err := x.Open([]byte("before"), aad, text)
				if err != nil || string(got) != "before"+string(plain) {
					t.Fatalf("%d bytes: %x, %v", n, got, err)
				}
			}
		})
	}
}

// Every bit counts, of the text and of what is only authenticated; so does every byte that is missing or too many.
func TestSealerTamper(t *testing.T) {
	for _, s := range sealed {
		t.Run(s.name(), func(t *testing.T) {
			x := sealerOf(t, s)
			aad := []byte("header")
			text := x.Seal(nil, aad, []byte("a plaintext of some length, more than one block"), rand.Reader)
			for i := range text {
				for bit := range 8 {
					bad := bytes.Clone(text)
					bad[i] ^= 1 << bit
					room := make([]byte, 0, 256)
					if _, err := x.Open(room, aad, bad); !errors.Is(err, ErrSealed) {
						t.Fatalf("bit %d of byte %d: %v", bit, i, err)
					}
					if bytes.Contains(room[:cap(room)], []byte("plaintext")) {
						t.Fatal("a text that is not authentic was written out")
					}
				}
			}
			for i := range text {
				if _, err := x.Open(nil, aad, text[:i]); !errors.Is(err, ErrSealed) {
					t.Fatalf("cut to %d bytes: %v", i, err)
				}
			}
			if _, err := x.Open(nil, aad, append(bytes.Clone(text), 0)); !errors.Is(err, ErrSealed) {
				t.Fatalf("a byte more: %v", err)
			}
			for _, bad := range [][]byte{nil, []byte("headeR"), []byte("header ")} {
				if _, err := x.Open(nil, bad, text); !errors.Is(err, ErrSealed) {
					t.Fatalf("another header: %v", err)
				}
			}
			if _, err := x.Open(nil, aad, text); err != nil {
				t.Fatalf("after all that: %v", err)
			}
		})
	}
}

// A pad length that leads out of the text is refused, though it is authentic.
func TestSealerPadding(t *testing.T) {
	x := sealerOf(t, V2Suite{Cipher: CipherAESGCM, KeyBits: 128}).(*aeadSealer)
	iv := make([]byte, 8)
	for _, c := range []struct {
		plain string
		want  int // -1: refused
	}{{"\x00", 0}, {"abc\x00", 3}, {"abc\x03", 0}, {"abc\x02", 1}, {"abc\x04", -1}, {"\x01", -1}, {"\xff", -1}} {
		text := x.aead.Seal(bytes.Clone(iv), x.nonce(iv), []byte(c.plain), nil)
		got, err := x.Open(nil, nil, text)
		if c.want < 0 && !errors.Is(err, ErrSealed) || c.want >= 0 && (err != nil || len(got) != c.want) {
			t.Errorf("%q: %q, %v", c.plain, got, err)
		}
	}
}

// IVs never repeat: of counter modes a repeated one gives the key stream away.
func TestSealerIVs(t *testing.T) {
	for _, s := range sealed {
		x := sealerOf(t, s)
		seen := make(map[string]bool)
		for range 1000 {
			text := x.Seal(nil, nil, nil, rand.Reader)
			iv := string(text[:8])
			if seen[iv] {
				t.Fatalf("%s: an IV came twice", s.name())
			}
			seen[iv] = true
		}
	}
}

// RFC 7634 appendix B: an IKEv2 message.
func TestChaChaVector(t *testing.T) {
	key := unhex(t, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f a0a1a2a3")
	x, err := NewSealer(V2Suite{Cipher: CipherChaCha20Poly1305}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	aad := unhex(t, "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029")
	text := unhex(t, "1011121314151617 610394701f8d017f7c12924889 6b71bfe25236efd7cdc67066906315b2")
	plain, err := x.Open(nil, aad, text)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "plaintext", plain, "0000000c000040010000000a")
	x.(*aeadSealer).counter = counter{next: 0x1011121314151617, started: true}
	if got := x.Seal(nil, aad, plain, rand.Reader); !bytes.Equal(got, text) {
		t.Errorf("%x", got)
	}
}

// draft-mcgrew-gcm-test-01, cases with keys of each length. They are of ESP, whose last byte (next header) stands where IKE has its pad length.
func TestGCMVectors(t *testing.T) {
	for _, c := range []struct{ key, salt, iv, aad, plain, text string }{
		{"4c80cdefbb5d10da906ac73c3613a634", "2e443b68", "4956ed7e3b244cfe", "000043218765432100000000",
			`45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369700963796265726369747902646b00
			0021000101020201`,
			`fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce
			61bc17d768fd9732 459018148f6cbe722fd04796562dfdb4`},
		{"feffe9928665731c6d6a8f9467308308feffe9928665731c", "cafebabe", "facedbaddecaf888", "0000a5f80000000a",
			"45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
			"a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77 95457b9652037f5318027b5b4cd7a636"},
	} {
		plain := unhex(t, c.plain)
		plain = plain[:len(plain)-1-int(plain[len(plain)-1])]
		text := append(unhex(t, c.iv), unhex(t, c.text)...)
		for _, icv := range []int{16, 12, 8} {
			x, err := NewSealer(V2Suite{Cipher: CipherAESGCM, KeyBits: len(c.key) * 4, ICV: icv}, unhex(t, c.key+c.salt), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := x.Open(nil, unhex(t, c.aad), text[:len(text)-16+icv])
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("ICV of %d: %x, %v", icv, got, err)
			}
		}
	}
}

// RFC 3686 section 6, case 1 of AES-CTR; RFC 3602 section 4, case 1 of AES-CBC.
func TestBlockModeVectors(t *testing.T) {
	x, err := NewSealer(V2Suite{Cipher: CipherAESCTR, KeyBits: 128, Integrity: HashSHA1},
		unhex(t, "ae6852f8121067cc4bf7a5765577f39e 00000030"), make([]byte, 20))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 16)
	x.(*macSealer).crypt(out, []byte("Single block msg"), make([]byte, 8), true)
	equal(t, "ctr", out, "e4095d4fb7a7b3792d6175a3261311b8")

	x, err = NewSealer(V2Suite{Cipher: CipherAESCBC, KeyBits: 128, Integrity: HashSHA1}, unhex(t, "06a9214036b8a15b512e03d534120006"), make([]byte, 20))
	if err != nil {
		t.Fatal(err)
	}
	x.(*macSealer).crypt(out, []byte("Single block msg"), unhex(t, "3dafba429d9eb430b422da802c9fac41"), true)
	equal(t, "cbc", out, "e353779c1079aeb82708942dbe77181a")
}

func TestImpossibleSuites(t *testing.T) {
	for _, s := range []V2Suite{
		{Cipher: CipherNone, Integrity: HashSHA1, PRF: HashSHA1}, {Cipher: CipherNull, Integrity: HashSHA1, PRF: HashSHA1},
		{Cipher: CipherAESGMAC, KeyBits: 128, PRF: HashSHA1}, {Cipher: CipherAESCBC, KeyBits: 128, PRF: HashSHA1},
		{Cipher: CipherAESGCM, KeyBits: 128, Integrity: HashSHA1, PRF: HashSHA1}, {Cipher: CipherAESCBC, Integrity: HashSHA1, PRF: HashSHA1},
		{Cipher: CipherAESCBC, KeyBits: 128, Integrity: 99, PRF: HashSHA1}, {Cipher: 99, PRF: HashSHA1},
	} {
		if _, err := V2Derive(s, nil, nil, nil, nil, nil); err == nil {
			t.Errorf("%+v: keys", s)
		}
		n, _ := KeyLen(s.Cipher, s.KeyBits)
		if _, err := NewSealer(s, make([]byte, n), make([]byte, s.Integrity.KeyLen())); err == nil {
			t.Errorf("%+v: a sealer", s)
		}
	}
	if _, err := V2Derive(V2Suite{Cipher: CipherChaCha20Poly1305}, nil, nil, nil, nil, nil); err == nil {
		t.Error("keys without a PRF")
	}
	for _, icv := range []int{4, 7, 15, 17} {
		if _, err := NewSealer(V2Suite{Cipher: CipherAESGCM, KeyBits: 128, ICV: icv}, make([]byte, 20), nil); err == nil {
			t.Errorf("an ICV of %d bytes", icv)
		}
	}
	for _, s := range sealed {
		n, _ := KeyLen(s.Cipher, s.KeyBits)
		if _, err := NewSealer(s, make([]byte, n+1), make([]byte, s.Integrity.KeyLen())); err == nil {
			t.Errorf("%s: a key too long", s.name())
		}
		if _, err := NewSealer(s, make([]byte, n), make([]byte, s.Integrity.KeyLen()+1)); err == nil {
			t.Errorf("%s: a key of integrity too long", s.name())
		}
	}
}

func TestNewCBC(t *testing.T) {
	for c, n := range map[Cipher]int{CipherDES: 8, Cipher3DES: 24, CipherAESCBC: 16} {
		b, err := NewCBC(c, make([]byte, n))
		if err != nil || b.BlockSize() != c.BlockSize() {
			t.Errorf("%s: %v", c, err)
		}
		if _, err := NewCBC(c, make([]byte, n+1)); err == nil {
			t.Errorf("%s: a key of %d bytes", c, n+1)
		}
	}
	if _, err := NewCBC(CipherAESGCM, make([]byte, 16)); err == nil {
		t.Error("a combined cipher")
	}
}

func FuzzOpen(f *testing.F) {
	aad := []byte("header")
	for i, s := range sealed {
		x := sealerOf(f, s)
		f.Add(i, x.Seal(nil, aad, []byte("plaintext"), rand.Reader))
		f.Add(i, make([]byte, x.SealedLen(0)))
	}
	f.Fuzz(func(t *testing.T, i int, text []byte) {
		if i < 0 || i >= len(sealed) {
			return
		}
		x := sealerOf(t, sealed[i])
		plain, err := x.Open(nil, aad, text)
		if err != nil {
			if plain != nil || !errors.Is(err, ErrSealed) {
				t.Fatalf("%x, %v", plain, err)
			}
			return
		}
		if len(plain) >= len(text) {
			t.Fatalf("%d bytes out of %d", len(plain), len(text))
		}
		if _, err := x.Open(nil, aad, append(text[:len(text):len(text)], 0)); err == nil {
			t.Fatal("a byte more is taken as well")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	for _, s := range sealed {
		x := sealerOf(b, s)
		plain, aad, out := make([]byte, 256), make([]byte, 32), make([]byte, 0, 512)
		b.Run(s.name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out = x.Seal(out[:0], aad, plain, rand.Reader)
			}
		})
	}
}

func BenchmarkSchedules(b *testing.B) {
	ni, nr, gxy, spi := make([]byte, 32), make([]byte, 32), make([]byte, 256), make([]byte, 8)
	b.Run("v1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, e := V1Keys(HashSHA1, SKEYIDPSK(HashSHA1, ni, ni, nr), gxy, spi, spi)
			V1CipherKey(HashSHA1, e, 24)
		}
	})
	b.Run("v2", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = V2Derive(V2Suite{Cipher: CipherAESGCM, KeyBits: 256, PRF: HashSHA256}, V2Skeyseed(HashSHA256, ni, nr, gxy), ni, nr, spi, spi)
		}
	})
}
