// Command gen writes the assembly of packages aeskey, aesgcm and aescbc. It is a module of its own, so that what it needs is no dependency of nave.
//
// The kernels are straight-line code for each size of key: AES and GHASH of neighbouring blocks are woven, so that both are under way at once.
package main

import (
	"flag"
	"fmt"
	"log"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in aesgcm.Key.
const (
	keyPower  = 0   // H^16 to H^1, each times x and in GHASH's order of bits, 16 bytes each; what is behind them may be read, too
	keyRounds = 256 // number of rounds, 32 bits
	keyRound  = 272 // the round keys, 16 bytes each
	keyH1     = keyPower + 15*16
)

// Offsets in aesgcm.Packet, and its size.
const (
	pktKey    = 0
	pktText   = 8
	pktLen    = 16
	pktICV    = 20
	pktAADLen = 21
	pktOK     = 22
	pktNonce  = 24
	pktAAD    = 40
	pktSize   = 64
)

// Constants in memory, four lanes each.
var (
	byteSwap   Mem // reverses the bytes of a lane
	nonceSwap  Mem // the same, and leaves the counter zero
	poly       Mem // GHASH's polynomial, to reduce by
	firstCtr   Mem // counters of the first four blocks: 1, 2, 3, 4
	fourCtr    Mem // 4 in each counter
	textCtr    Mem // counters of the first two blocks of text: 2, 3
	twoCtr     Mem // 2 in each counter
	byteMask   Mem // 32 bytes of ones, then 32 zeros
	lengthSwap Mem // makes the block of lengths of what stands at pktLen
)

func main() {
	set := flag.String("set", "gcm", "which package's assembly to write: key, gcm or cbc")
	flag.Parse()
	ConstraintExpr("amd64")
	switch *set {
	case "key":
		features()
		expand()
	case "gcm":
		constants()
		hashPowers()
		for _, rounds := range []int{10, 12, 14} {
			avx512(rounds, false)
			avx512(rounds, true)
			avx2(rounds, false)
			avx2(rounds, true)
		}
	case "cbc":
		chained()
	default:
		log.Fatalf("no such set of assembly: %s; give key, gcm or cbc", *set)
	}
	Generate()
}

func lanes(name string, lane func(i int) (lo, hi uint64)) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 4 {
		lo, hi := lane(i)
		DATA(i*16, U64(lo))
		DATA(i*16+8, U64(hi))
	}
	return m
}

func constants() {
	byteSwap = lanes("byteSwap", func(int) (uint64, uint64) { return 0x08090a0b0c0d0e0f, 0x0001020304050607 })
	nonceSwap = lanes("nonceSwap", func(int) (uint64, uint64) { return 0x08090a0bffffffff, 0x0001020304050607 })
	poly = lanes("poly", func(int) (uint64, uint64) { return 1, 0xc200000000000000 })
	firstCtr = lanes("firstCtr", func(i int) (uint64, uint64) { return uint64(i + 1), 0 })
	fourCtr = lanes("fourCtr", func(int) (uint64, uint64) { return 4, 0 })
	textCtr = lanes("textCtr", func(i int) (uint64, uint64) { return uint64(i + 2), 0 })
	byteMask = lanes("byteMask", func(i int) (uint64, uint64) {
		return [4]uint64{^uint64(0), ^uint64(0), 0, 0}[i], [4]uint64{^uint64(0), ^uint64(0), 0, 0}[i]
	})
	lengthSwap = lanes("lengthSwap", func(int) (uint64, uint64) { return 0xffffffff03020100, 0xffffffffffffff00 + pktAADLen - pktLen })
	twoCtr = lanes("twoCtr", func(int) (uint64, uint64) { return 2, 0 })
}

// A stream is instructions in their order, to be woven with those of another one.
type stream []func()

func (s *stream) add(f func()) { *s = append(*s, f) }

func (s stream) emit() {
	for _, f := range s {
		f()
	}
}

// weave emits both streams, evenly mixed.
func weave(a, b stream) {
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if j >= len(b) || i < len(a) && i*len(b) <= j*len(a) {
			a[i]()
			i++
			continue
		}
		b[j]()
		j++
	}
}

// ahead is how many packets ahead a key is fetched.
const ahead = 2

// fetchAhead fetches the key of a packet to come into the cache, if it is another one.
func fetchAhead(ps, left, key reg.Register, tmp reg.Register, rounds int) {
	CMPQ(left, Imm(ahead))
	JLE(LabelRef("near"))
	MOVQ(Mem{Base: ps, Disp: pktKey + ahead*pktSize}, tmp)
	CMPQ(tmp, key)
	JEQ(LabelRef("near"))
	for i := range (keyRound + 16*(rounds+1) + 63) / 64 {
		PREFETCHT0(Mem{Base: tmp, Disp: 64 * i})
	}
	Label("near")
}

// multiply emits dst = a*b in GHASH's field, of one lane or more.
func multiply(a reg.Register, b Op, dst, pol, t0, t1, t2 reg.Register) {
	VPCLMULQDQ(Imm(0x00), b, a, t0)
	VPCLMULQDQ(Imm(0x01), b, a, t1)
	VPCLMULQDQ(Imm(0x10), b, a, t2)
	VPXOR(t2, t1, t1)
	VPCLMULQDQ(Imm(0x01), t0, pol, t2)
	VPSHUFD(Imm(0x4e), t0, t0)
	VPXOR(t2, t1, t1)
	VPXOR(t0, t1, t1)
	VPCLMULQDQ(Imm(0x11), b, a, dst)
	VPCLMULQDQ(Imm(0x01), t1, pol, t0)
	VPSHUFD(Imm(0x4e), t1, t1)
	VPXOR(t0, dst, dst)
	VPXOR(t1, dst, dst)
}

func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }
