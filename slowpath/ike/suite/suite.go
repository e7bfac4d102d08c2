// Package suite is the algorithms of IKE: ciphers, hashes, pseudo-random functions, Diffie-Hellman groups, and the key
// schedules of both versions built of them (RFC 2409, RFC 7296).
//
// The primitives come from the standard library and x/crypto. Whatever a peer sends (public values, ciphertext) is checked
// here; secrets are cleared by whoever holds them (Clear). What the libraries keep inside (round keys, inner states of HMACs, private keys of curves)
// can't be overwritten; it goes with the value that holds it.
//
//	hash.go, cipher.go      names, and lengths of keys, blocks and ICVs
//	group.go                key exchanges: one door to all groups
//	modp.go ecdh.go mlkem.go the groups by family
//	prf.go v1.go v2.go      PRFs, and the schedules of both versions
//	sealer.go               what encrypts the messages of IKEv2
package suite

// Cipher is an encryption algorithm, of IKE's own messages or of ESP. The zero value is none.
type Cipher uint8

// Ciphers.
const (
	CipherNone Cipher = iota
	CipherNull
	CipherDES
	Cipher3DES
	CipherAESCBC
	CipherAESCTR
	CipherAESGCM // with the ICV's length beside it: 8, 12 or 16 bytes
	CipherAESGMAC
	CipherChaCha20Poly1305
)

// Hash is a hash function: of IKEv1, of a PRF, or of an HMAC. The zero value is none.
type Hash uint8

// Hashes.
const (
	HashNone Hash = iota
	HashMD5
	HashSHA1
	HashSHA256
	HashSHA384
	HashSHA512
)

// Group is a key exchange by its IANA transform number (the same in both versions). The zero value is none.
type Group uint16

// Groups.
const (
	GroupNone      Group = 0
	GroupMODP768   Group = 1
	GroupMODP1024  Group = 2
	GroupMODP1536  Group = 5
	GroupMODP2048  Group = 14
	GroupMODP3072  Group = 15
	GroupMODP4096  Group = 16
	GroupECP256    Group = 19
	GroupECP384    Group = 20
	GroupECP521    Group = 21
	GroupX25519    Group = 31
	GroupMLKEM768  Group = 36 // only as an additional key exchange (RFC 9370)
	GroupMLKEM1024 Group = 37
)
