package shell

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nave/ctl/cli"
	"nave/ctl/config"
	"nave/ctl/password"
)

// play runs lines without a terminal.
func play(b *box, o Options, lines string) (string, int) {
	var out strings.Builder
	if o.Daemon == nil {
		o = b.options(&out)
	}
	s := newShell(o, &script{in: bufio.NewReader(strings.NewReader(lines)), out: &out})
	status := s.run()
	return out.String(), status
}

// Without a terminal there are no prompts and no pages, and the exit status is that of the first command that failed.
func TestScript(t *testing.T) {
	for _, c := range []struct {
		lines  string
		status int
		out    string
	}{
		{"show version | i uptime\r\n", StatusOK, "hub uptime is 2 hours, 3 minutes\n"},
		{"show version | i uptime", StatusOK, "hub uptime is 2 hours, 3 minutes\n"},
		{"", StatusOK, ""},
		{"enable\nreload\nfrob\n", StatusFailed, "% the running configuration stands: nave.cfg has 1 errors\nfrob\n^\n% Invalid input detected at '^' marker.\n  ? in its place lists what could stand there\n\n"},
		{"show frob\nshow version | i uptime\n", StatusSyntax, "show frob\n     ^\n% Invalid input detected at '^' marker.\n  ? in its place lists what could stand there\n\nhub uptime is 2 hours, 3 minutes\n"},
		{"terminal ?\n", StatusOK, "  history "},
		{"exit\nshow version\n", StatusOK, ""},
	} {
		out, status := play(newBox(), Options{}, c.lines)
		if status != c.status || !strings.HasPrefix(out, c.out) || c.out == "" && out != "" {
			t.Errorf("%q: status %d, want %d:\n%s\nwant\n%s", c.lines, status, c.status, out, c.out)
		}
	}
	long := strings.Repeat("x", 20000)
	if out, status := play(newBox(), Options{}, long+"\nshow version | i uptime\n"); status != StatusSyntax || !strings.Contains(out, "longer than 8192 bytes") || !strings.HasSuffix(out, "minutes\n") {
		t.Errorf("a line without end: %d, %.200s", status, out)
	}
}

// A thousand lines of configuration, pasted at once, all come where they belong.
func TestPaste(t *testing.T) {
	var text strings.Builder
	text.WriteString("enable\nconfigure terminal\nbanner motd #\nno configuration\n#\n")
	for n := range 200 {
		fmt.Fprintf(&text, "interface Loopback%d\n description loop %d\n ip address 10.%d.%d.1 255.255.255.0\n!\nip route 172.16.%d.0 255.255.255.0 Null0\n", n, n, n/100, n%100, n)
	}
	text.WriteString("end\n")
	c := &collector{box: newBox()}
	var out strings.Builder
	o := c.options(&out)
	o.Session.Editor = c
	if _, status := play(nil, o, text.String()); status != StatusOK {
		t.Fatalf("status %d: %.500s", status, out.String())
	}
	if len(c.lines) != 1+200*4 || c.lines[len(c.lines)-2] != "interface Loopback199 / ip address 10.1.99.1 255.255.255.0" {
		t.Errorf("%d lines come, %q before the last", len(c.lines), c.lines[len(c.lines)-2])
	}
}

// A password that is typed for privileged exec leaves the shell as a hash.
func TestEnableSecretIsHashed(t *testing.T) {
	b := newBox()
	if out, status := play(b, Options{}, "enable\nconfigure terminal\nenable secret wheel\nen password 0 spoke\nenable secret 9 $9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6\nno enable secret\n"); status != StatusOK {
		t.Fatal(out)
	}
	for n, plain := range []string{"wheel", "spoke", "hashcat"} {
		line := b.edits[n].Line
		hash, ok := strings.CutPrefix(line, "enable secret 9 ")
		if !ok {
			t.Fatalf("%q is sent", line)
		}
		if right, err := password.Verify(password.Scrypt, hash, plain); err != nil || !right {
			t.Errorf("%q is not %q: %v", hash, plain, err)
		}
	}
	if b.edits[3].Line != "no enable secret" {
		t.Errorf("%q is sent", b.edits[3].Line)
	}
}

