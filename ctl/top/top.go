// Package top is `nave top`: a live view of what a box does. What it shows is made in package show; here are the clock, the keys and the terminal.
package top

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"nave/ctl/show"
)

// Daemon is what it asks. api.Client is one.
type Daemon interface {
	Status() (*show.Status, error)
}

// Options say how it runs.
type Options struct {
	Interval time.Duration // between two looks; 0: DefaultInterval
	JSON     bool          // Once prints JSON
}

// DefaultInterval is the time between two looks, MinInterval the shortest: a look costs the control plane something.
const (
	DefaultInterval = time.Second
	MinInterval     = 200 * time.Millisecond
)

// A look that takes long, as at a hub of thousands of peers, is followed by a rest rests times as long, mostRest at most: who watches takes little from the box.
const (
	rests    = 10
	mostRest = 10 * time.Second
)

// rest is the time until the next look, after one that took so long.
func rest(interval, took time.Duration) time.Duration {
	return max(interval, min(rests*took, mostRest))
}

func (o *Options) interval() (time.Duration, error) {
	switch {
	case o.Interval == 0:
		return DefaultInterval, nil
	case o.Interval < MinInterval:
		return 0, fmt.Errorf("an interval of %v is too short: %v at least", o.Interval, MinInterval)
	}
	return o.Interval, nil
}

// Once looks twice, an interval apart, and prints what was between.
func Once(ctx context.Context, d Daemon, out io.Writer, o Options) error {
	interval, err := o.interval()
	if err != nil {
		return err
	}
	before, err := d.Status()
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(interval):
	}
	now, err := d.Status()
	if err != nil {
		return err
	}
	r := show.NewRates(before, now)
	if o.JSON {
		b, err := show.TopJSON(&r)
		if err != nil {
			return err
		}
		_, err = out.Write(b)
		return err
	}
	_, err = fmt.Fprintln(out, strings.Join(show.Top(&r, show.TopOptions{}), "\n"))
	return err
}

// Run is the live view, until q is pressed or ctx ends.
func Run(ctx context.Context, d Daemon, in io.Reader, out io.Writer, o Options) error {
	interval, err := o.interval()
	if err != nil {
		return err
	}
	if _, err := d.Status(); err != nil { // said on the ordinary screen
		return err
	}
	_, err = tea.NewProgram(&model{daemon: d, interval: interval}, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithAltScreen()).Run()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("top: %w", err)
	}
	return nil
}

// looked is a look at the box; due says that it is time for the next one.
type (
	looked struct {
		status *show.Status
		took   time.Duration
		err    error
	}
	due struct{}
)

// model is the view as bubbletea wants it.
type model struct {
	daemon   Daemon
	interval time.Duration

	before, now *show.Status
	err         error
	paused      bool
	options     show.TopOptions
}

// Init begins with a look.
func (m *model) Init() tea.Cmd { return m.look }

// look asks the box; bubbletea runs it beside the view.
func (m *model) look() tea.Msg {
	begin := time.Now()
	s, err := m.daemon.Status()
	return looked{s, time.Since(begin), err}
}

// Update takes a key, a size or a look.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.options.Width, m.options.Height = msg.Width, msg.Height-1 // the last line is for the keys
	case looked:
		m.err = msg.err
		if msg.err == nil && !m.paused {
			m.before, m.now = m.now, msg.status
			if m.before == nil {
				m.before = msg.status
			}
		}
		return m, tea.Tick(rest(m.interval, msg.took), func(time.Time) tea.Msg { return due{} })
	case due:
		return m, m.look
	case tea.KeyMsg:
		return m, m.key(msg.String())
	}
	return m, nil
}

func (m *model) key(k string) tea.Cmd {
	switch k {
	case "q", "esc", "ctrl+c":
		return tea.Quit
	case "tab", "right":
		m.options.Section = (m.options.Section + 1) % show.NumTopSections
	case "shift+tab", "left":
		m.options.Section = (m.options.Section + show.NumTopSections - 1) % show.NumTopSections
	case "1", "2", "3", "4", "5":
		m.options.Section = show.TopSection(k[0] - '1')
	case "s":
		m.options.ByName = !m.options.ByName
	case "p", " ":
		m.paused = !m.paused
	}
	return nil
}

// View is the screen.
func (m *model) View() string {
	if m.now == nil {
		return ""
	}
	r := show.NewRates(m.before, m.now)
	lines := show.Top(&r, m.options)
	for len(lines) < m.options.Height {
		lines = append(lines, "")
	}
	return strings.Join(lines, "\n") + "\n" + m.bar()
}

func (m *model) bar() string {
	bar := show.TopKeys(m.options, m.paused, m.err)
	if runes := []rune(bar); m.options.Width > 0 && len(runes) > m.options.Width {
		bar = string(runes[:m.options.Width])
	}
	return "\x1b[7m" + bar + "\x1b[0m"
}
