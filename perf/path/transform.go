package path

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"nave/fastpath/fib"
)

// transform is how ESP seals: a cipher and, unless it is a combined one, an integrity algorithm.
type transform struct {
	name    string
	cipher  fib.Cipher
	key     int // bytes, with salt
	auth    fib.Auth
	authKey int
	icv     uint8
	slow    bool // tens of microseconds a packet: waits in a lane, in smaller bursts
}

// transforms is every cipher at every length of key, and every integrity algorithm.
var transforms = func() []transform {
	list := []transform{
		{name: "aes-128-gcm", cipher: fib.CipherAESGCM, key: 20},
		{name: "aes-192-gcm", cipher: fib.CipherAESGCM, key: 28},
		{name: "aes-256-gcm", cipher: fib.CipherAESGCM, key: 36},
		{name: "aes-128-gcm-8", cipher: fib.CipherAESGCM, key: 20, icv: 8},
		{name: "aes-128-gcm-12", cipher: fib.CipherAESGCM, key: 20, icv: 12},
		{name: "aes-128-gmac", cipher: fib.CipherAESGMAC, key: 20},
		{name: "aes-256-gmac", cipher: fib.CipherAESGMAC, key: 36},
		{name: "chacha20-poly1305", cipher: fib.CipherChaCha20Poly1305, key: 36},
	}
	sha1 := transform{name: "sha1", auth: fib.AuthHMACSHA1, authKey: 20}
	sha256 := transform{name: "sha256", auth: fib.AuthHMACSHA256, authKey: 32}
	all := []transform{
		{name: "md5", auth: fib.AuthHMACMD5, authKey: 16}, sha1, sha256,
		{name: "sha256-96", auth: fib.AuthHMACSHA256x96, authKey: 32},
		{name: "sha384", auth: fib.AuthHMACSHA384, authKey: 48}, {name: "sha512", auth: fib.AuthHMACSHA512, authKey: 64},
	}
	for _, c := range []struct {
		transform
		with []transform
	}{
		{transform{name: "aes-128-cbc", cipher: fib.CipherAESCBC, key: 16}, all},
		{transform{name: "aes-192-cbc", cipher: fib.CipherAESCBC, key: 24}, []transform{sha256}},
		{transform{name: "aes-256-cbc", cipher: fib.CipherAESCBC, key: 32}, []transform{sha1, sha256}},
		{transform{name: "aes-128-ctr", cipher: fib.CipherAESCTR, key: 20}, []transform{sha1, sha256}},
		{transform{name: "aes-192-ctr", cipher: fib.CipherAESCTR, key: 28}, []transform{sha256}},
		{transform{name: "aes-256-ctr", cipher: fib.CipherAESCTR, key: 36}, []transform{sha256}},
		{transform{name: "null"}, []transform{sha1, sha256}},
		{transform{name: "des", cipher: fib.CipherDES, key: 8, slow: true}, all[:1]},
		{transform{name: "3des", cipher: fib.Cipher3DES, key: 24, slow: true}, []transform{sha1}},
	} {
		for _, a := range c.with {
			t := c.transform
			t.name, t.auth, t.authKey = t.name+"-"+a.name, a.auth, a.authKey
			list = append(list, t)
		}
	}
	return list
}()

// findTransform is the transform of a name, nil when there is none.
func findTransform(name string) *transform {
	i := slices.IndexFunc(transforms, func(t transform) bool { return t.name == name })
	if i < 0 {
		return nil
	}
	return &transforms[i]
}

// transformNames is all names, for messages.
func transformNames() string {
	var names []string
	for _, t := range transforms {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}

// hides tells whether a payload is encrypted, and not authenticated alone.
func (t *transform) hides() bool { return t.cipher != fib.CipherNull && t.cipher != fib.CipherAESGMAC }

// material is n bytes of a key that depends on a number, mostly the SPI, and on what it is for: the same at both ends, and another for each association.
func material(n int, number uint32, what byte) fib.Key {
	var key fib.Key
	for block := byte(0); len(key) < n; block++ {
		h := sha256.Sum256(append(binary.BigEndian.AppendUint32(nil, number), what, block))
		key = append(key, h[:]...)
	}
	return key[:n]
}

// replayWindow is how many packets an inbound association's window holds: what Cisco IOS has unless told otherwise.
const replayWindow = 64

// association is one direction of an association in transport mode. Its keys are made of key.
func (t *transform) association(id fib.SAID, inbound bool, spi, key uint32, local, remote addr) fib.SA {
	a := fib.SA{
		ID: id, Inbound: inbound, SPI: spi, Local: local.ip(), Remote: remote.ip(), Protection: protection,
		Cipher: t.cipher, CipherKey: material(t.key, key, 'c'), Auth: t.auth, AuthKey: material(t.authKey, key, 'a'), ICV: t.icv,
	}
	if inbound {
		a.Window = replayWindow
	}
	return a
}
