package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// Exit statuses of nave, of the shell (by the first command that failed) and of single commands.
const (
	StatusOK        = 0
	StatusFailed    = 1 // refused, or it failed
	StatusSyntax    = 2 // not understood
	StatusNoDaemon  = 3
	defaultHostname = "nave" // in the prompt while no daemon answers
)

// Daemon is what a shell itself asks the daemon. api.Client is one.
type Daemon interface {
	Greet() (api.Greeting, error)
	Enable(password string) error
}

// Follower follows the daemon's log. api.Client is one.
type Follower interface {
	Follow(ctx context.Context, severity int, f func(api.LogLine)) error
}

// Options are what a shell begins with.
type Options struct {
	// Session has what commands need; Out, Shell and Context are set for each command.
	Session cli.Session
	Daemon  Daemon
	Log     Follower // nil: there is no `terminal monitor`
	// Names lists what arguments of a type (interface) or name (vrf) could be, to complete them; nil: nothing is known.
	Names func(c grammar.Completion) []string
	// HistoryFile keeps what was typed; empty: nothing does.
	HistoryFile string
}

// console is where lines come from and output goes to.
type console interface {
	io.Writer
	// line reads a line; io.EOF: there are no more. literal tells that ? and the tabulator are characters like others.
	line(prompt string, literal bool) (text string, how ending, err error)
	password(prompt string) (string, error)
	// key reads one key, for --More--.
	key() (byte, error)
	// running calls f, with a context that ^C ends.
	running(f func(ctx context.Context))
	// size is that of the terminal, zero where there is none.
	size() (columns, lines int)
	setWidth(columns int)
}

// ending is how a line ended.
type ending uint8

const (
	byReturn    ending = iota
	byInterrupt        // ^C: nothing of the line counts
	byEnd              // ^Z: configuring ends, after the line that stands before it, as in IOS; in exec nothing of the line counts
)

// Shell is a session of somebody who types commands, or of a script.
type Shell struct {
	o       Options
	console console

	hostname   string
	greeting   api.Greeting
	privileged bool
	config     *configuring // nil: exec
	alone      bool         // it is one command from the system's shell
	done       bool
	status     int

	out     io.Writer // of the command that runs
	json    bool      // it prints JSON
	history *history
	monitor monitor
	// length and width are those of the terminal where they are negative.
	length int
	width  atomic.Int32
}

func newShell(o Options, c console) *Shell {
	s := &Shell{o: o, console: c, hostname: defaultHostname, out: c, length: -1, history: openHistory(o.HistoryFile)}
	s.width.Store(-1)
	s.monitor.log, s.monitor.show = o.Log, func(text string) { _, _ = io.WriteString(c, text) }
	return s
}

// run reads lines until they or the session end, and returns the exit status.
func (s *Shell) run() int {
	defer s.monitor.stop()
	s.greet()
	for !s.done {
		line, how, err := s.console.line(s.prompt(), false)
		switch {
		case err != nil:
			return s.status
		case how != byReturn:
			if how == byEnd && s.config != nil {
				s.do(line)
			}
			if s.config != nil {
				s.leave()
			}
		default:
			s.do(line)
		}
	}
	return s.status
}

// do carries out a line, and says what went wrong.
func (s *Shell) do(line string) {
	if strings.TrimSpace(line) == "" || grammar.Blank(line) {
		return
	}
	if columns, _ := s.console.size(); columns == 0 {
		if asked, ok := strings.CutSuffix(strings.TrimRight(line, " "), "?"); ok && !s.takes(line) { // no key, and the same question
			_, _ = io.WriteString(s.console, s.help(asked)) // whoever reads it may have gone
			return
		}
	}
	s.history.add(line, s.secret(line))
	var err error
	s.console.running(func(ctx context.Context) {
		if s.config != nil {
			err = s.configLine(ctx, line)
		} else {
			err = s.exec(ctx, line, 0)
		}
	})
	s.report(err)
}

// takes tells whether a line is one of a configuration, as a description may be that ends with a question mark.
func (s *Shell) takes(line string) bool {
	if s.config == nil {
		return false
	}
	_, _, bad := s.config.session().Understand(line)
	return bad == nil
}

