package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"nave/ctl/gateway"
	"nave/ctl/show"
	"nave/slowpath/nhrp"
)

// eventLimit keeps a peer that errs with every packet from filling the log: so many messages of a kind at once, then one
// in the interval, with the number of those left out.
type eventLimit struct {
	burst    int
	interval time.Duration
	kinds    map[string]*eventCount
}

type eventCount struct {
	left    int
	refill  time.Time
	leftOut int
}

const (
	eventBurst    = 100
	eventInterval = time.Second
)

func newEventLimit() *eventLimit {
	return &eventLimit{burst: eventBurst, interval: eventInterval, kinds: make(map[string]*eventCount)}
}

// allow tells whether a message of this kind is written now, and how many before it were left out.
func (l *eventLimit) allow(now time.Time, k string) (ok bool, leftOut int) {
	c := l.kinds[k]
	if c == nil {
		c = &eventCount{left: l.burst, refill: now}
		l.kinds[k] = c
	}
	if n := int(now.Sub(c.refill) / l.interval); n > 0 {
		c.left = min(l.burst, c.left+n)
		c.refill = c.refill.Add(time.Duration(n) * l.interval)
	}
	if c.left == 0 {
		c.leftOut++
		return false, 0
	}
	c.left--
	leftOut, c.leftOut = c.leftOut, 0
	return true, leftOut
}

// follow makes the limit that of `logging dmvpn rate-limit SECONDS`; 0 is nave's own.
func (l *eventLimit) follow(rateLimit time.Duration) {
	l.burst, l.interval = eventBurst, eventInterval
	if rateLimit > 0 {
		l.burst, l.interval = 1, rateLimit
	}
	for _, c := range l.kinds {
		c.left = min(c.left, l.burst)
	}
}

// event logs what the protocols report, in the words of IOS. The control plane's goroutine calls it.
func (d *naved) event(e gateway.Event) {
	l, ok := e.(nhrp.Log)
	if !ok {
		return
	}
	text, severity := show.Log(l)
	if text == "" {
		return
	}
	ok, leftOut := d.limit.allow(time.Now(), e.About())
	if !ok {
		return
	}
	if leftOut > 0 {
		text += fmt.Sprintf(" (%d more before it were not logged)", leftOut)
	}
	level := slog.LevelInfo
	switch {
	case severity <= 3:
		level = slog.LevelError
	case severity == 4:
		level = slog.LevelWarn
	}
	d.log.Log(context.Background(), level, text)
}
