#include "textflag.h"

// func prefetchSAs(at *unsafe.Pointer, n int)
//
// Of each association the lines that a short packet needs: what finds it, what changes, and of the key, which is at 192 (keyAt for
// windows of up to 64 packets), two of hash powers and all of the round keys.
TEXT ·prefetchSAs(SB), NOSPLIT, $0-16
	MOVQ at+0(FP), SI
	MOVQ n+8(FP), CX
next:
	MOVQ (SI), DI
	PREFETCHT0 (DI)
	PREFETCHT0 128(DI)
	PREFETCHT0 320(DI)
	PREFETCHT0 384(DI)
	PREFETCHT0 448(DI)
	PREFETCHT0 512(DI)
	PREFETCHT0 576(DI)
	PREFETCHT0 640(DI)
	ADDQ $8, SI
	DECQ CX
	JNZ  next
	RET
