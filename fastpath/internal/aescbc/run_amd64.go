package aescbc

import "unsafe"

// A lane is one of the packets that are encrypted side by side; the assembly knows it.
type lane struct {
	key   *Key
	text  unsafe.Pointer
	at    uint64   // where in the text the next block is: a pointer to it would be one past the end when all is done
	chain [16]byte // the block before it
}

const lanes = 4

const (
	_ = -uint(unsafe.Sizeof(lane{}) ^ 40)
	_ = -uint(unsafe.Offsetof(lane{}.at)<<8 ^ unsafe.Offsetof(lane{}.chain) ^ 0x1018)
)

// Encrypt encrypts each packet's whole blocks in CBC.
func Encrypt(ps []Packet) {
	var ls [lanes]lane
	var left [lanes]uint32 // blocks
	n := 0
	for len(ps) > 0 || n > 0 {
		// Fill up, with packets whose keys have as many rounds.
		for n < lanes && len(ps) > 0 {
			p := &ps[0]
			if !p.Key.usable() {
				p.encrypt()
			} else if n > 0 && p.Key.rounds != ls[0].key.rounds {
				break
			} else if blocks := p.Len / 16; blocks > 0 {
				ls[n], left[n] = lane{p.Key, p.Text, 0, p.IV}, blocks
				n++
			}
			ps = ps[1:]
		}
		if n == 0 {
			return
		}
		blocks := left[0]
		for _, l := range left[1:n] {
			blocks = min(blocks, l)
		}
		switch n {
		case 1:
			encrypt1((*byte)(unsafe.Pointer(&ls)), int(blocks))
		case 2:
			encrypt2((*byte)(unsafe.Pointer(&ls)), int(blocks))
		case 3:
			encrypt3((*byte)(unsafe.Pointer(&ls)), int(blocks))
		default:
			encrypt4((*byte)(unsafe.Pointer(&ls)), int(blocks))
		}
		// Those that are done make room.
		kept := 0
		for i := range n {
			if left[i] -= blocks; left[i] > 0 {
				ls[kept], left[kept] = ls[i], left[i]
				kept++
			}
		}
		n = kept
	}
}

// Decrypt decrypts each packet's whole blocks in CBC.
func Decrypt(ps []Packet) {
	for i := range ps {
		p := &ps[i]
		if !p.Key.usable() {
			p.decrypt()
			continue
		}
		decrypt((*byte)(unsafe.Pointer(p.Key)), (*byte)(p.Text), int(p.Len/16), &p.IV[0])
	}
}

// CTR encrypts or decrypts each packet in counter mode, any number of bytes.
func CTR(ps []Packet) {
	for i := range ps {
		p := &ps[i]
		if !p.Key.usable() {
			p.ctr()
			continue
		}
		counter((*byte)(unsafe.Pointer(p.Key)), (*byte)(p.Text), int(p.Len), &p.IV[0])
	}
}
