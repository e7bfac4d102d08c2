package suite

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var allGroups = []Group{GroupMODP768, GroupMODP1024, GroupMODP1536, GroupMODP2048, GroupMODP3072, GroupMODP4096,
	GroupECP256, GroupECP384, GroupECP521, GroupX25519, GroupMLKEM768, GroupMLKEM1024}

// The primes as RFC 2409 section 6 and RFC 3526 print them: all have the same start, and ends of their own.
func TestPrimes(t *testing.T) {
	const start = `FFFFFFFF FFFFFFFF C90FDAA2 2168C234 C4C6628B 80DC1CD1 29024E08 8A67CC74 020BBEA6 3B139B22 514A0879 8E3404DD
		EF9519B3 CD3A431B 302B0A6D F25F1437 4FE1356D 6D51C245 E485B576 625E7EC6 F44C42E9`
	for _, c := range []struct {
		g     Group
		whole bool // start and end are all of it
		end   string
	}{
		{GroupMODP768, true, "A63A3620 FFFFFFFF FFFFFFFF"},
		{GroupMODP1024, true, "A637ED6B 0BFF5CB6 F406B7ED EE386BFB 5A899FA5 AE9F2411 7C4B1FE6 49286651 ECE65381 FFFFFFFF FFFFFFFF"},
		{GroupMODP1536, false, "A163BF05 98DA4836 1C55D39A 69163FA8 FD24CF5F 83655D23 DCA3AD96 1C62F356 208552BB 9ED52907 7096966D 670C354E 4ABC9804 F1746C08 CA237327 FFFFFFFF FFFFFFFF"},
		{GroupMODP2048, false, "DE2BCBF6 95581718 3995497C EA956AE5 15D22618 98FA0510 15728E5A 8AACAA68 FFFFFFFF FFFFFFFF"},
		{GroupMODP3072, false, "4B82D120 A93AD2CA FFFFFFFF FFFFFFFF"},
		{GroupMODP4096, false, "93B4EA98 8D8FDDC1 86FFB7DC 90A6C08F 4DF435C9 34063199 FFFFFFFF FFFFFFFF"},
	} {
		p := modps[c.g].prime().Bytes()
		first, last := unhex(t, start), unhex(t, c.end)
		if !bytes.HasPrefix(p, first) || !bytes.HasSuffix(p, last) || c.whole && len(p) != len(first)+len(last) {
			t.Errorf("%s: %x", c.g, p)
		}
		if len(p) != c.g.PublicLen() {
			t.Errorf("%s: %d bytes, public values of %d", c.g, len(p), c.g.PublicLen())
		}
		half := new(big.Int).Rsh(modps[c.g].prime(), 1)
		if !modps[c.g].prime().ProbablyPrime(1) || !half.ProbablyPrime(1) {
			t.Errorf("%s: no safe prime", c.g)
		}
	}
}

func TestBothSides(t *testing.T) {
	for _, g := range allGroups {
		i, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(i.Public()) != g.PublicLen() {
			t.Errorf("%s: a public value of %d bytes, not %d", g, len(i.Public()), g.PublicLen())
		}
		public, shared, err := Respond(g, rand.Reader, i.Public())
		if err != nil {
			t.Fatalf("%s: %v", g, err)
		}
		if len(public) != g.AnswerLen() {
			t.Errorf("%s: an answer of %d bytes, not %d", g, len(public), g.AnswerLen())
		}
		same, err := i.Shared(public)
		if err != nil {
			t.Fatalf("%s: %v", g, err)
		}
		if !bytes.Equal(same, shared) || len(shared) == 0 {
			t.Errorf("%s: %x and %x", g, same, shared)
		}
		i.Clear()
		if _, err := i.Shared(public); err == nil {
			t.Errorf("%s: a cleared key still works", g)
		}
		i.Clear() // again does no harm
	}
}

func TestLengthsOfPublicValues(t *testing.T) {
	for _, g := range allGroups {
		i, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, _, err := Respond(g, rand.Reader, i.Public())
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range [][]byte{nil, public[1:], append(bytes.Clone(public), 0)} {
			if _, err := i.Shared(bad); !errors.Is(err, ErrPublic) {
				t.Errorf("%s: %d bytes taken: %v", g, len(bad), err)
			}
		}
		for _, bad := range [][]byte{nil, i.Public()[1:], append(bytes.Clone(i.Public()), 0)} {
			if _, _, err := Respond(g, rand.Reader, bad); !errors.Is(err, ErrPublic) {
				t.Errorf("%s: %d bytes answered: %v", g, len(bad), err)
			}
		}
	}
}

