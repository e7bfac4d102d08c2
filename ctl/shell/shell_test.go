package shell

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/config"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
	"nave/slowpath"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		a, b := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				t.Errorf("%s:%d: %q is not what is there (go test -update writes it anew)\n%s", file, i+1, a[i], got)
				return
			}
		}
		t.Errorf("%s has more than\n%s", file, got)
	}
}

// box is a daemon: what commands, the shell and the editor ask.
type box struct {
	mu        sync.Mutex
	hostname  string
	password  string
	look      bool // the user may look only
	gone      bool // no daemon answers
	cleared   []api.Clear
	running   *config.Config
	candidate *config.Config
	edits     []api.Edit
	acts      []api.ConfigAction
	refused   int // passwords
	follow    chan api.LogLine
}

func newBox() *box {
	b := &box{hostname: "hub", follow: make(chan api.LogLine, 10)}
	b.running, _ = config.Parse("", []byte("hostname hub\ninterface Ethernet0\n ip address 192.0.2.1 255.255.255.0\n"))
	return b
}

func (b *box) Status() (*show.Status, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return nil, fmt.Errorf("%w on /run/nave/nave.sock", api.ErrNoDaemon)
	}
	s := &show.Status{
		Time: time.Date(2026, 1, 1, 2, 3, 4, 0, time.UTC), Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Hostname: b.hostname, Version: "nave 0.1", Running: b.running.Running(),
		Interfaces: map[string]show.Configured{"Tunnel0": {}, "Ethernet0": {}}, VRFs: []show.VRF{{Name: "blue", ID: 1}},
		Router: slowpath.Status{Interfaces: []rib.Interface{{Name: "Ethernet0", Up: true, Port: 1}, {Name: "Tunnel0", Up: true, Tunnel: &rib.Tunnel{ID: 1}}}},
	}
	s.Router.NHRP = nhrp.Status{
		Interfaces: []nhrp.InterfaceStatus{{Name: "Tunnel0", MaxSend: nhrp.DefaultMaxSend}},
		Entries:    []nhrp.EntryStatus{{Iface: "Tunnel0", Prefix: netip.MustParsePrefix("10.0.0.9/32")}},
	}
	return s, nil
}
func (b *box) Flows(int) (*show.FlowCache, error)     { return &show.FlowCache{}, nil }
func (b *box) Query(show.Query) (*show.Answer, error) { return &show.Answer{}, nil }
func (b *box) Clear(c api.Clear) error                { b.cleared = append(b.cleared, c); return nil }
func (b *box) Reload() error {
	return errors.New("the running configuration stands: nave.cfg has 1 errors")
}

func (b *box) Greet() (api.Greeting, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return api.Greeting{}, fmt.Errorf("%w on /run/nave/nave.sock", api.ErrNoDaemon)
	}
	return api.Greeting{Hostname: b.hostname, User: "ada", Change: !b.look, Password: b.password != ""}, nil
}

func (b *box) Enable(typed string) error {
	switch {
	case b.gone:
		return fmt.Errorf("%w on /run/nave/nave.sock", api.ErrNoDaemon)
	case b.look:
		return errors.New("ada may look and not change; who may is in group nave-admin, or root")
	case b.password != typed:
		b.refused++
		return errors.New(api.BadSecret)
	}
	return nil
}

func (b *box) Edit(e api.Edit) (api.Edited, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.edits = append(b.edits, e)
	tree := b.running
	if e.Candidate {
		if tree = b.candidate; tree == nil {
			return api.Edited{}, errors.New("there is no candidate")
		}
	}
	s, err := config.SessionAt(tree, "", e.Path)
	if err != nil {
		return api.Edited{}, err
	}
	diags := s.Line(e.Line)
	out := api.Edited{Path: s.Path(), Mode: s.Mode(), Refused: diags.HasErrors()}
	for _, d := range diags {
		out.Findings = append(out.Findings, d.Severity.String()+": "+d.Message)
	}
	if !out.Refused {
		if e.Candidate {
			b.candidate = s.Config()
		} else {
			b.running, b.hostname = s.Config(), s.Config().Hostname
		}
	}
	return out, nil
}

// collector is an editor that notes each line with where it stands, and keeps no configuration: what a thousand lines take is the shell's alone.
type collector struct {
	*box
	lines []string
}

func (c *collector) Edit(e api.Edit) (api.Edited, error) {
	s, err := config.SessionAt(&config.Config{}, "", e.Path)
	if err != nil {
		return api.Edited{}, err
	}
	if diags := s.Line(e.Line); diags.HasErrors() {
		return api.Edited{Refused: true, Findings: []string{diags[0].String()}}, nil
	}
	c.lines = append(c.lines, strings.Join(append(e.Path, strings.TrimSpace(e.Line)), " / "))
	return api.Edited{Path: s.Path(), Mode: s.Mode()}, nil
}

