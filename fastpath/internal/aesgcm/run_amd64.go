package aesgcm

import "unsafe"

// kernel is the one in use: the widest that the CPU and the system have.
var kernel = best()

// best asks the CPU for its instructions, and the system for the registers that it keeps.
func best() which {
	const (
		pclmul, ssse3, aes, osxsave, avx = 1 << 1, 1 << 9, 1 << 25, 1 << 27, 1 << 28 // leaf 1, ECX
		avx2Bit, bmi2                    = 1 << 5, 1 << 8                            // leaf 7, EBX
		f, dq, bw, vl                    = 1 << 16, 1 << 17, 1 << 30, 1 << 31
		vaes, vpclmul                    = 1 << 9, 1 << 10 // leaf 7, ECX
		ymm, zmm                         = 0x6, 0xe6       // the extended control register
	)
	last, _, _, _ := cpuid(0, 0)
	if last < 7 {
		return none
	}
	_, _, c1, _ := cpuid(1, 0)
	_, b7, c7, _ := cpuid(7, 0)
	has := func(set, want uint32) bool { return set&want == want }
	if !has(c1, pclmul|ssse3|aes|osxsave|avx) || !has(c7, vaes|vpclmul) || !has(b7, avx2Bit|bmi2) {
		return none
	}
	switch saved := xgetbv(); {
	case has(saved, zmm) && has(b7, f|dq|bw|vl):
		return avx512
	case has(saved, ymm):
		return avx2
	}
	return none
}

func (k *Key) expand(words int) {
	k.schedule(words)
	hashPowers((*byte)(unsafe.Pointer(k)))
}

// Seal encrypts each packet's payload in place and writes its ICV behind it: Len+ICV bytes from Text on are written, and no others.
// A nonce must never come twice with a key; that is the caller's business.
func Seal(ps []Packet) {
	for len(ps) > 0 {
		left, p := 0, (*byte)(unsafe.Pointer(&ps[0]))
		switch ps[0].Key.rounds | uint32(kernel)<<8 {
		case 10 | uint32(avx512)<<8:
			left = sealAVX512x10(p, len(ps))
		case 10 | uint32(avx2)<<8:
			left = sealAVX2x10(p, len(ps))
		case 12 | uint32(avx512)<<8:
			left = sealAVX512x12(p, len(ps))
		case 12 | uint32(avx2)<<8:
			left = sealAVX2x12(p, len(ps))
		case 14 | uint32(avx512)<<8:
			left = sealAVX512x14(p, len(ps))
		case 14 | uint32(avx2)<<8:
			left = sealAVX2x14(p, len(ps))
		default:
			ps[0].seal()
			left = len(ps) - 1
		}
		ps = ps[len(ps)-left:]
	}
}

// Open checks each packet's ICV and decrypts its payload in place. OK says whether the ICV was right; if not, the payload is worthless and must not be used.
func Open(ps []Packet) {
	for len(ps) > 0 {
		left, p := 0, (*byte)(unsafe.Pointer(&ps[0]))
		switch ps[0].Key.rounds | uint32(kernel)<<8 {
		case 10 | uint32(avx512)<<8:
			left = openAVX512x10(p, len(ps))
		case 10 | uint32(avx2)<<8:
			left = openAVX2x10(p, len(ps))
		case 12 | uint32(avx512)<<8:
			left = openAVX512x12(p, len(ps))
		case 12 | uint32(avx2)<<8:
			left = openAVX2x12(p, len(ps))
		case 14 | uint32(avx512)<<8:
			left = openAVX512x14(p, len(ps))
		case 14 | uint32(avx2)<<8:
			left = openAVX2x14(p, len(ps))
		default:
			ps[0].open()
			left = len(ps) - 1
		}
		ps = ps[len(ps)-left:]
	}
}
