package suite

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"
)

// KeyExchange is our half of a key exchange. It is for one use.
type KeyExchange interface {
	// Public is what the peer is sent.
	Public() []byte
	// Shared is the secret, from what the peer sent back, which is checked: an error says what is wrong with it.
	Shared(peer []byte) ([]byte, error)
	// Clear overwrites the private value, as far as the libraries below let it.
	Clear()
}

// ErrPublic is that what a peer sent as its public value can't be one. Errors of Shared and Respond wrap it.
var ErrPublic = errors.New("not a valid public value")

// family is what mathematics a group is of.
type family uint8

const (
	familyNone family = iota
	familyMODP
	familyECP
	familyX25519
	familyMLKEM
)

func (g Group) family() family {
	switch g {
	case GroupMODP768, GroupMODP1024, GroupMODP1536, GroupMODP2048, GroupMODP3072, GroupMODP4096:
		return familyMODP
	case GroupECP256, GroupECP384, GroupECP521:
		return familyECP
	case GroupX25519:
		return familyX25519
	case GroupMLKEM768, GroupMLKEM1024:
		return familyMLKEM
	}
	return familyNone
}

// Supported tells whether the group is one of this package, and not GroupNone.
func (g Group) Supported() bool { return g.family() != familyNone }

// IsKEM tells whether the group is a key encapsulation: the responder's value depends on the initiator's.
func (g Group) IsKEM() bool { return g.family() == familyMLKEM }

var groupNames = map[Group]string{
	GroupNone: "none", GroupMODP768: "modp768", GroupMODP1024: "modp1024", GroupMODP1536: "modp1536", GroupMODP2048: "modp2048",
	GroupMODP3072: "modp3072", GroupMODP4096: "modp4096", GroupECP256: "ecp256", GroupECP384: "ecp384", GroupECP521: "ecp521",
	GroupX25519: "curve25519", GroupMLKEM768: "mlkem768", GroupMLKEM1024: "mlkem1024",
}

// String names the group: "modp1024", "ecp256", "curve25519", "mlkem768", ...; one that is not Supported by its number.
func (g Group) String() string {
	if s, ok := groupNames[g]; ok {
		return s
	}
	return fmt.Sprintf("group%d", uint16(g))
}

// PublicLen is the length of a public value in bytes; of a KEM, that of the initiator. 0 if the group is not Supported.
func (g Group) PublicLen() int { return g.publicLen(false) }

// AnswerLen is the length of what a responder sends, in bytes: PublicLen, but of a KEM the ciphertext.
func (g Group) AnswerLen() int { return g.publicLen(true) }

func (g Group) publicLen(answer bool) int {
	switch g.family() {
	case familyMODP:
		return modps[g].bytes()
	case familyECP:
		return 2 * ecpBytes(g)
	case familyX25519:
		return 32
	case familyMLKEM:
		return mlkemLen(g, answer)
	}
	return 0
}

// NewKeyExchange makes our half of a key exchange: of a KEM that of the initiator. random is for MODP; the other groups take their
// randomness from the operating system by themselves. The error says that the group is not Supported, or that there is no randomness.
func NewKeyExchange(g Group, random io.Reader) (KeyExchange, error) {
	switch g.family() {
	case familyMODP:
		return newMODP(g, random)
	case familyECP:
		return newECDH(g, ecpCurve(g), random)
	case familyX25519:
		return newECDH(g, ecdh.X25519(), random)
	case familyMLKEM:
		return newMLKEM(g)
	}
	return nil, fmt.Errorf("suite: no key exchange with %s", g)
}

// Respond answers a peer's public value: it makes the responder's and the secret. Errors are those of NewKeyExchange and Shared.
func Respond(g Group, random io.Reader, peer []byte) (public, shared []byte, err error) {
	if g.IsKEM() {
		return encapsulate(g, peer)
	}
	if len(peer) != g.PublicLen() {
		return nil, nil, badLength(g, peer, g.PublicLen()) // before any work is done
	}
	ke, err := NewKeyExchange(g, random)
	if err != nil {
		return nil, nil, err
	}
	defer ke.Clear()
	shared, err = ke.Shared(peer)
	if err != nil {
		return nil, nil, err
	}
	return ke.Public(), shared, nil
}

func badLength(g Group, peer []byte, want int) error {
	return fmt.Errorf("suite: %s: %d bytes, not %d: %w", g, len(peer), want, ErrPublic)
}