func TestBadPublicValues(t *testing.T) {
	modpOf := func(g Group, x *big.Int) []byte { return x.FillBytes(make([]byte, g.PublicLen())) }
	for _, g := range allGroups[:6] {
		p := modps[g].prime()
		for name, x := range map[string]*big.Int{
			"0": new(big.Int), "1": big.NewInt(1), "p-1": new(big.Int).Sub(p, big.NewInt(1)), "p": p, "p+1": new(big.Int).Add(p, big.NewInt(1)),
		} {
			if _, _, err := Respond(g, rand.Reader, modpOf(g, x)); !errors.Is(err, ErrPublic) {
				t.Errorf("%s: %s taken: %v", g, name, err)
			}
		}
		for _, x := range []*big.Int{big.NewInt(2), new(big.Int).Sub(p, big.NewInt(2))} {
			if _, _, err := Respond(g, rand.Reader, modpOf(g, x)); err != nil {
				t.Errorf("%s: a value at the edge refused: %v", g, err)
			}
		}
	}
	for _, g := range []Group{GroupECP256, GroupECP384, GroupECP521} {
		for name, b := range map[string]byte{"0": 0, "off the curve": 1, "above the prime": 0xff} {
			if _, _, err := Respond(g, rand.Reader, bytes.Repeat([]byte{b}, g.PublicLen())); !errors.Is(err, ErrPublic) {
				t.Errorf("%s: %s taken: %v", g, name, err)
			}
		}
	}
	// Points of low order (RFC 7748 section 6.1): the secret would be zero.
	for _, s := range []string{strings.Repeat("00", 32), "01" + strings.Repeat("00", 31), "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"} {
		if _, _, err := Respond(GroupX25519, rand.Reader, unhex(t, s)); !errors.Is(err, ErrPublic) {
			t.Errorf("x25519: %s taken: %v", s, err)
		}
	}
	for _, g := range []Group{GroupMLKEM768, GroupMLKEM1024} { // coefficients above 3329 (FIPS 203 section 7.2)
		if _, _, err := Respond(g, rand.Reader, bytes.Repeat([]byte{0xff}, g.PublicLen())); !errors.Is(err, ErrPublic) {
			t.Errorf("%s: %v", g, err)
		}
	}
}

// A ciphertext that was not made for the key gives another secret, and no sign of it.
func TestImplicitRejection(t *testing.T) {
	for _, g := range []Group{GroupMLKEM768, GroupMLKEM1024} {
		i, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c, shared, err := Respond(g, rand.Reader, i.Public())
		if err != nil {
			t.Fatal(err)
		}
		c[7] ^= 1
		other, err := i.Shared(c)
		if err != nil || bytes.Equal(other, shared) {
			t.Errorf("%s: a changed ciphertext: %v", g, err)
		}
	}
}

func TestUnknownGroups(t *testing.T) {
	for _, g := range []Group{GroupNone, 3, 17, 22, 23, 24, 35, 0xffff} {
		if g.Supported() || g.IsKEM() || g.PublicLen() != 0 {
			t.Errorf("%s counts as supported", g)
		}
		if _, err := NewKeyExchange(g, rand.Reader); err == nil {
			t.Errorf("%s: a key exchange", g)
		}
		if _, _, err := Respond(g, rand.Reader, nil); err == nil {
			t.Errorf("%s: an answer", g)
		}
	}
	if s := Group(22).String(); s != "group22" {
		t.Errorf("%q", s)
	}
}

func TestNoRandomness(t *testing.T) {
	if _, err := NewKeyExchange(GroupMODP1024, iotest.ErrReader(errors.New("dry"))); err == nil {
		t.Error("a key exchange without random numbers")
	}
}

// The same random numbers give the same exchange, and the exponent's length is that of the group.
func TestMODPIsRepeatable(t *testing.T) {
	for _, g := range allGroups[:6] {
		seed := make([]byte, 64)
		_, _ = rand.Read(seed)
		a, err := NewKeyExchange(g, bytes.NewReader(seed))
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewKeyExchange(g, bytes.NewReader(seed))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Public(), b.Public()) {
			t.Errorf("%s: different values", g)
		}
		x := a.(*modpExchange).x
		if x.BitLen() != modps[g].exponent {
			t.Errorf("%s: a private value of %d bits", g, x.BitLen())
		}
		if want := new(big.Int).Exp(big.NewInt(2), x, modps[g].prime()); !bytes.Equal(a.Public(), want.FillBytes(make([]byte, g.PublicLen()))) {
			t.Errorf("%s: not 2^x", g)
		}
		words := x.Bits()
		a.Clear()
		for _, w := range words {
			if w != 0 {
				t.Fatalf("%s: the private value is still there", g)
			}
		}
	}
}

