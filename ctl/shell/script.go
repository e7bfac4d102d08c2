package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/config/grammar"
)

// script is a console without a terminal: lines of a pipe or a file.
type script struct {
	in      *bufio.Reader
	out     io.Writer
	prompts bool // prompts are printed
}

// Write implements io.Writer.
func (c *script) Write(b []byte) (int, error) { return c.out.Write(b) }

// line implements console.
func (c *script) line(prompt string, _ bool) (string, ending, error) {
	if c.prompts {
		if _, err := io.WriteString(c.out, prompt); err != nil {
			return "", byReturn, err
		}
	}
	var line []byte
	for {
		part, err := c.in.ReadSlice('\n')
		if len(line) <= grammar.MaxLine { // more is told to be too much, and is not kept
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
			return "", byReturn, err
		}
		break
	}
	text := strings.TrimRight(string(line), "\r\n")
	if before, ok := strings.CutSuffix(text, "\x1a"); ok {
		return before, byEnd, nil
	}
	return text, byReturn, nil
}

// password implements console.
func (c *script) password(prompt string) (string, error) {
	text, _, err := c.line(prompt, true)
	return text, err
}

// key implements console. Nothing waits for a key here.
func (c *script) key() (byte, error) { return 0, io.EOF }

// running implements console.
func (c *script) running(f func(ctx context.Context)) { f(context.Background()) }

// size implements console.
func (c *script) size() (columns, lines int) { return 0, 0 }

func (c *script) setWidth(int) {}

// Run is `nave shell` on the standard input and output: with a line editor where somebody types, otherwise line by line. prompts has prompts printed without a terminal,
// too. It returns the exit status.
func Run(o Options, in, out *os.File, prompts bool) (int, error) {
	if !isTerminal(in) || !isTerminal(out) {
		o.HistoryFile = ""
		return newShell(o, &script{in: bufio.NewReader(in), out: out, prompts: prompts}).run(), nil
	}
	t, err := openTTY(in, out)
	if err != nil {
		return StatusFailed, fmt.Errorf("shell: %w", err)
	}
	defer t.close()
	e := newEditor(t, in, out)
	defer e.close()
	gone := make(chan os.Signal, 1)
	signal.Notify(gone, unix.SIGTERM, unix.SIGHUP)
	defer signal.Stop(gone)
	go func() {
		<-gone
		t.close()
		os.Exit(StatusFailed)
	}()
	s := newShell(o, e)
	e.help, e.tab, e.t.History = s.help, s.tab, s.history
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	defer signal.Stop(resized)
	go func() {
		for range resized {
			e.resize()
		}
	}()
	return s.run(), nil
}

// One runs one command of privileged exec, with the filters that may stand behind it, as from the system's shell: commands about a shell are refused.
func One(session cli.Session, line string) error {
	if _, _, filtered := cutFilter(line); !filtered {
		return session.Run(line)
	}
	s := newShell(Options{Session: session, Daemon: nobody{}}, &script{in: bufio.NewReader(strings.NewReader("")), out: session.Out})
	s.privileged, s.alone = true, true
	ctx := session.Context
	if ctx == nil {
		ctx = context.Background()
	}
	return s.exec(ctx, line, 0)
}

// nobody is the Daemon of a single command.
type nobody struct{}

func (nobody) Greet() (api.Greeting, error) { return api.Greeting{}, errors.New("nobody greets") }
func (nobody) Enable(string) error          { return errors.New("there is no shell") }
