package logs

import (
	"sync"
	"time"

	"nave/ctl/logs/message"
)

// Rate is `logging rate-limit`: how many messages a second are logged.
type Rate struct {
	PerSecond int   // 0: no limit
	All       bool  // what is debugged counts, too; otherwise it is not limited
	Console   bool  // only the console has the limit
	Except    Level // what passes in any case
}

// rate carries Rate out: so many messages in each second, counted from the first.
type rate struct {
	by    Rate
	since time.Time
	left  int
}

func (r *rate) follow(by Rate) {
	if r.by != by {
		*r = rate{by: by}
	}
}

// allow tells whether a message is logged.
func (r *rate) allow(now time.Time, s message.Severity) bool {
	if r.by.PerSecond == 0 || r.by.Except.takes(s) || s == message.Debugging && !r.by.All {
		return true
	}
	if d := now.Sub(r.since); d >= time.Second || d <= -time.Second { // or the clock was set
		r.since, r.left = now, r.by.PerSecond
	}
	if r.left == 0 {
		return false
	}
	r.left--
	return true
}

// Events limits messages about what peers do, so that one that errs with every packet does not fill the log: so many of a kind at once, then one in the
// interval. Messages about DMVPN have a limit of their own, if so configured, all together. It goes on from any goroutine.
type Events struct {
	mu         sync.Mutex
	kinds      map[string]*allowance
	dmvpn      DMVPN
	together   allowance // of messages about DMVPN
	suppressed uint64    // how many were not logged
}

// DMVPN is `logging dmvpn`: whether messages of the facility DMVPN are logged, and at most one in which time (0: as all messages).
type DMVPN struct {
	Off      bool
	Interval time.Duration
}

type allowance struct {
	left    int
	refill  time.Time
	leftOut int
}

// Of each kind of event so many messages are logged at once, and one more after each interval.
const (
	eventBurst    = 100
	eventInterval = time.Second
)

// NewEvents makes a limit without one for DMVPN.
func NewEvents() *Events { return &Events{kinds: make(map[string]*allowance)} }

// Follow makes the limit for DMVPN that one.
func (e *Events) Follow(by DMVPN) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dmvpn != by {
		e.dmvpn, e.together = by, allowance{leftOut: e.together.leftOut}
	}
}

// DMVPN is what Follow was told last.
func (e *Events) DMVPN() DMVPN {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dmvpn
}

// Suppressed is how many messages were not logged.
func (e *Events) Suppressed() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.suppressed
}

// Allow tells whether a message about a kind of event is logged now, and how many before it were not.
func (e *Events) Allow(now time.Time, kind, text string) (ok bool, leftOut int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, burst, interval := e.kinds[kind], eventBurst, eventInterval
	if facility, _ := split(text); facility == "DMVPN" {
		if e.dmvpn.Off {
			return false, 0
		}
		if e.dmvpn.Interval > 0 {
			a, burst, interval = &e.together, 1, e.dmvpn.Interval
		}
	}
	if a == nil {
		a = &allowance{}
		e.kinds[kind] = a
	}
	if ok, leftOut = a.take(now, burst, interval); !ok {
		e.suppressed++
	}
	return ok, leftOut
}

func (a *allowance) take(now time.Time, burst int, interval time.Duration) (ok bool, leftOut int) {
	if a.refill.IsZero() {
		a.left, a.refill = burst, now
	}
	if n := int(now.Sub(a.refill) / interval); n > 0 {
		a.left = min(burst, a.left+n)
		a.refill = a.refill.Add(time.Duration(n) * interval)
	}
	if a.left == 0 {
		a.leftOut++
		return false, 0
	}
	if a.left == burst { // time without messages is not saved up beyond the burst
		a.refill = now
	}
	a.left--
	leftOut, a.leftOut = a.leftOut, 0
	return true, leftOut
}