// The secret has the prime's length, with zeros in front (RFC 2409 section 5).
func TestMODPLeadingZeros(t *testing.T) {
	const g = GroupMODP768
	k := &modpExchange{group: g, x: big.NewInt(2)}
	s, err := k.Shared(big.NewInt(0x1234).FillBytes(make([]byte, g.PublicLen())))
	if err != nil || len(s) != g.PublicLen() || new(big.Int).SetBytes(s).Int64() != 0x1234*0x1234 {
		t.Errorf("%x, %v", s, err)
	}
}

// RFC 5903 section 8, RFC 7748 section 6.1.
func TestECDHVectors(t *testing.T) {
	for _, c := range []struct {
		g                        Group
		curve                    ecdh.Curve
		private, own, peer, want string
	}{
		{GroupECP256, ecdh.P256(), "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
			"DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180 5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
			"D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63 56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
			"D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE"},
		{GroupECP384, ecdh.P384(), "099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194",
			`667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA
			9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C`,
			`E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571
			DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C`,
			"11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746"},
		{GroupECP521, ecdh.P521(), `0037ADE9319A89F4DABDB3EF411AACCCA5123C61ACAB57B5393DCE47608172A095AA85A30FE1C2952C6771D937BA9777F5957B2639BAB072462F68C27A57382D4A52`,
			`0015417E84DBF28C0AD3C278713349DC7DF153C897A1891BD98BAB4357C9ECBEE1E3BF42E00B8E380AEAE57C2D107564941885942AF5A7F4601723C4195D176CED3E
			017CAE20B6641D2EEB695786D8C946146239D099E18E1D5A514C739D7CB4A10AD8A788015AC405D7799DC75E7B7D5B6CF2261A6A7F1507438BF01BEB6CA3926F9582`,
			`00D0B3975AC4B799F5BEA16D5E13E9AF971D5E9B984C9F39728B5E5739735A219B97C356436ADC6E95BB0352F6BE64A6C2912D4EF2D0433CED2B6171640012D9460F
			015C68226383956E3BD066E797B623C27CE0EAC2F551A10C2C724D9852077B87220B6536C5C408A1D2AEBB8E86D678AE49CB57091F4732296579AB44FCD17F0FC56A`,
			`01144C7D79AE6956BC8EDB8E7C787C4521CB086FA64407F97894E5E6B2D79B04D1427E73CA4BAA240A34786859810C06B3C715A3A8CC3151F2BEE417996D19F3DDEA`},
		{GroupX25519, ecdh.X25519(), "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
			"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
			"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
			"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
	} {
		key, err := c.curve.NewPrivateKey(unhex(t, c.private))
		if err != nil {
			t.Fatal(err)
		}
		x := &ecdhExchange{group: c.g, curve: c.curve, key: key}
		if !bytes.Equal(x.Public(), unhex(t, c.own)) {
			t.Errorf("%s: public value %x", c.g, x.Public())
		}
		s, err := x.Shared(unhex(t, c.peer))
		if err != nil || !bytes.Equal(s, unhex(t, c.want)) {
			t.Errorf("%s: secret %x, %v", c.g, s, err)
		}
	}
}

func FuzzRespond(f *testing.F) {
	for _, g := range allGroups {
		ke, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(g), ke.Public())
	}
	f.Fuzz(func(t *testing.T, g uint16, peer []byte) {
		public, shared, err := Respond(Group(g), rand.Reader, peer)
		if err == nil && (len(public) != Group(g).AnswerLen() || len(shared) == 0) {
			t.Errorf("%s: %d and %d bytes", Group(g), len(public), len(shared))
		}
	})
}

func BenchmarkKeyExchange(b *testing.B) {
	for _, g := range allGroups {
		i, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		public, _, err := Respond(g, rand.Reader, i.Public())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(g.String()+"/public", func(b *testing.B) {
			for b.Loop() {
				_, _ = NewKeyExchange(g, rand.Reader)
			}
		})
		b.Run(g.String()+"/shared", func(b *testing.B) {
			for b.Loop() {
				_, _ = i.Shared(public)
			}
		})
	}
}
