// Package punt stands between the fast path's punt rings and the protocols: every reason has a rate of its own, so
// that a flood of one kind (say, of expired TTLs) leaves room for the others (NHRP above all).
package punt

import (
	"time"

	"nave/fastpath"
)

// Rate is how many packets of a reason are taken: a burst at once, then so many a second.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// rates by reason; other reasons are not limited here.
var rates = map[fastpath.Reason]Rate{
	fastpath.Local:      {20000, 4000},
	fastpath.Host:       {20000, 4000},
	fastpath.NHRP:       {10000, 4000},
	fastpath.Fragment:   {5000, 2000},
	fastpath.Glean:      {2000, 1000},
	fastpath.Resolve:    {2000, 1000},
	fastpath.Redirect:   {2000, 1000},
	fastpath.TTLExpired: {200, 100}, // each is answered with an ICMP error (RFC 1812 section 4.3.2.8)
	fastpath.FragNeeded: {1000, 500},
	fastpath.Unroutable: {200, 100},
	fastpath.SAHeard:    {10000, 20000}, // once an association
	fastpath.SASoft:     {10000, 20000},
	fastpath.SAHard:     {10000, 20000},
	fastpath.SAMoved:    {1000, 500},
	fastpath.SAUnknown:  {100, 100}, // anybody can send them
}

// Police holds the buckets. It belongs to one goroutine.
type Police struct {
	buckets map[fastpath.Reason]*bucket
	// Refused counts what was dropped, by reason.
	Refused [fastpath.NumReasons]uint64
}

type bucket struct {
	Rate
	tokens float64
	last   time.Time
}

// NewPolice makes full buckets.
func NewPolice() *Police {
	p := &Police{buckets: make(map[fastpath.Reason]*bucket, len(rates))}
	for reason, r := range rates {
		p.buckets[reason] = &bucket{Rate: r, tokens: r.Burst}
	}
	return p
}

// Allow tells whether a packet punted for this reason is taken, and counts it if not.
func (p *Police) Allow(now time.Time, reason fastpath.Reason) bool {
	b := p.buckets[reason]
	if b == nil {
		return true
	}
	if !b.last.IsZero() {
		b.tokens = min(b.Burst, b.tokens+max(0, now.Sub(b.last).Seconds())*b.PerSecond)
	}
	b.last = now
	if b.tokens < 1 {
		p.Refused[reason]++
		return false
	}
	b.tokens--
	return true
}
