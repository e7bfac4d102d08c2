package loop

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// alarm counts ticks and wants one every second.
type alarm struct {
	next  time.Time
	ticks []time.Time
}

func (a *alarm) Tick(now time.Time) {
	a.ticks = append(a.ticks, now)
	a.next = now.Add(time.Second)
}
func (a *alarm) Deadline() time.Time { return a.next }

func TestStepsAndTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		a := &alarm{next: start.Add(time.Second)}
		l := New(4)
		ended := make(chan struct{})
		go func() { l.Run(ctx, a); close(ended) }()
		time.Sleep(2500 * time.Millisecond)
		var at time.Time
		if !l.Call(func(now time.Time) { at = now; a.next = time.Time{} }) {
			t.Fatal("the loop does not take steps")
		}
		if got := at.Sub(start); got != 2500*time.Millisecond {
			t.Errorf("the step's time is %v after the start", got)
		}
		time.Sleep(10 * time.Second) // no deadline: no tick
		if len(a.ticks) != 2 || a.ticks[0].Sub(start) != time.Second || a.ticks[1].Sub(start) != 2*time.Second {
			t.Errorf("ticks at %v", a.ticks)
		}
		cancel()
		<-ended
		if l.Do(func(time.Time) {}) || l.Call(func(time.Time) {}) {
			t.Error("a loop that has ended takes steps")
		}
	})
}

func TestTryDoesNotWait(t *testing.T) {
	l := New(1)
	if !l.Try(func(time.Time) {}) {
		t.Fatal("no room in an empty inbox")
	}
	if l.Try(func(time.Time) {}) {
		t.Error("room in a full inbox")
	}
}

// TestLastStep: a step that was taken is told to be done, also if the loop has ended by the time that is looked at.
func TestLastStep(t *testing.T) {
	finished := make(chan struct{})
	close(finished)
	l := New(1)
	close(l.done)
	for range 100 {
		if !l.await(finished) {
			t.Fatal("it is told that the step was not taken")
		}
	}
	if l.await(make(chan struct{})) {
		t.Error("a step that never was is told to be done")
	}
}
