package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/ctl/logs/message"
)

// screen is a console for tests.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// soon waits until something holds.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

// newLog is a log with a console for tests, by settings that change amends.
func newLog(t *testing.T, change func(*Settings)) (*Log, *slog.Logger, *screen) {
	t.Helper()
	out := &screen{}
	l := New(Options{Console: out, Started: time.Now(), Trouble: words})
	t.Cleanup(func() { l.Close(10 * time.Second) })
	if change != nil {
		s := DefaultSettings()
		change(&s)
		l.Configure(s)
	}
	return l, slog.New(l.Handler()), out
}

// words says of a destination what there is to say.
func words(t message.Trouble) (string, message.Severity) {
	if t.Err == nil {
		return fmt.Sprintf("%%NAVE-5-LOG_RESTORED: %s %s", t.Kind, t.Name), message.Notice
	}
	return fmt.Sprintf("%%NAVE-3-LOG_FAILED: %s %s: %v", t.Kind, t.Name, t.Err), message.Error
}

func say(l *slog.Logger, s message.Severity, text string, attrs ...slog.Attr) {
	l.LogAttrs(context.Background(), LevelOf(s), text, attrs...)
}

// Each severity stays what it is through log/slog's levels.
func TestSeveritiesAreKept(t *testing.T) {
	for s := message.Emergency; s <= message.Debugging; s++ {
		if got := SeverityOf(LevelOf(s)); got != s {
			t.Errorf("%s is %s after its level", s, got)
		}
	}
	for level, want := range map[slog.Level]message.Severity{
		slog.LevelDebug: message.Debugging, slog.LevelInfo: message.Informational, slog.LevelWarn: message.Warning, slog.LevelError: message.Error, 100: message.Emergency, -100: message.Debugging,
		1: message.Informational, 3: message.Notice,
	} {
		if got := SeverityOf(level); got != want {
			t.Errorf("level %d: %s, want %s", level, got, want)
		}
	}
}

// What has a name keeps it, what has none gets one, and what an operator debugs has none.
func TestText(t *testing.T) {
	l, log, out := newLog(t, nil)
	say(log, message.Notice, "%DMVPN-5-NHRP_NHS: Tunnel0 10.0.0.1 is UP", slog.String("interface", "Tunnel0"), slog.Any("address", netip.MustParseAddr("10.0.0.1")))
	log.With("worker", 1).WithGroup("of").Error("crew: does not come back", "error", errors.New("no such thing"), slog.Group("by", "pid", 7))
	log.Info("naved runs", "config", "/etc/nave/nave.cfg")
	log.Warn("100% of it")
	say(log, message.Debugging, "NHRP: Receive Registration Request via Tunnel0")
	log.Debug("not for operators")
	l.Close(10 * time.Second)
	var texts []string
	for _, line := range l.Status().Lines {
		texts = append(texts, line.Text)
	}
	want := []string{
		"%DMVPN-5-NHRP_NHS: Tunnel0 10.0.0.1 is UP",
		"%CREW-3-MSG: does not come back (worker=1, of.error=no such thing, of.by.pid=7)",
		"%NAVE-6-MSG: naved runs (config=/etc/nave/nave.cfg)",
		"%NAVE-4-MSG: 100% of it",
		"NHRP: Receive Registration Request via Tunnel0",
	}
	if strings.Join(texts, "\n") != strings.Join(want, "\n") {
		t.Errorf("remembered\n%s\nwant\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"))
	}
	for _, want := range []string{
		`level=NOTICE msg="%DMVPN-5-NHRP_NHS: Tunnel0 10.0.0.1 is UP" interface=Tunnel0 address=10.0.0.1`,
		`level=ERROR msg="crew: does not come back" worker=1 of.error="no such thing" of.by.pid=7`, "level=INFO msg=\"naved runs\"", `level=DEBUG msg="NHRP: `,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("on the console:\n%s\nwant %s", out.String(), want)
		}
	}
}

// With Debug what is for whoever works on nave is taken, too.
func TestDebug(t *testing.T) {
	out := &screen{}
	l := New(Options{Console: out, Debug: true})
	slog.New(l.Handler()).Debug("bgp: connect", "vrf", "red")
	l.Close(10 * time.Second)
	if !strings.Contains(out.String(), `level=DEBUG msg="bgp: connect" vrf=red`) || l.Status().Lines[0].Text != "%BGP-7-MSG: connect (vrf=red)" {
		t.Errorf("%s%+v", out.String(), l.Status().Lines)
	}
}

// Each destination takes what its level lets through.
func TestLevels(t *testing.T) {
	l, log, out := newLog(t, func(s *Settings) { s.Console, s.Buffer, s.Monitor = UpTo(message.Error), UpTo(message.Notice), Off })
	for s := message.Emergency; s <= message.Debugging; s++ {
		say(log, s, fmt.Sprintf("%%A-%d-B: x", s))
	}
	l.Close(10 * time.Second)
	if n := strings.Count(out.String(), "\n"); n != 4 {
		t.Errorf("%d lines on the console, want 4", n)
	}
	st := l.Status()
	if len(st.Lines) != 6 || st.Messages != 8 {
		t.Errorf("%d lines in memory of %d, want 6 of 8", len(st.Lines), st.Messages)
	}
	if d := st.Destinations[1]; d.Kind != message.Monitor || d.On {
		t.Errorf("%+v", d)
	}
	if d := st.Destinations[0]; d.Kind != message.Console || !d.On || d.Severity != 3 || d.Written != 4 {
		t.Errorf("%+v", d)
	}
}

