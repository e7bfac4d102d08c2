package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Registers of the AVX2 kernel: half as wide as AVX-512's and half as many, and no masks. Text is done by sixteen blocks, then eight if there are, then
// up to eight with the lengths. Bytes of a register that is not full come and go by way of the stack.
var (
	yD   = []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7}
	yRK  = reg.Y8  // a round key
	yCtr = reg.Y9  // counters to come
	yLo  = reg.Y10 // products: low,
	yMi  = reg.Y11 // middle,
	yHi  = reg.Y12 // high
	yT   = reg.Y13 // of GHASH
	yP   = reg.Y14 // text to be hashed
	yAcc = reg.Y15 // the hash, in the first lane
)

// half is the state of emitting one AVX2 function.
type half struct {
	rounds int
	open   bool
	ps     reg.Register  // the packet
	left   reg.Register  // packets left
	key    reg.Register  // its key
	text   reg.Register  // text of the next blocks
	rem    reg.GPVirtual // bytes left
	pow    reg.Register  // powers of the last blocks
	m, c   reg.GPVirtual // anything
	room   Mem           // a register's bytes on the stack
}

func avx2(rounds int, open bool) {
	name := "seal"
	if open {
		name = "open"
	}
	TEXT(label("%sAVX2x%d", name, rounds), NOSPLIT, "func(ps *byte, n int) int")
	Pragma("noescape")
	Doc(label("%sAVX2x%d does packets of keys with %d rounds, up to the first of another kind, and returns how many are left.", name, rounds, rounds))
	h := &half{rounds: rounds, open: open, key: GP64(), text: GP64(), rem: GP64(), pow: GP64(), m: GP64(), c: GP64(), room: AllocLocal(32)}
	h.ps = Load(Param("ps"), GP64())
	h.left = Load(Param("n"), GP64())
	Label("packet")
	MOVQ(Mem{Base: h.ps, Disp: pktKey}, h.key)
	CMPL(Mem{Base: h.key, Disp: keyRounds}, Imm(uint64(rounds)))
	JNE(LabelRef("done"))
	h.begin()
	CMPQ(h.rem, I32(256))
	JL(LabelRef("half"))
	h.sixteens()
	Label("half")
	CMPQ(h.rem, I32(128))
	JL(LabelRef("end"))
	h.eight()
	Label("end")
	h.last()
	Label("tag")
	h.tag()
	ADDQ(I32(pktSize), h.ps)
	DECQ(h.left)
	JNZ(LabelRef("packet"))
	Label("done")
	// Nothing of a key stays in registers, nothing of a text on the stack.
	VZEROALL()
	VMOVDQU(reg.Y0, h.room)
	Store(h.left, ReturnIndex(0))
	RET()
}

// begin makes the first counters, and hashes the AAD.
func (h *half) begin() {
	fetchAhead(h.ps, h.left, h.key, h.m, h.rounds)
	MOVL(Mem{Base: h.ps, Disp: pktLen}, h.rem.As32())
	MOVQ(Mem{Base: h.ps, Disp: pktText}, h.text)
	VBROADCASTI128(Mem{Base: h.ps, Disp: pktNonce}, yCtr)
	VPSHUFB(nonceSwap, yCtr, yCtr)
	VPADDD(textCtr, yCtr, yCtr)
	MOVBLZX(Mem{Base: h.ps, Disp: pktAADLen}, h.m.As32())
	h.mask(h.m, reg.X0)
	VPAND(Mem{Base: h.ps, Disp: pktAAD}, reg.X0, reg.X0)
	VPSHUFB(byteSwap, reg.X0, reg.X0)
	VMOVDQU(Mem{Base: h.key, Disp: keyH1}, reg.X1)
	VMOVDQU(poly, reg.X2)
	multiply(reg.X0, reg.X1, yAcc.AsX(), reg.X2, reg.X3, reg.X4, reg.X5)
}

// mask loads a mask of n bytes, for the 16 or 32 bytes of a register.
func (h *half) mask(n reg.Register, dst reg.Register) {
	LEAQ(byteMask, h.c)
	SUBQ(n, h.c)
	VMOVDQU(Mem{Base: h.c, Disp: 32}, dst)
}

