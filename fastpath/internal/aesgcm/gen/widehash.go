package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// GHASH of the AVX-512 kernel. A register of four blocks times a register of four powers is four products of halves, or three by Karatsuba's way, which
// needs sums of halves of both. AMD's multiplier takes every other cycle only, so the loop, whose powers stay the same, does it that way; at the ends of
// a packet the sums would cost what they save.

// product is the stream that adds to the sum what the blocks of p times the powers in pow are; p is used up. The first one begins the sum.
func (w *wide) product(first bool, p, pow reg.Register) (s stream) {
	if first {
		s.add(func() { VPCLMULQDQ(Imm(0x00), pow, p, zLo) })
		s.add(func() { VPCLMULQDQ(Imm(0x01), pow, p, zMi) })
		s.add(func() { VPCLMULQDQ(Imm(0x10), pow, p, zT0) })
		s.add(func() { VPCLMULQDQ(Imm(0x11), pow, p, zHi) })
		s.add(func() { VPXORQ(zT0, zMi, zMi) })
		return s
	}
	s.add(func() { VPCLMULQDQ(Imm(0x00), pow, p, zT0) })
	s.add(func() { VPCLMULQDQ(Imm(0x01), pow, p, zT1) })
	s.add(func() { VPXORQ(zT0, zLo, zLo) })
	s.add(func() { VPCLMULQDQ(Imm(0x10), pow, p, zT0) })
	s.add(func() { VPTERNLOGD(Imm(0x96), zT0, zT1, zMi) })
	s.add(func() { VPCLMULQDQ(Imm(0x11), pow, p, zT0) })
	s.add(func() { VPXORQ(zT0, zHi, zHi) })
	return s
}

// reduce is the stream that makes four lanes of hash of the sum, in zHi.
func (w *wide) reduce() (s stream) {
	s.add(func() { VPCLMULQDQ(Imm(0x10), poly, zLo, zT0) })
	s.add(func() { VPSHUFD(Imm(0x4e), zLo, zLo) })
	s.add(func() { VPTERNLOGD(Imm(0x96), zT0, zLo, zMi) })
	s.add(func() { VPCLMULQDQ(Imm(0x10), poly, zMi, zT0) })
	s.add(func() { VPSHUFD(Imm(0x4e), zMi, zMi) })
	s.add(func() { VPTERNLOGD(Imm(0x96), zT0, zMi, zHi) })
	return s
}

// hash is the stream that hashes n times four blocks with the powers at pow; the hash so far joins the first ones.
func (w *wide) hash(n int, pow Mem) (s stream) {
	// The hash so far comes last of all, so the first blocks are multiplied last.
	for j := n - 1; j >= 0; j-- {
		p := pow
		p.Disp += 64 * j
		if j == 0 {
			s.add(func() { VPXORQ(zAcc, zP[0], zP[0]) })
		}
		s.add(func() { VMOVDQU64(p, zPow) })
		s = append(s, w.product(j == n-1, zP[j], zPow)...)
	}
	s = append(s, w.reduce()...)
	s.add(func() { VEXTRACTI64X4(Imm(1), zHi, zT0.AsY()) })
	s.add(func() { VPXORQ(zT0.AsY(), zHi.AsY(), zT0.AsY()) })
	s.add(func() { VEXTRACTI128(Imm(1), zT0.AsY(), zT1.AsX()) })
	s.add(func() { VPXOR(zT0.AsX(), zT1.AsX(), zAcc.AsX()) })
	return s
}

// hashOn is the stream that hashes sixteen blocks when sixteen more are sure to come. Every lane goes on by itself, by powers of H^4, and what the lanes
// lack of each other, H^3 to H^0, comes with the powers of the last ones: so nothing goes across lanes, and the way from one hash to the next is short.
func (w *wide) hashOn() (s stream) {
	power := func(of int) Mem { return Mem{Base: w.key, Disp: keyPower + 16*(16-of)} }
	for _, j := range []int{3, 2, 1} {
		sums, half := reg.VecPhysical(zSums), uint64(0x00)
		switch j {
		case 3:
			sums = zSum4
		case 2:
			half = 0x10
		}
		s.add(func() { VBROADCASTI32X4(power(16-4*j), zPow) })
		if j == 3 {
			s.add(func() { VPCLMULQDQ(Imm(0x00), zPow, zP[j], zLo) })
			s.add(func() { VPSHUFD(Imm(0x4e), zP[j], zT1) })
			s.add(func() { VPCLMULQDQ(Imm(0x11), zPow, zP[j], zHi) })
			s.add(func() { VPXORQ(zP[j], zT1, zT1) })
			s.add(func() { VPCLMULQDQ(Imm(half), sums, zT1, zMi) })
			continue
		}
		s.add(func() { VPCLMULQDQ(Imm(0x00), zPow, zP[j], zT0) })
		s.add(func() { VPSHUFD(Imm(0x4e), zP[j], zT1) })
		s.add(func() { VPXORQ(zT0, zLo, zLo) })
		s.add(func() { VPCLMULQDQ(Imm(0x11), zPow, zP[j], zT0) })
		s.add(func() { VPXORQ(zP[j], zT1, zT1) })
		s.add(func() { VPCLMULQDQ(Imm(half), sums, zT1, zT1) })
		s.add(func() { VPXORQ(zT0, zHi, zHi) })
		s.add(func() { VPXORQ(zT1, zMi, zMi) })
	}
	s.add(func() { VPTERNLOGD(Imm(0x96), zLo, zHi, zMi) })
	s.add(func() { VBROADCASTI32X4(power(16), zPow) })
	s.add(func() { VPXORQ(zAcc, zP[0], zP[0]) })
	s = append(s, w.product(false, zP[0], zPow)...)
	s = append(s, w.reduce()...)
	s.add(func() { VMOVDQA64(zHi, zAcc) })
	return s
}

// sums makes the sums of halves that hashOn needs.
func (w *wide) sums() {
	for i, of := range []int{12, 8, 4} {
		z := []reg.VecPhysical{zPow, zT0, zSum4}[i]
		VBROADCASTI32X4(Mem{Base: w.key, Disp: keyPower + 16*(16-of)}, z)
		VPSHUFD(Imm(0x4e), z, zT1)
		VPXORQ(zT1, z, z)
	}
	VPUNPCKLQDQ(zT0, zPow, zSums)
}

// lengthBlock makes the block of lengths, in bits, in all lanes, of the packet at offset ps.
func (w *wide) lengthBlock(ps int, dst reg.Register) {
	VBROADCASTI32X4(Mem{Base: w.ps, Disp: ps + pktLen}, dst)
	VPSHUFB(lengthSwap, dst, dst)
	VPSLLQ(Imm(3), dst, dst)
}

// lengths hashes the block of lengths by itself.
func (w *wide) lengths() {
	w.lengthBlock(0, zT0)
	VPXOR(zT0.AsX(), zAcc.AsX(), zAcc.AsX())
	VMOVDQU(Mem{Base: w.key, Disp: keyH1}, zPow.AsX())
	VMOVDQU(poly, reg.X0)
	multiply(zAcc.AsX(), zPow.AsX(), reg.X1, reg.X0, reg.X2, reg.X3, zT0.AsX())
	VMOVDQA(reg.X1, zAcc.AsX())
}
