package shell

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"nave/ctl/api"
	"nave/ctl/show"
)

// again is how long the monitor waits before it asks a daemon again that has gone.
const again = 2 * time.Second

// monitor shows the log while other things are done.
type monitor struct {
	log  Follower
	show func(text string) // any goroutine may call it

	mu       sync.Mutex
	end      context.CancelFunc // nil: it is off
	severity int
	ended    chan struct{}
}

// start shows lines up to a severity from now on.
func (m *monitor) start(severity int) error {
	if m.log == nil {
		return errors.New("there is no log here that could be shown")
	}
	m.stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, end := context.WithCancel(context.Background())
	m.end, m.severity, m.ended = end, severity, make(chan struct{})
	go m.follow(ctx, severity, m.ended)
	return nil
}

// follow is the goroutine of the monitor. A daemon that has gone is asked again: it may be restarted.
func (m *monitor) follow(ctx context.Context, severity int, ended chan struct{}) {
	defer close(ended)
	told := false
	for {
		err := m.log.Follow(ctx, severity, func(l api.LogLine) {
			told = false
			text := l.Stamped
			if text == "" {
				text = l.Text
			}
			m.show(show.ShellLog(text, l.LeftOut))
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil && !told {
			told = true
			m.show(show.ShellError(fmt.Errorf("terminal monitor: %w", err)))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// stop shows no more.
func (m *monitor) stop() {
	m.mu.Lock()
	end, ended := m.end, m.ended
	m.end = nil
	m.mu.Unlock()
	if end != nil {
		end()
		<-ended
	}
}

// now tells whether it is on, and up to which severity.
func (m *monitor) now() (on bool, severity int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.end != nil, m.severity
}
