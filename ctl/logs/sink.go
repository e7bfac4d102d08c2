package logs

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"nave/ctl/logs/message"
)

// queueLength is how many messages may wait for a destination.
const queueLength = 1024

// destination writes messages. Only the goroutine of its sink calls it. leftOut is how many messages before this one it was too slow for.
type destination interface {
	write(r *record, leftOut int) error
	io.Closer
}

// reopener is a destination that can be begun anew, as when a file was renamed.
type reopener interface{ reopen() }

// sink is a destination with what waits for it. Log.mu guards what has no guard of its own.
type sink struct {
	kind  message.Kind
	name  string // for people: a path, an address
	key   string // what it is, all that it is configured by: what has the same is the same
	level Level
	to    destination

	queue   chan item
	done    chan struct{} // closed when all is written
	leftOut int           // since the last that found room
	dropped uint64        // for want of room, in all
	again   atomic.Bool   // the destination is to be opened anew

	written, failed atomic.Uint64
	trouble         atomic.Pointer[string] // why messages can't be written now
	lastFailed      time.Time              // the sink's goroutine has it
}

type item struct {
	r       *record
	leftOut int
}

// start begins to write what comes to a sink.
func (l *Log) start(s *sink) {
	s.queue, s.done = make(chan item, queueLength), make(chan struct{})
	go l.drain(s)
}

// offer hands a message over, or counts it where there is no room. Log.mu is held.
func (s *sink) offer(r *record) {
	select {
	case s.queue <- item{r, s.leftOut}:
		s.leftOut = 0
	default:
		s.leftOut++
		s.dropped++
	}
}

// drain writes what comes, until the queue is closed.
func (l *Log) drain(s *sink) {
	defer close(s.done)
	defer s.to.Close()
	for i := range s.queue {
		if s.again.CompareAndSwap(true, false) {
			if r, ok := s.to.(reopener); ok {
				r.reopen()
			}
		}
		err := s.to.write(i.r, i.leftOut)
		if err == nil {
			s.written.Add(1)
		} else {
			s.failed.Add(1)
		}
		l.report(s, err)
	}
}

// settle is how long a destination that failed has to take messages until it counts as well again: a server that is not there refuses some datagrams and not all.
const settle = 10 * time.Second

// report tells when a destination begins to fail and when it goes on. What is said of it comes here again by the same queue, and is not told twice.
func (l *Log) report(s *sink, err error) {
	was, now := s.trouble.Load(), time.Now()
	if err != nil {
		s.lastFailed = now
	}
	switch {
	case err != nil && was == nil:
		text := err.Error()
		s.trouble.Store(&text)
	case err == nil && was != nil && now.Sub(s.lastFailed) >= settle:
		s.trouble.Store(nil)
	default:
		return
	}
	if l.options.Trouble != nil {
		text, severity := l.options.Trouble(message.Trouble{Kind: s.kind, Name: s.name, Err: err})
		l.take(newRecord(now, severity, text, []message.Field{{Name: "destination", Value: string(s.kind)}}, false))
	}
}

// end waits until all that a sink has is written, or until ctx ends.
func (s *sink) end(ctx context.Context) {
	select {
	case <-s.done:
	case <-ctx.Done():
	}
}

// over tells whether all that a sink had is written.
func (s *sink) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}
