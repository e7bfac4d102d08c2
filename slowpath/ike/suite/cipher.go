package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // the default of the routers this has to talk to
	"fmt"
)

// saltLen is how many bytes of salt or nonce follow the key in KEYMAT, with counter modes and combined ciphers
// (RFC 3686 section 5.1, RFC 4106 section 8.1, RFC 7634 section 2).
const saltLen = 4

var cipherNames = [...]string{
	CipherNone: "none", CipherNull: "null", CipherDES: "des", Cipher3DES: "3des", CipherAESCBC: "aes-cbc",
	CipherAESCTR: "aes-ctr", CipherAESGCM: "aes-gcm", CipherAESGMAC: "aes-gmac", CipherChaCha20Poly1305: "chacha20-poly1305",
}

// String names the cipher: "des", "3des", "aes-cbc", ...
func (c Cipher) String() string {
	if int(c) >= len(cipherNames) {
		return "unknown"
	}
	return cipherNames[c]
}

// BlockSize is what plaintext is padded to, in bytes: 1 with those that take any length, 0 of no cipher.
func (c Cipher) BlockSize() int {
	switch c {
	case CipherDES, Cipher3DES:
		return des.BlockSize
	case CipherAESCBC:
		return aes.BlockSize
	case CipherNull, CipherAESCTR, CipherAESGCM, CipherAESGMAC, CipherChaCha20Poly1305:
		return 1
	}
	return 0
}

// Combined tells whether the cipher authenticates too, so that no integrity algorithm goes with it.
func (c Cipher) Combined() bool {
	return c == CipherAESGCM || c == CipherAESGMAC || c == CipherChaCha20Poly1305
}

// KeyLen is how many bytes of key material a cipher takes, with the salt or nonce at its end. bits is the length of an AES
// key: 128, 192 or 256; with ciphers of one length it is 0, or that length. The error names a length that is not possible.
func KeyLen(c Cipher, bits int) (n int, err error) {
	fixed := 0
	switch c {
	case CipherNull:
	case CipherDES:
		n, fixed = 8, 64
		if bits == 56 {
			bits = 0 // without its parity
		}
	case Cipher3DES:
		n, fixed = 24, 192
		if bits == 168 {
			bits = 0
		}
	case CipherChaCha20Poly1305:
		n, fixed = 32+saltLen, 256
	case CipherAESCBC, CipherAESCTR, CipherAESGCM, CipherAESGMAC:
		if bits != 128 && bits != 192 && bits != 256 {
			return 0, fmt.Errorf("suite: %s has no key of %d bits: take 128, 192 or 256", c, bits)
		}
		n = bits / 8
		if c != CipherAESCBC {
			n += saltLen
		}
		return n, nil
	default:
		return 0, fmt.Errorf("suite: no key length of cipher %s", c)
	}
	if bits != 0 && bits != fixed {
		return 0, fmt.Errorf("suite: %s has no key of %d bits: leave the length away", c, bits)
	}
	return n, nil
}

// NewCBC makes the block cipher of DES, 3DES or AES, for CBC of crypto/cipher. The error says that the cipher is none of these, or
// the key's length wrong; it never holds the key.
func NewCBC(c Cipher, key []byte) (cipher.Block, error) {
	switch {
	case c == CipherDES && len(key) == 8:
		return des.NewCipher(key) //nolint:gosec // what the peer and the operator agreed on
	case c == Cipher3DES && len(key) == 24:
		return des.NewTripleDESCipher(key) //nolint:gosec // as above
	case c == CipherAESCBC:
		b, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("suite: %s with a key of %d bytes", c, len(key))
		}
		return b, nil
	}
	return nil, fmt.Errorf("suite: %s with a key of %d bytes is no cipher for CBC", c, len(key))
}
