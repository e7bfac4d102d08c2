package suite

import (
	"fmt"
	"io"
	"math/big"
)

// modp is a group of integers modulo a safe prime, with generator 2.
type modp struct {
	p        *big.Int
	max      *big.Int // p-2, the greatest public value that is taken
	exponent int      // bits of a private value
}

func (m *modp) bytes() int { return (m.p.BitLen() + 7) / 8 }

// modps are the groups of RFC 2409 section 6 and RFC 3526. The prime of n bits is 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + add).
//
// Private values are short (RFC 3526 section 8, RFC 7919 section 5.2): at least twice the strength of the group, by NIST SP 800-57.
var modps = map[Group]*modp{
	GroupMODP768:  newPrime(768, 149686, 256),
	GroupMODP1024: newPrime(1024, 129093, 256),
	GroupMODP1536: newPrime(1536, 741804, 256),
	GroupMODP2048: newPrime(2048, 124476, 256),
	GroupMODP3072: newPrime(3072, 1690314, 320),
	GroupMODP4096: newPrime(4096, 240904, 400),
}

func newPrime(bits uint, add int64, exponent int) *modp {
	one := big.NewInt(1)
	p := new(big.Int).Lsh(one, bits)
	p.Sub(p, new(big.Int).Lsh(one, bits-64))
	p.Sub(p, one)
	middle := new(big.Int).Add(floorPi(bits-130), big.NewInt(add))
	p.Add(p, middle.Lsh(middle, 64))
	return &modp{p: p, max: new(big.Int).Sub(p, big.NewInt(2)), exponent: exponent}
}

// floorPi is the integer part of 2^n times pi, by Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239).
func floorPi(n uint) *big.Int {
	const guard = 64 // bits for what rounding loses
	arctan := func(times, inverse int64) *big.Int {
		term := new(big.Int).Lsh(big.NewInt(times), n+guard)
		term.Quo(term, big.NewInt(inverse))
		square := big.NewInt(inverse * inverse)
		sum := new(big.Int).Set(term)
		for k := int64(3); term.Sign() != 0; k += 2 {
			term.Quo(term, square)
			part := new(big.Int).Quo(term, big.NewInt(k))
			if k%4 == 3 {
				part.Neg(part)
			}
			sum.Add(sum, part)
		}
		return sum
	}
	pi := arctan(16, 5)
	pi.Sub(pi, arctan(4, 239))
	return pi.Rsh(pi, guard)
}

// modpExchange is a key exchange in a MODP group.
//
// Exponentiation is math/big's, which does not promise constant time: what it takes depends on the length of the exponent, and
// which entries of a table it reads on its bits. All exponents of a group have the same length here, and none is used for more than
// one exchange, so what one exponentiation shows cannot be added up over several.
type modpExchange struct {
	group  Group
	x      *big.Int // nil when cleared
	public []byte
}

func newMODP(g Group, random io.Reader) (KeyExchange, error) {
	m := modps[g]
	b := make([]byte, m.exponent/8)
	defer clear(b)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("suite: %s: no random numbers: %w", g, err)
	}
	b[0] |= 0x80 // one length for all
	x := new(big.Int).SetBytes(b)
	y := new(big.Int).Exp(big.NewInt(2), x, m.p)
	return &modpExchange{group: g, x: x, public: y.FillBytes(make([]byte, m.bytes()))}, nil
}

func (k *modpExchange) Public() []byte { return k.public }

// Shared refuses 0, 1 and p-1 and what is above: with those the secret is no secret (RFC 7919 section 5.1). The secret is as long as the prime, with
// zeros in front (RFC 2409 section 5).
func (k *modpExchange) Shared(peer []byte) ([]byte, error) {
	if k.x == nil {
		return nil, errUsed(k.group)
	}
	m := modps[k.group]
	if len(peer) != m.bytes() {
		return nil, badLength(k.group, peer, m.bytes())
	}
	y := new(big.Int).SetBytes(peer)
	if y.Cmp(big.NewInt(2)) < 0 || y.Cmp(m.max) > 0 {
		return nil, fmt.Errorf("suite: %s: out of range: %w", k.group, ErrPublic)
	}
	s := new(big.Int).Exp(y, k.x, m.p)
	defer wipe(s)
	return s.FillBytes(make([]byte, m.bytes())), nil
}

// Clear overwrites the private value.
func (k *modpExchange) Clear() {
	if k.x != nil {
		wipe(k.x)
		k.x = nil
	}
}

func wipe(x *big.Int) {
	clear(x.Bits())
	x.SetInt64(0)
}
