package aesgcm

import (
	"unsafe"

	"nave/fastpath/internal/aeskey"
)

func (k *Key) hashPowers() { hashPowers((*byte)(unsafe.Pointer(k))) }

// Seal encrypts each packet's payload in place and writes its ICV behind it: Len+ICV bytes from Text on are written, and no others.
// A nonce must never come twice with a key; that is the caller's business.
func Seal(ps []Packet) {
	for len(ps) > 0 {
		left, p := 0, (*byte)(unsafe.Pointer(&ps[0]))
		switch ps[0].Key.rounds | uint32(kernel)<<8 {
		case 10 | uint32(aeskey.AVX512)<<8:
			left = sealAVX512x10(p, len(ps))
		case 10 | uint32(aeskey.AVX2)<<8:
			left = sealAVX2x10(p, len(ps))
		case 12 | uint32(aeskey.AVX512)<<8:
			left = sealAVX512x12(p, len(ps))
		case 12 | uint32(aeskey.AVX2)<<8:
			left = sealAVX2x12(p, len(ps))
		case 14 | uint32(aeskey.AVX512)<<8:
			left = sealAVX512x14(p, len(ps))
		case 14 | uint32(aeskey.AVX2)<<8:
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
		case 10 | uint32(aeskey.AVX512)<<8:
			left = openAVX512x10(p, len(ps))
		case 10 | uint32(aeskey.AVX2)<<8:
			left = openAVX2x10(p, len(ps))
		case 12 | uint32(aeskey.AVX512)<<8:
			left = openAVX512x12(p, len(ps))
		case 12 | uint32(aeskey.AVX2)<<8:
			left = openAVX2x12(p, len(ps))
		case 14 | uint32(aeskey.AVX512)<<8:
			left = openAVX512x14(p, len(ps))
		case 14 | uint32(aeskey.AVX2)<<8:
			left = openAVX2x14(p, len(ps))
		default:
			ps[0].open()
			left = len(ps) - 1
		}
		ps = ps[len(ps)-left:]
	}
}
