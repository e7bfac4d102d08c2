package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// quadText is the longest text, in bytes, that fits two registers of four blocks with what stands around it.
const quadText = 96

// A lane of the quad is one of four short packets that are done side by side: a packet by itself waits for its own cipher and hash most of the time, and
// the CPU does not look far enough ahead to fill all of that with the next ones.
type quadLane struct {
	key    reg.Register
	ps     int // offset of its Packet
	d0, d1 reg.VecPhysical
	mask   reg.VecPhysical
	lo, mi reg.VecPhysical
	hi, t  reg.VecPhysical
}

// quad does packets by fours while the next four are short and of this kind of key; else it falls through to single.
func (w *wide) quad() {
	masks := []reg.VecPhysical{reg.Z8, reg.Z11, reg.Z13, reg.Z14}
	all := []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z16, reg.Z17, reg.Z18, reg.Z19,
		reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}
	var q [4]quadLane
	for i := range q {
		q[i] = quadLane{key: GP64(), ps: i * pktSize, d0: all[2*i], d1: all[2*i+1], mask: masks[i],
			lo: all[8+i], mi: all[12+i], hi: all[16+i], t: all[20+i]}
	}
	q[0].key = w.key
	Label("packets")
	CMPQ(w.left, Imm(4))
	JL(LabelRef("packet"))
	CMPL(Mem{Base: w.ps, Disp: pktLen}, Imm(quadText))
	JHI(LabelRef("packet"))
	// One branch says whether all four are: a length that is too large makes the sum negative, another number of rounds makes it odd below.
	XORL(w.c.As32(), w.c.As32())
	XORL(w.rem.(reg.GPVirtual).As32(), w.rem.(reg.GPVirtual).As32())
	for i := range q {
		MOVQ(Mem{Base: w.ps, Disp: q[i].ps + pktKey}, q[i].key)
		MOVL(U32(quadText), w.m.As32())
		SUBL(Mem{Base: w.ps, Disp: q[i].ps + pktLen}, w.m.As32())
		ORL(w.m.As32(), w.c.As32())
	}
	for i := range q {
		MOVL(Mem{Base: q[i].key, Disp: keyRounds}, w.m.As32())
		XORL(Imm(uint64(w.rounds)), w.m.As32())
		ORL(w.m.As32(), w.rem.(reg.GPVirtual).As32())
	}
	SHRL(Imm(31), w.c.As32())
	ORL(w.rem.(reg.GPVirtual).As32(), w.c.As32())
	JNZ(LabelRef("packet"))
	XORL(w.cached.(reg.GPVirtual).As32(), w.cached.(reg.GPVirtual).As32())
	w.quadAhead(&q)
	if w.open {
		for i := range q {
			w.quadExpected(&q[i])
		}
	}
	w.quadCipher(&q)
	for i := range q {
		w.quadText(&q[i])
	}
	quadHash(&q)
	for i := range q {
		w.quadTag(&q[i])
	}
	ADDQ(I32(4*pktSize), w.ps)
	SUBQ(Imm(4), w.left)
	JNZ(LabelRef("packets"))
	JMP(LabelRef("done"))
}

// quadAhead fetches the keys of the next four.
func (w *wide) quadAhead(q *[4]quadLane) {
	CMPQ(w.left, Imm(8))
	JL(LabelRef("quadnear"))
	for i := range q {
		skip := label("quadnear%d", i)
		MOVQ(Mem{Base: w.ps, Disp: 4*pktSize + q[i].ps + pktKey}, w.m)
		CMPQ(w.m, q[i].key)
		JEQ(LabelRef(skip))
		// Eight powers are enough for a short packet.
		for line := 2; line < (keyRound+16*(w.rounds+1)+63)/64; line++ {
			PREFETCHT0(Mem{Base: w.m, Disp: 64 * line})
		}
		Label(skip)
	}
	Label("quadnear")
}

