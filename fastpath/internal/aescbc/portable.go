package aescbc

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"unsafe"
)

// What follows does a packet with the standard library: slow, for a cipher is made each time, and for CPUs without a kernel.

// block is the cipher of the packet's key. If it was never expanded there is none, and the text is cleared: nothing leaves in clear.
func (p *Packet) block() cipher.Block {
	if k := p.Key; k.rounds == 10 || k.rounds == 12 || k.rounds == 14 {
		if b, err := aes.NewCipher(unsafe.Slice(&k.round[0][0], 4*(k.rounds-6))); err == nil {
			return b
		}
	}
	clear(p.bytes())
	return nil
}

func (p *Packet) bytes() []byte { return unsafe.Slice((*byte)(p.Text), p.Len) }

// blocks are the whole ones.
func (p *Packet) blocks() []byte { return p.bytes()[:p.Len&^15] }

func (p *Packet) encrypt() {
	if b := p.block(); b != nil {
		cipher.NewCBCEncrypter(b, p.IV[:]).CryptBlocks(p.blocks(), p.blocks())
	}
}

func (p *Packet) decrypt() {
	if b := p.block(); b != nil {
		cipher.NewCBCDecrypter(b, p.IV[:]).CryptBlocks(p.blocks(), p.blocks())
	}
}

// ctr counts by itself: the library's counter has 128 bits.
func (p *Packet) ctr() {
	b := p.block()
	if b == nil {
		return
	}
	at, text := p.IV, p.bytes()
	for n := binary.BigEndian.Uint32(at[12:]); len(text) > 0; n++ {
		var stream [16]byte
		binary.BigEndian.PutUint32(at[12:], n)
		b.Encrypt(stream[:], at[:])
		for i := range min(16, len(text)) {
			text[i] ^= stream[i]
		}
		text = text[min(16, len(text)):]
	}
}
