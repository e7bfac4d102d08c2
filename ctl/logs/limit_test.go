package logs

import (
	"testing"
	"time"

	"nave/ctl/logs/message"
)

func TestRate(t *testing.T) {
	now := time.Unix(1000, 0)
	count := func(by Rate, s message.Severity, each time.Duration, n int) (allowed int) {
		var r rate
		r.follow(by)
		for k := range n {
			if r.allow(now.Add(time.Duration(k)*each), s) {
				allowed++
			}
		}
		return allowed
	}
	for _, c := range []struct {
		name string
		by   Rate
		s    message.Severity
		each time.Duration
		n    int
		want int
	}{
		{"no limit", Rate{}, message.Notice, 0, 1000, 1000},
		{"at once", Rate{PerSecond: 10}, message.Notice, 0, 1000, 10},
		{"ten seconds", Rate{PerSecond: 10}, message.Notice, 10 * time.Millisecond, 1000, 100},
		{"worse passes", Rate{PerSecond: 10, Except: UpTo(message.Error)}, message.Error, 0, 100, 100},
		{"milder does not", Rate{PerSecond: 10, Except: UpTo(message.Error)}, message.Warning, 0, 100, 10},
		{"debugging does not count", Rate{PerSecond: 10}, message.Debugging, 0, 100, 100},
		{"but with all", Rate{PerSecond: 10, All: true}, message.Debugging, 0, 100, 10},
		{"the clock goes back", Rate{PerSecond: 10}, message.Notice, -time.Minute, 5, 5},
	} {
		if got := count(c.by, c.s, c.each, c.n); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// A rate for the console leaves the others alone; one for all keeps messages from all.
func TestRateInLog(t *testing.T) {
	for _, console := range []bool{true, false} {
		l, log, _ := newLog(t, func(s *Settings) { s.Rate = Rate{PerSecond: 1, Console: console} })
		at := time.Now()
		for range 100 {
			l.take(newRecord(at, message.Notice, "%A-5-B: x", nil, false))
		}
		st := l.Status()
		want := map[bool]int{true: 100, false: 1}[console]
		if len(st.Lines) != want || st.RateLimited != 99 || st.Messages != uint64(want) {
			t.Errorf("console %v: %d lines, %d limited, %d messages", console, len(st.Lines), st.RateLimited, st.Messages)
		}
		_ = log
	}
}

// A flood of one kind of event keeps no other out, and is told of afterwards.
func TestEvents(t *testing.T) {
	l, now := NewEvents(), time.Unix(1000, 0)
	const crypto, dmvpn = "%CRYPTO-4-X: y", "%DMVPN-5-NHRP_NHS: x"
	written := 0
	for range 5000 {
		if ok, _ := l.Allow(now, "auth", crypto); ok {
			written++
		}
	}
	if written != eventBurst {
		t.Errorf("%d messages of a kind at once, want %d", written, eventBurst)
	}
	if ok, _ := l.Allow(now, "nhs down", dmvpn); !ok {
		t.Error("a flood of one kind keeps another out")
	}
	ok, leftOut := l.Allow(now.Add(eventInterval), "auth", crypto)
	if !ok || leftOut != 5000-eventBurst || l.Suppressed() != 5000-eventBurst {
		t.Errorf("after the interval: %v, %d left out", ok, leftOut)
	}
}

// `logging dmvpn rate-limit 20` is one message about DMVPN in 20 seconds, whatever it is about; others have nothing of it.
func TestDMVPNLimit(t *testing.T) {
	l, now := NewEvents(), time.Unix(1000, 0)
	l.Follow(DMVPN{Interval: 20 * time.Second})
	var at []int
	var leftOut int
	for k := range 100 {
		kind := [...]string{"up", "down", "registered"}[k%3]
		if ok, n := l.Allow(now.Add(time.Duration(k)*time.Second), kind, "%DMVPN-5-NHRP_CACHE: x"); ok {
			at, leftOut = append(at, k), leftOut+n
		}
		if ok, _ := l.Allow(now.Add(time.Duration(k)*time.Second), kind+"!", "%NHRP-4-QUOTA: x"); !ok {
			t.Errorf("second %d: another facility is limited, too", k)
		}
	}
	if len(at) != 5 || at[1]-at[0] < 20 || leftOut != 76 {
		t.Errorf("messages at %v, %d left out", at, leftOut)
	}
	// Never two in less than the interval, however they lie.
	l = NewEvents()
	l.Follow(DMVPN{Interval: 20 * time.Second})
	last := -1000
	for _, k := range []int{0, 39, 40, 41, 58, 59, 60, 1000, 1001, 1019, 1020} {
		if ok, _ := l.Allow(now.Add(time.Duration(k)*time.Second), "x", "%DMVPN-5-X: y"); ok {
			if k-last < 20 {
				t.Errorf("messages at %d and %d", last, k)
			}
			last = k
		}
	}
	l.Follow(DMVPN{Off: true})
	if ok, _ := l.Allow(now.Add(time.Hour), "x", "%DMVPN-5-X: y"); ok {
		t.Error("no logging dmvpn: logged")
	}
	if ok, _ := l.Allow(now.Add(time.Hour), "x", "%CRYPTO-5-X: y"); !ok {
		t.Error("no logging dmvpn: others are not logged")
	}
	l.Follow(DMVPN{})
	if ok, _ := l.Allow(now.Add(time.Hour), "x", "%DMVPN-5-X: y"); !ok || l.DMVPN() != (DMVPN{}) {
		t.Error("on again: not logged")
	}
}