// quadCipher makes eight blocks of key stream for each.
func (w *wide) quadCipher(q *[4]quadLane) {
	for _, l := range q {
		VBROADCASTI32X4(Mem{Base: w.ps, Disp: l.ps + pktNonce}, l.d1)
		VPSHUFB(nonceSwap, l.d1, l.d1)
	}
	for _, l := range q {
		VPADDD(firstCtr, l.d1, l.d0)
		VPADDD(fourCtr, l.d0, l.d1)
		VBROADCASTI32X4(Mem{Base: l.key, Disp: keyRound}, l.t)
		VPSHUFB(zSwap, l.d0, l.d0)
		VPSHUFB(zSwap, l.d1, l.d1)
		VPXORQ(l.t, l.d0, l.d0)
		VPXORQ(l.t, l.d1, l.d1)
	}
	for r := 1; r <= w.rounds; r++ {
		for _, l := range q {
			rk := []reg.VecPhysical{l.t, l.hi}[r&1]
			VBROADCASTI32X4(Mem{Base: l.key, Disp: keyRound + 16*r}, rk)
			if r == w.rounds {
				VAESENCLAST(rk, l.d0, l.d0)
				VAESENCLAST(rk, l.d1, l.d1)
			} else {
				VAESENC(rk, l.d0, l.d0)
				VAESENC(rk, l.d1, l.d1)
			}
		}
	}
}

// quadMasks makes masks of the text's bytes in both registers, and loads its length into rem.
func (w *wide) quadMasks(l *quadLane) {
	rem := w.rem.(reg.GPVirtual)
	MOVL(Mem{Base: w.ps, Disp: l.ps + pktLen}, rem.As32())
	LEAQ(Mem{Base: rem, Disp: 16}, w.m)
	BZHIQ(w.m, w.ones, w.m)
	ANDQ(I32(-65536), w.m)
	KMOVQ(w.m, reg.K1)
	XORL(w.c.As32(), w.c.As32())
	MOVQ(rem, w.m)
	SUBQ(Imm(48), w.m)
	CMOVQLT(w.c, w.m)
	BZHIQ(w.m, w.ones, w.m)
	KMOVQ(w.m, reg.K2)
}

// quadExpected loads the ICV that a packet came with, before its text is written: a load near a store that is not done yet would wait for it.
func (w *wide) quadExpected(l *quadLane) {
	MOVQ(Mem{Base: w.ps, Disp: l.ps + pktText}, w.text)
	w.icv(l.ps)
	VMOVDQU8_Z(Mem{Base: w.text, Index: w.rem, Scale: 1}, reg.K6, l.mask.AsX())
}

// quadText encrypts or decrypts the text, and leaves in d0 and d1 what is to be hashed.
func (w *wide) quadText(l *quadLane) {
	if w.open {
		VPXORQ(l.d0.AsX(), l.mask.AsX(), l.mask.AsX())
	} else {
		VMOVDQA64(l.d0.AsX(), l.mask.AsX())
	}
	w.quadMasks(l)
	MOVQ(Mem{Base: w.ps, Disp: l.ps + pktText}, w.text)
	VMOVDQU8_Z(Mem{Base: w.text, Disp: -16}, reg.K1, l.lo)
	VMOVDQU8_Z(Mem{Base: w.text, Disp: 48}, reg.K2, l.mi)
	VPXORQ(l.lo, l.d0, l.d0)
	VPXORQ(l.mi, l.d1, l.d1)
	VMOVDQU8(l.d0, reg.K1, Mem{Base: w.text, Disp: -16})
	VMOVDQU8(l.d1, reg.K2, Mem{Base: w.text, Disp: 48})
	h0, h1 := l.lo, l.mi
	if !w.open {
		h0, h1 = l.d0, l.d1
		VMOVDQU8_Z(h0, reg.K1, h0)
		VMOVDQU8_Z(h1, reg.K2, h1)
	}
	MOVBLZX(Mem{Base: w.ps, Disp: l.ps + pktAADLen}, w.m.As32())
	BZHIQ(w.m, w.ones, w.m)
	KMOVQ(w.m, reg.K3)
	VMOVDQU8_Z(Mem{Base: w.ps, Disp: l.ps + pktAAD}, reg.K3, l.hi.AsX())
	VPORQ(l.hi, h0, h0)
	VPSHUFB(zSwap, h0, l.d0)
	VPSHUFB(zSwap, h1, l.d1)
	// The lengths, in the block behind the text's.
	w.lengthBlock(l.ps, reg.Z15)
	LEAQ(Mem{Base: w.rem, Disp: 15 + 16}, w.c)
	SHRQ(Imm(4), w.c)
	ADDQ(w.c, w.c)
	MOVL(U32(3), w.m.As32())
	SHLXQ(w.c, w.m, w.m)
	KMOVQ(w.m, reg.K4)
	KSHIFTRQ(Imm(8), reg.K4, reg.K5)
	VMOVDQA64(reg.Z15, reg.K4, l.d0)
	VMOVDQA64(reg.Z15, reg.K5, l.d1)

	// T blocks with the lengths, and H^T is where the powers begin.
	SHLQ(Imm(3), w.c)
	SUBQ(w.c, l.key)
}

