//go:build amd64

package aesgcm

import (
	"testing"

	"golang.org/x/sys/cpu"
)

// Two ways of asking the CPU agree.
func TestBest(t *testing.T) {
	x := &cpu.X86
	wide := x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VAES && x.HasAVX512VPCLMULQDQ && x.HasBMI2
	if got := best(); (got == avx512) != wide {
		t.Errorf("the kernel is %q, the CPU has AVX-512 and the rest: %v", got, wide)
	}
	if got := best(); got == avx2 && !x.HasAVX2 {
		t.Errorf("the kernel is %q, the CPU has no AVX2", got)
	}
	if Kernel() != best().String() {
		t.Errorf("Kernel says %q, want %q", Kernel(), best())
	}
}
