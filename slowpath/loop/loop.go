// Package loop turns the crank of machines that have no clock and no goroutine of their own: one goroutine, one
// inbox, one deadline. Whatever a machine owns is touched from here alone, so nothing in it needs a lock.
package loop

import (
	"context"
	"sync/atomic"
	"time"
)

// Machine is a step function with timers.
type Machine interface {
	// Tick does what is due at now.
	Tick(now time.Time)
	// Deadline is when Tick is wanted next; the zero Time means not at all.
	Deadline() time.Time
}

// Loop is the goroutine's inbox.
type Loop struct {
	inbox chan func(now time.Time)
	done  chan struct{}
	busy  atomic.Int64 // nanoseconds
}

// New makes a loop whose inbox holds n steps.
func New(n int) *Loop {
	return &Loop{inbox: make(chan func(time.Time), n), done: make(chan struct{})}
}

// Do queues a step and waits for room. It returns false if the loop has ended.
func (l *Loop) Do(f func(now time.Time)) bool {
	select {
	case <-l.done:
		return false
	default:
	}
	select {
	case l.inbox <- f:
		return true
	case <-l.done:
		return false
	}
}

// Try queues a step if there is room: for what may be lost under load, such as punted packets.
func (l *Loop) Try(f func(now time.Time)) bool {
	select {
	case l.inbox <- f:
		return true
	default:
		return false
	}
}

// Call runs a step and waits until it is done. It returns false if the loop has ended.
func (l *Loop) Call(f func(now time.Time)) bool {
	finished := make(chan struct{})
	if !l.Do(func(now time.Time) { f(now); close(finished) }) {
		return false
	}
	return l.await(finished)
}

// await waits for a step that was queued.
func (l *Loop) await(finished <-chan struct{}) bool {
	select {
	case <-finished:
	case <-l.done:
	}
	select { // it may have been the last
	case <-finished:
		return true
	default:
		return false
	}
}

// Busy is how long steps and ticks have taken in all.
func (l *Loop) Busy() time.Duration { return time.Duration(l.busy.Load()) }

// Run takes steps and ticks until ctx ends. It may be called once.
func (l *Loop) Run(ctx context.Context, m Machine) {
	defer close(l.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if d := m.Deadline(); !d.IsZero() {
			timer.Reset(max(0, time.Until(d)))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case f := <-l.inbox:
			now := time.Now()
			f(now)
			l.busy.Add(int64(time.Since(now)))
		case now := <-due:
			m.Tick(now)
			l.busy.Add(int64(time.Since(now)))
		}
	}
}
