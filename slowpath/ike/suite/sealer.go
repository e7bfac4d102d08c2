package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sealer encrypts and authenticates the messages of an IKEv2 SA in one direction (RFC 7296 section 3.14, RFC 5282). A sealed text is
// IV | ciphertext | ICV; padding and its length are inside the ciphertext.
//
// A Sealer that seals must be the only one of its key.
type Sealer interface {
	// Overhead is by how many bytes a sealed text is longer than the plaintext, at most.
	Overhead() int
	// SealedLen is how long n bytes of plaintext are sealed.
	SealedLen(n int) int
	// Seal appends the sealed plaintext to dst. aad is what stands before it: the header and all payloads, up to the generic header of
	// the encrypted payload, with lengths already as SealedLen has them. aad may be dst itself; plaintext must not share memory with dst's
	// spare room. It panics if random has no bytes, as crypto/rand does.
	Seal(dst, aad, plaintext []byte, random io.Reader) []byte
	// Open appends the plaintext of sealed to dst, which does not share memory with it. The error wraps ErrSealed; dst's spare room holds
	// nothing of the plaintext then.
	Open(dst, aad, sealed []byte) ([]byte, error)
}

// ErrSealed is that a message does not come from who has the key, or is damaged. Nothing tells which of the checks failed.
var ErrSealed = errors.New("not authentic")

