package daemon

import (
	"context"
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
	run := &captureRun{gw: d.gw, ends: d.gw.Ticks() + int64(r.Duration)}
	q.Until = run.lease()
	if run.c, err = d.gw.Capture(q); err != nil {
		return err
	}
	defer run.c.Close()
	if err := f(capture.Event{Begin: &r}); err != nil {
		return err
	}
	renewing, over := context.WithCancel(ctx)
	defer over()
	go run.renew(renewing)
	run.s = capture.NewSession(r, names, time.Now(), gateway.Version)
	return run.collect(ctx, f)
}

// captured is what a capture needs of the gateway.
type captured interface {
	Ticks() int64
	CaptureNames() (capture.Names, bool)
}

// captureRun is a capture that runs.
type captureRun struct {
	gw   captured
	c    *fastpath.Capture
	s    *capture.Session
	ends int64 // by Ticks: the workers copy nothing later
}

// lease is until when the workers go on by themselves.
func (r *captureRun) lease() int64 { return min(r.gw.Ticks()+int64(captureLease), r.ends) }

// renew lets the workers go on as long as ctx does, also while the client is slow: what it is too slow for is lost and counted.
func (r *captureRun) renew(ctx context.Context) {
	tick := time.NewTicker(captureRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if ctx.Err() == nil {
				r.c.Renew(r.lease())
			}
		}
	}
}

// collect hands on what the workers have copied, until the capture is over: at one of its bounds, or with ctx. What they had copied by then still comes.
func (r *captureRun) collect(ctx context.Context, f func(capture.Event) error) error {
	tick := time.NewTicker(captureDrain)
	defer tick.Stop()
	renamed := time.Now()
	for last := false; ; {
		now := time.Now()
		if !last && ctx.Err() != nil {
			last = true
			r.c.Renew(0) // no more copies from now on
		}
		more, err := r.drain(now)
		if err == nil {
			err = r.hand(f)
		}
		switch {
		case err != nil:
			return err
		case more:
			continue
		case r.s.Over(now) || last:
			sum, err := r.s.End(now, r.c.Lost())
			if err == nil {
				err = r.hand(f)
			}
			if err != nil {
				return err
			}
			return f(capture.Event{Done: &sum})
		}
		if now.Sub(renamed) > time.Second {
			renamed = now
			names, ok := r.gw.CaptureNames()
			if !ok {
				last = true
				continue
			}
			r.s.Rename(names)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// drain takes a piece of what the workers have copied, and tells whether there may be more that the session takes.
func (r *captureRun) drain(now time.Time) (more bool, err error) {
	ticks, n, takes := r.gw.Ticks(), 0, true
	r.c.Drain(func(p *fastpath.Captured) bool {
		n++
		takes, err = r.s.Add(p, now.Add(-time.Duration(ticks-p.Time)))
		return takes && err == nil && n < capturePiece
	})
	return takes && n == capturePiece, err
}

// hand hands on what the session has.
func (r *captureRun) hand(f func(capture.Event) error) error {
	packets, piece, err := r.s.Take()
	if err != nil || len(packets)+len(piece) == 0 {
		return err
	}
	return f(capture.Event{Packets: packets, File: piece})
}