// What has a secret in it, or could have, is not kept; the file is its owner's alone.
func TestHistory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "nave", "history")
	b := newBox()
	b.password = "wheel-is-secret"
	o := b.options(io.Discard)
	o.HistoryFile = file
	lines := []string{"show version", "show version", "enable", "wheel-is-secret", "configure terminal", "crypto isakmp key SECRET1 address 0.0.0.0", "interface Tunnel0", "ip nhrp authentication SECRET2", "tunnel key 5",
		"key-string SECRET3", "enable secret SECRET4", "frob password SECRET5", "do show version", "end", "crypto isakmp key SECRET6 address 0.0.0.0", "neighbor 1.2.3.4 password SECRET7", "show history", "show frob"}
	var out strings.Builder
	s := newShell(o, &typed{script: script{in: bufio.NewReader(strings.NewReader(strings.Join(lines, "\n") + "\n")), out: &out}, columns: 80})
	s.run()
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "show version\nenable\nconfigure terminal\ninterface Tunnel0\ntunnel key 5\ndo show version\nend\nshow history\nshow frob\n"
	if string(kept) != want {
		t.Errorf("kept is\n%s\nwant\n%s", kept, want)
	}
	if i, err := os.Stat(file); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", i.Mode(), err)
	}
	h := openHistory(file)
	if h.Len() != 9 || h.At(0) != "show frob" || h.At(8) != "show version" {
		t.Errorf("%d lines are read back: %q", h.Len(), h.lines)
	}
	if h.setSize(2); h.Len() != 2 || h.At(1) != "show history" {
		t.Errorf("of two: %d", h.Len())
	}
	for n := range 3 * keptHistory {
		h.add(fmt.Sprint("show frob ", n), false)
	}
	if again := openHistory(file); len(again.lines) != keptHistory || again.At(0) != fmt.Sprint("show frob ", 3*keptHistory-1) {
		t.Errorf("%d lines are kept", len(again.lines))
	}
	if b, err := os.ReadFile(file); err != nil || strings.Count(string(b), "\n") != keptHistory {
		t.Errorf("the file is not cut: %v", err)
	}
}

func TestPager(t *testing.T) {
	for _, c := range []struct {
		keys  string
		lines int
		want  string // lines that are shown, and stops
		stops int
	}{
		{"", 0, "12345678", 0},
		{"", 24, "12345678", 0},
		{" ", 5, "12345678", 1},
		{"  ", 4, "12345678", 2},
		{"\r\r ", 4, "12345678", 3},
		{"q", 5, "1234", 1},
		{"\x03", 5, "1234", 1},
		{"\rq", 5, "12345", 2},
		{"", 5, "1234", 1}, // the terminal has gone
		{"       ", 1, "12345678", 7},
	} {
		var out strings.Builder
		con := &typed{script: script{out: &out}, columns: 80, lines: max(c.lines, 1), keys: c.keys}
		s := newShell(newBox().options(&out), con)
		s.length = c.lines
		w := s.pager(&out)
		_, err := io.WriteString(w, "1\n2\n3\n4\n5\n")
		if err == nil {
			_, err = io.WriteString(w, "6\n7\n8\n")
		}
		if err != nil && !errors.Is(err, errQuit) {
			t.Errorf("%q: %v", c.keys, err)
		}
		text := out.String()
		if n := strings.Count(text, "--More--"); n != c.stops {
			t.Errorf("%q of %d: %d stops, want %d", c.keys, c.lines, n, c.stops)
		}
		text = strings.NewReplacer(" --More-- ", "", "\r", "", " ", "", "\n", "").Replace(text)
		if text != c.want || (err != nil) != (c.want != "12345678") {
			t.Errorf("%q of %d: %q, want %q; %v", c.keys, c.lines, text, c.want, err)
		}
	}
}

// Filters that write files.
func TestRedirect(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "out.txt")
	read := func() string { b, _ := os.ReadFile(file); return string(b) }
	if out, status := play(newBox(), Options{}, "show version | i uptime | redirect "+file+"\n"); status != 0 || out != "" || !strings.HasPrefix(read(), "hub uptime") {
		t.Errorf("redirect: %d %q, %q", status, out, read())
	}
	if out, status := play(newBox(), Options{}, "show version | include uptime | append "+file+"\n"); status != 0 || out != "" || !strings.HasSuffix(read(), "minutes\nhub uptime is 2 hours, 3 minutes\n") {
		t.Errorf("append: %d %q, %q", status, out, read())
	}
	if out, status := play(newBox(), Options{}, "show version | tee "+file+"\n"); status != 0 || !strings.Contains(out, "hub uptime") || read() != out {
		t.Errorf("tee: %d %q, %q", status, out, read())
	}
	if out, status := play(newBox(), Options{}, "show version | redirect "+dir+"\n"); status != StatusFailed || !strings.Contains(out, "the output goes nowhere") {
		t.Errorf("into a directory: %d %q", status, out)
	}
}

