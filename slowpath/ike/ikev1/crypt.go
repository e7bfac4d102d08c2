package ikev1

import (
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// keys are those of an SA (RFC 2409 section 5).
type keys struct {
	hash            suite.Hash
	skeyid, d, a, e ike.Secret
	block           cipher.Block
	iv              []byte // the last block of phase 1, which the chains of phase 2 begin with
}

func (k *keys) clear() {
	for _, s := range []ike.Secret{k.skeyid, k.d, k.a, k.e} {
		s.Clear()
	}
	k.block = nil
}

// derive makes the keys of skeyid and the shared secret, both of which stay the caller's to clear.
func derive(p ike.V1Policy, skeyid, gxy []byte, i, r ikemsg.SPI) (keys, error) {
	k := keys{hash: p.Hash, skeyid: append([]byte(nil), skeyid...)}
	d, a, e := suite.V1Keys(p.Hash, skeyid, gxy, i[:], r[:])
	k.d, k.a, k.e = d, a, e
	n, err := suite.KeyLen(p.Cipher, p.KeyBits)
	if err != nil {
		return keys{}, err
	}
	key := suite.V1CipherKey(p.Hash, k.e, n)
	defer clear(key)
	k.block, err = suite.NewCBC(p.Cipher, key)
	return k, err
}

// digest is the negotiated hash function over parts.
func (k *keys) digest(parts ...[]byte) []byte {
	h := k.hash.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// firstIV is the IV that phase 1 begins with (RFC 2409 appendix B).
func (k *keys) firstIV(gxi, gxr []byte) []byte { return k.digest(gxi, gxr)[:k.block.BlockSize()] }

// exchangeIV is the IV that an exchange of phase 2 begins with.
func (k *keys) exchangeIV(last []byte, id uint32) []byte {
	return k.digest(last, binary.BigEndian.AppendUint32(nil, id))[:k.block.BlockSize()]
}

// seal writes a message with everything behind the header encrypted, and tells the IV of the next one.
func (k *keys) seal(h ikemsg.Header, iv, plain []byte) (b, next []byte) {
	size := k.block.BlockSize()
	n := (len(plain) + size - 1) / size * size
	h.Flags |= ikev1msg.FlagEncrypted
	h.Length = uint32(ikemsg.HeaderLen + n)
	b = h.Append(make([]byte, 0, ikemsg.HeaderLen+n))
	b = append(b, plain...)
	for len(b) < ikemsg.HeaderLen+n {
		b = append(b, 0)
	}
	text := b[ikemsg.HeaderLen:]
	cipher.NewCBCEncrypter(k.block, iv).CryptBlocks(text, text)
	return b, append([]byte(nil), text[n-size:]...)
}

// open decrypts what is behind the header of b, leaving b as it is, and tells the IV of the next message.
func (k *keys) open(iv, b []byte) (plain, next []byte, ok bool) {
	text := b[ikemsg.HeaderLen:]
	size := k.block.BlockSize()
	if len(text) == 0 || len(text)%size != 0 || len(iv) != size {
		return nil, nil, false
	}
	plain = make([]byte, len(text))
	cipher.NewCBCDecrypter(k.block, iv).CryptBlocks(plain, text)
	return plain, append([]byte(nil), text[len(text)-size:]...), true
}

// Hashes of phase 1 (RFC 2409 section 5): HASH_I and HASH_R differ in whose things come first.
func (k *keys) hashI(gxi, gxr []byte, i, r ikemsg.SPI, sa, id []byte) []byte {
	return suite.PRF(k.hash, k.skeyid, gxi, gxr, i[:], r[:], sa, id)
}

func (k *keys) hashR(gxi, gxr []byte, i, r ikemsg.SPI, sa, id []byte) []byte {
	return suite.PRF(k.hash, k.skeyid, gxr, gxi, r[:], i[:], sa, id)
}

// hash2 is the hash of a message of phase 2: HASH(1) without nonces, HASH(2) with that of the initiator.
func (k *keys) hash2(id uint32, nonce, rest []byte) []byte {
	return suite.PRF(k.hash, k.a, binary.BigEndian.AppendUint32(nil, id), nonce, rest)
}

// hash3 is HASH(3) of quick mode.
func (k *keys) hash3(id uint32, ni, nr []byte) []byte {
	return suite.PRF(k.hash, k.a, []byte{0}, binary.BigEndian.AppendUint32(nil, id), ni, nr)
}

// equal compares what an attacker must not learn of by time.
func equal(a, b []byte) bool { return hmac.Equal(a, b) }

// assemble writes a message in clear.
func assemble(h ikemsg.Header, list []ikemsg.Payload) []byte {
	if len(list) > 0 {
		h.NextPayload = list[0].Type
	}
	b := ikev1msg.AppendChain(h.Append(make([]byte, 0, 512)), list)
	binary.BigEndian.PutUint32(b[24:], uint32(len(b)))
	return b
}

// nonZero is a message id of random bytes; 0 is phase 1's.
func nonZero(b [4]byte) uint32 {
	if id := binary.BigEndian.Uint32(b[:]); id != 0 {
		return id
	}
	return 1
}
