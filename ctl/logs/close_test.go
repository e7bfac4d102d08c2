package logs

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nave/ctl/logs/message"
)

// However many destinations take nothing, the log ends when its patience does.
func TestCloseStuck(t *testing.T) {
	open := make(chan struct{})
	defer close(open)
	l := New(Options{Console: io.Discard})
	var stucks []*stuck
	l.mu.Lock()
	for range 3 {
		out := &stuck{entered: make(chan struct{}), open: open}
		s := &sink{kind: message.Console, level: UpTo(message.Debugging), to: newLines(out)}
		l.start(s)
		l.sinks, stucks = append(l.sinks, s), append(stucks, out)
	}
	l.mu.Unlock()
	l.take(newRecord(time.Now(), message.Error, "x", nil, false))
	for _, s := range stucks {
		<-s.entered
	}
	ended := make(chan struct{})
	go func() {
		l.Close(10 * time.Millisecond)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the log does not end")
	}
}

// What waits for a file that is configured no more is written before the log ends.
func TestCloseLeaving(t *testing.T) {
	l := New(Options{Console: io.Discard})
	path := filepath.Join(t.TempDir(), "x.log")
	s := DefaultSettings()
	s.Path = path
	l.Configure(s)
	const many = 500
	for range many {
		l.take(newRecord(time.Now(), message.Error, "x", nil, false))
	}
	l.Configure(DefaultSettings())
	l.Close(30 * time.Second)
	b, err := os.ReadFile(path)
	if n := strings.Count(string(b), "\n"); err != nil || n != many {
		t.Errorf("%d lines of %d: %v", n, many, err)
	}
}
