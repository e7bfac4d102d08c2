package suite

import (
	"crypto/hmac"
	"encoding/binary"
)

// SKEYIDPSK is SKEYID of authentication by pre-shared key (RFC 2409 section 5).
func SKEYIDPSK(h Hash, psk, ni, nr []byte) []byte { return PRF(h, psk, ni, nr) }

// SKEYIDSig is SKEYID of authentication by signatures (RFC 2409 section 5).
func SKEYIDSig(h Hash, ni, nr, gxy []byte) []byte {
	key := make([]byte, 0, len(ni)+len(nr))
	key = append(append(key, ni...), nr...)
	return PRF(h, key, gxy)
}

// V1Keys is SKEYID_d, _a and _e (RFC 2409 section 5): what keys of children, authentication and encryption come from.
func V1Keys(h Hash, skeyid, gxy, ckyI, ckyR []byte) (d, a, e []byte) {
	d = PRF(h, skeyid, gxy, ckyI, ckyR, []byte{0})
	a = PRF(h, skeyid, d, gxy, ckyI, ckyR, []byte{1})
	e = PRF(h, skeyid, a, gxy, ckyI, ckyR, []byte{2})
	return d, a, e
}

// V1CipherKey is the n bytes of key of phase 1's cipher (RFC 2409 appendix B): the first of SKEYID_e, or where it is too short those of
// K1 | K2 | ..., where K1 = prf(SKEYID_e, 0) and Ki = prf(SKEYID_e, Ki-1).
func V1CipherKey(h Hash, skeyidE []byte, n int) []byte {
	if n <= len(skeyidE) {
		return append(make([]byte, 0, n), skeyidE[:n]...)
	}
	size := h.Size()
	m := hmac.New(h.fresh(), skeyidE)
	out := make([]byte, 0, (n+size-1)/size*size)
	for len(out) < n {
		m.Reset()
		if len(out) == 0 {
			m.Write([]byte{0})
		} else {
			m.Write(out[len(out)-size:])
		}
		out = m.Sum(out)
	}
	clear(out[n:])
	return out[:n:n]
}

// V1Keymat is n bytes of the key material of one SA of a child (RFC 2409 section 5.5). gxyOrNil is the shared secret of quick mode's own
// exchange, nil without PFS; protocol is ISAKMP's number (2 AH, 3 ESP); spi is that of the SA's receiver.
func V1Keymat(h Hash, skeyidD, gxyOrNil []byte, protocol uint8, spi uint32, ni, nr []byte, n int) []byte {
	head := binary.BigEndian.AppendUint32([]byte{protocol}, spi)
	size := h.Size()
	m := hmac.New(h.fresh(), skeyidD)
	out := make([]byte, 0, (n+size-1)/size*size)
	for len(out) < n {
		m.Reset()
		if len(out) > 0 {
			m.Write(out[len(out)-size:])
		}
		m.Write(gxyOrNil)
		m.Write(head)
		m.Write(ni)
		m.Write(nr)
		out = m.Sum(out)
	}
	clear(out[n:])
	return out[:n:n]
}
