package logs

import (
	"context"
	"errors"
	"testing"
	"time"

	"nave/ctl/logs/message"
)

// follow follows a log, and returns where the lines come; end ends it and returns what Follow did.
func follow(t *testing.T, l *Log, severity int, f func(message.Line)) (end func() error) {
	t.Helper()
	before := l.Status().Watchers
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Follow(ctx, severity, f) }()
	soon(t, "somebody follows", func() bool { return l.Status().Watchers > before })
	return func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("Follow does not end")
			return nil
		}
	}
}

func TestFollow(t *testing.T) {
	l, log, _ := newLog(t, func(s *Settings) { s.Log.Numbering = true })
	lines := make(chan message.Line, 10)
	end := follow(t, l, 5, func(l message.Line) { lines <- l })
	log.Info("%A-6-B: too mild")
	say(log, message.Notice, "%A-5-B: heard")
	got := <-lines
	if got.Text != "%A-5-B: heard" || got.Severity != 5 || got.LeftOut != 0 || got.Number != 2 || got.Stamped[:8] != "000002: " {
		t.Errorf("%+v", got)
	}
	if err := end(); err != nil {
		t.Errorf("ended by who follows: %v", err)
	}
	if n := l.Status().Watchers; n != 0 {
		t.Errorf("%d follow after the end", n)
	}
}

// Who is slow misses lines, and is told how many; nobody waits for it.
func TestSlowFollower(t *testing.T) {
	l, log, _ := newLog(t, nil)
	entered, open := make(chan struct{}), make(chan struct{})
	lines := make(chan message.Line, 2*watchLength)
	first := true
	end := follow(t, l, 7, func(l message.Line) {
		if first {
			first = false
			close(entered)
			<-open
		}
		lines <- l
	})
	log.Info("%A-6-B: first")
	<-entered
	for range watchLength + 30 {
		log.Info("%A-6-B: x")
	}
	close(open)
	for range watchLength + 1 {
		if l := <-lines; l.LeftOut != 0 {
			t.Fatalf("%+v", l)
		}
	}
	log.Info("%A-6-B: last")
	if got := <-lines; got.LeftOut != 30 || got.Text != "%A-6-B: last" {
		t.Errorf("%+v", got)
	}
	if d := l.Status().Destinations[1]; d.Dropped != 30 {
		t.Errorf("%+v", d)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// When the log ends whoever follows is told.
func TestFollowToTheEnd(t *testing.T) {
	l, _, _ := newLog(t, nil)
	end := follow(t, l, 7, func(message.Line) {})
	l.Close(10 * time.Second)
	if err := end(); err != nil && !errors.Is(err, ErrClosed) { // nil where end was faster
		t.Error(err)
	}
	if err := l.Follow(context.Background(), 7, func(message.Line) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
