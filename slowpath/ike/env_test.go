package ike

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func TestEnvNumbers(t *testing.T) {
	e := NewEnv(rand.NewChaCha8([32]byte{1}), 1)
	if e.NextSA() != 1 || e.NextSA() != 2 || e.NextChild() != 1 || e.NextChild() != 2 {
		t.Error("numbers are used again, or zero")
	}
}

func TestTakeSPI(t *testing.T) {
	// 0, 255 and what is in use are passed over.
	source := bytes.NewReader([]byte{0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0})
	e := NewEnv(source, 1)
	if a, b := e.TakeSPI(), e.TakeSPI(); a != 256 || b != 257 {
		t.Errorf("%d and %d", a, b)
	}
	e.GiveSPI(256)
	if a := e.TakeSPI(); a != 256 {
		t.Errorf("%d: what was given back is not taken again", a)
	}
	e = NewEnv(rand.NewChaCha8([32]byte{2}), 1)
	seen := make(map[uint32]bool)
	for range 10000 {
		spi := e.TakeSPI()
		if spi < 256 || seen[spi] {
			t.Fatalf("%d", spi)
		}
		seen[spi] = true
	}
}

// Without random numbers there is no going on: nothing secret is made of zeros.
func TestNoRandomNumbers(t *testing.T) {
	e := NewEnv(iotest.ErrReader(errors.New("dry")), 1)
	for name, f := range map[string]func(){"TakeSPI": func() { e.TakeSPI() }, "Random": func() { e.Random(make([]byte, 8)) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s went on", name)
				}
			}()
			f()
		}()
	}
	b := make([]byte, 8)
	NewEnv(bytes.NewReader([]byte("12345678")), 1).Random(b)
	if string(b) != "12345678" {
		t.Errorf("%q", b)
	}
}

// The same seed gives the same jitter: a test can be repeated.
func TestJitter(t *testing.T) {
	a, b, c := NewEnv(nil, 7), NewEnv(nil, 7), NewEnv(nil, 8)
	same := true
	for range 10 {
		x := a.Jitter.Uint64()
		if x != b.Jitter.Uint64() {
			t.Fatal("two Envs of one seed differ")
		}
		same = same && x == c.Jitter.Uint64()
	}
	if same {
		t.Error("the seed does not count")
	}
}

func TestAdmissionLimits(t *testing.T) {
	a := Admission{Limits: Limits{SAs: 3, InNegotiation: 2}}
	if !a.Admit(true) || !a.Admit(false) {
		t.Fatal("refused below the limits")
	}
	if a.Admit(true) {
		t.Error("a third in negotiation")
	}
	a.Established()
	if !a.Admit(true) {
		t.Error("refused though one is established")
	}
	a.Established()
	if a.Admit(false) {
		t.Error("a fourth SA")
	}
	a.Ended(false) // an established one
	if !a.Admit(false) {
		t.Error("refused though one is gone")
	}
	a.Ended(true)
	a.Ended(true)
	a.Ended(false)
	if a.SAs != 0 || a.InNegotiation != 0 {
		t.Errorf("%d SAs, %d in negotiation are left", a.SAs, a.InNegotiation)
	}
	want := AdmissionStats{In: 3, InAccepted: 2, InRejected: 1, Out: 3, OutAccepted: 2, OutRejected: 1, RejectedSALimit: 2}
	if a.Stats != want {
		t.Errorf("%+v, not %+v", a.Stats, want)
	}
}

func TestAdmissionLoad(t *testing.T) {
	a := Admission{Limits: Limits{Load: 80}, LoadNow: 80}
	if !a.Admit(true) {
		t.Error("refused at the limit")
	}
	a.LoadNow = 81
	if a.Admit(true) || a.Admit(false) || a.Stats.RejectedResources != 2 || a.Stats.RejectedSALimit != 0 {
		t.Errorf("%+v", a.Stats)
	}
	a.Limits = Limits{}
	if !a.Admit(true) {
		t.Error("a load counts though there is no limit")
	}
}

func TestAdmissionDefault(t *testing.T) {
	var a Admission
	for i := range DefaultInNegotiation {
		if !a.Admit(true) {
			t.Fatalf("the %dth refused", i+1)
		}
	}
	if a.Admit(true) {
		t.Error("no limit of those in negotiation")
	}
}
