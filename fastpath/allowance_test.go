package fastpath

import (
	"math"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// TestPuntFlood: a million packets a second whose TTL ran out leave room for every NHRP message, though the slow path comes only
// every 50 ms.
func TestPuntFlood(t *testing.T) {
	r := newRig(t, func(c *Config, _ *fib.Batch) { c.PuntSlots = 1024; c.SlotSize = 1024 })
	expired := toWAN(ipv4(behind1, hostIP, nil, ttl(1)))
	nhrp := toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40)))
	const second, polls = int64(1e9), 5000
	flood := make([][]byte, 200)
	for i := range flood {
		flood[i] = expired
	}
	for i := range int64(polls) {
		r.wan.in = append(append(r.wan.in[:0:0], flood...), nhrp)
		r.now = 1 + i*second/polls
		if n := r.w.Poll(r.now); n != len(flood)+1 {
			t.Fatalf("handled %d", n)
		}
		if i%250 == 249 {
			r.e.Drain(0, func(*Punt) {})
		}
	}
	s := r.e.Counters()
	if s.Reasons[NHRP] != polls || s.Lost[NHRP] != 0 {
		t.Errorf("%d NHRP messages punted, %d lost", s.Reasons[NHRP], s.Lost[NHRP])
	}
	if n := s.Reasons[TTLExpired]; n < 256+1990 || n > 256+2010 || n+s.Lost[TTLExpired] != 200*polls {
		t.Errorf("%d expired packets punted, %d lost", n, s.Lost[TTLExpired])
	}
}

// TestAllowance: each bucket holds its burst, fills at its rate and not beyond, at any time of any clock.
func TestAllowance(t *testing.T) {
	for r := range Reason(NumReasons) {
		p := puntRates[r]
		for _, start := range []int64{0, 1, 1e18, math.MaxInt64 - 1e10} {
			var a allowance
			a.fill()
			run := func(now int64, most int) (n int64) {
				for range most {
					if a.take(r, now) {
						n++
					}
				}
				return n
			}
			want := func(burst int64) int64 {
				if p == (puntRate{}) {
					return 10000
				}
				return burst
			}
			if n := run(start, 10000); n != want(p.burst) {
				t.Errorf("%s at %d: %d at once, want %d", r, start, n, want(p.burst))
			}
			if n := run(start+10*p.every, 10000); n != want(10) {
				t.Errorf("%s at %d: %d after the time of ten", r, start, n)
			}
			if n := run(start+5e9, 10000); n != want(p.burst) {
				t.Errorf("%s at %d: %d after a rest", r, start, n)
			}
		}
	}
}
