package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// features emits what asks the CPU: the leaves of CPUID and the register that says which state the kernel saves.
func features() {
	TEXT("cpuid", NOSPLIT, "func(leaf, sub uint32) (a, b, c, d uint32)")
	Load(Param("leaf"), reg.EAX)
	Load(Param("sub"), reg.ECX)
	CPUID()
	Store(reg.EAX, Return("a"))
	Store(reg.EBX, Return("b"))
	Store(reg.ECX, Return("c"))
	Store(reg.EDX, Return("d"))
	RET()

	TEXT("xgetbv", NOSPLIT, "func() (a uint32)")
	XORL(reg.ECX, reg.ECX)
	XGETBV()
	Store(reg.EAX, Return("a"))
	RET()
}

// expand emits the parts of a key's expansion that need the CPU's own AES, which takes the same time whatever the key.
func expand() {
	TEXT("subWord", NOSPLIT, "func(w uint32) uint32")
	w := Load(Param("w"), GP32())
	VMOVD(w, reg.X0)
	VPSHUFD(Imm(0), reg.X0, reg.X0)
	VAESKEYGENASSIST(Imm(0), reg.X0, reg.X0)
	VMOVD(reg.X0, w)
	VPXOR(reg.X0, reg.X0, reg.X0)
	Store(w, ReturnIndex(0))
	RET()

	TEXT("mixColumns", NOSPLIT, "func(round *byte)")
	Pragma("noescape")
	Doc("mixColumns makes a round key of encryption one of decryption.")
	at := Load(Param("round"), GP64())
	VAESIMC(Mem{Base: at}, reg.X0)
	VMOVDQU(reg.X0, Mem{Base: at})
	VPXOR(reg.X0, reg.X0, reg.X0)
	RET()
}

// hashPowers emits what makes GHASH's powers.
func hashPowers() {
	TEXT("hashPowers", NOSPLIT, "func(k *byte)")
	Pragma("noescape")
	Doc("hashPowers makes the hash powers of a key whose round keys are there.")
	k := Load(Param("k"), GP64())
	rounds, at := GP64(), GP64()
	MOVL(Mem{Base: k, Disp: keyRounds}, rounds.As32())
	LEAQ(Mem{Base: k, Disp: keyRound + 16}, at)
	VMOVDQU(Mem{Base: k, Disp: keyRound}, reg.X0)
	Label("round")
	DECQ(rounds)
	JZ(LabelRef("last"))
	VAESENC(Mem{Base: at}, reg.X0, reg.X0)
	ADDQ(Imm(16), at)
	JMP(LabelRef("round"))
	Label("last")
	VAESENCLAST(Mem{Base: at}, reg.X0, reg.X0)
	VPSHUFB(byteSwap, reg.X0, reg.X0)

	// Times x: shifted left by one, and the bit that leaves comes back as the polynomial, without a branch.
	VMOVDQU(poly, reg.X5)
	VPSRAD(Imm(31), reg.X0, reg.X1)
	VPSHUFD(Imm(0xff), reg.X1, reg.X1)
	VPAND(reg.X5, reg.X1, reg.X1)
	VPSRLQ(Imm(63), reg.X0, reg.X2)
	VPSLLDQ(Imm(8), reg.X2, reg.X2)
	VPSLLQ(Imm(1), reg.X0, reg.X0)
	VPOR(reg.X2, reg.X0, reg.X0)
	VPXOR(reg.X1, reg.X0, reg.X0)

	VMOVDQU(reg.X0, Mem{Base: k, Disp: keyH1})
	VMOVDQA(reg.X0, reg.X1)
	n := GP64()
	MOVQ(U32(15), n)
	LEAQ(Mem{Base: k, Disp: keyH1 - 16}, at)
	Label("power")
	multiply(reg.X1, reg.X0, reg.X6, reg.X5, reg.X2, reg.X3, reg.X4)
	VMOVDQA(reg.X6, reg.X1)
	VMOVDQU(reg.X1, Mem{Base: at})
	SUBQ(Imm(16), at)
	DECQ(n)
	JNZ(LabelRef("power"))
	VZEROALL()
	RET()
}
