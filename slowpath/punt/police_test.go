package punt

import (
	"testing"
	"time"

	"nave/fastpath"
)

func TestFloodOfOneReasonLeavesTheOthers(t *testing.T) {
	p := NewPolice()
	now := time.Unix(1000, 0)
	taken := 0
	for range 100000 {
		if p.Allow(now, fastpath.TTLExpired) {
			taken++
		}
	}
	if want := int(rates[fastpath.TTLExpired].Burst); taken != want {
		t.Errorf("%d taken at once, want the burst, %d", taken, want)
	}
	if p.Refused[fastpath.TTLExpired] != uint64(100000-taken) {
		t.Errorf("refused %d, taken %d", p.Refused[fastpath.TTLExpired], taken)
	}
	if !p.Allow(now, fastpath.NHRP) {
		t.Error("NHRP is refused because of the flood")
	}
}

func TestRefill(t *testing.T) {
	p := NewPolice()
	now := time.Unix(1000, 0)
	for p.Allow(now, fastpath.Glean) {
	}
	now = now.Add(time.Second / 2)
	taken := 0
	for p.Allow(now, fastpath.Glean) {
		taken++
	}
	if want := int(rates[fastpath.Glean].PerSecond / 2); taken != want {
		t.Errorf("%d taken after half a second, want %d", taken, want)
	}
	now = now.Add(-time.Hour) // a clock that goes back gives nothing and breaks nothing
	if p.Allow(now, fastpath.Glean) {
		t.Error("time that went back filled the bucket")
	}
}
