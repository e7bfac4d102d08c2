package top

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"nave/ctl/show"
	"nave/fastpath"
)

// box is a Daemon whose only worker takes 500 packets between two looks, which are a second apart.
type box struct {
	mu    sync.Mutex
	looks uint64
	err   error
}

func (b *box) Status() (*show.Status, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, b.err
	}
	b.looks++
	s := &show.Status{Time: time.Unix(int64(b.looks), 0), Hostname: "box"}
	s.Fastpath.Workers = []fastpath.WorkerCount{{Polls: 100 * b.looks, Packets: 500 * b.looks}}
	return s, nil
}

func TestOnce(t *testing.T) {
	var out bytes.Buffer
	if err := Once(context.Background(), &box{}, &out, Options{Interval: MinInterval}); err != nil || !strings.HasPrefix(out.String(), "box ") || !strings.Contains(out.String(), "100.0%        500 ") {
		t.Errorf("%v\n%s", err, out.String())
	}
	out.Reset()
	if err := Once(context.Background(), &box{}, &out, Options{Interval: MinInterval, JSON: true}); err != nil || !strings.Contains(out.String(), `"packets_per_second": 500,`) {
		t.Errorf("%v\n%s", err, out.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Once(ctx, &box{}, &out, Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	gone := errors.New("no naved")
	for _, f := range []func(o Options, d Daemon) error{
		func(o Options, d Daemon) error { return Once(context.Background(), d, io.Discard, o) },
		func(o Options, d Daemon) error {
			return Run(context.Background(), d, strings.NewReader(""), io.Discard, o)
		},
	} {
		if err := f(Options{}, &box{err: gone}); !errors.Is(err, gone) {
			t.Error(err)
		}
		if err := f(Options{Interval: time.Millisecond}, &box{}); err == nil || !strings.Contains(err.Error(), "too short") {
			t.Error(err)
		}
	}
}

// press gives the model a message and lets what comes of it happen, but for waiting.
func press(m *model, msg tea.Msg) (quit bool) {
	_, cmd := m.Update(msg)
	if _, ticks := msg.(looked); cmd == nil || ticks {
		return false
	}
	switch next := cmd().(type) {
	case tea.QuitMsg:
		return true
	case looked:
		press(m, next)
	}
	return false
}

func key(s string) tea.Msg {
	switch s {
	case "tab":
		return tea.KeyMsg{Type: tea.KeyTab}
	case "ctrl+c":
		return tea.KeyMsg{Type: tea.KeyCtrlC}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(s)}
}

func TestModel(t *testing.T) {
	b := &box{}
	m := &model{daemon: b, interval: time.Hour}
	if m.View() != "" {
		t.Error("a view of nothing")
	}
	press(m, tea.WindowSizeMsg{Width: 80, Height: 24})
	press(m, m.Init()())
	press(m, due{})
	view := m.View()
	if n := strings.Count(view, "\n"); n != 23 || !strings.Contains(view, "       500 ") || !strings.Contains(view, "[1 all]") {
		t.Errorf("%d lines\n%s", n+1, view)
	}
	press(m, key("tab"))
	if !strings.Contains(m.View(), "[2 ports]") {
		t.Error(m.View())
	}
	press(m, key("5"))
	press(m, key("s"))
	if v := m.View(); !strings.Contains(v, "[5 drops]") || !strings.Contains(v, "s by rate") {
		t.Error(v)
	}
	press(m, key("p"))
	at := m.now.Time
	if press(m, due{}); !m.now.Time.Equal(at) {
		t.Error("it goes on while it is paused")
	}
	press(m, key("p"))
	b.err = errors.New("no naved answers")
	press(m, due{})
	if v := m.View(); !strings.Contains(v, "no naved answers") || !strings.Contains(v, "Worker ") {
		t.Errorf("the last picture stays, with the error:\n%s", v)
	}
	b.err = nil
	if press(m, due{}); strings.Contains(m.View(), "no naved") || m.now.Time.Equal(at) {
		t.Error(m.View())
	}
	for _, k := range []string{"q", "ctrl+c"} {
		if !press(m, key(k)) {
			t.Errorf("%s does not quit", k)
		}
	}
	press(m, tea.WindowSizeMsg{Width: 1, Height: 1})
	m.View()
}

// Who watches a box that needs long to answer asks it less often.
func TestRest(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{0: time.Second, 50 * time.Millisecond: time.Second, 300 * time.Millisecond: 3 * time.Second, time.Minute: 10 * time.Second} {
		if got := rest(time.Second, took); got != want {
			t.Errorf("after %v: %v, want %v", took, got, want)
		}
	}
	if got := rest(time.Minute, time.Minute); got != time.Minute {
		t.Errorf("a rest of %v is shorter than was asked for", got)
	}
}

// screen keeps what is drawn.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.text.Bytes(), []byte(text))
}

// The program draws, and ends with q.
func TestRun(t *testing.T) {
	in, keys := io.Pipe()
	var out screen
	done := make(chan error, 1)
	go func() {
		done <- Run(context.Background(), &box{}, in, &out, Options{Interval: MinInterval})
	}()
	for late := time.Now().Add(30 * time.Second); !out.has("box"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("nothing is drawn")
		}
	}
	if _, err := keys.Write([]byte("q")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("q does not end it")
	}
	if !out.has("\x1b[?1049l") {
		t.Errorf("the ordinary screen is not back: %q", out.text.String())
	}
}