// One command from the system's shell has filters, and no shell to change.
func TestOne(t *testing.T) {
	for line, want := range map[string]string{"show version | i uptime": "hub uptime is 2 hours, 3 minutes\n", "show version | include upt|nothing": "hub uptime is 2 hours, 3 minutes\n", "show running-config | section host": "hostname hub\n"} {
		var out strings.Builder
		o := newBox().options(&out)
		if err := One(o.Session, line); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v", line, out.String(), err)
		}
	}
	for line, status := range map[string]int{"enable": StatusFailed, "show terminal | include x": StatusFailed, "show frob": StatusSyntax, "show frob | include x": StatusSyntax, "show version | frob": StatusSyntax, "reload | include x": StatusFailed} {
		err := One(newBox().options(io.Discard).Session, line)
		if got := StatusOf(err); got != status {
			t.Errorf("%s: status %d, want %d: %v", line, got, status, err)
		}
	}
	b := newBox()
	b.gone = true
	if got := StatusOf(One(b.options(io.Discard).Session, "show version | include x")); got != StatusNoDaemon {
		t.Errorf("without a daemon: %d", got)
	}
}

// The prompt follows every mode of a configuration.
func TestPrompts(t *testing.T) {
	s := asking(newBox(), true)
	for _, c := range []struct {
		path []string
		want string
	}{
		{nil, "hub(config)#"},
		{[]string{"interface Tunnel0"}, "hub(config-if)#"},
		{[]string{"router bgp 1", "address-family ipv4 vrf v"}, "hub(config-router-af)#"},
		{[]string{"crypto ikev2 keyring k", "peer p"}, "hub(config-ikev2-keyring-peer)#"},
		{[]string{"key chain k", "key 1"}, "hub(config-keychain-key)#"},
	} {
		at, err := config.SessionAt(&config.Config{}, "", c.path)
		if err != nil {
			t.Fatal(err)
		}
		s.config = &configuring{path: at.Path(), mode: at.Mode()}
		if got := s.prompt(); got != c.want {
			t.Errorf("%v: %s, want %s", c.path, got, c.want)
		}
		for len(s.config.path) > 0 {
			if err := s.exitMode(); err != nil {
				t.Fatal(err)
			}
		}
		if s.prompt() != "hub(config)#" {
			t.Errorf("%v: at the top the prompt is %s", c.path, s.prompt())
		}
	}
}

// Whatever is typed, nothing panics, and what is typed again and again ends.
func FuzzLines(f *testing.F) {
	f.Add("enable\nconfigure terminal\ninterface Tunnel0\nip mtu 5\nexit\nbanner motd #\n#\ndo show version | count .\nend\n")
	f.Add("show version | section x | json | include a|b | tee /nonexistent/x\n?\nshow ?\n")
	f.Add("en\nconf cand\nshow \ncommit\nabandon\n")
	f.Add("show version | \x00\n\x1a\n")
	f.Fuzz(func(t *testing.T, lines string) {
		if strings.Contains(lines, "|") && (strings.Contains(lines, "r") || strings.Contains(lines, "t") || strings.Contains(lines, "a")) {
			lines = strings.ReplaceAll(lines, "/", "") // no files
			if strings.Contains(lines, "re") || strings.Contains(lines, "ap") || strings.Contains(lines, "te") {
				return
			}
		}
		b := newBox()
		o := b.options(io.Discard)
		o.Session.Debugger, o.Session.Pinger = nil, nil
		s := newShell(o, &script{in: bufio.NewReader(strings.NewReader(lines)), out: io.Discard})
		s.run()
		for _, config := range []bool{false, true} {
			if s.config = nil; config {
				s.config = &configuring{mode: topMode, candidate: len(lines)%2 == 0}
			}
			for _, l := range strings.Split(lines, "\n") {
				s.help(l)
				if now, _ := s.tab(l); len(now) < len(l)-len(l[strings.LastIndexAny(l, " \t")+1:]) {
					t.Errorf("%q becomes %q", l, now)
				}
				s.secret(l)
			}
		}
	})
}

var _ cli.Shell = (*Shell)(nil)
