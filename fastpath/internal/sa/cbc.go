package sa

import (
	"crypto/cipher"
	"crypto/subtle"
	"sync/atomic"

	"nave/fastpath/internal/aescbc"
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

func (t *Transform) encryptCBC(x *Scratch, iv, b []byte) {
	if t.aes != nil {
		aescbc.Encrypt(x.alone(t.aes, iv, b))
		return
	}
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
	if t.aes != nil {
		aescbc.Decrypt(x.alone(t.aes, iv, b))
		return
	}
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

// alone is a burst of one packet for the kernels. iv has 16 bytes; b is not empty, as no payload with its trailer is.
func (x *Scratch) alone(key *aescbc.Key, iv, b []byte) []aescbc.Packet {
	p := &x.one[0]
	p.Key = key
	p.Hold(b)
	copy(p.IV[:], iv)
	return x.one[:]
}

// Chained tells whether the packets of the transform are faster sealed together: in CBC each block waits for the one before, so the CPU has time for other packets.
func (t *Transform) Chained() bool { return t.kind == kernelCBC && t.aes != nil }

// Chains is ESP packets that wait to be sealed together, of transforms that are Chained.
type Chains struct {
	n    int
	jobs [BurstSize]aescbc.Packet
	todo [BurstSize]struct {
		t   *Transform
		esp []byte // from the SPI to the end of the ICV
		seq uint64
	}
}

// Len is how many packets wait.
func (c *Chains) Len() int { return c.n }

// Add is Transform.Seal, but that encryption and ICV wait for Seal. The caller has seen to it that there is room.
func (c *Chains) Add(x *Scratch, t *Transform, chunk []byte, at, n int, seq uint64) int {
	body := at + headerLen + t.shape.IV
	esp := chunk[at : body+n+t.shape.ICV]
	t.header(x, esp, seq)
	j, w := &c.jobs[c.n], &c.todo[c.n]
	c.n++
	j.Key = t.aes
	j.Hold(chunk[body : body+n])
	copy(j.IV[:], chunk[at+headerLen:body])
	w.t, w.esp, w.seq = t, esp, seq
	return len(esp)
}

// Seal seals the packets, and none waits any more.
func (c *Chains) Seal(x *Scratch) {
	aescbc.Encrypt(c.jobs[:c.n])
	for i := range c.todo[:c.n] {
		w := &c.todo[i]
		if w.t.mac != nil {
			end := len(w.esp) - w.t.shape.ICV
			copy(w.esp[end:], w.t.espSum(x, w.esp[:end], w.seq))
		}
		w.t = nil
	}
	c.n = 0
}
