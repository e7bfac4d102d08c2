package crew

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// A worker polls once a second at least. One that has not for so long is taken for hung.
const (
	lookEvery = time.Second
	hungLooks = 10
)

// watchPolls sends once if a worker stops polling, and ends with its connection.
func (c *Crew) watchPolls(i int, down <-chan struct{}) <-chan struct{} {
	hung := make(chan struct{}, 1)
	c.running.Go(func() {
		t := time.NewTicker(c.cfg.look)
		defer t.Stop()
		last, looks := c.engine.Polls(i), 0
		for {
			select {
			case <-down:
				return
			case <-c.done:
				return
			case <-t.C: // and not time that passes: this process may have been asleep, too
			}
			if n := c.engine.Polls(i); n != last {
				last, looks = n, 0
				continue
			}
			if looks++; looks == hungLooks {
				hung <- struct{}{}
				return
			}
		}
	})
	return hung
}

// Renew replaces the workers that were taken over and are not as they are to be: of another build, on another CPU. One after the other, so that the others forward meanwhile; if one
// does not come back, those after it go on as they are. It returns when it is done, or ctx ends.
func (c *Crew) Renew(ctx context.Context) {
	for i, m := range c.members {
		m.mu.Lock()
		why, p, l, restarts := m.lacking, m.proc, m.link, m.restarts
		m.mu.Unlock()
		if why == "" || p == nil || ctx.Err() != nil {
			continue
		}
		c.cfg.Log.Info("a worker is replaced", "worker", i, "pid", p.pid, "why", why)
		if err := l.askStop(); err != nil {
			p.kill(unix.SIGKILL)
		}
		if !m.isBack(ctx, restarts) {
			if ctx.Err() == nil {
				c.cfg.Log.Error("a worker that was replaced does not come back, so the others stay as they are: restart naved when what its log says is mended", "worker", i)
			}
			return
		}
	}
}

// isBack waits for a process that has its ports, after so many restarts.
func (m *member) isBack(ctx context.Context, restarts int) bool {
	for late := deadline(m.crew.cfg.Patience + closePatience); ; {
		m.mu.Lock()
		back := m.restarts > restarts && m.proc != nil
		m.mu.Unlock()
		if back || time.Now().After(late) {
			return back
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}
