package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"nave/ctl/logs"
	"nave/ctl/logs/message"
)

// journal is a Logs of a log.
type journal struct {
	*logs.Log
	status *message.Status // in place of the log's
}

func (j *journal) LogStatus() message.Status {
	if j.status != nil {
		return *j.status
	}
	return j.Status()
}

func (j *journal) ClearLog() error { j.Clear(); return nil }

// serveLog serves a log.
func serveLog(t *testing.T) (*journal, *Client, *Server) {
	t.Helper()
	j := &journal{Log: logs.New(logs.Options{Console: io.Discard})}
	t.Cleanup(func() { j.Close(10 * time.Second) })
	socket := filepath.Join(t.TempDir(), "nave.sock")
	s, err := Serve(socket, Services{Box: &box{}, Logs: j})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return j, NewClient(socket), s
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

// What is followed is all of each line, from when it is said.
func TestFollow(t *testing.T) {
	j, c, _ := serveLog(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lines, done := make(chan LogLine, 10), make(chan error, 1)
	go func() { done <- c.Follow(ctx, 5, func(l LogLine) { lines <- l }) }()
	until(t, "somebody follows", func() bool { return j.Status().Watchers == 1 })
	log := slog.New(j.Handler())
	log.Info("too mild")
	log.Error("%A-3-B: x", "peer", "192.0.2.1")
	got := <-lines
	want := j.Status().Lines[1]
	if !got.Time.Equal(want.Time) {
		t.Errorf("said at %v, want %v", got.Time, want.Time)
	}
	if got.Time = want.Time; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended by who follows: %v", err)
	}
	until(t, "nobody follows any more", func() bool { return j.Status().Watchers == 0 })
}

// A reader that reads nothing delays nobody, and is told afterwards how much it has missed.
func TestFollowSlowly(t *testing.T) {
	j, c, _ := serveLog(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	open, leftOut, done := make(chan struct{}), make(chan int, 1), make(chan error, 1)
	go func() {
		done <- c.Follow(ctx, 7, func(l LogLine) {
			<-open
			if l.LeftOut > 0 {
				select {
				case leftOut <- l.LeftOut:
				default:
				}
			}
		})
	}()
	until(t, "somebody follows", func() bool { return j.Status().Watchers == 1 })
	log, text := slog.New(j.Handler()), strings.Repeat("x", 4000)
	until(t, "lines are left out", func() bool {
		for range 100 {
			log.Info(text)
		}
		return j.Status().Destinations[1].Dropped > 0
	})
	close(open)
	until(t, "it is told", func() bool {
		log.Info("more")
		select {
		case n := <-leftOut:
			return n > 0
		default:
			return false
		}
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The end of the daemon is an error for who follows.
func TestFollowToTheEnd(t *testing.T) {
	j, c, s := serveLog(t)
	done := make(chan error, 1)
	go func() { done <- c.Follow(context.Background(), 7, func(LogLine) {}) }()
	until(t, "somebody follows", func() bool { return j.Status().Watchers == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "follow the log") {
		t.Errorf("%v", err)
	}
	if err := c.Follow(context.Background(), 7, func(LogLine) {}); err == nil {
		t.Error("a daemon that is not there is followed")
	}
}

// All that there is to know of a log comes through.
func TestLogStatus(t *testing.T) {
	j, c, _ := serveLog(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	j.status = &message.Status{
		On: true, Messages: 1, RateLimited: 2, Suppressed: 3, Dropped: 4, Rate: 5, DMVPN: true, DMVPNSeconds: 6, Numbered: true, Facility: "f", Format: "rfc5424", Source: "192.0.2.1", Watchers: 7,
		Destinations: []message.Destination{{Kind: message.File, Name: "n", On: true, Severity: 1, Written: 2, Dropped: 3, Failed: 4, Waiting: 5, Trouble: "t"}},
		BufferBytes:  8, Forgotten: 9, Counts: []message.Count{{Facility: "F", Mnemonic: "M", Severity: 1, Times: 2, Last: at, Stamp: "s"}},
		Lines: []message.Line{{Time: at, Severity: 1, Text: "t", Stamped: "s", Number: 2, Fields: []message.Field{{Name: "n", Value: "v"}}, LeftOut: 3}},
	}
	v := reflect.ValueOf(*j.status)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is zero: it is not tested", v.Type().Field(i).Name)
		}
	}
	got, err := c.LogStatus()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, j.status) {
		t.Errorf("%+v\nwant %+v", got, j.status)
	}
}

func TestClearLog(t *testing.T) {
	j, c, _ := serveLog(t)
	slog.New(j.Handler()).Info("x")
	if err := c.ClearLog(); err != nil || len(j.Status().Lines) != 0 {
		t.Errorf("%v, %+v", err, j.Status().Lines)
	}
}

// What is asked for wrongly is refused, and so is all where there is no log.
func TestNoLog(t *testing.T) {
	_, c, _ := serveLog(t)
	for _, severity := range []int{-1, 8} {
		if err := c.Follow(context.Background(), severity, func(LogLine) {}); err == nil || !strings.Contains(err.Error(), "want a number from 0 to 7") {
			t.Errorf("severity %d: %v", severity, err)
		}
	}
	socket, _ := serve(t, &box{})
	if err := NewClient(socket).Follow(context.Background(), 7, func(LogLine) {}); err == nil {
		t.Error("followed without a log")
	}
}

// endless is a log that says something all the time.
type endless struct{ Logs }

func (endless) Follow(ctx context.Context, _ int, f func(LogLine)) error {
	for ctx.Err() == nil {
		f(LogLine{})
	}
	return nil
}

// deaf is a client that takes nothing.
type deaf struct{ http.ResponseWriter }

func (deaf) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Whoever takes nothing of the log is told no more of it, even if the connection stays.
func TestFollowDeaf(t *testing.T) {
	s := &Server{services: Services{Box: &box{}, Logs: endless{}}}
	ended := make(chan struct{})
	go func() {
		s.handler().ServeHTTP(deaf{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/v1/logs/follow?severity=7", nil))
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
}
