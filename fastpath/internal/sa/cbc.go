package sa

import (
	"crypto/cipher"
	"crypto/subtle"
	"sync/atomic"
)

// chain is a block mode of the library that can be used again with another IV.
type chain interface {
	cipher.BlockMode
	SetIV([]byte)
}

// cbc is cipher block chaining. The library's modes are faster than a loop over blocks, and hold an IV: so there is one of each direction, which
// a worker takes for a packet; whoever finds it taken goes block by block.
type cbc struct {
	enc, dec atomic.Pointer[chain]
}

func (c *cbc) init(b cipher.Block) {
	iv := make([]byte, b.BlockSize())
	if m, ok := cipher.NewCBCEncrypter(b, iv).(chain); ok {
		c.enc.Store(&m)
	}
	if m, ok := cipher.NewCBCDecrypter(b, iv).(chain); ok {
		c.dec.Store(&m)
	}
}

func (t *Transform) encryptCBC(iv, b []byte) {
	if m := t.cbc.enc.Swap(nil); m != nil {
		(*m).SetIV(iv)
		(*m).CryptBlocks(b, b)
		t.cbc.enc.Store(m)
		return
	}
	n := t.block.BlockSize()
	for ; len(b) >= n; b = b[n:] {
		subtle.XORBytes(b[:n], b[:n], iv)
		t.block.Encrypt(b[:n], b[:n])
		iv = b[:n]
	}
}

func (t *Transform) decryptCBC(x *Scratch, iv, b []byte) {
	if m := t.cbc.dec.Swap(nil); m != nil {
		(*m).SetIV(iv)
		(*m).CryptBlocks(b, b)
		t.cbc.dec.Store(m)
		return
	}
	n := t.block.BlockSize()
	for end := len(b); end >= n; end -= n { // from the end, so that the block before is still as it came
		before := iv
		if end > n {
			before = b[end-2*n : end-n]
		}
		t.block.Decrypt(x.block[:n], b[end-n:end])
		subtle.XORBytes(b[end-n:end], x.block[:n], before)
	}
}