func (b *box) Act(a api.ConfigAction) (api.ConfigDone, error) {
	b.acts = append(b.acts, a)
	switch a.What {
	case api.ActBegin:
		if b.candidate == nil {
			b.candidate = b.running
		}
	case api.ActAbandon:
		b.candidate = nil
	case api.ActCommit:
		if b.candidate == nil {
			return api.ConfigDone{}, errors.New("there is no candidate")
		}
		b.running, b.hostname = b.candidate, b.candidate.Hostname
	}
	return api.ConfigDone{Revision: 2, Changes: "other settings"}, nil
}

func (b *box) ConfigText(t api.ConfigText) (string, error) { return "text of " + t.What + "\n", nil }

func (b *box) Follow(ctx context.Context, severity int, f func(api.LogLine)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-b.follow:
			if l.Severity <= severity {
				f(l)
			}
		}
	}
}

func (b *box) options(out io.Writer) Options {
	return Options{
		Session: cli.Session{Daemon: b, Editor: b, Out: out}, Daemon: b, Log: b,
		Names: func(c grammar.Completion) []string {
			switch {
			case c.Type == "interface":
				return []string{"Ethernet0", "Tunnel0", "Tunnel1"}
			case c.Name == "vrf":
				return []string{"blue"}
			}
			return nil
		},
	}
}

// typed is a console whose lines are told as they are read, so that what is written reads as a session does.
type typed struct {
	script
	columns, lines int
	keys           string // for --More--
}

func (c *typed) line(prompt string, literal bool) (string, ending, error) {
	text, how, err := c.script.line("", literal)
	if err == nil {
		fmt.Fprintf(c.out, "%s%s\n", prompt, text)
	}
	return text, how, err
}

func (c *typed) size() (int, int) { return c.columns, c.lines }

func (c *typed) key() (byte, error) {
	if c.keys == "" {
		return 0, io.EOF
	}
	k := c.keys[0]
	c.keys = c.keys[1:]
	return k, nil
}

func TestSessions(t *testing.T) {
	for name, c := range map[string]struct {
		lines  string
		status int
		box    func(*box)
	}{
		"exec": {"show version | i up\nsh ver | i up\n\n! a comment\nshow clock\nsh i\nterminal length\nsh ip nhrp tu0 x\nclear dmvpn session\nconf t\nenable\nen\nclear dmvpn sess\nreload\ndisable\nterminal width\nlogout\nshow version\n", StatusSyntax, nil},
		"configure": {"en\nconf t\nint tu0\nip mtu 1400\nip mtu 99999\nip frob\nexit\nhostname rim\nno hostname\nhostname wheel\nrouter bgp 1\naddress-family ipv4 vrf blue\nexit\nexit\nfrobnicate\nshow version\ndo show version | begin hub up.*ime\ndo\n" +
			"do sh ip nhrp | count 10.0\nint tu0\ninterface Ethernet0\nex\nhost\nend\nshow running-config | section interface\nexit\n", StatusSyntax, nil},
		"candidate": {"en\nconf cand\nhostname rim\nshow configuration diff\nshow version | include uptime\nfrobnicate\ncommit\ninterface Tunnel0\ncommit confirmed 5\nconfirm\nend\nconfigure candidate\nabandon\nconfigure candidate\nexit\n", StatusSyntax, nil},
		"banner":    {"en\nconf t\nbanner motd ^C\nhostname no\n  ? and \t\nend ^C\nhostname rim\nbanner login #one line#\nend\n", StatusOK, nil},
		"filters": {"show version | include hub\nshow running\nshow version | count hub\nshow history | json\nsh ver | i hub | c .\nsh ver | x\nsh ver |\nsh ver | include (\n" +
			"en\nshow running-config | exclude !|interface|^hostname\nshow running-config | begin address\nshow running-config | section ^interface\nshow running-config | section hostname | json\n", StatusSyntax, nil},
		"terminal": {"terminal length 5\nterminal width 132\nterm mon err\nterm show-format modern\nterm history size 10\nshow terminal\nshow terminal | json\nterm no mon\nterm no len\nterm no width\nterm no history\nshow terminal\nshow history\nterminal history\n" +
			"show history\nterm length 1000\n", StatusSyntax, nil},
		"password": {"enable\nwrong\nstill wrong\nwrong again\nenable\nwheel\nconf t\n", StatusFailed, func(b *box) { b.password = "wheel" }},
		"looker":   {"enable\nshow version | count hub\nclear dmvpn session\n", StatusFailed, func(b *box) { b.look = true }},
		"nobody":   {"show version\nenable\nterminal length 0\n", StatusNoDaemon, func(b *box) { b.gone = true }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox()
			if c.box != nil {
				c.box(b)
			}
			var out strings.Builder
			s := newShell(b.options(&out), &typed{script: script{in: bufio.NewReader(strings.NewReader(c.lines)), out: &out}, columns: 80})
			if status := s.run(); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			golden(t, name+".golden", out.String())
		})
	}
}
