package main

import (
	"testing"
	"time"

	"nave/slowpath/nhrp"
)

func TestEventLimit(t *testing.T) {
	l := newEventLimit()
	now := time.Unix(1000, 0)
	written := 0
	for range 5000 {
		if ok, _ := l.allow(now, nhrp.Log{Kind: nhrp.LogAuthMismatch}.About()); ok {
			written++
		}
	}
	if written != eventBurst {
		t.Errorf("%d messages of one kind at once, want %d", written, eventBurst)
	}
	if ok, _ := l.allow(now, nhrp.Log{Kind: nhrp.LogNHSDown}.About()); !ok {
		t.Error("a flood of one kind keeps another out")
	}
	ok, leftOut := l.allow(now.Add(eventInterval), nhrp.Log{Kind: nhrp.LogAuthMismatch}.About())
	if !ok || leftOut != 5000-eventBurst {
		t.Errorf("after the interval: %v, %d left out", ok, leftOut)
	}
	l.follow(20 * time.Second)
	now = now.Add(time.Hour)
	written = 0
	for k := range 100 {
		if ok, _ := l.allow(now.Add(time.Duration(k)*time.Second), nhrp.Log{Kind: nhrp.LogNHSDown}.About()); ok {
			written++
		}
	}
	if written != 5 {
		t.Errorf("rate-limit 20: %d messages in 100 s, want 5", written)
	}
}
