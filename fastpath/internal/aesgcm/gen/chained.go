package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in aescbc.Key and aescbc.lane.
const (
	cbcRound   = 0   // round keys of encryption
	cbcRounds  = 240 // number of rounds, 32 bits
	cbcInverse = 256 // round keys of decryption, in their order

	laneKey   = 0
	laneText  = 8
	laneAt    = 16
	laneChain = 24
	laneSize  = 40
)

var xLane = []reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3}

// chained emits CBC and counter mode, on registers of 256 bits.
func chained() {
	byteSwap = lanes("byteSwap", func(int) (uint64, uint64) { return 0x08090a0b0c0d0e0f, 0x0001020304050607 })
	twoCtr = lanes("twoCtr", func(int) (uint64, uint64) { return 2, 0 })
	oddCtr := lanes("oddCtr", func(i int) (uint64, uint64) { return uint64(i & 1), 0 })
	for n := 1; n <= 4; n++ {
		encryptLanes(n)
	}
	decryptChain()
	counterMode(oddCtr)
}

// encryptLanes emits the encryption of n packets side by side.
func encryptLanes(n int) {
	TEXT(label("encrypt%d", n), NOSPLIT, "func(lanes *byte, blocks int)")
	Pragma("noescape")
	Doc(label("encrypt%d encrypts so many blocks, at least one, of each of %d lanes whose keys have as many rounds, and moves the lanes on.", n, n))
	ls := Load(Param("lanes"), GP64())
	blocks := Load(Param("blocks"), GP64())
	var key, text [4]reg.GPVirtual
	at, end, r := GP64(), GP64(), GP64()
	for i := range n {
		key[i], text[i] = GP64(), GP64()
		MOVQ(Mem{Base: ls, Disp: i*laneSize + laneKey}, key[i])
		MOVQ(Mem{Base: ls, Disp: i*laneSize + laneText}, text[i])
		ADDQ(Mem{Base: ls, Disp: i*laneSize + laneAt}, text[i])
		VMOVDQU(Mem{Base: ls, Disp: i*laneSize + laneChain}, xLane[i])
	}
	MOVL(Mem{Base: key[0], Disp: cbcRounds}, end.As32())
	SHLQ(Imm(4), end)
	XORL(at.As32(), at.As32())
	Label("block")
	for i := range n {
		VPXOR(Mem{Base: text[i], Index: at, Scale: 1}, xLane[i], xLane[i])
		VPXOR(Mem{Base: key[i], Disp: cbcRound}, xLane[i], xLane[i])
	}
	MOVL(U32(16), r.As32())
	Label("round")
	for i := range n {
		VAESENC(Mem{Base: key[i], Index: r, Scale: 1, Disp: cbcRound}, xLane[i], xLane[i])
	}
	ADDQ(Imm(16), r)
	CMPQ(r, end)
	JB(LabelRef("round"))
	for i := range n {
		VAESENCLAST(Mem{Base: key[i], Index: r, Scale: 1, Disp: cbcRound}, xLane[i], xLane[i])
		VMOVDQU(xLane[i], Mem{Base: text[i], Index: at, Scale: 1})
	}
	ADDQ(Imm(16), at)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	for i := range n {
		ADDQ(at, Mem{Base: ls, Disp: i*laneSize + laneAt})
		VMOVDQU(xLane[i], Mem{Base: ls, Disp: i*laneSize + laneChain})
	}
	VZEROALL()
	RET()
}

// A chain is the state of emitting the decryption of CBC.
type chain struct{ key, text, blocks, end, r reg.GPVirtual }

// The block before the next ones, and a round key.
const chainBlocks = 16

var (
	xChain = reg.X8
	yRound = reg.Y9
)

func decryptChain() {
	TEXT("decrypt", NOSPLIT, "func(k, text *byte, blocks int, iv *byte)")
	Pragma("noescape")
	Doc("decrypt decrypts so many blocks in CBC.")
	c := chain{key: GP64(), text: GP64(), blocks: GP64(), end: GP64(), r: GP64()}
	Load(Param("k"), c.key)
	Load(Param("text"), c.text)
	Load(Param("blocks"), c.blocks)
	iv := Load(Param("iv"), GP64())
	VMOVDQU(Mem{Base: iv}, xChain)
	MOVL(Mem{Base: c.key, Disp: cbcRounds}, c.end.As32())
	SHLQ(Imm(4), c.end)
	Label("sixteen")
	CMPQ(c.blocks, Imm(chainBlocks))
	JB(LabelRef("eight"))
	c.some(chainBlocks)
	JMP(LabelRef("sixteen"))
	Label("eight")
	CMPQ(c.blocks, Imm(8))
	JB(LabelRef("rest"))
	c.some(8)
	Label("rest")
	for n := 1; n < 8; n++ {
		CMPQ(c.blocks, Imm(uint64(n)))
		JEQ(LabelRef(label("rest%d", n)))
	}
	Label("done")
	VZEROALL()
	RET()
	for n := 1; n < 8; n++ {
		Label(label("rest%d", n))
		c.some(n)
		JMP(LabelRef("done"))
	}
}

