package suite

import (
	"fmt"
	"io"
	"math/big"
	"sync"
)

// modp is a group of integers modulo a safe prime, with generator 2. What takes time to compute is, when it is wanted first.
type modp struct {
	bits     int   // of the prime
	add      int64 // what makes it a prime
	exponent int   // bits of a private value, a multiple of 8

	prime  func() *big.Int
	powers func() [][16]*big.Int // powers()[i][d] is 2^((d+1) * 16^i)
}

func (m *modp) bytes() int { return m.bits / 8 }

// modps are the groups of RFC 2409 section 6 and RFC 3526.
//
// Private values are short (RFC 3526 section 8, RFC 7919 section 5.2): at least twice the strength of the group, by NIST SP 800-57.
var modps = map[Group]*modp{
	GroupMODP768:  newMODPGroup(768, 149686, 256),
	GroupMODP1024: newMODPGroup(1024, 129093, 256),
	GroupMODP1536: newMODPGroup(1536, 741804, 256),
	GroupMODP2048: newMODPGroup(2048, 124476, 256),
	GroupMODP3072: newMODPGroup(3072, 1690314, 320),
	GroupMODP4096: newMODPGroup(4096, 240904, 400),
}

func newMODPGroup(bits int, add int64, exponent int) *modp {
	m := &modp{bits: bits, add: add, exponent: exponent}
	m.prime = sync.OnceValue(m.computePrime)
	m.powers = sync.OnceValue(m.computePowers)
	return m
}

// computePrime is 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + add), of n bits.
func (m *modp) computePrime() *big.Int {
	one, n := big.NewInt(1), uint(m.bits) //nolint:gosec // a few thousand
	p := new(big.Int).Lsh(one, n)
	p.Sub(p, new(big.Int).Lsh(one, n-64))
	p.Sub(p, one)
	middle := new(big.Int).Add(floorPi(n-130), big.NewInt(m.add))
	return p.Add(p, middle.Lsh(middle, 64))
}

// computePowers makes the table that public values are put together from, by one multiplication for each four bits of the exponent.
func (m *modp) computePowers() [][16]*big.Int {
	out := make([][16]*big.Int, m.exponent/4)
	step := big.NewInt(2)
	for i := range out {
		power := step
		for d := range out[i] {
			out[i][d] = power
			power = new(big.Int).Mul(power, step)
			power.Mod(power, m.prime())
		}
		step = out[i][15]
	}
	return out
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
// Arithmetic is math/big's, which does not promise constant time: what it takes depends on the length of the exponent, and which entries of
// tables it reads on its bits. All exponents of a group have the same length here, every digit of them is a multiplication, and none is used for
// more than one exchange, so what one exponentiation shows cannot be added up over several.
type modpExchange struct {
	group  Group
	x      *big.Int // nil when cleared
	public []byte
}

// newMODP chooses a private value x with the digits, of base 16, from 1 to 16: x = random + 0x11...1. So no digit is left out of the product.
func newMODP(g Group, random io.Reader) (KeyExchange, error) {
	m := modps[g]
	b := make([]byte, m.exponent/8)
	defer clear(b)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("suite: %s: no random numbers: %w", g, err)
	}
	b[0] = b[0]&0x3f | 0x80 // one length for all, also after the sum
	powers := m.powers()
	y, product, quotient := big.NewInt(1), new(big.Int), new(big.Int)
	for i, c := range b {
		low := 2 * (len(b) - 1 - i)
		for k, d := range [2]byte{c & 15, c >> 4} {
			product.Mul(y, powers[low+k][d])
			quotient.QuoRem(product, m.prime(), y)
		}
	}
	x := new(big.Int).SetBytes(b)
	for i := range b {
		b[i] = 0x11
	}
	return &modpExchange{group: g, x: x.Add(x, new(big.Int).SetBytes(b)), public: y.FillBytes(make([]byte, m.bytes()))}, nil
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
	if y.Cmp(big.NewInt(2)) < 0 || y.Cmp(new(big.Int).Sub(m.prime(), big.NewInt(2))) > 0 {
		return nil, fmt.Errorf("suite: %s: out of range: %w", k.group, ErrPublic)
	}
	s := new(big.Int).Exp(y, k.x, m.prime())
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
