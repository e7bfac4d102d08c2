package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"nave/ctl/gateway"
	"nave/ctl/show"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
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
func (d *Daemon) event(e gateway.Event) {
	text, severity := show.Log(e)
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
	d.say(severity, text, fields(e)...)
}

// say logs a message of a severity of IOS's (0 to 7).
func (d *Daemon) say(severity int, text string, attrs ...slog.Attr) {
	level := slog.LevelInfo
	switch {
	case severity <= 3:
		level = slog.LevelError
	case severity == 4:
		level = slog.LevelWarn
	}
	d.log.LogAttrs(context.Background(), level, text, attrs...)
}

// fields are the parts of an event, for programs that read the log. Keys and other secrets are in no event.
func fields(e gateway.Event) []slog.Attr {
	var list []slog.Attr
	add := func(has bool, key string, value any) {
		if has {
			list = append(list, slog.Any(key, value))
		}
	}
	switch l := e.(type) {
	case nhrp.Log:
		add(true, "event", l.About())
		add(l.Iface != "", "interface", l.Iface)
		add(l.Protocol.IsValid(), "address", l.Protocol)
		add(l.NBMA.IsValid(), "nbma", l.NBMA)
	case ike.Log:
		add(true, "event", "ike "+l.Kind.String())
		add(l.Version != 0, "version", l.Version)
		add(l.Path.Local.IsValid(), "local", l.Path.Local)
		add(l.Path.Remote.IsValid(), "peer", l.Path.Remote)
		add(l.SA != 0, "ike_sa", l.SA)
		add(l.Child != 0, "child", l.Child)
		add(l.Peer.Kind != ike.IDNone, "identity", l.Peer.String())
		add(l.Why != ike.WhyNone, "reason", l.Why.String())
		add(l.Code != 0, "notify", l.Code)
	case show.HardwareLog:
		return l.Fields()
	case dmvpn.Log:
		add(true, "event", l.About())
		add(l.Profile != "", "profile", l.Profile)
		add(len(l.Ifaces) > 0, "interfaces", l.Ifaces)
		add(l.Local.IsValid(), "local", l.Local)
		add(l.Peer.IsValid(), "peer", l.Peer)
		add(l.Identity.Kind != ike.IDNone, "identity", l.Identity.String())
		add(l.Why != ike.WhyNone, "reason", l.Why.String())
	}
	return list
}
