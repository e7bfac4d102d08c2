package suite

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

func equal(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if w := unhex(t, want); !bytes.Equal(got, w) {
		t.Errorf("%s: %x, not %x", what, got, w)
	}
}

// RFC 2202 and RFC 4231, case 2.
func TestPRF(t *testing.T) {
	for h, want := range map[Hash]string{
		HashMD5:    "750c783e6ab0b503eaa86e310a5db738",
		HashSHA1:   "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
		HashSHA256: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		HashSHA384: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
		HashSHA512: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
	} {
		equal(t, h.String(), PRF(h, []byte("Jefe"), []byte("what do ya want "), nil, []byte("for nothing?")), want)
		if n := len(PRF(h, nil)); n != h.Size() || n != h.KeyLen() {
			t.Errorf("%s: %d bytes", h, n)
		}
	}
}

// RFC 4231 case 6: a key longer than a block.
func TestPRFLongKey(t *testing.T) {
	equal(t, "sha256", PRF(HashSHA256, bytes.Repeat([]byte{0xaa}, 131), []byte("Test Using Larger Than Block-Size Key - Hash Key First")),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
}

// The ACVP and CAVP cases of IKEv1 (SP 800-135), by pre-shared key and by signature.
func TestV1Vectors(t *testing.T) {
	for _, c := range []struct{ psk, ni, nr, ckyI, ckyR, gxy, id, d, a, e string }{
		{"75", "b9a2d0e922dc66dd", "2130166863b5ddef", "83d374c30b3b5082", "5afc0da06c728029",
			"739003ba2c11c982946c65e26acf661fbf8ebb78011a9fead79efa12fe3e71cc",
			"62b04d112877e442fc3282fc37c076997718a0b9", "369e5aad1bdb5faf6a3d929d500cdc236710a9ab",
			"588e957d8d790d093b3a39f121473473af78e9bb", "cd74b0c048219db81384d3fda8f6cda51e398a2b"},
		{"", "69a62284195f1680", "80c94ba25c8abda5", "8c3bcd3a69831d7f", "d2d9a7ff4fbe95a7",
			"8ba4cbc73c0187301dc19a975823854dbd641c597f637f8d053a83b9514673eb",
			"707197817fb2d90cf54d1842606bdea59b9f4823", "384be709a8a5e63c3ed160cfe3921c4b37d5b32d",
			"48b327575abe3adba0f279849e289022a13e2b47", "a4a415c8e0c38c0da847c356cc61c24df8025560"},
		{"", "ced5635da6796075", "6244b427712fb776", "382e5c8b0a3fa307", "ba4b7616700a2413",
			`2a2e0bbe8da3657a83f3d35826e49e2d38e557e912a1b9e6c30c63577b3eab715466202862027f2c26f3090743555579611771db0b92bef93834432a3a7762fc
			8a0f4889fd281d6082770d10a40d7bad61e832f041e620d6787e7f62ab2861ddfbe272e0d9d3cdec5f1bbf750e24b8b32d6d714968ad69ce5086c32ad2742ebc`,
			"dc37ac99de6dcfbd1ee74af7fb36f9b4b0a7829d", "486293ed547adb562cefdaf43d3d8457b196f2b6",
			"f4053b5ca07e59bb41b8f401037ca90b72b3917e", "49a1d53a80fb77e663552964fbbcb45092021473"},
	} {
		ni, nr, gxy := unhex(t, c.ni), unhex(t, c.nr), unhex(t, c.gxy)
		id := SKEYIDSig(HashSHA1, ni, nr, gxy)
		if c.psk != "" {
			id = SKEYIDPSK(HashSHA1, unhex(t, c.psk), ni, nr)
		}
		equal(t, "SKEYID", id, c.id)
		d, a, e := V1Keys(HashSHA1, id, gxy, unhex(t, c.ckyI), unhex(t, c.ckyR))
		equal(t, "SKEYID_d", d, c.d)
		equal(t, "SKEYID_a", a, c.a)
		equal(t, "SKEYID_e", e, c.e)
	}
}

// A main mode and quick mode between two strongSwans (3DES, MD5, group 2), whose logs and kernels say what came out.
func TestV1Peer(t *testing.T) {
	ckyI, ckyR := unhex(t, "ff5b5711330ba811"), unhex(t, "8a4f14aa15d53d54")
	gxy := unhex(t, `836DF34A91A59B9B5DACA83B00F45C45D17009A8482F05509468 05867CF2BA1B5EADC664A0798009DC85CF06A9EFE098
		475358A5EE680FDF56F94BE1205AAB686D3F1BA7157C07AA56D1A731879948319F5B71CBAA93F02E4D6818D1DCF31871
		C71D7B23DA5B455D4F3DA625F551DA58CC9CCC15249F2ADB9D038E4C7A32EC74`)
	d, a, e := V1Keys(HashMD5, unhex(t, "2003362E3B8C9645833E0372EBEEB54B"), gxy, ckyI, ckyR)
	equal(t, "SKEYID_d", d, "CE64DD18E7E959A88977F340D1D4C5C7")
	equal(t, "SKEYID_a", a, "7B532A89FA3A57EB33F7D97ABCCB88FB")
	equal(t, "SKEYID_e", e, "FAC5D84D6BC1C1E49F798FC85678E9B9")
	key := V1CipherKey(HashMD5, e, 24)
	equal(t, "Ka", key, "A4306F532A824CB67EE154C809B3340365D153F229405540")

	block, err := NewCBC(Cipher3DES, key)
	if err != nil {
		t.Fatal(err)
	}
	// Both messages of quick mode, from after the header; the IV is hash(last block of phase 1 | message ID).
	h := HashMD5.New()
	h.Write(unhex(t, "09575b6fed9a6006 e0b4d30e"))
	iv := h.Sum(nil)[:8]
	equal(t, "IV", iv, "974CB8E97BA06DB3")
	first := unhex(t, `86a2179312dac0e0ab7ac210009ff4f4c4cbd5d32692edc564e54ce922a60396bbf532a2820d75af727d22fbb971bbd26e00641485ed9f394e7b86b89364889f
		30547c586ee83166b2f62d5b06faa0c17af72ad193437e56a2eb311063291796c63e97d2dc887f04d25dd8a3294388de06ae61828a698b8f8763ac926b29d8b594cb196392c3f5bd`)
	second := unhex(t, `b151f77ee50421bb8182837c9d5b24dc6ef13465820156107b669352f916998fd72af88bd768023321858acc5c7b3f1cb88bdba61faad5061988880117d6ef16
		2dc0c54fe214a9be8471b9618e55e12fe19b0b2c05346e10c104671074edcc4abbb99234fc84357b3b31ed625f1016fcbf19d1033163bd109264917622713b69c59fe8cc88e8eda7`)
	ni, nr := nonceOf(t, block, iv, first), nonceOf(t, block, first[len(first)-8:], second)

	// The hub is the responder; its inbound SA, then its outbound one, as its kernel had them: key of 3DES, key of HMAC-MD5.
	equal(t, "inbound", V1Keymat(HashMD5, d, nil, 3, 0xcb0a380f, ni, nr, 40),
		"a9ec1409e4e739868c24d663c19bd23128c1fd6d03914a26 034c3cfc506fd6aec57a9e2a3ab46b67")
	equal(t, "outbound", V1Keymat(HashMD5, d, nil, 3, 0xca8f9c4d, ni, nr, 40),
		"57af34ac64bac8d50fd177af8c56866fbb6ed2e39ff06ad9 876a51cd85caaebd42c57babe08d7bcd")
}

// nonceOf decrypts a quick mode message, which starts with HASH, and finds the nonce (payload 10) in it.
func nonceOf(t *testing.T, block cipher.Block, iv, text []byte) []byte {
	t.Helper()
	plain := make([]byte, len(text))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, text)
	for kind := byte(8); kind != 0; {
		n := int(binary.BigEndian.Uint16(plain[2:]))
		if n < 4 || n > len(plain) {
			t.Fatalf("payload %d of %d bytes: wrongly decrypted", kind, n)
		}
		if kind == 10 {
			return plain[4:n]
		}
		kind, plain = plain[0], plain[n:]
	}
	t.Fatal("no nonce")
	return nil
}