// cipher is the stream that makes n times two blocks of key stream, and if told so the tag's mask, which ends in yCtr.
func (h *half) cipher(n int, mask bool) (s stream) {
	s.add(func() { VBROADCASTI128(Mem{Base: h.key, Disp: keyRound}, yRK) })
	for i := range n {
		s.add(func() { VPSHUFB(byteSwap, yCtr, yD[i]) })
		s.add(func() { VPADDD(twoCtr, yCtr, yCtr) })
		s.add(func() { VPXOR(yRK, yD[i], yD[i]) })
	}
	if mask {
		j0 := yD[n]
		s.add(func() { VMOVDQU(Mem{Base: h.ps, Disp: pktNonce}, j0.AsX()) })
		s.add(func() { MOVL(U32(1<<24), h.m.As32()) })
		s.add(func() { VPINSRD(Imm(3), h.m.As32(), j0.AsX(), j0.AsX()) })
		s.add(func() { VPXOR(yRK, j0, j0) })
		n++
	}
	for r := 1; r <= h.rounds; r++ {
		s.add(func() { VBROADCASTI128(Mem{Base: h.key, Disp: keyRound + 16*r}, yRK) })
		for i := range n {
			if r == h.rounds {
				s.add(func() { VAESENCLAST(yRK, yD[i], yD[i]) })
			} else {
				s.add(func() { VAESENC(yRK, yD[i], yD[i]) })
			}
		}
	}
	if mask {
		// The counters are not needed any more.
		s.add(func() { VMOVDQA(yD[n-1], yCtr) })
	}
	return s
}

// product is the stream that adds to the sum what x times the powers at p is. The first one begins the sum.
func product(first bool, x, lo, mi, hi, t reg.Register, p Mem) (s stream) {
	if first {
		s.add(func() { VPCLMULQDQ(Imm(0x00), p, x, lo) })
		s.add(func() { VPCLMULQDQ(Imm(0x01), p, x, mi) })
		s.add(func() { VPCLMULQDQ(Imm(0x11), p, x, hi) })
	} else {
		s.add(func() { VPCLMULQDQ(Imm(0x00), p, x, t) })
		s.add(func() { VPXOR(t, lo, lo) })
		s.add(func() { VPCLMULQDQ(Imm(0x01), p, x, t) })
		s.add(func() { VPXOR(t, mi, mi) })
		s.add(func() { VPCLMULQDQ(Imm(0x11), p, x, t) })
		s.add(func() { VPXOR(t, hi, hi) })
	}
	s.add(func() { VPCLMULQDQ(Imm(0x10), p, x, t) })
	s.add(func() { VPXOR(t, mi, mi) })
	return s
}

// reduce is the stream that makes the hash of the sum.
func (h *half) reduce() (s stream) {
	s.add(func() { VPCLMULQDQ(Imm(0x10), poly, yLo, yT) })
	s.add(func() { VPSHUFD(Imm(0x4e), yLo, yLo) })
	s.add(func() { VPXOR(yLo, yMi, yMi) })
	s.add(func() { VPXOR(yT, yMi, yMi) })
	s.add(func() { VPCLMULQDQ(Imm(0x10), poly, yMi, yT) })
	s.add(func() { VPSHUFD(Imm(0x4e), yMi, yMi) })
	s.add(func() { VPXOR(yMi, yHi, yHi) })
	s.add(func() { VPXOR(yT, yHi, yHi) })
	s.add(func() { VEXTRACTI128(Imm(1), yHi, yT.AsX()) })
	s.add(func() { VPXOR(yT.AsX(), yHi.AsX(), yAcc.AsX()) })
	return s
}

// hash is the stream that hashes n times two blocks of what stands at text, whole ones.
func (h *half) hash(n int, text Mem) (s stream) {
	for j := n - 1; j >= 0; j-- {
		at, p := text, Mem{Base: h.key, Disp: keyPower + 256 - 32*n + 32*j}
		at.Disp += 32 * j
		s.add(func() { VMOVDQU(at, yP) })
		s.add(func() { VPSHUFB(byteSwap, yP, yP) })
		if j == 0 {
			s.add(func() { VPXOR(yAcc, yP, yP) })
		}
		s = append(s, product(j == n-1, yP, yLo, yMi, yHi, yT, p)...)
	}
	return append(s, h.reduce()...)
}

// xor makes text of n registers of key stream.
func (h *half) xor(n int) {
	for i := range n {
		at := Mem{Base: h.text, Disp: 32 * i}
		VPXOR(at, yD[i], yD[i])
		VMOVDQU(yD[i], at)
	}
	ADDQ(I32(int32(32*n)), h.text)
	SUBQ(I32(int32(32*n)), h.rem)
}

// sixteens does text by sixteen blocks. What is sealed is hashed while the next blocks are encrypted, what is opened while it is itself decrypted.
func (h *half) sixteens() {
	if h.open {
		Label("sixteen")
		weave(h.cipher(8, false), h.hash(8, Mem{Base: h.text}))
		h.xor(8)
		CMPQ(h.rem, I32(256))
		JGE(LabelRef("sixteen"))
		return
	}
	h.cipher(8, false).emit()
	h.xor(8)
	CMPQ(h.rem, I32(256))
	JL(LabelRef("behind"))
	Label("sixteen")
	weave(h.cipher(8, false), h.hash(8, Mem{Base: h.text, Disp: -256}))
	h.xor(8)
	CMPQ(h.rem, I32(256))
	JGE(LabelRef("sixteen"))
	Label("behind")
	h.hash(8, Mem{Base: h.text, Disp: -256}).emit()
}

