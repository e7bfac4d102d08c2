package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Registers of the AVX-512 kernel. A packet is a row of blocks in fours: first one that stands for the tag's mask in what is encrypted and for the
// AAD in what is hashed, then the text's, then the one with the lengths, which is hashed only. So tag mask, AAD and lengths cost no pass of their own,
// and all blocks of a short packet are hashed with one reduction.
var (
	zD    = []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3}     // counters, key stream, text
	zP    = []reg.VecPhysical{reg.Z29, reg.Z30, reg.Z31, reg.Z13} // text to be hashed
	zPow  = reg.Z4                                                // powers
	zT0   = reg.Z5                                                // of GHASH
	zT1   = reg.Z6                                                // of GHASH
	zRK   = reg.Z7                                                // a round key that has no register
	zAcc  = reg.Z8                                                // the hash: one lane, or four that count together
	zSwap = reg.Z9                                                // byteSwap
	zSums = reg.Z10                                               // the halves of H^12, added, and those of H^8
	zCtr  = reg.Z11                                               // counters to come
	zSum4 = reg.Z12                                               // those of H^4
	xMask = reg.X14                                               // the tag's mask
	zLo   = reg.Z15                                               // products: low,
	zMi   = reg.Z27                                               // middle,
	zHi   = reg.Z28                                               // high
	zRKs  = []reg.VecPhysical{reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26}
)

// wide is the state of emitting one AVX-512 function.
type wide struct {
	rounds int
	open   bool
	ps     reg.Register // the packet
	left   reg.Register // packets left
	key    reg.Register // its key
	cached reg.Register // the key whose round keys are in registers
	text   reg.Register // 16 bytes in front of the text of the next blocks
	rem    reg.Register // bytes left, with the 16 of the first block
	pow    reg.Register // powers of the last blocks
	ones   reg.Register // all ones
	m, c   reg.GPVirtual
}

func avx512(rounds int, open bool) {
	name := "seal"
	if open {
		name = "open"
	}
	TEXT(label("%sAVX512x%d", name, rounds), NOSPLIT, "func(ps *byte, n int) int")
	Pragma("noescape")
	Doc(label("%sAVX512x%d does packets of keys with %d rounds, up to the first of another kind, and returns how many are left.", name, rounds, rounds))
	w := &wide{rounds: rounds, open: open, key: GP64(), cached: GP64(), text: GP64(), rem: GP64(), pow: GP64(), ones: GP64(), m: GP64(), c: GP64()}
	w.ps = Load(Param("ps"), GP64())
	w.left = Load(Param("n"), GP64())
	VMOVDQU64(byteSwap, zSwap)
	MOVQ(I32(-1), w.ones)
	XORL(w.cached.(reg.GPVirtual).As32(), w.cached.(reg.GPVirtual).As32())
	w.quad()
	Label("packet")
	MOVQ(Mem{Base: w.ps, Disp: pktKey}, w.key)
	CMPL(Mem{Base: w.key, Disp: keyRounds}, Imm(uint64(rounds)))
	JNE(LabelRef("done"))
	w.begin()
	CMPQ(w.rem, I32(256))
	JG(LabelRef("long"))
	w.last("short", true)
	Label("long")
	w.long()
	w.last("end", false)
	Label("lengths")
	w.lengths()
	Label("tag")
	w.tag()
	ADDQ(I32(pktSize), w.ps)
	DECQ(w.left)
	JNZ(LabelRef("packets"))
	Label("done")
	// Nothing of a key stays in registers.
	VZEROALL()
	for _, z := range append(append([]reg.VecPhysical{}, zRKs...), zMi, zHi, reg.Z29, reg.Z30, reg.Z31) {
		VPXORD(z, z, z)
	}
	Store(w.left, ReturnIndex(0))
	RET()
}