// With PFS the shared secret goes in front each time (RFC 2409 section 5.5): the definition, written out.
func TestV1KeymatPFS(t *testing.T) {
	d, gxy, ni, nr := []byte("skeyid_d"), []byte("g^xy"), []byte("Ni"), []byte("Nr")
	k1 := PRF(HashSHA1, d, gxy, []byte{2, 0x11, 0x22, 0x33, 0x44}, ni, nr)
	k2 := PRF(HashSHA1, d, k1, gxy, []byte{2, 0x11, 0x22, 0x33, 0x44}, ni, nr)
	want := append(k1, k2...)[:33]
	if got := V1Keymat(HashSHA1, d, gxy, 2, 0x11223344, ni, nr, 33); !bytes.Equal(got, want) {
		t.Errorf("%x, not %x", got, want)
	}
}

func TestV1CipherKey(t *testing.T) {
	e := bytes.Repeat([]byte{7}, 20)
	if got := V1CipherKey(HashSHA1, e, 8); !bytes.Equal(got, e[:8]) {
		t.Errorf("short: %x", got)
	}
	k1 := PRF(HashSHA1, e, []byte{0})
	want := append(k1, PRF(HashSHA1, e, k1)...)[:32]
	got := V1CipherKey(HashSHA1, e, 32)
	if !bytes.Equal(got, want) {
		t.Errorf("long: %x, not %x", got, want)
	}
	got[0]++ // is a copy
	if key := V1CipherKey(HashSHA1, e, 8); &key[0] == &e[0] {
		t.Error("the key shares memory with SKEYID_e")
	}
}

