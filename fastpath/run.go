package fastpath

import (
	"cmp"
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/internal/pin"
)

// RunConfig says how Run polls.
type RunConfig struct {
	// Adaptive sleeps while there is nothing to do; otherwise Run spins for ever (`poll adaptive`, `poll strict`).
	Adaptive bool
	Pin      bool // tie the worker's thread to CPU
	CPU      int  // counted from 0

	longest time.Duration // a sleep, as a test wants it that must see who is woken; default maxSleep
}

const (
	// spinFor is how long an adaptive worker looks for more after the last packet before it sleeps.
	spinFor = 50 * time.Microsecond
	// maxSleep bounds one sleep. Nothing depends on it but ports without a descriptor, or with frames pending, which use shortSleep.
	maxSleep   = time.Second
	shortSleep = time.Millisecond
)

// Run polls until ctx ends. A goroutine that is locked to its thread is stalled by a busy Go program around it; so Pin is
// for a process of its own, or for measuring.
func (w *Worker) Run(ctx context.Context, cfg RunConfig) error {
	if cfg.Pin {
		undo, err := pin.Thread(cfg.CPU)
		if err != nil {
			return err
		}
		defer undo()
	}
	if _, err := w.wake.open(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, w.wake.kick)()
	longest := cmp.Or(cfg.longest, maxSleep)
	idleSince := int64(0)
	for ctx.Err() == nil && !w.closed.Load() {
		now := w.e.Now()
		switch {
		case w.Poll(now) > 0:
			idleSince = 0
		case !cfg.Adaptive:
			runtime.Gosched()
		case idleSince == 0:
			idleSince = now
		case now-idleSince > int64(spinFor):
			if err := w.sleep(longest); err != nil {
				return err // and if there was nothing after all, it sleeps again at once
			}
		default:
			runtime.Gosched()
		}
		w.sweepTransforms()
	}
	return nil
}

// sleep waits for a frame on a port, an injected packet, a port that comes or goes, or the end; no longer than limit. The worker is offline for the tables already: Poll left them.
func (w *Worker) sleep(limit time.Duration) error {
	w.mu.Lock()
	if w.closed.Load() || !w.down.Arm() {
		w.mu.Unlock()
		return nil
	}
	if !w.armHanded() {
		w.down.Disarm()
		w.mu.Unlock()
		return nil
	}
	fds := append(w.pollFDs[:0], unix.PollFd{})
	for _, q := range w.queues {
		if q.relayed {
			continue
		}
		if fd := q.p.FD(); fd >= 0 {
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		} else {
			limit = shortSleep
		}
		if q.pend != nil && q.pend.Pending() {
			limit = shortSleep // to flush it again
		}
	}
	w.pollFDs = fds
	w.mu.Unlock()
	err := w.wake.wait(fds, limit)
	w.mu.Lock()
	if !w.closed.Load() {
		w.down.Disarm()
		w.disarmHanded()
	}
	w.mu.Unlock()
	return err
}