// With `no logging on` only the console has messages.
func TestOff(t *testing.T) {
	l, log, out := newLog(t, func(s *Settings) { s.Off = true })
	log.Info("x")
	l.Close(10 * time.Second)
	if st := l.Status(); len(st.Lines) != 0 || st.On || !strings.Contains(out.String(), "msg=x") {
		t.Errorf("%+v\n%s", st, out.String())
	}
}

// stuck is a writer that waits until it is let go.
type stuck struct {
	screen
	entered, open chan struct{}
	once          sync.Once
}

func (s *stuck) Write(b []byte) (int, error) {
	s.once.Do(func() { close(s.entered) })
	<-s.open
	return s.screen.Write(b)
}

// A console that takes nothing delays nobody: what finds its queue full is left out, and counted.
func TestStuckDestination(t *testing.T) {
	out := &stuck{entered: make(chan struct{}), open: make(chan struct{})}
	l := New(Options{Console: out})
	log := slog.New(l.Handler())
	log.Info("first")
	<-out.entered
	const more = queueLength + 50
	for range more {
		log.Info("x")
	}
	st := l.Status()
	if d := st.Destinations[0]; d.Dropped != 50 || d.Waiting != queueLength || st.Dropped != 50 || len(st.Lines) == 0 {
		t.Errorf("%d dropped, %d wait", d.Dropped, d.Waiting)
	}
	close(out.open)
	soon(t, "the queue is written", func() bool { return l.Status().Destinations[0].Waiting == 0 })
	log.Info("last")
	l.Close(10 * time.Second)
	if !strings.Contains(out.String(), "msg=last left_out=50") {
		t.Errorf("what was left out is not told: %s", out.String()[max(0, len(out.String())-200):])
	}
}

// Close does not wait longer than it is told to.
func TestCloseOfStuck(t *testing.T) {
	out := &stuck{entered: make(chan struct{}), open: make(chan struct{})}
	defer close(out.open)
	l := New(Options{Console: out})
	slog.New(l.Handler()).Info("x")
	<-out.entered
	done := make(chan struct{})
	go func() { l.Close(10 * time.Millisecond); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("Close waits")
	}
	l.Close(time.Hour) // once more does nothing
	slog.New(l.Handler()).Info("after the end")
	l.Configure(DefaultSettings())
}

// Memory forgets the oldest.
func TestBuffer(t *testing.T) {
	l, log, _ := newLog(t, func(s *Settings) { s.BufferBytes = 4096; s.Log = message.Stamp{Form: message.NoStamp} })
	for k := range 1000 {
		log.Info(fmt.Sprintf("%%A-6-B: %04d", k)) // 12 bytes and the end of the line
	}
	st := l.Status()
	if len(st.Lines) != 4096/13 || st.Forgotten != uint64(1000-len(st.Lines)) || st.Lines[len(st.Lines)-1].Text != "%A-6-B: 0999" {
		t.Errorf("%d lines, %d forgotten, the last %+v", len(st.Lines), st.Forgotten, st.Lines[len(st.Lines)-1])
	}
	s := DefaultSettings()
	s.BufferBytes = 130
	l.Configure(s)
	if n := len(l.Status().Lines); n != 10 {
		t.Errorf("%d lines after there is room for 10", n)
	}
	l.Clear()
	log.Info("%A-6-C: one")
	if st := l.Status(); len(st.Lines) != 1 || st.Lines[0].Number != 1001 {
		t.Errorf("after Clear: %+v", st.Lines)
	}
}

// Messages are counted by name.
func TestCounts(t *testing.T) {
	l, log, _ := newLog(t, nil)
	for range 3 {
		say(log, message.Notice, "%DMVPN-5-NHRP_CACHE: x")
	}
	say(log, message.Warning, "%MLSCEF-SP-4-FIB_EXCEPTION_THRESHOLD: y")
	say(log, message.Debugging, "what is debugged: no name")
	got := l.Status().Counts
	if len(got) != 2 || got[0].Facility != "DMVPN" || got[0].Mnemonic != "NHRP_CACHE" || got[0].Times != 3 || got[0].Severity != 5 || got[1].Facility != "MLSCEF-SP" || got[1].Times != 1 || got[0].Stamp == "" {
		t.Errorf("%+v", got)
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][2]string{
		"%DMVPN-5-NHRP_CACHE: Client": {"DMVPN", "NHRP_CACHE"}, "%MLSCEF-SP-7-FIB_EXCEPTION: x": {"MLSCEF-SP", "FIB_EXCEPTION"},
		"": {}, "%": {}, "%:": {}, "% Invalid input: x": {}, "%A-B: x": {}, "%-5-X: x": {}, "NHRP: x": {}, "%DMVPN-5-X": {}, "%A-5-: x": {"A", ""},
	} {
		if f, m := split(text); f != want[0] || m != want[1] {
			t.Errorf("%q: %q, %q", text, f, m)
		}
	}
}

// Many goroutines say things while the settings change: nothing is lost from the counts, and the race detector has nothing to say.
func TestTogether(t *testing.T) {
	l, log, _ := newLog(t, nil)
	var hosts []netip.AddrPort
	for range 3 {
		c, _ := listen(t, "udp", "127.0.0.1:0") // nobody reads, and what finds no room is gone
		hosts = append(hosts, server(c))
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				log.Info("x", "y", 1)
			}
		})
	}
	all.Go(func() {
		for k := range 50 {
			s := DefaultSettings()
			s.Hosts = hosts[k%3 : k%3+1]
			s.Path = t.TempDir() + "/x.log"
			l.Configure(s)
			_ = l.Status()
			l.Reopen()
		}
	})
	all.Wait()
	if n := l.Status().Counts; len(n) != 1 || n[0].Times != 800 {
		t.Errorf("%+v", n)
	}
	l.Close(20 * time.Second) // what writes into the folders ends before they are removed
}

var _ io.Writer = (*stuck)(nil)
