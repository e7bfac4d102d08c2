package suite

import "fmt"

// V2Suite is the algorithms of an IKEv2 SA.
type V2Suite struct {
	Cipher    Cipher
	KeyBits   int  // of AES
	ICV       int  // bytes, of AES-GCM: 8, 12, 16; 0: 16
	Integrity Hash // HashNone with a combined cipher
	PRF       Hash
}

// V2Keys is the keys of an IKEv2 SA (RFC 7296 section 2.14). Ei and Er have the salt or nonce at their end; Ai and Ar are empty with a
// combined cipher.
type V2Keys struct{ D, Ai, Ar, Ei, Er, Pi, Pr []byte }

// Clear overwrites the keys.
func (k *V2Keys) Clear() {
	for _, b := range [][]byte{k.D, k.Ai, k.Ar, k.Ei, k.Er, k.Pi, k.Pr} {
		clear(b)
	}
	*k = V2Keys{}
}

// String hides the keys.
func (k V2Keys) String() string { return "***" }

// Format hides the keys from every verb.
func (k V2Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("***")) }

// V2Skeyseed is SKEYSEED of a new IKE SA (RFC 7296 section 2.14): prf(Ni | Nr, g^ir).
func V2Skeyseed(prf Hash, ni, nr, gxy []byte) []byte {
	key := make([]byte, 0, len(ni)+len(nr))
	key = append(append(key, ni...), nr...)
	return PRF(prf, key, gxy)
}

// V2RekeySeed is SKEYSEED of an IKE SA that takes the place of another (RFC 7296 section 2.18): prf is the old SA's, and oldD its SK_d. more
// is the shared secrets of additional key exchanges, in order (RFC 9370 section 2.2.4).
func V2RekeySeed(prf Hash, oldD, gxy, ni, nr []byte, more ...[]byte) []byte {
	return PRF(prf, oldD, append([][]byte{gxy, ni, nr}, more...)...)
}

// V2NextSeed is SKEYSEED after an additional key exchange of a new IKE SA (RFC 9370 section 2.2.2); d is the SK_d before it.
func V2NextSeed(prf Hash, d, shared, ni, nr []byte) []byte { return PRF(prf, d, shared, ni, nr) }

// V2Derive is the keys of an IKE SA (RFC 7296 section 2.14). The error says that the suite is not a possible one.
func V2Derive(s V2Suite, seed, ni, nr, spiI, spiR []byte) (V2Keys, error) {
	if err := s.check(); err != nil {
		return V2Keys{}, err
	}
	e, err := KeyLen(s.Cipher, s.KeyBits)
	if err != nil {
		return V2Keys{}, err
	}
	p, a := s.PRF.Size(), s.Integrity.KeyLen()
	from := make([]byte, 0, len(ni)+len(nr)+len(spiI)+len(spiR))
	from = append(append(append(append(from, ni...), nr...), spiI...), spiR...)
	all := PRFPlus(s.PRF, seed, from, 3*p+2*a+2*e)
	take := func(n int) []byte {
		b := all[:n:n]
		all = all[n:]
		return b
	}
	return V2Keys{D: take(p), Ai: take(a), Ar: take(a), Ei: take(e), Er: take(e), Pi: take(p), Pr: take(p)}, nil
}

// check says what is not possible about a suite.
func (s V2Suite) check() error {
	switch {
	case !s.PRF.Known():
		return fmt.Errorf("suite: IKEv2 needs a PRF")
	case s.Cipher == CipherAESGMAC || s.Cipher == CipherNull || s.Cipher.BlockSize() == 0:
		return fmt.Errorf("suite: %s does not encrypt IKEv2", s.Cipher)
	case s.Cipher.Combined() && s.Integrity != HashNone:
		return fmt.Errorf("suite: %s goes without an integrity algorithm, not with %s", s.Cipher, s.Integrity)
	case !s.Cipher.Combined() && !s.Integrity.Known():
		return fmt.Errorf("suite: %s needs an integrity algorithm", s.Cipher)
	}
	return nil
}

// V2Keymat is n bytes of the key material of a child (RFC 7296 section 2.17, with RFC 9370 section 2.2.4): prf+(SK_d, [g^ir |] Ni | Nr [| more]).
// shared is the secrets of the child's own key exchanges, in order; empty without PFS.
func V2Keymat(prf Hash, d []byte, shared [][]byte, ni, nr []byte, n int) []byte {
	var seed []byte
	if len(shared) > 0 {
		seed = append(seed, shared[0]...)
		shared = shared[1:]
	}
	seed = append(append(seed, ni...), nr...)
	for _, s := range shared {
		seed = append(seed, s...)
	}
	defer clear(seed)
	return PRFPlus(prf, d, seed, n)
}
