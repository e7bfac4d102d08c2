package suite

import (
	"crypto/ecdh"
	"fmt"
	"io"
)

// ecpCurve is the curve of an ECP group (RFC 5903).
func ecpCurve(g Group) ecdh.Curve {
	switch g {
	case GroupECP256:
		return ecdh.P256()
	case GroupECP384:
		return ecdh.P384()
	}
	return ecdh.P521()
}

// ecpBytes is the length of a coordinate.
func ecpBytes(g Group) int {
	switch g {
	case GroupECP256:
		return 32
	case GroupECP384:
		return 48
	}
	return 66
}

// ecdhExchange is a key exchange on a curve. On the wire a point of an ECP group is x | y, without the byte 4 that it has elsewhere, and
// the secret is x (RFC 5903 section 7); those of X25519 are as they are (RFC 8031).
type ecdhExchange struct {
	group Group
	curve ecdh.Curve
	key   *ecdh.PrivateKey
}

func newECDH(g Group, c ecdh.Curve, random io.Reader) (KeyExchange, error) {
	key, err := c.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("suite: %s: %w", g, err)
	}
	return &ecdhExchange{group: g, curve: c, key: key}, nil
}

func (x *ecdhExchange) Public() []byte {
	b := x.key.PublicKey().Bytes()
	if x.group != GroupX25519 {
		b = b[1:]
	}
	return b
}

func (x *ecdhExchange) Shared(peer []byte) ([]byte, error) {
	if x.key == nil {
		return nil, errUsed(x.group)
	}
	if n := x.group.PublicLen(); len(peer) != n {
		return nil, badLength(x.group, peer, n)
	}
	if x.group != GroupX25519 {
		peer = append([]byte{4}, peer...)
	}
	public, err := x.curve.NewPublicKey(peer) // checks that the point is on the curve
	if err != nil {
		return nil, fmt.Errorf("suite: %s: not on the curve: %w", x.group, ErrPublic)
	}
	shared, err := x.key.ECDH(public) // refuses what makes X25519 come out as zero
	if err != nil {
		return nil, fmt.Errorf("suite: %s: of low order: %w", x.group, ErrPublic)
	}
	return shared, nil
}

// Clear lets go of the key; crypto/ecdh has no way to overwrite it.
func (x *ecdhExchange) Clear() { x.key = nil }

func errUsed(g Group) error { return fmt.Errorf("suite: %s: the private value is cleared", g) }