// begin loads the key and makes the first counters.
func (w *wide) begin() {
	VBROADCASTI32X4(Mem{Base: w.ps, Disp: pktNonce}, zCtr)
	MOVL(Mem{Base: w.ps, Disp: pktLen}, w.rem.(reg.GPVirtual).As32())
	ADDQ(Imm(16), w.rem)
	MOVQ(Mem{Base: w.ps, Disp: pktText}, w.text)
	SUBQ(Imm(16), w.text)
	VPSHUFB(nonceSwap, zCtr, zCtr)
	VPXORQ(zAcc, zAcc, zAcc)
	VPADDD(firstCtr, zCtr, zCtr)
	fetchAhead(w.ps, w.left, w.key, w.m, w.rounds)
	CMPQ(w.key, w.cached)
	JEQ(LabelRef("cached"))
	MOVQ(w.key, w.cached)
	for i := range zRKs {
		VBROADCASTI32X4(Mem{Base: w.key, Disp: keyRound + 16*i}, zRKs[i])
	}
	Label("cached")
}

// cipher is the stream that makes n times four blocks of key stream.
func (w *wide) cipher(n int) (s stream) {
	for i := range n {
		s.add(func() { VPSHUFB(zSwap, zCtr, zD[i]) })
		s.add(func() { VPADDD(fourCtr, zCtr, zCtr) })
		s.add(func() { VPXORQ(zRKs[0], zD[i], zD[i]) })
	}
	for r := 1; r <= w.rounds; r++ {
		rk := zRK
		if r < len(zRKs) {
			rk = zRKs[r]
		} else {
			s.add(func() { VBROADCASTI32X4(Mem{Base: w.key, Disp: keyRound + 16*r}, zRK) })
		}
		for i := range n {
			if r == w.rounds {
				s.add(func() { VAESENCLAST(rk, zD[i], zD[i]) })
			} else {
				s.add(func() { VAESENC(rk, zD[i], zD[i]) })
			}
		}
	}
	return s
}

// aad puts the AAD in the place of the tag's mask, in what is hashed.
func (w *wide) aad() {
	MOVBLZX(Mem{Base: w.ps, Disp: pktAADLen}, w.m.As32())
	BZHIQ(w.m, w.ones, w.m)
	KMOVQ(w.m, reg.K4)
	VMOVDQU8_Z(Mem{Base: w.ps, Disp: pktAAD}, reg.K4, zT0.AsX())
}

// at is the text of the i-th register of four blocks from here.
func (w *wide) at(i int) Mem { return Mem{Base: w.text, Disp: 64 * i} }

// long does all blocks but the last sixteen or fewer. Blocks are hashed while the sixteen after them are encrypted or decrypted, and so wait in zP in between.
func (w *wide) long() {
	MOVQ(I32(-65536), w.m)
	KMOVQ(w.m, reg.K1)
	w.cipher(4).emit()
	VMOVDQA64(zD[0].AsX(), xMask)
	w.sixteen(true)
	CMPQ(w.rem, I32(256))
	JLE(LabelRef("endstart"))
	w.sums()
	Label("loop")
	weave(w.cipher(4), w.hashOn())
	w.sixteen(false)
	CMPQ(w.rem, I32(256))
	JG(LabelRef("loop"))
	Label("endstart")
}

// sixteen makes text of four registers of key stream, and leaves what is to be hashed in zP.
func (w *wide) sixteen(first bool) {
	for i := range 4 {
		switch {
		case i == 0 && first:
			w.whole(0, reg.K1)
			w.aad()
			VPORQ(zT0, zP[0], zP[0])
		case w.open:
			VMOVDQU64(w.at(i), zP[i])
			VPXORQ(zP[i], zD[i], zD[i])
			VMOVDQU64(zD[i], w.at(i))
		default:
			VPXORQ(w.at(i), zD[i], zP[i])
			VMOVDQU64(zP[i], w.at(i))
		}
		VPSHUFB(zSwap, zP[i], zP[i])
	}
	ADDQ(I32(256), w.text)
	SUBQ(I32(256), w.rem)
}

