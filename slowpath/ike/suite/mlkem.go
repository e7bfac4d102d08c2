package suite

import (
	"crypto/mlkem"
	"fmt"
)

// mlkemLen is the length of what goes on the wire: the encapsulation key of the initiator, or the ciphertext of the responder.
func mlkemLen(g Group, ciphertext bool) int {
	switch {
	case g == GroupMLKEM768 && ciphertext:
		return mlkem.CiphertextSize768
	case g == GroupMLKEM768:
		return mlkem.EncapsulationKeySize768
	case ciphertext:
		return mlkem.CiphertextSize1024
	}
	return mlkem.EncapsulationKeySize1024
}

// mlkemExchange is the initiator's half of ML-KEM (FIPS 203).
type mlkemExchange struct {
	group       Group
	public      []byte
	decapsulate func(ciphertext []byte) ([]byte, error)
}

func newMLKEM(g Group) (KeyExchange, error) {
	x := &mlkemExchange{group: g}
	if g == GroupMLKEM768 {
		key, err := mlkem.GenerateKey768()
		if err != nil {
			return nil, fmt.Errorf("suite: %s: %w", g, err)
		}
		x.public, x.decapsulate = key.EncapsulationKey().Bytes(), key.Decapsulate
		return x, nil
	}
	key, err := mlkem.GenerateKey1024()
	if err != nil {
		return nil, fmt.Errorf("suite: %s: %w", g, err)
	}
	x.public, x.decapsulate = key.EncapsulationKey().Bytes(), key.Decapsulate
	return x, nil
}

func (x *mlkemExchange) Public() []byte { return x.public }

// Shared takes the ciphertext. One that the peer did not make for our key gives a secret that nobody knows, not an error (FIPS 203
// section 6.3): authentication fails then.
func (x *mlkemExchange) Shared(peer []byte) ([]byte, error) {
	if x.decapsulate == nil {
		return nil, errUsed(x.group)
	}
	if n := mlkemLen(x.group, true); len(peer) != n {
		return nil, badLength(x.group, peer, n)
	}
	shared, err := x.decapsulate(peer)
	if err != nil {
		return nil, fmt.Errorf("suite: %s: %w", x.group, ErrPublic)
	}
	return shared, nil
}

// Clear lets go of the key; crypto/mlkem has no way to overwrite it.
func (x *mlkemExchange) Clear() { x.decapsulate = nil }

// encapsulate is the responder's half.
func encapsulate(g Group, peer []byte) (ciphertext, shared []byte, err error) {
	if n := mlkemLen(g, false); len(peer) != n {
		return nil, nil, badLength(g, peer, n)
	}
	if g == GroupMLKEM768 {
		key, err := mlkem.NewEncapsulationKey768(peer)
		if err != nil {
			return nil, nil, fmt.Errorf("suite: %s: not reduced: %w", g, ErrPublic)
		}
		shared, ciphertext = key.Encapsulate()
		return ciphertext, shared, nil
	}
	key, err := mlkem.NewEncapsulationKey1024(peer)
	if err != nil {
		return nil, nil, fmt.Errorf("suite: %s: not reduced: %w", g, ErrPublic)
	}
	shared, ciphertext = key.Encapsulate()
	return ciphertext, shared, nil
}