// report says what went wrong, and notes it for the exit status.
func (s *Shell) report(err error) {
	if err == nil || errors.Is(err, errQuit) {
		return
	}
	if s.status == StatusOK {
		s.status = StatusOf(err)
	}
	if errors.Is(err, cli.ErrUnanswered) {
		return
	}
	var text string
	var bad *misunderstood
	if errors.As(err, &bad) {
		text = bad.text
	} else {
		text = show.ShellError(err)
	}
	_, _ = io.WriteString(s.console, text) // the terminal may have gone
}

// StatusOf is the exit status of a command that ended with err.
func StatusOf(err error) int {
	var bad *misunderstood
	var match *grammar.Error
	switch {
	case err == nil:
		return StatusOK
	case errors.As(err, &bad), errors.As(err, &match):
		return StatusSyntax
	case errors.Is(err, api.ErrNoDaemon):
		return StatusNoDaemon
	}
	return StatusFailed
}

// greet asks the daemon who we are, and what the box is called now.
func (s *Shell) greet() {
	g, err := s.o.Daemon.Greet()
	if err != nil {
		return // the next command will say so
	}
	s.greeting = g
	if s.hostname = g.Hostname; s.hostname == "" {
		s.hostname = defaultHostname
	}
}

// exec carries out a command of exec. at is where it begins in the line that was typed.
func (s *Shell) exec(ctx context.Context, line string, at int) (err error) {
	text, rest, filtered := cutFilter(line)
	m, bad := cli.Understand(text, s.privileged)
	if bad != nil {
		if all, other := cli.Understand(text, true); other == nil && !s.privileged {
			return &misunderstood{text: s.marked(line, at, len(line)-len(strings.TrimLeft(line, " \t")), show.ShellPrivileged(grammar.Path(all.Command.Syntax)))}
		}
		return s.misread(line, at, bad)
	}
	session := s.o.Session
	s.json = session.JSON
	out := io.Writer(s.console)
	var ends []func() error
	if strings.HasPrefix(m.Command.Syntax, "show ") {
		out = s.pager(out)
	}
	if filtered {
		stages, err := s.filters(line, rest, at)
		if err != nil {
			return err
		}
		for i := len(stages) - 1; i >= 0; i-- {
			if stages[i].what == "json" {
				s.json = true
				continue
			}
			w, end, err := stages[i].open(out)
			if err != nil {
				return err
			}
			out, ends = w, append(ends, end)
		}
	}
	session.Out, session.JSON, session.Context, s.out = out, s.json, ctx, out
	if !s.alone {
		session.Shell = s
	}
	err = session.Do(m)
	s.out, s.o.Session.Format = s.console, session.Format // `terminal show-format` sets that
	for i := len(ends) - 1; i >= 0; i-- {                 // the first stage has the lines first
		err = errors.Join(err, ends[i]())
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	if cli.Privileged(m.Command) {
		s.greet() // it may have changed the name
	}
	return err
}

// Act implements cli.Shell.
func (s *Shell) Act(a cli.Act, m *grammar.Match) error {
	switch a {
	case cli.ActEnable:
		return s.enable()
	case cli.ActDisable:
		s.privileged = false
	case cli.ActExit:
		s.done = true
	case cli.ActConfigure:
		return s.configure(m.Has("candidate"))
	case cli.ActTerminal:
		return s.terminal(m)
	case cli.ActShowTerminal:
		return s.print(s.terminalNow().Text, s.terminalNow().JSON)
	case cli.ActShowHistory:
		lines := s.history.recent()
		return s.print(func() string { return show.ShellHistory(lines) }, func() ([]byte, error) { return show.ShellHistoryJSON(lines) })
	default:
		return fmt.Errorf("the shell does not know act %d", a)
	}
	return nil
}

// print writes the text or the JSON form of what a command shows.
func (s *Shell) print(text func() string, json func() ([]byte, error)) error {
	if !s.json {
		_, err := io.WriteString(s.out, text())
		return err
	}
	b, err := json()
	if err != nil {
		return err
	}
	_, err = s.out.Write(b)
	return err
}
