package fastpath

import "math"

// puntRate is the punts of one reason that a worker lets through: a token bucket, so that a flood of one reason does not fill
// the ring for the others. Zero is no limit.
type puntRate struct {
	every int64 // nanoseconds that a token takes to come
	burst int64 // tokens that the bucket holds
}

// perSecond is a bucket of burst tokens that n come to in a second.
func perSecond(n, burst int64) puntRate { return puntRate{1e9 / n, burst} }

// puntRates leaves NHRP without a limit: it keeps the network together, and the slow path polices it by sender.
var puntRates = [NumReasons]puntRate{
	Local:      perSecond(100000, 512),
	Host:       perSecond(100000, 512),
	Fragment:   perSecond(20000, 512),
	TTLExpired: perSecond(2000, 256),
	FragNeeded: perSecond(5000, 512),
	Unroutable: perSecond(2000, 256),
	Glean:      perSecond(20000, 512),
	MPLSAlert:  perSecond(200, 64),
	Redirect:   perSecond(20000, 512),
	Resolve:    perSecond(20000, 512),
	SAUnknown:  perSecond(200, 64),
	SAMoved:    perSecond(2000, 256),
}

// allowance is a worker's buckets, each as the time at which it was, or would have been, empty: time itself fills it.
type allowance [NumReasons]int64

// fill fills all buckets.
func (a *allowance) fill() {
	for i := range a {
		a[i] = math.MinInt64
	}
}

// take takes a token for reason r at now, nanoseconds; false when there is none.
func (a *allowance) take(r Reason, now int64) bool {
	p := &puntRates[r]
	empty := max(a[r], now-p.every*p.burst) + p.every
	if empty > now {
		return false
	}
	a[r] = empty
	return true
}