// The ACVP and CAVP cases of IKEv2 (SP 800-135).
func TestV2Vectors(t *testing.T) {
	for _, c := range []struct{ ni, nr, spiI, spiR, gir, girNew, seed, dkm, child, childDH, rekey string }{
		{"32b50d5f4a3763f3", "9206a04b26564cb1", "34c9e7c188868785", "3ff77d760d2b2199",
			"4b2c1f971981a8ad8d0abeafabf38cf75fc8349c148142465ed9c8b516b8be52", "863f3c9d06efd39d2b907b97f8699e5dd5251ef64a2a176f36ee40c87d4f9330",
			"a9a7b222b59f8f48645f28a1db5b5f5d7479cba7",
			`a14293677cc80ff8f9cc0eee30d895da9d8f405666e30ef0dfcb63c634a46002a2a63080e514a062768b76606f9fa5e992204fc5a670bde3f10d6b027113936a
			5c55b648a194ae587b0088d52204b702c979fa280870d2ed41efa9c549fd11198af1670b143d384bd275c5f594cf266b05ebadca855e4249520a441a81157435a7a56cc4`,
			`8059e3ee8810e6c3a91bc8bcd2a7a41151b8d0e6ae239c7b38093ad85ef4c5811a8e7b5d1cdabd9560b2d5e092d1f24e2d4b85eccdf0ad0dc9abd94b51ee7181
			4ca6dbc8bb51b6309f5b9545c7eb35cf5580b1e521a8fe20754a2d883ba0c2cf285f524aea6545b33106bc03e614296d319d41d4b50b3f510b1c0a22f3e664994d234cb4`,
			`bb43244c1860ad65ee1e211ffe8bb3661750c8f89cb9f547df7f4fa61d37301628190e38c66232eab4b3ab14c400a5197dd3730ed4820a8a10394d51e1c04000
			52f63ebd36b0e7ef53aaed31eba4a5080d7d4b5666023a8bbb5ffb7857240f9a05884d1b7d2f933708450b7b3288f1fc863ab49fa901227cffc06e27899c7054d56fd74c`,
			"63e81194946ebd05df7df5ebf5d8750056bf1f1d"},
		{"3651fef5c9c35e93", "c09a8b90a3f04d59", "8e5c3ae507221684", "b1f201bb155c3acd",
			`d084a30166a50fb7325c3960874a839449ef9741c2f4f947d0201dd8c1269273d79509f37e3ca3eb4fa2fe2a28254e289cd3f34dad4eb4df1a07685a4b8a94fa
			61e2491f7598b3ce65547ff133b3f63d1ac4175eaa695033f3cedb026a6873a36455172a8540b8a5d23a0143bed0390ee49b168269d75fffee9fb62be965993c`,
			`52f00ab174c25d5b7139ae5ff4e8e9eddee5992d2e36adf8a559ffd90dab1442e4fbe429d320c0f33552a17d1557fa41ea70e8fb916c4fa27ed52b5f8ebd8461
			afa78f1159159a64055ac5f6319e29c28eae58cbc6847770f32c3fed1d04750484f854790f95e9ec01bc5bc461f24966462e359511329305038e94deb6dd42c2`,
			"cd2e8050137832245f1dbacc6e4f0a92f94d45d6",
			`6f1b12cad3cbe097b35430356d869d54cddb0198ec859174d53ceb92dddedbe2436db69f60977c58fa63bbb667f8d36920b109baae8f6c61a9ac49fe
			da01843225d080ec5539d5881a25521ffb2a0a91874a9c0a27fcc2d717eb8963a9e3a89c7ab264757284c28cf8c3ca40576f4220b052b1fb8e9ad60ba3c80557323331a8cbb89f20`,
			`4727dc0ef94eb326ce131cf282fb652faa638ad0ddae3786a11bcc0309876009f8c485de011ad962c5b1ca8a41ff8145445749079c5686e26ffebbc3
			42f06981f3da745e11ca0976424d1f8caec623d59dc7186deb20a27b411d1dcb70a365440bf7de905088b0692e8addc094e18d1939bdb67e89798ca6b239e2ccb81c2409dac0106c`,
			`b109c21ad4c0797768c1cec9e63554681e48f224bca7f23c20c4ea7041983451e9aa1d5408656c8a975ff1b9d9a12c75ffeb64bdecb30174664cccb4
			e14f1c377b7f6d1525af77c7092aac3e47f917ebae8297fb5539d2008ce830823a09cc197361d4a289c72745f6ce9fefe812be5bf55b3200fbb82e41a4a40877d3fe106db909707b`,
			"3b03bce748c96d5e8306918d2ff89b68f0648da3"},
	} {
		ni, nr, girNew := unhex(t, c.ni), unhex(t, c.nr), unhex(t, c.girNew)
		seed := V2Skeyseed(HashSHA1, ni, nr, unhex(t, c.gir))
		equal(t, "SKEYSEED", seed, c.seed)
		dkm := unhex(t, c.dkm)
		equal(t, "prf+", PRFPlus(HashSHA1, seed, bytes.Join([][]byte{ni, nr, unhex(t, c.spiI), unhex(t, c.spiR)}, nil), len(dkm)), c.dkm)

		// With 3DES and HMAC-SHA1 that is cut into 20, 20 20, 24 24, then 20 20 of which the case has 4.
		k, err := V2Derive(V2Suite{Cipher: Cipher3DES, Integrity: HashSHA1, PRF: HashSHA1}, seed, ni, nr, unhex(t, c.spiI), unhex(t, c.spiR))
		if err != nil {
			t.Fatal(err)
		}
		if all := bytes.Join([][]byte{k.D, k.Ai, k.Ar, k.Ei, k.Er, k.Pi, k.Pr}, nil); len(all) != 148 || !bytes.HasPrefix(all, dkm) {
			t.Errorf("%d bytes: %x", len(all), all)
		}
		equal(t, "child", V2Keymat(HashSHA1, k.D, nil, ni, nr, len(dkm)), c.child)
		equal(t, "child with DH", V2Keymat(HashSHA1, k.D, [][]byte{girNew}, ni, nr, len(dkm)), c.childDH)
		equal(t, "rekey", V2RekeySeed(HashSHA1, k.D, girNew, ni, nr), c.rekey)
	}
}

