package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/ctl/api"
	"nave/testbed/pty"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// hand is somebody at a terminal: a pseudo-terminal, with a shell at its other end.
type hand struct {
	t      *testing.T
	master *os.File
	mu     sync.Mutex
	screen strings.Builder // all that was written, without control sequences
	seen   int             // of it, what was waited for
	ended  chan int        // the exit status
}

var control = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]|\r`)

// sit starts a shell on a terminal of its own.
func sit(t *testing.T, o Options) *hand {
	t.Helper()
	master, tty := pty.Open(t)
	h := &hand{t: t, master: master, ended: make(chan int, 1)}
	go func() {
		defer tty.Close()
		status, err := Run(o, tty, tty, false)
		if err != nil {
			t.Error(err)
		}
		h.ended <- status
	}()
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := h.master.Read(b)
			h.mu.Lock()
			h.screen.WriteString(control.ReplaceAllString(string(b[:n]), ""))
			h.mu.Unlock()
			if err != nil { // both ends have gone
				return
			}
		}
	}()
	return h
}

// types presses keys.
func (h *hand) types(keys string) {
	h.t.Helper()
	if _, err := h.master.WriteString(keys); err != nil {
		h.t.Fatal(err)
	}
}

// sees waits until a text has come behind what was seen last, and returns what came up to its end.
func (h *hand) sees(text string) string {
	h.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		all := h.screen.String()
		h.mu.Unlock()
		if i := strings.Index(all[h.seen:], text); i >= 0 {
			from := h.seen
			h.seen += i + len(text)
			return all[from:h.seen]
		}
		if time.Now().After(end) {
			h.t.Fatalf("no %q comes after\n%s", text, all[h.seen:])
		}
	}
}

// leaves waits until the shell has ended.
func (h *hand) leaves(status int) {
	h.t.Helper()
	select {
	case got := <-h.ended:
		if got != status {
			h.t.Errorf("exit status %d, want %d", got, status)
		}
	case <-time.After(patience):
		h.t.Fatal("the shell does not end")
	}
}

// Somebody types, asks, completes, corrects and looks back.
func TestTyping(t *testing.T) {
	b := newBox()
	o := b.options(nil)
	o.HistoryFile = filepath.Join(t.TempDir(), "history")
	h := sit(t, o)
	h.sees("hub>")
	h.types("sh?")
	h.sees("sh?\nshow\nhub>sh") // at once, and what was typed is there again
	h.types("\t")
	h.sees("show ")
	h.types("ver | inc")
	h.types("\t")
	h.sees("include ")
	h.types("up\r")
	h.sees("hub uptime is 2 hours, 3 minutes\nhub>")
	h.types("show clock")
	h.types("\x17\x7f\x01") // the last word, the space; home
	h.types("do \x05\x15")  // to the end; all of it
	h.types("show vers | inc hub.upt\r")
	h.sees("hub uptime is 2 hours, 3 minutes\nhub>")
	h.types("\x10\x10\r") // the line before the last
	h.sees("show ver | include up")
	h.sees("minutes\nhub>")
	h.types("\x1b[A\x1b[A\x1b[B\x1b[B")
	h.types("nonsense\x03")
	h.sees("^C\nhub>")
	h.types("enable\rconf t\rinterface tun")
	h.sees("hub(config)#interface tun")
	h.types("\t")
	h.sees("Tunnel")
	h.types("0\r")
	h.sees("hub(config-if)#")
	h.types("ip nhrp ?")
	h.sees("  authentication ")
	h.sees("hub(config-if)#ip nhrp ")
	h.types("\x15description what\x16? it is\r") // ^V: a character like others
	h.sees("hub(config-if)#")
	h.types("do show running-config | inc what\r")
	h.sees("description what? it is\n")
	h.sees("hub(config-if)#")
	h.types("bandwidth 77\x1a") // carried out first
	h.sees("^Z\nhub#")
	h.types("half a line\x1a")
	h.sees("^Z\nhub#")
	h.types("exit\r")
	h.leaves(StatusOK)
	if b.running.Interface("Tunnel0").Description != "what? it is" {
		t.Errorf("the description is %q", b.running.Interface("Tunnel0").Description)
	}
	if last := b.edits[len(b.edits)-1]; last.Line != "bandwidth 77" {
		t.Errorf("the last line was %q", last.Line)
	}
}

// Output stops after a page, and goes on as it is told to; ^D ends the session.
func TestPaging(t *testing.T) {
	h := sit(t, newBox().options(nil))
	h.sees("hub>")
	h.types("terminal length 3\r")
	h.sees("hub>")
	h.types("enable\rshow running-config\r")
	h.sees(" --More-- ")
	h.types("\r")
	h.sees(" --More-- ")
	h.types(" ")
	h.sees(" --More-- ")
	h.types("q")
	h.sees("hub#")
	h.types("terminal length 0\rshow running-config\r")
	if out := h.sees("end\nhub#"); strings.Contains(out, "More") {
		t.Errorf("it stops:\n%s", out)
	}
	h.types("show running-config | count .\r")
	h.sees("Number of lines which match regexp = ")
	h.sees("hub#")
	h.types("\x04")
	h.leaves(StatusOK)
}

// The log comes above what is being typed.
func TestMonitor(t *testing.T) {
	b := newBox()
	h := sit(t, b.options(nil))
	h.sees("hub>")
	h.types("terminal monitor warnings\r")
	h.sees("hub>")
	h.types("show ver | inc up")
	h.sees("show ver | inc up")
	b.follow <- api.LogLine{Severity: 7, Text: "%DMVPN-7-CRYPTO_SS: not wanted"}
	b.follow <- api.LogLine{Severity: 3, Text: "%DMVPN-3-NHRP_ERROR: Tunnel0", Stamped: "Jan  1 02:03:04: %DMVPN-3-NHRP_ERROR: Tunnel0"}
	if out := h.sees("hub>show ver | inc up"); !strings.Contains(out, "Jan  1 02:03:04: %DMVPN-3-NHRP_ERROR: Tunnel0\n") || strings.Contains(out, "not wanted") {
		t.Errorf("what comes is\n%s", out)
	}
	h.types("time\r")
	h.sees("minutes\nhub>")
	h.types("terminal no monitor\r")
	h.sees("hub>")
	b.follow <- api.LogLine{Severity: 0, Text: "too late"}
	h.types("show version | inc uptime\r")
	if out := h.sees("minutes\nhub>"); strings.Contains(out, "too late") {
		t.Errorf("it is still shown:\n%s", out)
	}
	h.types("logout\r")
	h.leaves(StatusOK)
}

// The password of privileged exec is asked for without an echo, three times at most.
func TestEnablePassword(t *testing.T) {
	b := newBox()
	b.password = "wheel"
	h := sit(t, b.options(nil))
	h.sees("hub>")
	h.types("enable\r")
	for range 3 {
		h.sees("Password: ")
		h.types("spoke?\t\r")
	}
	if out := h.sees("hub>"); !strings.Contains(out, "% Bad secrets\n") || strings.Contains(out, "spoke") {
		t.Errorf("it says %q", out)
	}
	h.types("enable\r")
	h.sees("Password: ")
	h.types("wheel\r")
	if out := h.sees("hub#"); strings.Contains(out, "wheel") {
		t.Errorf("the password shows: %q", out)
	}
	h.types("exit\r")
	h.leaves(StatusFailed)
}

// A thousand lines are typed ahead, with a banner among them and question marks in it, and none is lost: as when somebody pastes a configuration, and as terminals mark that.
func TestPasteTyped(t *testing.T) {
	for _, marks := range []bool{false, true} {
		c := &collector{box: newBox()}
		o := c.options(nil)
		o.Session.Editor = c
		if marks {
			t.Setenv("TERM", "xterm-256color")
		} else {
			t.Setenv("TERM", "vt100")
		}
		h := sit(t, o)
		h.sees("hub>")
		h.types("enable\rconfigure terminal\r")
		h.sees("End with CNTL/Z.\n")
		h.sees("hub(config)#")
		var text strings.Builder
		text.WriteString("banner motd ^C\r\n  Who are you?\r\n\tinterface Tunnel99\r\n^C\r\n")
		for n := range 250 {
			fmt.Fprintf(&text, "interface Loopback%d\r\n description loop %d\r\n ip address 10.%d.%d.1 255.255.255.0\r\n!\r\n", n, n, n/100, n%100)
		}
		if marks {
			h.types("\x1b[200~" + text.String() + "\x1b[201~")
		} else {
			h.types(text.String())
		}
		h.types("end\r")
		if out := h.sees("hub#"); strings.Contains(out, "Invalid") {
			t.Errorf("it is not taken:\n%.2000s", out)
		}
		h.types("exit\r")
		h.leaves(StatusOK)
		if n := len(c.lines); n != 1+250*3 || c.lines[n-1] != "interface Loopback249 / ip address 10.2.49.1 255.255.255.0" {
			t.Errorf("%d lines come, the last is %q", n, c.lines[n-1])
		}
	}
}

// The terminal is as it was when the shell has ended.
func TestTerminalIsRestored(t *testing.T) {
	h := sit(t, newBox().options(nil))
	h.sees("hub>")
	during, err := unix.IoctlGetTermios(int(h.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if during.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 {
		t.Errorf("it is not raw: %x", during.Lflag)
	}
	h.types("exit\r")
	h.leaves(StatusOK)
	after, err := unix.IoctlGetTermios(int(h.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if after.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != unix.ECHO|unix.ICANON|unix.ISIG || after.Oflag&unix.OPOST == 0 {
		t.Errorf("it is left raw: %x", after.Lflag)
	}
}
