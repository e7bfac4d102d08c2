package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"nave/ctl/api"
	"nave/ctl/capture"
	"nave/ctl/gateway"
	"nave/fastpath"
)

// How a capture is run: the rings of the workers are emptied every captureDrain, pieces go to the client at that pace, and the workers are told to go on every captureRenew, for
// captureLease. What a piece holds is bounded, so that a busy box makes no large ones.
const (
	captureDrain = 5 * time.Millisecond
	captureRenew = 500 * time.Millisecond
	captureLease = 3 * time.Second
	capturePiece = 1024 // copies
)

// capturing says who captures: there is one at a time.
type capturing struct {
	mu   sync.Mutex
	what string // empty: nobody
	by   *api.Caller
	stop context.CancelFunc
}

// begin is for a capture that stop ends. end must be called when it has ended.
func (c *capturing) begin(what string, who *api.Caller, stop context.CancelFunc) (end func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.what != "" {
		return nil, fmt.Errorf("%w: %s, by %s (process %d)", fastpath.ErrCapturing, c.what, c.by.Name, c.by.PID)
	}
	c.what, c.by, c.stop = what, who, stop
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.what, c.by, c.stop = "", nil, nil
	}, nil
}

// EndCapture implements api.Capturer.
func (d *Daemon) EndCapture(who *api.Caller) {
	c := &d.captures
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.what != "" && c.by.PID == who.PID && c.by.UID == who.UID {
		c.stop()
	}
}

// Capture implements api.Capturer.
func (d *Daemon) Capture(ctx context.Context, who *api.Caller, r capture.Request, f func(capture.Event) error) error {
	if err := r.Complete(); err != nil {
		return err
	}
	q, err := r.Worker()
	if err != nil {
		return err
	}
	names, ok := d.gw.CaptureNames()
	if !ok {
		return errStopping
	}
	if err := gateway.CaptureOn(&q, &names, r.Interface); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	end, err := d.captures.begin(r.String(), who, stop)
	if err != nil {
		return err
	}
	defer end()
	q.Until = d.gw.Ticks() + int64(captureLease)
	c, err := d.gw.Capture(q)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := f(capture.Event{Begin: &r}); err != nil {
		return err
	}
	renewing, over := context.WithCancel(context.WithoutCancel(ctx))
	defer over()
	go d.renew(renewing, c)
	return d.collect(ctx, c, capture.NewSession(r, names, time.Now(), gateway.Version), f)
}

// renew lets the workers go on as long as ctx does, also while the client is slow: what it is too slow for is lost and counted.
func (d *Daemon) renew(ctx context.Context, c *fastpath.Capture) {
	tick := time.NewTicker(captureRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.Renew(d.gw.Ticks() + int64(captureLease))
		}
	}
}

// collect hands on what the workers have copied, until the capture is over.
func (d *Daemon) collect(ctx context.Context, c *fastpath.Capture, s *capture.Session, f func(capture.Event) error) error {
	tick := time.NewTicker(captureDrain)
	defer tick.Stop()
	renamed := time.Now()
	for last := false; ; {
		now := time.Now()
		if over := s.Over(now); over || ctx.Err() != nil {
			last = true
		}
		n, err := d.drain(c, s, now)
		if err == nil {
			err = hand(s, f)
		}
		if err != nil {
			return err
		}
		if n == capturePiece && !last && !s.Over(now) {
			continue // there is more
		}
		if last || s.Over(now) {
			sum, err := s.End(now, c.Lost())
			if err == nil {
				err = hand(s, f)
			}
			if err != nil {
				return err
			}
			return f(capture.Event{Done: &sum})
		}
		if now.Sub(renamed) > time.Second {
			renamed = now
			if names, ok := d.gw.CaptureNames(); ok {
				s.Rename(names)
			} else {
				last = true
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// drain takes a piece of what the workers have copied, and returns how many copies it is.
func (d *Daemon) drain(c *fastpath.Capture, s *capture.Session, now time.Time) (n int, err error) {
	ticks := d.gw.Ticks()
	c.Drain(func(p *fastpath.Captured) bool {
		n++
		more, e := s.Add(p, now.Add(-time.Duration(ticks-p.Time)))
		err = errors.Join(err, e)
		return more && e == nil && n < capturePiece
	})
	return n, err
}

// hand hands on what the session has.
func hand(s *capture.Session, f func(capture.Event) error) error {
	packets, piece, err := s.Take()
	if err != nil || len(packets)+len(piece) == 0 {
		return err
	}
	return f(capture.Event{Packets: packets, File: piece})
}