// eight does eight blocks.
func (h *half) eight() {
	if h.open {
		weave(h.cipher(4, false), h.hash(4, Mem{Base: h.text}))
		h.xor(4)
		return
	}
	h.cipher(4, false).emit()
	h.xor(4)
	h.hash(4, Mem{Base: h.text, Disp: -128}).emit()
}

// last does the text that is left, less than eight whole blocks, in one to four registers or none, and the lengths.
func (h *half) last() {
	// The powers of T blocks begin at H^T, T being the text's and one for the lengths.
	LEAQ(Mem{Base: h.rem, Disp: 15}, h.pow)
	ANDQ(I32(-16), h.pow)
	NEGQ(h.pow)
	ADDQ(h.key, h.pow)
	ADDQ(I32(keyPower+15*16), h.pow)
	for n := range 4 {
		CMPQ(h.rem, I32(int32(32*n)))
		JLE(LabelRef(label("end%d", n)))
	}
	for n := 4; n >= 0; n-- {
		Label(label("end%d", n))
		h.twos(n)
		if n > 0 {
			JMP(LabelRef("tag"))
		}
	}
}

// twos does the last n registers of two blocks; the last of them has 1 to 32 bytes of text.
func (h *half) twos(n int) {
	if n > 0 {
		SUBQ(I32(int32(32*(n-1))), h.rem)
	}
	h.lengths(n == 0)
	switch {
	case n == 0:
		weave(h.cipher(0, true), h.reduce())
	case h.open:
		h.openTwos(n)
	default:
		h.sealTwos(n)
	}
}

// at is the text of the i-th register from here.
func (h *half) at(i int) Mem { return Mem{Base: h.text, Disp: 32 * i} }

// lengths begins the sum with the lengths; if there is no text left, the hash so far joins them.
func (h *half) lengths(alone bool) {
	MOVL(Mem{Base: h.ps, Disp: pktLen}, h.m.As32())
	SHLQ(Imm(3), h.m)
	VMOVQ(h.m, yP.AsX())
	MOVBLZX(Mem{Base: h.ps, Disp: pktAADLen}, h.m.As32())
	SHLQ(Imm(3), h.m)
	VPINSRQ(Imm(1), h.m, yP.AsX(), yP.AsX())
	if alone {
		VPXOR(yAcc.AsX(), yP.AsX(), yP.AsX())
	}
	product(true, yP.AsX(), yLo.AsX(), yMi.AsX(), yHi.AsX(), yT.AsX(), Mem{Base: h.key, Disp: keyH1}).emit()
}

// add is the stream that adds the j-th of the last registers, in x, to the sum.
func (h *half) add(j int, x reg.Register) (s stream) {
	s.add(func() { VPSHUFB(byteSwap, x, x) })
	if j == 0 {
		s.add(func() { VPXOR(yAcc, x, x) })
	}
	return append(s, product(false, x, yLo, yMi, yHi, yT, Mem{Base: h.pow, Disp: 32 * j})...)
}

// openTwos decrypts the last n registers and hashes them at the same time.
func (h *half) openTwos(n int) {
	whole, done := label("whole%d", n), label("hashed%d", n)
	h.fetch(h.at(n-1), n)
	s := h.add(n-1, yP)
	for j := n - 2; j >= 0; j-- {
		s.add(func() { VMOVDQU(h.at(j), yP) })
		s = append(s, h.add(j, yP)...)
	}
	weave(h.cipher(n, true), append(s, h.reduce()...))
	for i := range n - 1 {
		VPXOR(h.at(i), yD[i], yD[i])
		VMOVDQU(yD[i], h.at(i))
	}
	CMPQ(h.rem, Imm(32))
	JEQ(LabelRef(whole))
	VPXOR(h.room, yD[n-1], yD[n-1])
	VMOVDQU(yD[n-1], h.room)
	h.copy("give", h.room, h.at(n-1), n)
	JMP(LabelRef(done))
	Label(whole)
	VPXOR(h.at(n-1), yD[n-1], yD[n-1])
	VMOVDQU(yD[n-1], h.at(n-1))
	Label(done)
}

