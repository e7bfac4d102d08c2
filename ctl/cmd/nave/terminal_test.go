package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/probe"
	"nave/testbed/pty"
)

// asNave has the test's own program be nave.
const asNave = "NAVE_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asNave) != "" {
		main()
	}
	os.Exit(m.Run())
}

// console is nave on a terminal of its own.
type console struct {
	t      *testing.T
	nave   *exec.Cmd
	master *os.File
	text   chan string
	all    strings.Builder
}

func start(t *testing.T, args ...string) *console {
	t.Helper()
	master, tty := pty.Open(t)
	defer tty.Close()
	c := &console{t: t, master: master, text: make(chan string, 100)}
	c.nave = exec.Command(os.Args[0], args...)
	c.nave.Env = []string{asNave + "=1", "TERM=vt100", "HOME=" + t.TempDir()}
	c.nave.Stdin, c.nave.Stdout, c.nave.Stderr = tty, tty, tty
	c.nave.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.nave.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.nave.Process.Kill() }) // it has ended already, if all is well
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := c.master.Read(b)
			c.text <- string(b[:n])
			if err != nil {
				return
			}
		}
	}()
	return c
}

// sees waits for a text, and forgets what came up to its end.
func (c *console) sees(want string) (before string) {
	c.t.Helper()
	for late := time.After(30 * time.Second); ; {
		if before, after, ok := strings.Cut(c.all.String(), want); ok {
			c.all.Reset()
			c.all.WriteString(after)
			return before
		}
		select {
		case s := <-c.text:
			c.all.WriteString(s)
		case <-late:
			c.t.Fatalf("no %q: %q", want, c.all.String())
		}
	}
}

func (c *console) types(keys string) {
	c.t.Helper()
	if _, err := c.master.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

func (c *console) leaves(status int) {
	c.t.Helper()
	if err := c.nave.Wait(); c.nave.ProcessState.ExitCode() != status {
		c.t.Errorf("exit status %d, want %d: %v", c.nave.ProcessState.ExitCode(), status, err)
	}
}

// On a terminal, nave says nothing but what it is asked for, and waits for no answers: scripts drive it by terminals that give none.
func TestTerminalIsAskedNothing(t *testing.T) {
	c := start(t, "shell", "--socket", filepath.Join(t.TempDir(), "none"))
	if before := c.sees("nave>"); before != "" {
		t.Errorf("it begins with %q", before)
	}
	c.types("show version\r")
	c.sees("% no naved answers")
	c.types("exit\r")
	c.leaves(3)
}

// patient is a Pinger that goes on until nobody wants more.
type patient struct{ ended chan struct{} }

func (p *patient) Probe(ctx context.Context, _ *api.Caller, r probe.Request, f func(probe.Event)) error {
	f(probe.Event{Begin: &r})
	f(probe.Event{Answer: &probe.Answer{}})
	<-ctx.Done()
	close(p.ended)
	return nil
}

// ^C ends a command that goes on, in the shell and behind nave; the shell goes on.
func TestBreak(t *testing.T) {
	serve := func() (socket string, p *patient) {
		p = &patient{ended: make(chan struct{})}
		socket = filepath.Join(t.TempDir(), "nave.sock")
		s, err := api.Serve(socket, api.Services{Box: &box{}, Ping: p})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return socket, p
	}
	over := func(p *patient) {
		t.Helper()
		select {
		case <-p.ended:
		case <-time.After(30 * time.Second):
			t.Fatal("the daemon goes on")
		}
	}
	socket, p := serve()
	c := start(t, "shell", "--socket", socket)
	c.sees("nave>")
	c.types("ping 192.0.2.1\r")
	c.sees("abort")
	c.types("\x03")
	over(p)
	c.sees("nave>")
	c.types("exit\r")
	c.leaves(0)

	socket, p = serve()
	c = start(t, "ping", "192.0.2.1", "--socket", socket)
	c.sees("abort")
	c.types("\x03")
	over(p)
	c.leaves(0)
}