// whole makes text of a register of key stream, of those bytes that k has, and leaves the ciphertext in zP.
func (w *wide) whole(i int, k reg.Register) {
	if w.open {
		VMOVDQU8_Z(w.at(i), k, zP[i])
		VPXORQ(zP[i], zD[i], zD[i])
		VMOVDQU8(zD[i], k, w.at(i))
		return
	}
	VMOVDQU8_Z(w.at(i), k, zT0)
	VPXORQ(zT0, zD[i], zD[i])
	VMOVDQU8(zD[i], k, w.at(i))
	VMOVDQU8_Z(zD[i], k, zP[i])
}

// last does the last sixteen text blocks or fewer: with the block of lengths they are one to four registers of four, or four and the lengths after them.
func (w *wide) last(name string, first bool) {
	// The powers of T blocks begin at H^T, T being the text's and one for the lengths.
	LEAQ(Mem{Base: w.rem, Disp: 15}, w.pow)
	ANDQ(I32(-16), w.pow)
	NEGQ(w.pow)
	ADDQ(w.key, w.pow)
	ADDQ(I32(keyPower+15*16), w.pow)
	for n, limit := range []int{48, 112, 176, 240} {
		CMPQ(w.rem, I32(int32(limit)))
		JLE(LabelRef(label("%s%d", name, n+1)))
	}
	w.fours(4, first, false)
	JMP(LabelRef("lengths"))
	for n := 1; n <= 4; n++ {
		Label(label("%s%d", name, n))
		w.fours(n, first, true)
		JMP(LabelRef("tag"))
	}
}

// masks makes the byte masks of the last registers of n: all others are whole.
func (w *wide) masks(n int, first, lengths bool) []reg.Register {
	ks := make([]reg.Register, n)
	mask := func(i int, k reg.Register, clamp bool) {
		LEAQ(Mem{Base: w.rem, Disp: -64 * i}, w.m)
		if clamp {
			XORL(w.c.As32(), w.c.As32())
			TESTQ(w.m, w.m)
			CMOVQLT(w.c, w.m)
		}
		BZHIQ(w.m, w.ones, w.m)
		if i == 0 && first {
			ANDQ(I32(-65536), w.m)
		}
		KMOVQ(w.m, k)
		ks[i] = k
	}
	if first {
		// The first four blocks' mask always lacks the first one.
		if n > 2 {
			MOVQ(I32(-65536), w.m)
			KMOVQ(w.m, reg.K1)
			ks[0] = reg.K1
		} else {
			mask(0, reg.K1, false)
		}
	}
	if n >= 2 && lengths && ks[n-2] == nil {
		mask(n-2, reg.K2, false)
	}
	if ks[n-1] == nil {
		mask(n-1, reg.K3, lengths)
	}
	return ks
}

// fours does n registers of four blocks, the last of them with the lengths if told so. If they are not the packet's first, sixteen wait to be hashed.
func (w *wide) fours(n int, first, lengths bool) {
	ks := w.masks(n, first, lengths)
	pow := Mem{Base: w.pow}
	if !lengths {
		pow = Mem{Base: w.key, Disp: keyPower}
	}
	var before stream
	if !first {
		before = w.hash(4, Mem{Base: w.key, Disp: keyPower})
	}
	if w.open {
		// All that is hashed is there already.
		before.add(func() { w.fetch(n, ks, first, lengths) })
		before = append(before, w.hash(n, pow)...)
	}
	weave(w.cipher(n), before)
	if first {
		VMOVDQA64(zD[0].AsX(), xMask)
	}
	if w.open {
		w.expected()
	}
	for i := range n {
		switch {
		case w.open && ks[i] != nil:
			w.whole(i, ks[i])
		case w.open:
			VPXORQ(w.at(i), zD[i], zD[i])
			VMOVDQU64(zD[i], w.at(i))
		case ks[i] != nil:
			w.whole(i, ks[i])
		default:
			VPXORQ(w.at(i), zD[i], zP[i])
			VMOVDQU64(zP[i], w.at(i))
		}
	}
	if !w.open {
		w.order(n, first, lengths)
		w.hash(n, pow).emit()
	}
}

