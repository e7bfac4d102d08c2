//go:build !amd64

package aesgcm

func (k *Key) hashPowers() {}

// Seal encrypts each packet's payload in place and writes its ICV behind it: Len+ICV bytes from Text on are written, and no others.
// A nonce must never come twice with a key; that is the caller's business.
func Seal(ps []Packet) {
	for i := range ps {
		ps[i].seal()
	}
}

// Open checks each packet's ICV and decrypts its payload in place. OK says whether the ICV was right; if not, the payload is worthless and must not be used.
func Open(ps []Packet) {
	for i := range ps {
		ps[i].open()
	}
}
