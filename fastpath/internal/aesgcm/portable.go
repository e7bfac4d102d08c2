package aesgcm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"unsafe"
)

// What follows does a packet with the standard library: slow, for a cipher is made each time, and for CPUs without a kernel.

// block is the cipher of the key, nil if it was never expanded.
func (k *Key) block() cipher.Block {
	if k.rounds != 10 && k.rounds != 12 && k.rounds != 14 {
		return nil
	}
	b, err := aes.NewCipher(unsafe.Slice(&k.round[0][0], 4*(k.rounds-6)))
	if err != nil {
		return nil
	}
	return b
}

// parts are the payload and the ICV's place.
func (p *Packet) parts() (text, icv []byte) {
	all := unsafe.Slice((*byte)(p.Text), int(p.Len)+int(min(max(p.ICV, 8), 16)))
	return all[:p.Len:p.Len], all[p.Len:]
}

// tagged is the ciphertext of text and its whole tag.
func (p *Packet) tagged(b cipher.Block, text []byte) []byte {
	g, err := cipher.NewGCM(b)
	if err != nil {
		return nil
	}
	return g.Seal(nil, p.Nonce[:12], text, p.AAD[:min(int(p.AADLen), len(p.AAD))])
}

func (p *Packet) seal() {
	text, icv := p.parts()
	var out []byte
	if b := p.Key.block(); b != nil {
		out = p.tagged(b, text)
	}
	if out == nil {
		// No key: nothing leaves in clear.
		clear(text)
		clear(icv)
		return
	}
	copy(text, out)
	copy(icv, out[len(text):])
}

func (p *Packet) open() {
	p.OK = false
	b := p.Key.block()
	if b == nil {
		return
	}
	text, icv := p.parts()
	counter := p.Nonce
	counter[12], counter[13], counter[14], counter[15] = 0, 0, 0, 2
	cipher.NewCTR(b, counter[:]).XORKeyStream(text, text)
	out := p.tagged(b, text)
	if out == nil || len(icv) > len(out)-len(text) {
		return
	}
	p.OK = subtle.ConstantTimeCompare(out[len(text):len(text)+len(icv)], icv) == 1
}
