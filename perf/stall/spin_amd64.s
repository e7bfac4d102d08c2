#include "textflag.h"

// func spin(until, every uint64, counts *[1152]uint64, largest *uint64)
//
// Reads the counter until it has reached until. Each time that every ticks have passed counts as a poll: its gap goes into the bucket that hist.Index names.
TEXT ·spin(SB), NOSPLIT, $0-32
	MOVQ until+0(FP), R8
	MOVQ every+8(FP), R9
	MOVQ counts+16(FP), DI
	MOVQ largest+24(FP), SI
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, R10

loop:
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, BX
	SUBQ R10, BX
	CMPQ BX, R9
	JB   loop
	MOVQ AX, R10
	CMPQ BX, (SI)
	JBE  bucket
	MOVQ BX, (SI)

bucket:
	BSRQ BX, CX
	CMPQ CX, $39
	JA   last
	SUBQ $5, CX
	MOVQ BX, R11
	SHRQ CX, R11
	ANDQ $31, R11
	INCQ CX
	SHLQ $5, CX
	ADDQ R11, CX
	JMP  count

last:
	MOVQ $1151, CX

count:
	INCQ (DI)(CX*8)
	CMPQ AX, R8
	JB   loop
	RET