// sealTwos encrypts the last n registers, and then hashes them.
func (h *half) sealTwos(n int) {
	whole, done := label("whole%d", n), label("hashed%d", n)
	h.cipher(n, true).emit()
	for i := range n - 1 {
		VPXOR(h.at(i), yD[i], yD[i])
		VMOVDQU(yD[i], h.at(i))
	}
	h.fetch(h.at(n-1), n)
	VPXOR(yP, yD[n-1], yD[n-1])
	CMPQ(h.rem, Imm(32))
	JEQ(LabelRef(whole))
	h.mask(h.rem, yP)
	VPAND(yP, yD[n-1], yD[n-1])
	VMOVDQU(yD[n-1], h.room)
	h.copy("give", h.room, h.at(n-1), n)
	JMP(LabelRef(done))
	Label(whole)
	VMOVDQU(yD[n-1], h.at(n-1))
	Label(done)
	var s stream
	for j := n - 1; j >= 0; j-- {
		s = append(s, h.add(j, yD[j])...)
	}
	append(s, h.reduce()...).emit()
}

// fetch loads the rem bytes of text at m, 1 to 32, into yP, and zeros after them. If they are not 32, they stand in room as well.
func (h *half) fetch(m Mem, n int) {
	whole, odd, done := label("fetchwhole%d", n), label("fetchodd%d", n), label("fetched%d", n)
	CMPQ(h.rem, Imm(32))
	JEQ(LabelRef(whole))
	TESTQ(I32(3), h.rem)
	JNE(LabelRef(odd))
	h.mask(h.rem, yT)
	VPMASKMOVD(m, yT, yP)
	VMOVDQU(yP, h.room)
	JMP(LabelRef(done))
	Label(odd)
	VPXOR(yP, yP, yP)
	VMOVDQU(yP, h.room)
	h.copy("fetch", m, h.room, n)
	VMOVDQU(h.room, yP)
	JMP(LabelRef(done))
	Label(whole)
	VMOVDQU(m, yP)
	Label(done)
}

// copy copies rem bytes, less than 32, and no others.
func (h *half) copy(name string, from, to Mem, n int) {
	a, b, v := GP64(), GP64(), GP64()
	LEAQ(from, a)
	LEAQ(to, b)
	for _, size := range []int{16, 8, 4, 2, 1} {
		skip := label("%s%dless%d", name, n, size)
		TESTQ(I32(int32(size)), h.rem)
		JEQ(LabelRef(skip))
		switch size {
		case 16:
			VMOVDQU(Mem{Base: a}, yT.AsX())
			VMOVDQU(yT.AsX(), Mem{Base: b})
		case 8:
			MOVQ(Mem{Base: a}, v)
			MOVQ(v, Mem{Base: b})
		case 4:
			MOVL(Mem{Base: a}, v.As32())
			MOVL(v.As32(), Mem{Base: b})
		case 2:
			MOVW(Mem{Base: a}, v.As16())
			MOVW(v.As16(), Mem{Base: b})
		case 1:
			MOVB(Mem{Base: a}, v.As8())
			MOVB(v.As8(), Mem{Base: b})
		}
		ADDQ(Imm(uint64(size)), a)
		ADDQ(Imm(uint64(size)), b)
		Label(skip)
	}
}

// tag writes the tag, or compares it, all bytes at once. The tag's mask is in yCtr, which is not needed any more.
func (h *half) tag() {
	MOVBLZX(Mem{Base: h.ps, Disp: pktICV}, h.m.As32())
	MOVQ(Mem{Base: h.ps, Disp: pktText}, h.text)
	MOVL(Mem{Base: h.ps, Disp: pktLen}, h.rem.As32())
	ADDQ(h.rem, h.text)
	icv := Mem{Base: h.text}
	VPSHUFB(byteSwap, yAcc.AsX(), reg.X0)
	VPXOR(yCtr.AsX(), reg.X0, reg.X0)
	CMPQ(h.m, Imm(16))
	JAE(LabelRef("icv16"))
	CMPQ(h.m, Imm(12))
	JAE(LabelRef("icv12"))
	if h.open {
		VMOVQ(icv, reg.X1)
		VMOVQ(reg.X0, reg.X0)
		JMP(LabelRef("compare"))
		Label("icv12")
		VMOVQ(icv, reg.X1)
		VPINSRD(Imm(2), Mem{Base: h.text, Disp: 8}, reg.X1, reg.X1)
		MOVL(U32(12), h.m.As32())
		h.mask(h.m, reg.X2)
		VPAND(reg.X2, reg.X0, reg.X0)
		JMP(LabelRef("compare"))
		Label("icv16")
		VMOVDQU(icv, reg.X1)
		Label("compare")
		VPXOR(reg.X1, reg.X0, reg.X0)
		VPTEST(reg.X0, reg.X0)
		SETEQ(Mem{Base: h.ps, Disp: pktOK})
		return
	}
	VMOVQ(reg.X0, icv)
	JMP(LabelRef("written"))
	Label("icv12")
	VMOVQ(reg.X0, icv)
	VPEXTRD(Imm(2), reg.X0, Mem{Base: h.text, Disp: 8})
	JMP(LabelRef("written"))
	Label("icv16")
	VMOVDQU(reg.X0, icv)
	Label("written")
}
