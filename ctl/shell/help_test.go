package shell

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"nave/ctl/api"
)

// asking is a shell whose help is looked at.
func asking(b *box, privileged bool, path ...string) *Shell {
	s := newShell(b.options(io.Discard), &typed{script: script{in: bufio.NewReader(strings.NewReader("")), out: io.Discard}, columns: 80})
	s.greet()
	s.privileged = privileged
	if len(path) == 2 && path[1] == "candidate" {
		s.config = &configuring{mode: topMode, candidate: true}
		return s
	}
	if path != nil {
		s.config = &configuring{path: path, mode: "config-x"}
		if path[0] == "" {
			s.config.path, s.config.mode = nil, topMode
		}
	}
	return s
}

// What ? says at many positions of exec.
func TestHelpExec(t *testing.T) {
	var out strings.Builder
	for _, c := range []struct {
		privileged bool
		lines      []string
	}{
		{false, []string{"show vers", "conf", "terminal h", "terminal length ", "terminal length 5 ", "terminal length 9999 ", "terminal monitor "}},
		{true, []string{"show interfaces t", "show ip route vrf ", "show ip cache flow ", "show ip cache flow 5", "show version ", "show version |", "show version | ",
			"show version | in", "show version | include ", "show version | include x ", "show version | include x | ", "show version | x ", "sh i ", "sh frob", "sh frob ", "configure t", "enable "}},
	} {
		s := asking(newBox(), c.privileged)
		for _, l := range c.lines {
			fmt.Fprintf(&out, "%s%s?\n%s%s%s\n\n", s.prompt(), l, s.help(l), s.prompt(), l)
		}
	}
	golden(t, "help_exec.golden", out.String())
}

// What ? says in configuration mode. The long lists of all commands are not repeated here.
func TestHelpConfig(t *testing.T) {
	var out strings.Builder
	for _, c := range []struct {
		path  []string
		lines []string
	}{
		{[]string{""}, []string{"ho", "hostname ", "interface ", "no ho", "no hostname ", "do", "do show ip nh", "do show version | c", "router bgp ", "ip route 10.0.0.0 ", "ip route 10.0.0.0 255.0.0.0 ",
			"crypto isakmp policy ", "enable secret ", "enable secret 9 ", "frobnicate ", "ip frob", "show ", "default hos"}},
		{[]string{"interface Tunnel0"}, []string{"ip nhrp ma", "tunnel mode gre ", "ip mtu ", "no ip mtu ", "exi", "no sh"}},
		{[]string{"router bgp 65000", "address-family ipv4 vrf blue"}, []string{"neighbor ", "neighbor 192.0.2.1 re", "exit"}},
	} {
		s := asking(newBox(), true, c.path...)
		for _, l := range c.lines {
			text := s.help(l)
			if lines := strings.SplitAfter(text, "\n"); len(lines) > 40 {
				text = strings.Join(lines[:20], "") + "...\n"
			}
			fmt.Fprintf(&out, "%s%s?\n%s%s%s\n\n", s.prompt(), l, text, s.prompt(), l)
		}
	}
	s := asking(newBox(), true, "")
	s.config.candidate = true
	for _, l := range []string{"comm", "commit ", "ab", "abandon ", "show configuration di", "rollb", "confi"} {
		fmt.Fprintf(&out, "%s%s?\n%s%s%s\n\n", s.prompt(), l, s.help(l), s.prompt(), l)
	}
	golden(t, "help_config.golden", out.String())
}

// All commands are listed at the beginning of a line, in every mode.
func TestHelpAll(t *testing.T) {
	for _, c := range []struct {
		s    *Shell
		want []string
		not  []string
	}{
		{asking(newBox(), false), []string{"Exec commands:", "  enable ", "  show "}, []string{"configure", "clear", "<cr>"}},
		{asking(newBox(), true), []string{"Exec commands:", "  configure ", "  clear "}, []string{"<cr>"}},
		{asking(newBox(), true, ""), []string{"Configure commands:", "  hostname ", "  interface ", "  no ", "  default ", "  do ", "  exit ", "  end "}, []string{"commit", "<cr>"}},
		{asking(newBox(), true, "", "candidate"), []string{"  commit ", "  abandon ", "  confirm ", "  rollback ", "  show ", "  hostname "}, nil},
		{asking(newBox(), true, "interface Tunnel0"), []string{"  ip ", "  tunnel ", "  exit "}, []string{"hostname"}},
	} {
		text := c.s.help("")
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", c.s.prompt(), w, text)
			}
		}
		for _, w := range c.not {
			if strings.Contains(text, w) {
				t.Errorf("%s: %q in\n%s", c.s.prompt(), w, text)
			}
		}
	}
}

func TestTab(t *testing.T) {
	exec, user, iface := asking(newBox(), true), asking(newBox(), false), asking(newBox(), true, "interface Tunnel0")
	for _, c := range []struct {
		s          *Shell
		line, want string
		printed    string
	}{
		{exec, "sh", "show ", ""},
		{exec, "show ver", "show version ", ""},
		{exec, "show i", "show i", "interfaces  ip\n"},
		{exec, "show int", "show interfaces ", ""},
		{exec, "show interfaces t", "show interfaces Tunnel", ""},
		{exec, "show interfaces tunnel", "show interfaces tunnel", "Tunnel0  Tunnel1\n"},
		{exec, "show interfaces e", "show interfaces Ethernet0 ", ""},
		{exec, "show ip route vrf b", "show ip route vrf blue ", ""},
		{exec, "show ip", "show ip ", ""},
		{exec, "show ip ", "show ip ", ""},
		{exec, "show frob", "show frob", ""},
		{exec, "show version | inc", "show version | include ", ""},
		{exec, "", "", ""},
		{user, "conf", "conf", ""},
		{exec, "conf", "configure ", ""},
		{iface, "ip nh", "ip nhrp ", ""},
		{iface, "tunnel mo", "tunnel mode ", ""},
		{iface, "no tunnel mo", "no tunnel mode ", ""},
		{iface, "do sh ver", "do sh version ", ""},
	} {
		got, printed := c.s.tab(c.line)
		if got != c.want || printed != c.printed {
			t.Errorf("%s%q becomes %q and prints %q, want %q and %q", c.s.prompt(), c.line, got, printed, c.want, c.printed)
		}
	}
}

// Without a terminal a line that ends with a question mark is a question, in configuration too; but not where it is a line of one.
func TestQuestionLines(t *testing.T) {
	b := newBox()
	var out strings.Builder
	s := newShell(b.options(&out), &script{in: bufio.NewReader(strings.NewReader("show ip nh?\nen\nconf t\nint tu0\nip mtu ?\nip nhrp nhs x\ndo show cl?\ndescription who?\nbandwidth 9\x1a\nshow clock\n")), out: &out})
	s.run()
	for _, want := range []string{"nhrp\n", "<68-9216>", "clock\n", "UTC", "here stands one of: an IPv4 address, cluster, dynamic, fallback\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if !slices.ContainsFunc(b.edits, func(e api.Edit) bool { return e.Line == "description who?" }) || b.edits[len(b.edits)-1].Line != "bandwidth 9" || len(b.edits) != 4 {
		t.Errorf("edits: %+v", b.edits)
	}
}
