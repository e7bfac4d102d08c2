package tsc

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTicksGoOn(t *testing.T) {
	last := Ticks()
	for range 1000 {
		now := Ticks()
		if now < last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
	before := Ticks()
	time.Sleep(2 * time.Millisecond)
	if Ticks() == before {
		t.Error("the counter stands still")
	}
}

// TestHz: two calibrations agree, and the rate is one that a counter can have.
func TestHz(t *testing.T) {
	a, b := Hz(90*time.Millisecond), Hz(90*time.Millisecond)
	if a < 1e6 || a > 1e10 {
		t.Fatalf("%g ticks a second", a)
	}
	if math.Abs(a-b)/a > 0.01 {
		t.Errorf("%g and then %g ticks a second", a, b)
	}
	begin, at := Ticks(), time.Now()
	time.Sleep(50 * time.Millisecond)
	ticks, took := float64(Ticks()-begin), time.Since(at).Seconds()
	if got := ticks / a / took; got < 0.9 || got > 1.1 {
		t.Errorf("%g s by the counter are %g s by the clock", ticks/a, took)
	}
}

func TestCPUName(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"processor\t: 0\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: A CPU @ 2 GHz\n\nprocessor\t: 1\nmodel name\t: B\n", "A CPU @ 2 GHz (family 6, model 207)"},
		{"model name : A: b\n", "A: b"},
		{"processor : 0\nBogoMIPS : 50\n", runtime.GOARCH},
		{"", runtime.GOARCH},
	} {
		if got := cpuName(c.text); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestCommand(t *testing.T) {
	var out, errs bytes.Buffer
	if err := Command(t.Context(), []string{"--span", "20ms"}, &out, &errs); err != nil || !strings.HasSuffix(out.String(), " GHz\n") {
		t.Errorf("%q, %v", out.String(), err)
	}
	for _, bad := range [][]string{{"--span", "1ms"}, {"--span", "x"}, {"--nothing"}} {
		if err := Command(t.Context(), bad, &out, &errs); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}
