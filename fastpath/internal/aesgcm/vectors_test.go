package aesgcm

import (
	"bytes"
	"encoding/hex"
	"testing"
	"unsafe"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	specText = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
	zero16   = "00000000000000000000000000000000"
	zero12   = "000000000000000000000000"
)

// From "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B, those cases whose AAD fits a Packet, and from draft-mcgrew-gcm-test-01,
// section 4: with salt and IV as the nonce, and SPI and sequence number, extended or not, as the AAD.
var vectors = []struct{ name, key, nonce, aad, plain, sealed string }{
	{"case 1", zero16, zero12, "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
	{"case 2", zero16, zero12, "", zero16, "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
	{"case 3", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "", specText,
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985" +
			"4d5c2af327cd64a62cf35abd2ba6fab4"},
	{"case 7", zero16 + "0000000000000000", zero12, "", "", "cd33b28ac773f74ba00ed1f312572435"},
	{"case 8", zero16 + "0000000000000000", zero12, "", zero16, "98e7247c07f0fe411c267e4384b0f6002ff58d80033927ab8ef4d4587514f0fb"},
	{"case 13", zero16 + zero16, zero12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{"case 14", zero16 + zero16, zero12, "", zero16, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
	{"case 15", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "", specText,
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad" +
			"b094dac5d93471bdec1a502270e3cc6c"},
	{"ESP 1, ESN", "4c80cdefbb5d10da906ac73c3613a634", "2e443b684956ed7e3b244cfe", "000043218765432100000000",
		"45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369700963796265726369747902646b0000210001" +
			"01020201",
		"fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d7" +
			"68fd9732459018148f6cbe722fd04796562dfdb4"},
	{"ESP 2", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "0000a5f80000000a",
		"4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d001000001000000000000037369700963796265726369747902646b00000100010001",
		"deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1" +
			"83b70d3aa8bc6ee4c309e9d85a41ad4a"},
	{"ESP 7, 192 bits", "feffe9928665731c6d6a8f9467308308feffe9928665731c", "cafebabefacedbaddecaf888", "0000a5f80000000a",
		"45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
		"a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc7795457b9652037f5318027b5b4cd7a636"},
	{"ESP 9, ESN, 256 bits", "abbccddef00112233445566778899aababbccddef00112233445566778899aab", "73616c74616e640169766563", "17405e67156f3126dd0db99b",
		"45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001",
		"f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e451626c2415771e3b7eebca614c89b35"},
}

func TestVectors(t *testing.T) {
	each(t, func(t *testing.T) {
		for _, v := range vectors {
			for _, icv := range []int{8, 12, 16} {
				plain, sealed := unhex(t, v.plain), unhex(t, v.sealed)
				sealed = sealed[:len(plain)+icv]
				var k Key
				if err := k.Expand(unhex(t, v.key)); err != nil {
					t.Fatal(err)
				}
				buf := append(bytes.Clone(plain), make([]byte, icv)...)
				p := Packet{Key: &k, Text: unsafe.Pointer(&buf[0]), Len: uint32(len(plain)), ICV: uint8(icv), AADLen: uint8(len(v.aad) / 2)}
				copy(p.Nonce[:], unhex(t, v.nonce))
				copy(p.AAD[:], unhex(t, v.aad))
				ps := []Packet{p}
				Seal(ps)
				if !bytes.Equal(buf, sealed) {
					t.Errorf("%s, ICV %d: sealed\n%x, want\n%x", v.name, icv, buf, sealed)
				}
				copy(buf, sealed)
				Open(ps)
				if !ps[0].OK || !bytes.Equal(buf[:len(plain)], plain) {
					t.Errorf("%s, ICV %d: opened %v\n%x, want\n%x", v.name, icv, ps[0].OK, buf[:len(plain)], plain)
				}
			}
		}
	})
}
