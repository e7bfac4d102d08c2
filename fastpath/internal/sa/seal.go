package sa

import (
	"crypto/subtle"
	"encoding/binary"

	"nave/fastpath/internal/aescbc"
)

// Trailer writes padding (1, 2, 3, ...), pad length and next header behind a payload of n bytes, so that b is full.
func Trailer(b []byte, n int, next uint8) {
	pad := len(b) - n - trailerLen
	for i := range pad {
		b[n+i] = byte(i + 1)
	}
	b[len(b)-2], b[len(b)-1] = byte(pad), next
}

// Seal makes an ESP packet (RFC 4303) at chunk[at:] of the n bytes of payload, with its trailer, that stand Front bytes further on, and returns how
// long the packet is. Sequence number seq is the caller's, who uses it once. There are 4 bytes before at, and Tail bytes after
// the payload.
func (t *Transform) Seal(x *Scratch, chunk []byte, at, n int, seq uint64) int {
	t.header(x, chunk[at:], seq)
	t.seal(x, chunk, at, n, seq)
	return headerLen + t.shape.IV + n + t.shape.ICV
}

// header writes ESP header and IV.
func (t *Transform) header(x *Scratch, esp []byte, seq uint64) {
	be := binary.BigEndian
	be.PutUint32(esp, t.spi)
	be.PutUint32(esp[4:], uint32(seq))
	switch t.kind {
	case kernelNull:
	case kernelCBC:
		x.ivs.put(x, esp[headerLen:headerLen+t.shape.IV], t.spi, t.Generation, seq)
	default:
		be.PutUint64(esp[headerLen:], seq)
	}
}

// seal encrypts and authenticates, header and IV being there.
func (t *Transform) seal(x *Scratch, chunk []byte, at, n int, seq uint64) {
	body := at + headerLen + t.shape.IV
	iv := chunk[at+headerLen : body]
	switch t.kind {
	case kernelAEAD, kernelShort:
		t.aead.Seal(chunk[body:body], t.nonce(x, iv), chunk[body:body+n], t.aad(x, seq))
	case kernelCBC:
		t.encryptCBC(x, iv, chunk[body:body+n])
	case kernelCTR:
		t.counter(x, iv, chunk[body:], n)
	case kernelGMAC:
		saved, all := t.widen(chunk, at, body+n, seq)
		t.aead.Seal(chunk[body+n:body+n], t.nonce(x, iv), nil, all)
		t.narrow(chunk, at, saved)
	case kernelNull:
	}
	if t.mac != nil {
		copy(chunk[body+n:], t.espSum(x, chunk[at:body+n], seq))
	}
}

// nonce is salt and IV.
func (t *Transform) nonce(x *Scratch, iv []byte) []byte {
	copy(x.nonce[:saltLen], t.salt[:])
	copy(x.nonce[saltLen:], iv)
	return x.nonce[:]
}

// aad is SPI and sequence number, with its upper half if that is authenticated (RFC 4106 section 5).
func (t *Transform) aad(x *Scratch, seq uint64) []byte {
	binary.BigEndian.PutUint32(x.aad[:], t.spi)
	if t.esn {
		binary.BigEndian.PutUint64(x.aad[4:], seq)
		return x.aad[:]
	}
	binary.BigEndian.PutUint32(x.aad[4:], uint32(seq))
	return x.aad[:headerLen]
}

// widen is what GMAC authenticates, up to end: with the upper half of the sequence number it is longer in the middle than what is sent, so the SPI
// moves over the 4 bytes in front, which narrow puts back (RFC 4543 section 3.3).
func (t *Transform) widen(chunk []byte, at, end int, seq uint64) (saved uint32, all []byte) {
	if !t.esn {
		return 0, chunk[at:end]
	}
	saved = binary.BigEndian.Uint32(chunk[at-4:])
	binary.BigEndian.PutUint32(chunk[at-4:], t.spi)
	binary.BigEndian.PutUint32(chunk[at:], uint32(seq>>32))
	return saved, chunk[at-4 : end]
}

func (t *Transform) narrow(chunk []byte, at int, saved uint32) {
	if !t.esn {
		return
	}
	binary.BigEndian.PutUint32(chunk[at:], t.spi)
	binary.BigEndian.PutUint32(chunk[at-4:], saved)
}

// counter encrypts or decrypts the first n bytes of b in counter mode (RFC 3686 section 2.1). The library's counter mode allocates for every packet, and its GCM
// does not: that counts from 2 where RFC 3686 counts from 1. So the first block is done here and the rest by GCM, whose tag, written behind, is thrown
// away. Where there is no room for a tag, it goes block by block.
func (t *Transform) counter(x *Scratch, iv, b []byte, n int) {
	copy(x.head[:], t.salt[:])
	copy(x.head[saltLen:], iv)
	ctr, stream := x.head[:16], x.block[:]
	if t.aes != nil {
		binary.BigEndian.PutUint32(ctr[12:], 1)
		aescbc.CTR(x.alone(t.aes, ctr, b[:n]))
		return
	}
	if len(b) >= n+aeadTag {
		binary.BigEndian.PutUint32(ctr[12:], 1)
		t.block.Encrypt(stream, ctr)
		first := min(n, len(stream))
		subtle.XORBytes(b[:first], b[:first], stream)
		if n > first {
			t.aead.Seal(b[first:first], t.nonce(x, iv), b[first:n], nil)
		}
		return
	}
	for i, c := 0, uint32(1); i < n; i, c = i+len(stream), c+1 {
		binary.BigEndian.PutUint32(ctr[12:], c)
		t.block.Encrypt(stream, ctr)
		subtle.XORBytes(b[i:n], b[i:n], stream)
	}
}