// An SA between two strongSwans (AES-256-GCM, PRF-HMAC-SHA-256, ECP-256), whose log says what came out; then the IKE_AUTH that it carried.
func TestV2Peer(t *testing.T) {
	ni := unhex(t, "754992d143ac0a56360fffbe496378086b681cbdd5ba6ae541522e8e2a994ac9")
	nr := unhex(t, "626e47a5302da4deee4619532808e8ecc8dd7f835bbab24d6ed518ad764780d2")
	spiI, spiR := unhex(t, "8a53b83dafaa7f56"), unhex(t, "d26d275ac32027b7")
	seed := V2Skeyseed(HashSHA256, ni, nr, unhex(t, "c5bc8c9e4fd60b5c5eafc6acdbcca374d0f2a0aac29d7cfa77af5c8c008b72c3"))
	equal(t, "SKEYSEED", seed, "c5455eeecb0bbe7f99a4c78d6dd2f0814b2f6e10cabc75cc0ef559f2325c5dec")
	s := V2Suite{Cipher: CipherAESGCM, KeyBits: 256, ICV: 16, PRF: HashSHA256}
	k, err := V2Derive(s, seed, ni, nr, spiI, spiR)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "SK_d", k.D, "cee7053891f4db3556ce088c547cbde6d77426847e8d175f0c9bd03e2397187a")
	equal(t, "SK_ei", k.Ei, "d69793e7418351bd80d12bc10f27fdee14fd85ea37e3cbbb703e8ac43451ddecbd0fbd00")
	equal(t, "SK_er", k.Er, "e22cb2bd7df3a3b022c53f62563462d9c6383ff281ac3bbd208107dd0a5a63a3e6783494")
	equal(t, "SK_pi", k.Pi, "ec11c47635db2cec49b306f9c06d96ad5b9510db82041c8394340500ed0ffe8b")
	equal(t, "SK_pr", k.Pr, "d8c2235a172cd2b42787b6b6cf8077911f101eaaa2fb8e7460b2a994fceac07b")

	m := unhex(t, `8a53b83dafaa7f56d26d275ac32027b72e202308000000010000012123000105bad50247a0db61524356bc60c31292fca579a25d51df5a73c298d469d7598dba
		56c75b954110e3acd88a34239710e4c491651417ed997d760f2bf63e5818c440653ba26a81d79eb98c8376d479ad065910c6f6864315c58dd8d175b30d9ff9967f7f385561d3c4a3
		76ae6e34c53977bc687d7bc9d7ecff5961e53553a57ab42d32bc4257d2989c3ab2deaeb17bb25ed1bf2429f05e6b48bb5351118a357fed926ad72f7e70df447bcefd794cdb864d15
		7a670fe34630711837e758b48835ca7bb2237417bf7809fed4d1fd97a0693027702fe815bdf4475a9434224801176a72ebbb1e25c8ba370f60903c4ab64f572dcd5c3ea9649d87ab
		5eb464933f428b6f1c`)
	x, err := NewSealer(s, k.Ei, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x.Open(nil, m[:32], m[32:])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(plain, unhex(t, "27 00 000c 01000000 c000020c")) { // IDi: 192.0.2.12
		t.Errorf("%x", plain)
	}
}

