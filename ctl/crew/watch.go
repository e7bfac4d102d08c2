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

// pause is how long to wait before a worker is started again: not at all, unless it died young.
func (c *Crew) pause(i int) time.Duration {
	m := c.members[i]
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lacking != "" || time.Since(m.boot.Started) > adultAge {
		return 0
	}
	return firstPause
}

// Renew replaces the workers that were taken over and are not as they are to be: of another build, on another CPU. One after the other, so that the others forward meanwhile. It
// returns when all are replaced, or can't be, or ctx ends.
func (c *Crew) Renew(ctx context.Context) {
	for i, m := range c.members {
		m.mu.Lock()
		why, p, l := m.lacking, m.proc, m.link
		m.mu.Unlock()
		if why == "" || p == nil || ctx.Err() != nil {
			continue
		}
		c.cfg.Log.Info("a worker is replaced", "worker", i, "pid", p.pid, "why", why)
		if _, err := l.ask(request{Op: opStop}, closePatience); err != nil {
			p.kill(unix.SIGKILL)
		}
		for late := deadline(c.cfg.Patience); time.Now().Before(late) && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			m.mu.Lock()
			done := m.lacking == "" && m.proc != nil && m.proc != p
			m.mu.Unlock()
			if done {
				break
			}
		}
	}
}
