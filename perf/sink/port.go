package sink

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/port"
	"nave/perf/mix"
)

// Receiver takes packets off a link and counts them. Run receives until the context ends, which is no error; drivers that count in the kernel do
// so whether anybody runs them or not. Report and Reset may be called meanwhile.
type Receiver interface {
	Run(ctx context.Context) error
	Report() (Report, error)
	Reset() error
	Close() error
}

// Port receives by a port.Port, whose frames live in a pool that nobody else uses.
type Port struct {
	p      port.Port
	pool   *port.Pool
	before func() error

	mu    sync.Mutex
	tally Tally
}

// NewPort makes a receiver. before is called by Close, before the port's own; nil for none.
func NewPort(p port.Port, pool *port.Pool, before func() error) *Port {
	return &Port{p: p, pool: pool, before: before}
}

// Run implements Receiver.
func (s *Port) Run(ctx context.Context) error {
	var fs [256]port.Frame
	idle := 0
	for ctx.Err() == nil {
		n := s.p.Recv(fs[:])
		if n == 0 {
			if idle++; idle < 100 {
				runtime.Gosched()
			} else if err := wait(s.p.FD()); err != nil {
				return err
			}
			continue
		}
		idle = 0
		now := mix.Now()
		s.mu.Lock()
		for _, f := range fs[:n] {
			s.tally.Frame(s.pool.Bytes(f), now)
			s.pool.Put(f.Chunk)
		}
		s.mu.Unlock()
	}
	return nil
}

// wait sleeps until fd is readable, or a little while.
func wait(fd int) error {
	if fd < 0 {
		time.Sleep(50 * time.Microsecond)
		return nil
	}
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

// Report implements Receiver.
func (s *Port) Report() (Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tally.Report(), nil
}

// Reset implements Receiver.
func (s *Port) Reset() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.Reset()
	return nil
}

// Close closes the port.
func (s *Port) Close() error {
	var err error
	if s.before != nil {
		err = s.before()
	}
	return errors.Join(err, s.p.Close())
}