// some decrypts n blocks: by twos, and the odd one in half a register.
func (c chain) some(n int) {
	var d []reg.Register
	for i := range (n + 1) / 2 {
		if 2*i+1 == n {
			d = append(d, yD[i].AsX())
		} else {
			d = append(d, yD[i])
		}
	}
	key := func(at reg.Register, f func(reg.Register, reg.Register)) {
		m := Mem{Base: c.key, Disp: cbcInverse}
		if at != nil {
			m.Index, m.Scale = at, 1
		}
		VBROADCASTI128(m, yRound)
		for _, x := range d {
			if x.Size() == 16 {
				f(yRound.AsX(), x)
			} else {
				f(yRound, x)
			}
		}
	}
	for i, x := range d {
		VMOVDQU(Mem{Base: c.text, Disp: 32 * i}, x)
	}
	key(nil, func(k, x reg.Register) { VPXOR(k, x, x) })
	MOVL(U32(16), c.r.As32())
	round := label("round%d", n)
	Label(round)
	key(c.r, func(k, x reg.Register) { VAESDEC(k, x, x) })
	ADDQ(Imm(16), c.r)
	CMPQ(c.r, c.end)
	JB(LabelRef(round))
	key(c.r, func(k, x reg.Register) { VAESDECLAST(k, x, x) })
	// What came before each block is still there as it came, until something is written.
	if n > 1 {
		VINSERTI128(Imm(1), Mem{Base: c.text}, xChain.AsY(), xChain.AsY())
		VPXOR(xChain.AsY(), d[0], d[0])
	} else {
		VPXOR(xChain, d[0], d[0])
	}
	for i, x := range d {
		if i > 0 {
			VPXOR(Mem{Base: c.text, Disp: 32*i - 16}, x, x)
		}
	}
	VMOVDQU(Mem{Base: c.text, Disp: 16 * (n - 1)}, xChain)
	for i, x := range d {
		VMOVDQU(x, Mem{Base: c.text, Disp: 32 * i})
	}
	ADDQ(I32(int32(16*n)), c.text)
	SUBQ(Imm(uint64(n)), c.blocks)
}

// counterMode emits counter mode: sixteen blocks of key stream at a time, of which the last ones are used as far as there is text.
func counterMode(oddCtr Mem) {
	TEXT("counter", NOSPLIT, "func(k, text *byte, n int, first *byte)")
	Pragma("noescape")
	Doc("counter encrypts n bytes in counter mode.")
	key := Load(Param("k"), GP64())
	text := Load(Param("text"), GP64())
	n := Load(Param("n"), GP64())
	first := Load(Param("first"), GP64())
	end, r, room := GP64(), GP64(), AllocLocal(32)
	MOVL(Mem{Base: key, Disp: cbcRounds}, end.As32())
	SHLQ(Imm(4), end)
	VBROADCASTI128(Mem{Base: first}, yCtr)
	VPSHUFB(byteSwap, yCtr, yCtr)
	VPADDD(oddCtr, yCtr, yCtr)
	TESTQ(n, n)
	JEQ(LabelRef("done"))
	Label("more")
	VBROADCASTI128(Mem{Base: key, Disp: cbcRound}, yRK)
	for _, d := range yD {
		VPSHUFB(byteSwap, yCtr, d)
		VPADDD(twoCtr, yCtr, yCtr)
		VPXOR(yRK, d, d)
	}
	MOVL(U32(16), r.As32())
	Label("round")
	VBROADCASTI128(Mem{Base: key, Index: r, Scale: 1, Disp: cbcRound}, yRK)
	for _, d := range yD {
		VAESENC(yRK, d, d)
	}
	ADDQ(Imm(16), r)
	CMPQ(r, end)
	JB(LabelRef("round"))
	VBROADCASTI128(Mem{Base: key, Index: r, Scale: 1, Disp: cbcRound}, yRK)
	for _, d := range yD {
		VAESENCLAST(yRK, d, d)
	}
	for i, d := range yD {
		CMPQ(n, I32(32))
		JB(LabelRef(label("part%d", i)))
		VPXOR(Mem{Base: text}, d, d)
		VMOVDQU(d, Mem{Base: text})
		ADDQ(Imm(32), text)
		SUBQ(Imm(32), n)
	}
	TESTQ(n, n)
	JNE(LabelRef("more"))
	JMP(LabelRef("done"))
	for i, d := range yD {
		Label(label("part%d", i))
		VMOVDQU(d, room)
		if i < len(yD)-1 {
			JMP(LabelRef("part"))
		}
	}
	Label("part")
	from := GP64()
	LEAQ(room, from)
	partOfBlocks(from, text, n)
	Label("done")
	VZEROALL()
	VMOVDQU(reg.Y0, room)
	RET()
}

// partOfBlocks encrypts n bytes of text, less than 32, by what stands at from.
func partOfBlocks(from, text, n reg.Register) {
	v := GP64()
	for _, size := range []int{16, 8, 4, 2, 1} {
		skip := label("less%d", size)
		TESTQ(I32(int32(size)), n)
		JEQ(LabelRef(skip))
		switch size {
		case 16:
			VMOVDQU(Mem{Base: from}, reg.X0)
			VPXOR(Mem{Base: text}, reg.X0, reg.X0)
			VMOVDQU(reg.X0, Mem{Base: text})
		case 8:
			MOVQ(Mem{Base: from}, v)
			XORQ(v, Mem{Base: text})
		case 4:
			MOVL(Mem{Base: from}, v.As32())
			XORL(v.As32(), Mem{Base: text})
		case 2:
			MOVW(Mem{Base: from}, v.As16())
			XORW(v.As16(), Mem{Base: text})
		case 1:
			MOVB(Mem{Base: from}, v.As8())
			XORB(v.As8(), Mem{Base: text})
		}
		ADDQ(Imm(uint64(size)), from)
		ADDQ(Imm(uint64(size)), text)
		Label(skip)
	}
}
