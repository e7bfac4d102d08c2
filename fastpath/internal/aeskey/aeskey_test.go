//go:build amd64

package aeskey

import (
	"crypto/aes"
	"encoding/hex"
	"testing"

	"golang.org/x/sys/cpu"
)

// Two ways of asking the CPU agree.
func TestBest(t *testing.T) {
	x := &cpu.X86
	wide := x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VAES && x.HasAVX512VPCLMULQDQ && x.HasBMI2
	if got := Best(); (got == AVX512) != wide {
		t.Errorf("the unit is %q, the CPU has AVX-512 and the rest: %v", got, wide)
	}
	if got := Best(); got >= AVX2 && !x.HasAVX2 {
		t.Errorf("the unit is %q, the CPU has no AVX2", got)
	}
}

func TestRounds(t *testing.T) {
	want := map[int]uint32{16: 10, 24: 12, 32: 14}
	for n := range 64 {
		if got := Rounds(n); got != want[n] {
			t.Errorf("a key of %d bytes has %d rounds, want %d", n, got, want[n])
		}
		if _, err := aes.NewCipher(make([]byte, n)); (err == nil) != (Rounds(n) != 0) {
			t.Errorf("a key of %d bytes: the library says %v", n, err)
		}
	}
}

// schedules are the last round keys of FIPS 197, appendix A.
var schedules = []struct{ key, last string }{
	{"2b7e151628aed2a6abf7158809cf4f3c", "d014f9a8c9ee2589e13f0cc8b6630ca6"},
	{"8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "e98ba06f448c773c8ecc720401002202"},
	{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "fe4890d1e6188d0b046df344706c631e"},
}

func TestSchedule(t *testing.T) {
	if Best() == None {
		return // there is no schedule then
	}
	for _, v := range schedules {
		key, err := hex.DecodeString(v.key)
		if err != nil {
			t.Fatal(err)
		}
		var round, inverse [15][16]byte
		rounds := Rounds(len(key))
		for i, b := range key {
			round[i/16][i%16] = b
		}
		Schedule(&round, rounds)
		if got := hex.EncodeToString(round[rounds][:]); got != v.last {
			t.Errorf("key %s: last round key %s, want %s", v.key, got, v.last)
		}
		Inverse(&inverse, &round, rounds)
		if inverse[0] != round[rounds] || inverse[rounds] != round[0] {
			t.Errorf("key %s: the ends of the inverse schedule are not those of the schedule", v.key)
		}
	}
}

func BenchmarkSchedule(b *testing.B) {
	var round [15][16]byte
	for b.Loop() {
		Schedule(&round, 14)
	}
}
