package api

import (
	"context"
	"net/http"
	"time"
)

// What who may only look asks of the control plane comes one by one, and it rests after each answer for restShare times what that took, so that all of them together have no more
// than a quarter of it. No rest is longer than longestRest.
const (
	restShare   = 3
	longestRest = 3 * time.Second
)

// pace has what takes time of the control plane done in turn. Any goroutine may call it.
type pace struct {
	turn chan struct{} // full while it is somebody's turn
	free time.Time     // when the next one may be served; whose turn it is has it
}

func newPace() *pace { return &pace{turn: make(chan struct{}, 1)} }

// do calls f when it is time, and tells whether it did: ctx may end before.
func (p *pace) do(ctx context.Context, f func()) bool {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-p.turn }()
	if wait := time.Until(p.free); wait > 0 {
		t := time.NewTimer(min(wait, longestRest))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return false
		}
	}
	begin := time.Now()
	defer func() { p.free = time.Now().Add(min(restShare*time.Since(begin), longestRest)) }()
	f()
	return true
}

// look has f ask the control plane for an answer, in turn if who asks may only look. It is false where the client has gone meanwhile.
func (s *Server) look(r *http.Request, f func()) bool {
	if CallerOf(r.Context()).Change {
		f()
		return true
	}
	return s.pace.do(r.Context(), f)
}
