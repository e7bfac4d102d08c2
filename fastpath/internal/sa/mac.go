package sa

import (
	"crypto/md5"  // as HMAC, which RFC 2403 asks for and nobody has broken
	"crypto/sha1" // the same, RFC 2404
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/binary"
	"hash"

	"nave/fastpath/fib"
	"nave/fastpath/internal/aescbc"
)

// stater is a hash whose state can be taken and put back. All of the standard library's are.
type stater interface {
	hash.Hash
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// hashes of the integrity algorithms, places in a Scratch.
const (
	hashMD5 = iota
	hashSHA1
	hashSHA256
	hashSHA384
	hashSHA512
	numHashes
)

var newHash = [numHashes]func() hash.Hash{md5.New, sha1.New, sha256.New, sha512.New384, sha512.New}

// macs is the integrity algorithms: lengths in bytes.
var macs = [...]struct {
	name     string
	hash     int
	key, icv int
}{
	fib.AuthNone:          {"none", 0, 0, 0},
	fib.AuthHMACMD5:       {"HMAC-MD5-96", hashMD5, 16, 12},
	fib.AuthHMACSHA1:      {"HMAC-SHA1-96", hashSHA1, 20, 12},
	fib.AuthHMACSHA256:    {"HMAC-SHA-256-128", hashSHA256, 32, 16},
	fib.AuthHMACSHA384:    {"HMAC-SHA-384-192", hashSHA384, 48, 24},
	fib.AuthHMACSHA512:    {"HMAC-SHA-512-256", hashSHA512, 64, 32},
	fib.AuthHMACSHA256x96: {"HMAC-SHA-256-96", hashSHA256, 32, 12},
}

// mac is HMAC with one key: the states of the hash after the two padded keys (RFC 2104 section 4), which any worker puts into a hash of its own.
type mac struct {
	hash         int
	inner, outer []byte
}

func newMAC(a fib.Auth, key []byte) *mac {
	m := &mac{hash: macs[a].hash}
	h := newHash[m.hash]().(stater)
	pad := make([]byte, h.BlockSize()) // longer than any of the keys
	for i := range pad {
		pad[i] = 0x36
	}
	for i, b := range key {
		pad[i] ^= b
	}
	m.inner = stateAfter(h, pad)
	for i := range pad {
		pad[i] ^= 0x36 ^ 0x5c
	}
	m.outer = stateAfter(h, pad)
	clear(pad)
	h.Reset()
	return m
}

func stateAfter(h stater, b []byte) []byte {
	h.Reset()
	h.Write(b)
	state, err := h.MarshalBinary()
	if err != nil {
		panic("sa: a hash of the standard library does not give its state: " + err.Error())
	}
	return state
}

// Scratch is what a worker needs beside a transform to seal and open: hash states, nonces, sums. One worker uses it.
type Scratch struct {
	hash  [numHashes]stater
	nonce [gcmNonceLen]byte
	aad   [headerLen + esnHighBytes]byte
	sum   [64]byte
	block [16]byte
	word  [8]byte
	head  [60]byte // an IP header without its mutable fields
	long  []byte   // for what is worked out beside the packet
	ivs   *IVs
	one   [1]aescbc.Packet
}

// NewScratch makes the scratch of a worker whose packets are no longer than n bytes. Several may share ivs.
func NewScratch(n int, ivs *IVs) *Scratch {
	x := &Scratch{long: make([]byte, n+aeadTag), ivs: ivs}
	for i, f := range newHash {
		x.hash[i] = f().(stater)
	}
	return x
}

// start puts a hash into the state after the inner key.
func (x *Scratch) start(m *mac) stater {
	h := x.hash[m.hash]
	restore(h, m.inner)
	return h
}

// finish gives the whole HMAC, in x.sum.
func (x *Scratch) finish(m *mac, h stater) []byte {
	s := h.Sum(x.sum[:0])
	restore(h, m.outer)
	h.Write(s)
	return h.Sum(x.sum[:0])
}

func restore(h stater, state []byte) {
	if err := h.UnmarshalBinary(state); err != nil {
		panic("sa: a hash of the standard library does not take its own state: " + err.Error())
	}
}

// high is the upper half of a sequence number, as it is authenticated and not sent (RFC 4303 section 2.2.1).
func (x *Scratch) high(seq uint64) []byte {
	binary.BigEndian.PutUint32(x.word[:], uint32(seq>>32))
	return x.word[:esnHighBytes]
}

// espSum is the ICV of an ESP packet from SPI to next header, in x.sum.
func (t *Transform) espSum(x *Scratch, b []byte, seq uint64) []byte {
	h := x.start(t.mac)
	h.Write(b)
	if t.esn {
		h.Write(x.high(seq))
	}
	return x.finish(t.mac, h)[:t.shape.ICV]
}