// More than one key exchange (RFC 9370 sections 2.2.2 and 2.2.4): the definitions, written out.
func TestV2Additional(t *testing.T) {
	d, s0, s1, s2, ni, nr := []byte("SK_d"), []byte("SK(0)"), []byte("SK(1)"), []byte("SK(2)"), []byte("Ni"), []byte("Nr")
	if got := V2NextSeed(HashSHA256, d, s1, ni, nr); !bytes.Equal(got, PRF(HashSHA256, d, []byte("SK(1)NiNr"))) {
		t.Errorf("next: %x", got)
	}
	if got := V2RekeySeed(HashSHA256, d, s0, ni, nr, s1, s2); !bytes.Equal(got, PRF(HashSHA256, d, []byte("SK(0)NiNrSK(1)SK(2)"))) {
		t.Errorf("rekey: %x", got)
	}
	if got := V2Keymat(HashSHA256, d, [][]byte{s0, s1, s2}, ni, nr, 50); !bytes.Equal(got, PRFPlus(HashSHA256, d, []byte("SK(0)NiNrSK(1)SK(2)"), 50)) {
		t.Errorf("child: %x", got)
	}
}

func TestPRFPlusLimit(t *testing.T) {
	if n := len(PRFPlus(HashMD5, nil, nil, 255*16)); n != 255*16 {
		t.Errorf("%d bytes", n)
	}
	if n := len(PRFPlus(HashMD5, nil, nil, 0)); n != 0 {
		t.Errorf("%d bytes", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("more than there is")
		}
	}()
	PRFPlus(HashMD5, nil, nil, 255*16+1)
}

