package api

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// However many ask, one is served at a time, and there is a rest after each.
func TestPace(t *testing.T) {
	const times, each = 4, 20 * time.Millisecond
	p := newPace()
	var at, most atomic.Int32
	var all sync.WaitGroup
	begin := time.Now()
	for range times {
		all.Go(func() {
			if !p.do(context.Background(), func() {
				most.Store(max(most.Load(), at.Add(1)))
				time.Sleep(each)
				at.Add(-1)
			}) {
				t.Error("it was not done")
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at once", most.Load())
	}
	if took, want := time.Since(begin), times*each+(times-1)*restShare*each; took < want {
		t.Errorf("all took %v, which leaves no rest: want %v", took, want)
	}
}

// Who goes away waits no more, neither for others nor for a rest; and a fault gives the turn back.
func TestPaceGone(t *testing.T) {
	p := newPace()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	p.turn <- struct{}{}
	if p.do(gone, func() { t.Error("it is another's turn") }) {
		t.Error("it was done")
	}
	<-p.turn
	p.free = time.Now().Add(time.Hour)
	if p.do(gone, func() { t.Error("it is a rest") }) {
		t.Error("it was done")
	}
	p.free = time.Time{}
	func() {
		defer func() { _ = recover() }()
		p.do(context.Background(), func() { panic("fault") })
	}()
	if !p.do(context.Background(), func() {}) {
		t.Error("the turn was not given back")
	}
}
