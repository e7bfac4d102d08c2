package sa

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"nave/fastpath/fib"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func scratch(t testing.TB) *Scratch {
	t.Helper()
	ivs, err := NewIVs()
	if err != nil {
		t.Fatal(err)
	}
	return NewScratch(4096, ivs)
}

func transform(t testing.TB, f *fib.SA) *Transform {
	t.Helper()
	tr, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// espVectors are whole ESP packets: RFC 3602 section 4 (cases 5 and 7), RFC 7634 appendix A, draft-mcgrew-gcm-test-01
// section 4, whose longer associated data is of extended sequence numbers.
var espVectors = []struct {
	name    string
	cipher  fib.Cipher
	key     string // with salt
	aad     string // SPI and sequence number, 4 or 8 bytes
	iv      string
	plain   string // with trailer
	sealed  string // with ICV
	payload int    // bytes without trailer
	next    uint8
}{
	{
		"AES-CBC 5", fib.CipherAESCBC, "90d382b410eeba7ad938c46cec1a82bf", "0000432100000001", "e96e8c08ab465763fd098d45dd3ff893",
		"08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020304" +
			"05060708090a0b0c0d0e0e01",
		"f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add0" +
			"47ad2d5913ac19b7cfbad4a6", 64, 1,
	},
	{
		"AES-CBC 7", fib.CipherAESCBC, "0123456789abcdef0123456789abcdef", "0000876500000002", "f4e765244f6407adf13dc1380f673f37",
		"45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627" +
			"28292a2b2c2d2e2f303132333435363701020304050607080 90a0a04",
		"773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5c177f132" +
			"ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d", 84, 4,
	},
	{
		"ChaCha20-Poly1305", fib.CipherChaCha20Poly1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3", "0102030400000005", "1011121314151617",
		"45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627" +
			"28292a2b2c2d2e2f303132333435363701020204",
		"24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163f" +
			"ac469b502773f6fb94e664da9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43", 84, 4,
	},
	{
		"AES-GCM 1, ESN", fib.CipherAESGCM, "4c80cdefbb5d10da906ac73c3613a6342e443b68", "000043218765432100000000", "4956ed7e3b244cfe",
		"45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369700963796265726369747902646b0000210001" +
			"01020201",
		"fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d7" +
			"68fd9732459018148f6cbe722fd04796562dfdb4", 68, 1,
	},
	{
		"AES-GCM 2", fib.CipherAESGCM, "feffe9928665731c6d6a8f9467308308cafebabe", "0000a5f80000000a", "facedbaddecaf888",
		"4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d001000001000000000000037369700963796265726369747902646b00000100010001",
		"deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1" +
			"83b70d3aa8bc6ee4c309e9d85a41ad4a", 62, 1,
	},
	{
		"AES-GCM 3, 256 bits", fib.CipherAESGCM, "abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344", "4a2cbfe300000002", "0102030405060708",
		"4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201",
		"ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8eb335f4eecfdbf831824b4c4915956c96", 48, 1,
	},
	{
		"AES-GCM 7, 192 bits", fib.CipherAESGCM, "feffe9928665731c6d6a8f9467308308feffe9928665731ccafebabe", "0000a5f80000000a", "facedbaddecaf888",
		"45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
		"a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc7795457b9652037f5318027b5b4cd7a636", 38, 1,
	},
	{
		"AES-GCM 9, ESN, 256 bits", fib.CipherAESGCM, "abbccddef00112233445566778899aababbccddef00112233445566778899aab73616c74", "17405e67156f3126dd0db99b", "616e640169766563",
		"45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001",
		"f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e451626c2415771e3b7eebca614c89b35", 38, 1,
	},
	{
		"AES-GCM 12, nothing inside", fib.CipherAESGCM, "7d773d00c144c525ac619d18c84a3f47d9664267", "335467aeffffffff", "43457e9182443bc6",
		"01020201", "437f866bcb3f699fe9b0822bac961c4504bef270", 0, 1,
	},
	{
		"AES-GCM 14, last ESN", fib.CipherAESGCM, "6c6567616c697a656d6172696a75616e61616e64646f69746265666f726569617475726e", "796b6963ffffffffffffffff", "333021696765746d",
		"45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201",
		"f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca4ae68a32b42458fb57dbe821dcc63b9d0937ba2945f669368661a329fb4c053", 48, 1,
	},
}

func TestESPVectors(t *testing.T) {
	x := scratch(t)
	for _, v := range espVectors {
		aad := unhex(t, v.aad)
		f := &fib.SA{Cipher: v.cipher, CipherKey: unhex(t, v.key), SPI: binary.BigEndian.Uint32(aad)}
		seq := uint64(binary.BigEndian.Uint32(aad[4:]))
		if len(aad) == 12 {
			f.ESN, seq = true, binary.BigEndian.Uint64(aad[4:])
		}
		plain := unhex(t, string(bytes.ReplaceAll([]byte(v.plain), []byte(" "), nil)))
		iv, sealed := unhex(t, v.iv), unhex(t, v.sealed)
		for icv := range 3 { // the shorter ICVs of GCM are the first bytes of the longest (RFC 4106 section 6)
			cut := 4 * icv
			if cut > 0 {
				if v.cipher != fib.CipherAESGCM {
					continue
				}
				f.ICV = uint8(16 - cut)
			}
			tr := transform(t, f)
			want := append(append(append(append([]byte{}, aad[:4]...), aad[len(aad)-4:]...), iv...), sealed[:len(sealed)-cut]...)
			const at = 8
			chunk := make([]byte, at+len(want)+16)
			copy(chunk[at:], want[:8])
			copy(chunk[at+8:], iv)
			copy(chunk[at+tr.Front():], plain)
			tr.seal(x, chunk, at, len(plain), seq)
			if got := chunk[at : at+len(want)]; !bytes.Equal(got, want) {
				t.Errorf("%s, ICV %d: sealed\n%x, want\n%x", v.name, f.ICV, got, want)
			}
			copy(chunk[at:], want)
			got, ok := tr.Open(x, chunk[:at+len(want)], at, len(want), seq)
			if !ok || !bytes.Equal(got, plain) {
				t.Errorf("%s, ICV %d: opened %v\n%x, want\n%x", v.name, f.ICV, ok, got, plain)
				continue
			}
			n, next, ok := Strip(got)
			if n != v.payload || next != v.next || !ok {
				t.Errorf("%s: payload %d, next header %d, %v", v.name, n, next, ok)
			}
		}
	}
}

// TestCipherVectors: AES-CTR of RFC 3686 section 6, DES-CBC of FIPS 81, 3DES-CBC of NIST's examples (SP 800-67).
func TestCipherVectors(t *testing.T) {
	x := scratch(t)
	sha1 := fib.Key(make([]byte, 20))
	for _, v := range []struct {
		name                   string
		cipher                 fib.Cipher
		key, iv, plain, sealed string
	}{
		{"CTR 1", fib.CipherAESCTR, "ae6852f8121067cc4bf7a5765577f39e00000030", "0000000000000000", "53696e676c6520626c6f636b206d7367", "e4095d4fb7a7b3792d6175a3261311b8"},
		{
			"CTR 2", fib.CipherAESCTR, "7e24067817fae0d743d6ce1f32539163006cb6db", "c0543b59da48d90b",
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28",
		},
		{"DES", fib.CipherDES, "0123456789abcdef", "1234567890abcdef", "4e6f77206973207468652074696d6520666f7220616c6c20", "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"},
		{
			"3DES", fib.Cipher3DES, "0123456789abcdef23456789abcdef01456789abcdef0123", "f69f2445df4f9b17",
			"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51", "2079c3d53aa763e193b79e2569ab526251657048 1f25b50f73c0bda85c8e0da7",
		},
	} {
		f := &fib.SA{Cipher: v.cipher, CipherKey: unhex(t, v.key), Auth: fib.AuthHMACSHA1, AuthKey: sha1}
		tr := transform(t, f)
		iv, plain := unhex(t, v.iv), unhex(t, v.plain)
		want := unhex(t, string(bytes.ReplaceAll([]byte(v.sealed), []byte(" "), nil)))
		for _, room := range []int{16, 12} { // with and without room for the tag that is thrown away
			chunk := make([]byte, tr.Front()+len(plain)+room)
			copy(chunk[8:], iv)
			copy(chunk[tr.Front():], plain)
			tr.seal(x, chunk, 0, len(plain), 0)
			if got := chunk[tr.Front() : tr.Front()+len(plain)]; !bytes.Equal(got, want) {
				t.Errorf("%s: %x, want %x", v.name, got, want)
			}
			if got, ok := tr.Open(x, chunk, 0, tr.Front()+len(plain)+12, 0); !ok || !bytes.Equal(got, plain) {
				t.Errorf("%s: opened %v %x", v.name, ok, got)
			}
		}
	}
}

// TestHMACVectors: RFC 2202 (cases 1 and 3), RFC 4868 section 2.7.2 (first of each).
func TestHMACVectors(t *testing.T) {
	x := scratch(t)
	rep := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	for _, v := range []struct {
		auth      fib.Auth
		key, data []byte
		want      string
	}{
		{fib.AuthHMACMD5, rep(0x0b, 16), []byte("Hi There"), "9294727a3638bb1c13f48ef8"},
		{fib.AuthHMACMD5, rep(0xaa, 16), rep(0xdd, 50), "56be34521d144c88dbb8c733"},
		{fib.AuthHMACSHA1, rep(0x0b, 20), []byte("Hi There"), "b617318655057264e28bc0b6"},
		{fib.AuthHMACSHA1, rep(0xaa, 20), rep(0xdd, 50), "125d7342b9ac11cd91a39af4"},
		{fib.AuthHMACSHA256, rep(0x0b, 32), []byte("Hi There"), "198a607eb44bfbc69903a0f1cf2bbdc5"},
		{fib.AuthHMACSHA256x96, rep(0x0b, 32), []byte("Hi There"), "198a607eb44bfbc69903a0f1"},
		{fib.AuthHMACSHA384, rep(0x0b, 48), []byte("Hi There"), "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973"},
		{fib.AuthHMACSHA512, rep(0x0b, 64), []byte("Hi There"), "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"},
	} {
		tr := transform(t, &fib.SA{Auth: v.auth, AuthKey: v.key})
		if got := tr.espSum(x, v.data, 0); !bytes.Equal(got, unhex(t, v.want)) {
			t.Errorf("%s: %x, want %s", macs[v.auth].name, got, v.want)
		}
	}
}