func TestV2KeysHide(t *testing.T) {
	k, err := V2Derive(V2Suite{Cipher: CipherAESCBC, KeyBits: 128, Integrity: HashSHA256, PRF: HashSHA256}, []byte("seed"), nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if s := fmt.Sprintf(verb, k); strings.Trim(s, "*") != "" {
			t.Errorf("%s shows %s", verb, s)
		}
	}
	d, pr := k.D, k.Pr
	k.Clear()
	if bytes.Count(d, []byte{0}) != len(d) || bytes.Count(pr, []byte{0}) != len(pr) || k.Ei != nil {
		t.Error("keys are still there")
	}
}

func TestNames(t *testing.T) {
	for want, s := range map[string]fmt.Stringer{
		"md5": HashMD5, "sha1": HashSHA1, "sha256": HashSHA256, "sha384": HashSHA384, "sha512": HashSHA512, "none": HashNone, "unknown": Hash(99),
		"des": CipherDES, "3des": Cipher3DES, "aes-cbc": CipherAESCBC, "aes-gcm": CipherAESGCM, "chacha20-poly1305": CipherChaCha20Poly1305,
		"modp768": GroupMODP768, "ecp521": GroupECP521, "curve25519": GroupX25519, "mlkem768": GroupMLKEM768,
	} {
		if s.String() != want {
			t.Errorf("%s, not %s", s, want)
		}
	}
	if Cipher(99).String() != "unknown" || Cipher(99).BlockSize() != 0 || Hash(99).Size() != 0 || Hash(99).ICVLen() != 0 {
		t.Error("an unknown algorithm has properties")
	}
}

func TestKeyLen(t *testing.T) {
	for _, c := range []struct {
		c       Cipher
		bits, n int // n -1: refused
	}{
		{CipherNull, 0, 0}, {CipherDES, 0, 8}, {CipherDES, 56, 8}, {CipherDES, 128, -1}, {Cipher3DES, 0, 24}, {Cipher3DES, 168, 24}, {Cipher3DES, 128, -1},
		{CipherAESCBC, 128, 16}, {CipherAESCBC, 192, 24}, {CipherAESCBC, 256, 32}, {CipherAESCBC, 0, -1}, {CipherAESCBC, 129, -1},
		{CipherAESCTR, 128, 20}, {CipherAESGCM, 256, 36}, {CipherAESGMAC, 192, 28}, {CipherAESGCM, 512, -1},
		{CipherChaCha20Poly1305, 0, 36}, {CipherChaCha20Poly1305, 256, 36}, {CipherChaCha20Poly1305, 128, -1}, {CipherNone, 0, -1}, {99, 0, -1},
	} {
		n, err := KeyLen(c.c, c.bits)
		if c.n < 0 && err == nil || c.n >= 0 && (err != nil || n != c.n) {
			t.Errorf("%s %d: %d, %v", c.c, c.bits, n, err)
		}
	}
}
