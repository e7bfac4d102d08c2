package logs

import (
	"context"
	"errors"

	"nave/ctl/logs/message"
)

// ErrClosed says that the log has ended.
var ErrClosed = errors.New("logs: the log has ended")

// watcher is who follows the log.
type watcher struct {
	level   Level
	queue   chan message.Line
	leftOut int
}

// watchLength is how many messages may wait for a watcher.
const watchLength = 256

// Follow calls f with each message of a severity up to that one, from now on, until ctx ends (it returns nil) or the log does (ErrClosed). What f is too slow
// for is left out, and counted in the next line. `logging monitor` bounds what is told at all.
func (l *Log) Follow(ctx context.Context, severity int, f func(message.Line)) error {
	w := &watcher{level: UpTo(message.Severity(min(max(severity, 0), int(message.Debugging)))), queue: make(chan message.Line, watchLength)}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.watchers[w] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.watchers, w)
		l.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, ok := <-w.queue:
			if !ok {
				return ErrClosed
			}
			f(line)
		}
	}
}

// show hands a message to those who follow. Log.mu is held.
func (l *Log) show(r *record) {
	for w := range l.watchers {
		if !w.level.takes(r.severity) {
			continue
		}
		line := r.line()
		line.LeftOut = w.leftOut
		select {
		case w.queue <- line:
			w.leftOut = 0
			l.watched++
		default:
			w.leftOut++
			l.unseen++
		}
	}
}
