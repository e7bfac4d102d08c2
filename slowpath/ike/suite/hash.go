package suite

import (
	"crypto/md5"  //nolint:gosec // peers of this protocol's age have nothing else
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// maxHash is the size of the largest Hash, in bytes.
const maxHash = sha512.Size

// hashes has what is to know of each Hash: its size, and how long its HMAC is cut as an integrity algorithm, in bytes
// (RFC 2403, RFC 2404, RFC 4868).
var hashes = [...]struct {
	name      string
	size, icv int
	fresh     func() hash.Hash
}{
	HashNone:   {name: "none"},
	HashMD5:    {"md5", md5.Size, 12, md5.New},
	HashSHA1:   {"sha1", sha1.Size, 12, sha1.New},
	HashSHA256: {"sha256", sha256.Size, 16, sha256.New},
	HashSHA384: {"sha384", sha512.Size384, 24, sha512.New384},
	HashSHA512: {"sha512", sha512.Size, 32, sha512.New},
}

// Known tells whether h is one of the hashes of this package, and not HashNone.
func (h Hash) Known() bool { return h != HashNone && int(h) < len(hashes) }

// New starts a hash. It panics if h is not Known.
func (h Hash) New() hash.Hash { return h.fresh()() }

// fresh is the constructor, as crypto/hmac wants it.
func (h Hash) fresh() func() hash.Hash {
	if !h.Known() {
		panic("suite: no such hash")
	}
	return hashes[h].fresh
}

// Size is the length of a hash in bytes, and of a PRF's output and preferred key (RFC 7296 section 2.13). 0 if h is not Known.
func (h Hash) Size() int {
	if !h.Known() {
		return 0
	}
	return hashes[h].size
}

// KeyLen is how many bytes of key the HMAC takes as the integrity algorithm of ESP, AH and IKEv2: as many as the hash has.
func (h Hash) KeyLen() int { return h.Size() }

// ICVLen is how many bytes of the HMAC are sent, as the integrity algorithm of ESP, AH and IKEv2. 0 if h is not Known.
func (h Hash) ICVLen() int {
	if !h.Known() {
		return 0
	}
	return hashes[h].icv
}

// String names the hash as show output does: "md5", "sha1", "sha256", ...
func (h Hash) String() string {
	if int(h) >= len(hashes) {
		return "unknown"
	}
	return hashes[h].name
}
