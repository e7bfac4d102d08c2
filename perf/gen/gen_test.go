package gen

import (
	"math"
	"strings"
	"testing"

	"nave/perf/mix"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"max": {}, "1.5Mpps": {PPS: 1.5e6}, "64kpps": {PPS: 64e3}, "10pps": {PPS: 10}, "10Gbit/s": {Bits: 1e10}, "0.5Mbit/s": {Bits: 5e5}, "2Gpps": {PPS: 2e9},
	} {
		got, err := ParseRate(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if back, err := ParseRate(got.String()); err != nil || back != got {
			t.Errorf("%s prints as %s", text, got)
		}
	}
	for _, text := range []string{"", "5", "pps", "-1pps", "0pps", "NaNpps", "Infpps", "1e99pps", "1Mpp", "1 Mpps", "Mbit/s"} {
		if r, err := ParseRate(text); err == nil || !strings.Contains(err.Error(), "want max") {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
}

// Bits are counted as they are on the wire: 10 Gbit/s of frames of 64 bytes are 14.88 Mpps.
func TestRateOnTheWire(t *testing.T) {
	m, err := mix.Load("rfc2544-64")
	if err != nil {
		t.Fatal(err)
	}
	train, err := m.Train(mix.Link{})
	if err != nil {
		t.Fatal(err)
	}
	if got := (Rate{Bits: 1e10}).Packets(train); math.Abs(got-14880952) > 1 {
		t.Errorf("%f packets a second", got)
	}
}

// However often it is asked, the pacer lets so many packets go as the rate says, never more at once than it may owe.
func TestPacer(t *testing.T) {
	for _, pps := range []float64{10, 1000, 33333, 1e6, 14e6} {
		for _, burst := range []int{1, 7, 256} {
			for _, every := range []int64{1, 999, 20011, 150_000} {
				p := newPacer(1000, pps, burst)
				const length = 50_000_000
				n, now := 0, int64(1000)
				for ; now < 1000+length; now += every {
					n += p.grant(now, 1<<20)
					if w := p.wait(now); w > int64(1e9/pps*float64(burst))+1 {
						t.Fatalf("%v pps in bursts of %d: waits %d ns", pps, burst, w)
					}
					if every == 1 && now > 200_000 {
						break
					}
				}
				want := pps * float64(now-1000) / 1e9
				if slop := float64(burst) + pps*float64(every)/1e9 + 1; math.Abs(float64(n)-want) > slop {
					t.Errorf("%v pps in bursts of %d, asked every %d ns: %d packets, want %.0f within %.0f", pps, burst, every, n, want, slop)
				}
			}
		}
	}
}

// After a stall only the slack is made up for, and a small grant leaves the rest of a burst for later.
func TestPacerStall(t *testing.T) {
	p := newPacer(0, 1e6, 1)
	if n := p.grant(5e9, 1<<20); n < 199 || n > 203 {
		t.Errorf("after a stall of 5 s %d packets leave at once", n)
	}
	p = newPacer(0, 1000, 100)
	for k, want := range []int{30, 30, 30, 10, 0} {
		if n := p.grant(0, 30); n != want {
			t.Errorf("grant %d of a burst is %d, want %d", k, n, want)
		}
	}
	if p.wait(0) != 100e6 {
		t.Errorf("the next burst is due in %d ns", p.wait(0))
	}
	p = newPacer(0, 0, 1)
	if p.grant(0, 64) != 64 || p.wait(0) != 0 {
		t.Error("without a rate packets wait")
	}
}