// quadHash hashes d0 and d1. A lane's key points where its powers are 240 bytes further on.
func quadHash(q *[4]quadLane) {
	each := func(f func(l *quadLane)) {
		for i := range q {
			f(&q[i])
		}
	}
	each(func(l *quadLane) { VMOVDQU64(Mem{Base: l.key, Disp: keyPower + 240 + 64}, l.t) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x00), l.t, l.d1, l.lo) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x01), l.t, l.d1, l.mi) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x11), l.t, l.d1, l.hi) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x10), l.t, l.d1, l.t) })
	each(func(l *quadLane) { VMOVDQU64(Mem{Base: l.key, Disp: keyPower + 240}, l.d1) })
	each(func(l *quadLane) { VPXORQ(l.t, l.mi, l.mi) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x00), l.d1, l.d0, l.t) })
	each(func(l *quadLane) { VPXORQ(l.t, l.lo, l.lo) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x11), l.d1, l.d0, l.t) })
	each(func(l *quadLane) { VPXORQ(l.t, l.hi, l.hi) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x01), l.d1, l.d0, l.t) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x10), l.d1, l.d0, l.d1) })
	each(func(l *quadLane) { VPTERNLOGD(Imm(0x96), l.t, l.d1, l.mi) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x10), poly, l.lo, l.t) })
	each(func(l *quadLane) { VPSHUFD(Imm(0x4e), l.lo, l.lo) })
	each(func(l *quadLane) { VPTERNLOGD(Imm(0x96), l.t, l.lo, l.mi) })
	each(func(l *quadLane) { VPCLMULQDQ(Imm(0x10), poly, l.mi, l.t) })
	each(func(l *quadLane) { VPSHUFD(Imm(0x4e), l.mi, l.mi) })
	each(func(l *quadLane) { VPTERNLOGD(Imm(0x96), l.t, l.mi, l.hi) })
	each(func(l *quadLane) { VEXTRACTI64X4(Imm(1), l.hi, l.t.AsY()) })
	each(func(l *quadLane) { VPXORQ(l.t.AsY(), l.hi.AsY(), l.t.AsY()) })
	each(func(l *quadLane) { VEXTRACTI32X4(Imm(1), l.t.AsY(), l.hi.AsX()) })
	each(func(l *quadLane) { VPXORQ(l.t.AsX(), l.hi.AsX(), l.hi.AsX()) })
	each(func(l *quadLane) { VPSHUFB(zSwap.AsX(), l.hi.AsX(), l.hi.AsX()) })
	each(func(l *quadLane) { VPXORQ(l.mask.AsX(), l.hi.AsX(), l.hi.AsX()) })
}

// quadTag writes the tag, or compares it.
func (w *wide) quadTag(l *quadLane) {
	w.icv(l.ps)
	if !w.open {
		MOVQ(Mem{Base: w.ps, Disp: l.ps + pktText}, w.text)
		VMOVDQU8(l.hi.AsX(), reg.K6, Mem{Base: w.text, Index: w.rem, Scale: 1})
		return
	}
	w.verdict(l.ps, l.hi.AsX())
}