// fetch loads n registers of ciphertext to be hashed.
func (w *wide) fetch(n int, ks []reg.Register, first, lengths bool) {
	for i := range n {
		if ks[i] != nil {
			VMOVDQU8_Z(w.at(i), ks[i], zP[i])
		} else {
			VMOVDQU64(w.at(i), zP[i])
		}
	}
	w.order(n, first, lengths)
}

// order puts AAD and lengths in their places, and the bytes of n registers into GHASH's order.
func (w *wide) order(n int, first, lengths bool) {
	if first {
		w.aad()
		VPORQ(zT0, zP[0], zP[0])
	}
	for i := range n {
		VPSHUFB(zSwap, zP[i], zP[i])
	}
	if !lengths {
		return
	}
	// The lengths' place is behind the text's blocks: two bits of a mask of quadwords a block.
	w.lengthBlock(0, zT0)
	LEAQ(Mem{Base: w.rem, Disp: 15 - 64*(n-1)}, w.m)
	SARQ(Imm(4), w.m)
	ADDQ(w.m, w.m)
	MOVQ(U32(3), w.c)
	SHLXQ(w.m, w.c, w.c)
	KMOVQ(w.c, reg.K5)
	VMOVDQA64(zT0, reg.K5, zP[n-1])
}

// expected takes the ICV that a packet came with into the tag's mask, before the text is written: a load near a store that is not done yet would wait.
func (w *wide) expected() {
	MOVQ(Mem{Base: w.ps, Disp: pktText}, w.m)
	MOVL(Mem{Base: w.ps, Disp: pktLen}, w.c.As32())
	ADDQ(w.c, w.m)
	MOVBLZX(Mem{Base: w.ps, Disp: pktICV}, w.c.As32())
	w.icvMask(w.c)
	VMOVDQU8_Z(Mem{Base: w.m}, reg.K6, zT0.AsX())
	VPXORQ(zT0.AsX(), xMask, xMask)
}

// tag writes the tag, or compares it.
func (w *wide) tag() {
	VPSHUFB(zSwap.AsX(), zAcc.AsX(), reg.X0)
	VPXORQ(xMask, reg.X0, reg.X0)
	w.icv(0)
	if w.open {
		w.verdict(0, reg.X0)
		return
	}
	MOVQ(Mem{Base: w.ps, Disp: pktText}, w.text)
	VMOVDQU8(reg.X0, reg.K6, Mem{Base: w.text, Index: w.rem, Scale: 1})
}

// icv loads the length of the packet at offset ps into rem, and makes the mask of its ICV's bytes.
func (w *wide) icv(ps int) {
	MOVBLZX(Mem{Base: w.ps, Disp: ps + pktICV}, w.m.As32())
	MOVL(Mem{Base: w.ps, Disp: ps + pktLen}, w.rem.(reg.GPVirtual).As32())
	w.icvMask(w.m)
}

// icvMask makes the mask of an ICV's bytes: no more than 16 of them, and at least 8, which are compared whatever is asked for.
func (w *wide) icvMask(n reg.GPVirtual) {
	BZHIQ(n, w.ones, n)
	ANDL(U32(0xffff), n.As32())
	ORL(U32(0xff), n.As32())
	KMOVQ(n, reg.K6)
}

// verdict says whether x, the difference of two tags, is nothing, all bytes at once.
func (w *wide) verdict(ps int, x reg.Register) {
	VPTESTMB(x, x, reg.K6, reg.K7)
	KMOVQ(reg.K7, w.m)
	TESTQ(w.m, w.m)
	SETEQ(Mem{Base: w.ps, Disp: ps + pktOK})
}