// NewSealer makes the Sealer of one direction. encKey has the salt or nonce at its end; authKey is empty with a combined cipher. The
// error says what is not possible about the suite or the lengths; it never holds a key.
func NewSealer(s V2Suite, encKey, authKey []byte) (Sealer, error) {
	if s.PRF == HashNone {
		s.PRF = HashSHA256 // not needed here
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	n, err := KeyLen(s.Cipher, s.KeyBits)
	if err != nil {
		return nil, err
	}
	if len(encKey) != n || len(authKey) != s.Integrity.KeyLen() {
		return nil, fmt.Errorf("suite: keys of %d and %d bytes, not %d and %d", len(encKey), len(authKey), n, s.Integrity.KeyLen())
	}
	switch s.Cipher {
	case CipherAESGCM:
		return newGCM(s.ICV, encKey)
	case CipherChaCha20Poly1305:
		a, err := chacha20poly1305.New(encKey[:n-saltLen])
		if err != nil {
			return nil, fmt.Errorf("suite: %s: %w", s.Cipher, err)
		}
		x := &aeadSealer{aead: a, icv: a.Overhead()}
		copy(x.salt[:], encKey[n-saltLen:])
		return x, nil
	case CipherAESCTR:
		b, err := aes.NewCipher(encKey[:n-saltLen])
		if err != nil {
			return nil, fmt.Errorf("suite: %s: %w", s.Cipher, err)
		}
		x := &macSealer{block: b, ctr: true, mac: hmac.New(s.Integrity.fresh(), authKey), icv: s.Integrity.ICVLen()}
		copy(x.salt[:], encKey[n-saltLen:])
		return x, nil
	}
	b, err := NewCBC(s.Cipher, encKey)
	if err != nil {
		return nil, err
	}
	return &macSealer{block: b, mac: hmac.New(s.Integrity.fresh(), authKey), icv: s.Integrity.ICVLen()}, nil
}

// counterLen is the length of the IV of ciphers that only need it to be new each time.
const counterLen = 8

// counter makes IVs that never repeat: it counts from a random start.
type counter struct {
	next    uint64
	started bool
}

func (c *counter) append(dst []byte, random io.Reader) []byte {
	if !c.started {
		var b [counterLen]byte
		fill(random, b[:])
		c.next, c.started = binary.BigEndian.Uint64(b[:]), true
	}
	dst = binary.BigEndian.AppendUint64(dst, c.next)
	c.next++
	return dst
}

func fill(random io.Reader, b []byte) {
	if _, err := io.ReadFull(random, b); err != nil {
		panic("suite: no random numbers: " + err.Error())
	}
}

// unpad takes the padding and its length off a decrypted text (RFC 7296 section 3.14).
func unpad(dst []byte, from int) ([]byte, error) {
	if len(dst) == from {
		return nil, ErrSealed
	}
	n := int(dst[len(dst)-1]) + 1
	if n > len(dst)-from {
		clear(dst[from:])
		return nil, ErrSealed
	}
	return dst[:len(dst)-n], nil
}

// macSealer is CBC or counter mode (RFC 5930), and an HMAC over all of it.
type macSealer struct {
	block   cipher.Block
	ctr     bool
	salt    [saltLen]byte
	counter counter
	mac     hash.Hash
	icv     int
}

func (x *macSealer) ivLen() int {
	if x.ctr {
		return counterLen
	}
	return x.block.BlockSize()
}

// padded is how long n bytes are with padding and the byte that counts it.
func (x *macSealer) padded(n int) int {
	if x.ctr {
		return n + 1
	}
	b := x.block.BlockSize()
	return (n + b) / b * b
}

func (x *macSealer) Overhead() int {
	if x.ctr {
		return counterLen + 1 + x.icv
	}
	return 2*x.block.BlockSize() + x.icv
}

func (x *macSealer) SealedLen(n int) int { return x.ivLen() + x.padded(n) + x.icv }

func (x *macSealer) Seal(dst, aad, plaintext []byte, random io.Reader) []byte {
	from := len(dst)
	if x.ctr {
		dst = x.counter.append(dst, random)
	} else {
		dst = append(dst, make([]byte, x.block.BlockSize())...)
		fill(random, dst[from:])
	}
	body := len(dst)
	pad := x.padded(len(plaintext)) - len(plaintext) - 1
	dst = append(dst, plaintext...)
	dst = append(append(dst, make([]byte, pad)...), byte(pad))
	x.crypt(dst[body:], dst[body:], dst[from:body], true)
	return append(dst, x.sum(aad, dst[from:])...)
}

func (x *macSealer) Open(dst, aad, sealed []byte) ([]byte, error) {
	iv := x.ivLen()
	n := len(sealed) - iv - x.icv
	if n < 1 || !x.ctr && n%x.block.BlockSize() != 0 {
		return nil, ErrSealed
	}
	if !hmac.Equal(x.sum(aad, sealed[:iv+n]), sealed[iv+n:]) {
		return nil, ErrSealed
	}
	from := len(dst)
	dst = append(dst, sealed[iv:iv+n]...)
	x.crypt(dst[from:], dst[from:], sealed[:iv], false)
	return unpad(dst, from)
}

func (x *macSealer) crypt(dst, src, iv []byte, encrypt bool) {
	switch {
	case x.ctr: // nonce | IV | counter from 1 (RFC 3686 section 4)
		var start [aes.BlockSize]byte
		copy(start[:], x.salt[:])
		copy(start[saltLen:], iv)
		start[aes.BlockSize-1] = 1
		cipher.NewCTR(x.block, start[:]).XORKeyStream(dst, src)
	case encrypt:
		cipher.NewCBCEncrypter(x.block, iv).CryptBlocks(dst, src)
	default:
		cipher.NewCBCDecrypter(x.block, iv).CryptBlocks(dst, src)
	}
}

func (x *macSealer) sum(aad, text []byte) []byte {
	x.mac.Reset()
	x.mac.Write(aad)
	x.mac.Write(text)
	return x.mac.Sum(make([]byte, 0, maxHash))[:x.icv]
}

// aeadSealer is a combined cipher (RFC 5282, RFC 7634): nonces are salt | IV.
type aeadSealer struct {
	aead    cipher.AEAD
	block   cipher.Block // of AES-GCM with a short ICV, which crypto/cipher opens no text with
	salt    [saltLen]byte
	counter counter
	icv     int
}

func newGCM(icv int, encKey []byte) (Sealer, error) {
	if icv == 0 {
		icv = 16
	}
	if icv != 8 && icv != 12 && icv != 16 {
		return nil, fmt.Errorf("suite: %s with an ICV of %d bytes: take 8, 12 or 16", CipherAESGCM, icv)
	}
	n := len(encKey) - saltLen
	b, err := aes.NewCipher(encKey[:n])
	if err != nil {
		return nil, fmt.Errorf("suite: %s: %w", CipherAESGCM, err)
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		return nil, fmt.Errorf("suite: %s: %w", CipherAESGCM, err)
	}
	x := &aeadSealer{aead: a, icv: icv}
	if icv < a.Overhead() {
		x.block = b
	}
	copy(x.salt[:], encKey[n:])
	return x, nil
}

func (x *aeadSealer) Overhead() int       { return counterLen + 1 + x.icv }
func (x *aeadSealer) SealedLen(n int) int { return n + x.Overhead() }

func (x *aeadSealer) nonce(iv []byte) []byte {
	n := make([]byte, 0, chacha20poly1305.NonceSize)
	return append(append(n, x.salt[:]...), iv...)
}

func (x *aeadSealer) Seal(dst, aad, plaintext []byte, random io.Reader) []byte {
	from := len(dst)
	dst = x.counter.append(dst, random)
	iv := dst[from:]
	body := len(dst)
	dst = append(append(dst, plaintext...), 0) // no padding is wanted, only its length
	dst = x.aead.Seal(dst[:body], x.nonce(iv), dst[body:], aad)
	return dst[:len(dst)-x.aead.Overhead()+x.icv]
}

func (x *aeadSealer) Open(dst, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < counterLen+1+x.icv {
		return nil, ErrSealed
	}
	from := len(dst)
	nonce := x.nonce(sealed[:counterLen])
	var err error
	if x.block == nil {
		dst, err = x.aead.Open(dst, nonce, sealed[counterLen:], aad)
	} else {
		dst, err = x.openShort(dst, nonce, aad, sealed[counterLen:])
	}
	if err != nil {
		return nil, ErrSealed
	}
	return unpad(dst, from)
}

// openShort opens AES-GCM with a cut ICV: decrypts by counter mode, which GCM starts at 2 (NIST SP 800-38D section 7.2), and sees whether
// sealing it again gives that ICV.
func (x *aeadSealer) openShort(dst, nonce, aad, sealed []byte) ([]byte, error) {
	n := len(sealed) - x.icv
	var start [aes.BlockSize]byte
	copy(start[:], nonce)
	start[aes.BlockSize-1] = 2
	plain := make([]byte, n)
	cipher.NewCTR(x.block, start[:]).XORKeyStream(plain, sealed[:n])
	again := x.aead.Seal(nil, nonce, plain, aad)
	if !hmac.Equal(again[n:n+x.icv], sealed[n:]) {
		clear(plain)
		return nil, ErrSealed
	}
	return append(dst, plain...), nil
}
