package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"nave/ctl/debug"
	"nave/ctl/gateway"
	"nave/ctl/show"
	"nave/slowpath"
)

// debugQueue is how many things wait to be written. The control plane never waits for the log: what finds the queue full is left out and counted.
const debugQueue = 2048

// debugger is what is debugged. It is not in the configuration, and ends with naved.
type debugger struct {
	changing sync.Mutex // one change after the other
	mu       sync.Mutex // has set
	set      debug.Set
	queue    chan slowpath.Traced
	told     atomic.Uint64
	leftOut  atomic.Uint64
}

// take keeps something that a protocol did until it is written. The control plane's goroutine calls it, for what the conditions let through.
func (b *debugger) take(t slowpath.Traced) {
	if len(b.queue) == cap(b.queue) {
		b.leftOut.Add(1)
		return
	}
	b.queue <- t.Clone() // nobody else writes into it
}

// write writes what is taken, until ctx ends. Text is made here, beside the control plane.
func (b *debugger) write(ctx context.Context, say func(line string)) {
	var pace debug.Pace
	var noted uint64
	for {
		var t slowpath.Traced
		select {
		case <-ctx.Done():
			return
		case t = <-b.queue:
		}
		var lines []string
		if pace.Room(time.Now()) {
			if lines = show.Trace(&t); len(lines) == 0 {
				continue // nothing is to be said of it
			}
		}
		if len(lines) == 0 || !pace.Take(time.Now(), len(lines)) {
			b.leftOut.Add(1)
			continue
		}
		if n := b.leftOut.Load(); n > noted {
			say(show.DebugLeftOut(n - noted))
			noted = n
		}
		for _, l := range lines {
			say(l)
		}
		b.told.Add(1)
	}
}

// forget drops what waits: who has turned debugging off wants to see no more of it.
func (b *debugger) forget() {
	for {
		select {
		case <-b.queue:
		default:
			return
		}
	}
}

// state is what is debugged.
func (b *debugger) state() debug.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return debug.State{Set: b.set, Told: b.told.Load(), LeftOut: b.leftOut.Load()}
}

// startDebugger has what is debugged written to the log, until end is called.
func (d *Daemon) startDebugger() (end func()) {
	d.debugger.queue = make(chan slowpath.Traced, debugQueue)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		d.debugger.write(ctx, func(line string) { d.say(7, line, slog.String("event", "debug")) })
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// Debugging implements api.Debugger.
func (d *Daemon) Debugging() debug.State { return d.debugger.state() }

// Debug implements api.Debugger.
func (d *Daemon) Debug(c debug.Change) (debug.State, error) {
	b := &d.debugger
	b.changing.Lock()
	defer b.changing.Unlock()
	after, err := b.state().Apply(c)
	if err != nil {
		return debug.State{}, err
	}
	what := slowpath.Debug{Rules: after.Rules()}
	if len(what.Rules) > 0 {
		what.Take = b.take
	}
	if !d.gw.Do(func(now time.Time, core *gateway.Core) { core.Router().At(now).Debug(what) }) {
		return debug.State{}, fmt.Errorf("debug: %w", errStopping)
	}
	b.mu.Lock()
	b.set = after
	b.mu.Unlock()
	if what.Take == nil {
		b.forget()
	}
	return b.state(), nil
}
