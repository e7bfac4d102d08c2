package aeskey

import (
	"encoding/binary"
	"unsafe"
)

// Best is the widest unit that the CPU and the system have.
func Best() Unit {
	const (
		pclmul, ssse3, aes, osxsave, avx = 1 << 1, 1 << 9, 1 << 25, 1 << 27, 1 << 28 // leaf 1, ECX
		avx2, bmi2                       = 1 << 5, 1 << 8                            // leaf 7, EBX
		f, dq, bw, vl                    = 1 << 16, 1 << 17, 1 << 30, 1 << 31
		vaes, vpclmul                    = 1 << 9, 1 << 10 // leaf 7, ECX
		ymm, zmm                         = 0x6, 0xe6       // the extended control register
	)
	last, _, _, _ := cpuid(0, 0)
	if last < 7 {
		return None
	}
	_, _, c1, _ := cpuid(1, 0)
	_, b7, c7, _ := cpuid(7, 0)
	has := func(set, want uint32) bool { return set&want == want }
	if !has(c1, pclmul|ssse3|aes|osxsave|avx) || !has(c7, vaes|vpclmul) || !has(b7, avx2|bmi2) {
		return None
	}
	switch saved := xgetbv(); {
	case has(saved, zmm) && has(b7, f|dq|bw|vl):
		return AVX512
	case has(saved, ymm):
		return AVX2
	}
	return None
}

// Schedule makes the round keys for so many rounds out of the key, which is the first of them already (FIPS 197, section 5.2). The CPU must have a unit.
func Schedule(round *[15][16]byte, rounds uint32) {
	words, keys := int(rounds)-6, unsafe.Slice(&round[0][0], len(round)*16)
	w := func(i int) []byte { return keys[4*i : 4*i+4] }
	rcon := uint32(1)
	for i := words; i < 4*(int(rounds)+1); i++ {
		t := binary.LittleEndian.Uint32(w(i - 1))
		switch {
		case i%words == 0:
			t = subWord(t>>8|t<<24) ^ rcon
			rcon = rcon<<1 ^ rcon>>7*0x11b
		case words == 8 && i%8 == 4:
			t = subWord(t)
		}
		binary.LittleEndian.PutUint32(w(i), t^binary.LittleEndian.Uint32(w(i-words)))
	}
}

// Inverse makes the round keys of decryption, in the order of their use, out of those of encryption (FIPS 197, section 5.3.5). The CPU must have a unit.
func Inverse(inverse, round *[15][16]byte, rounds uint32) {
	for i := range rounds + 1 {
		inverse[i] = round[rounds-i]
		if i > 0 && i < rounds {
			mixColumns(&inverse[i][0])
		}
	}
}
