package config

import (
	"testing"

	"nave/ctl/config/grammar"
)

func TestUnderstand(t *testing.T) {
	for _, c := range []struct {
		path   []string
		line   string
		syntax string // the beginning of the command's
		column int
		bad    grammar.ErrorKind
	}{
		{nil, "hostname x", "hostname", 0, 0},
		{nil, "int tu0", "interface", 0, 0},
		{nil, " no int tu0", "interface", 3, 0},
		{[]string{"interface Tunnel0"}, "ip mtu 1400", "ip mtu", 0, 0},
		{[]string{"interface Tunnel0"}, "hostname x", "hostname", 0, 0},
		{[]string{"router bgp 1", "address-family ipv4 vrf blue"}, "neighbor 192.0.2.1 remote-as 2", "neighbor", 0, 0},
		{[]string{"interface Tunnel0"}, "ip mtu", "", 0, grammar.Incomplete},
		{nil, "frobnicate", "", 0, grammar.Unknown},
		{nil, "no frobnicate", "", 2, grammar.Unknown},
		{nil, "exit", "", 0, 0},
		{nil, "! comment", "", 0, 0},
	} {
		s, where := SessionAt(&Config{}, "", c.path)
		if where != nil {
			t.Fatal(where)
		}
		m, column, err := s.Understand(c.line)
		switch {
		case c.syntax != "" && (m == nil || len(m.Command.Syntax) < len(c.syntax) || m.Command.Syntax[:len(c.syntax)] != c.syntax || column != c.column):
			t.Errorf("%v %q: %v at %d, %v", c.path, c.line, m, column, err)
		case c.syntax == "" && m != nil, c.bad != 0 && (err == nil || err.Kind != c.bad || column != c.column), c.bad == 0 && err != nil:
			t.Errorf("%v %q: %v at %d, %v", c.path, c.line, m, column, err)
		}
	}
}

func TestPlainEnable(t *testing.T) {
	for line, want := range map[string]string{
		"enable secret wheel": "wheel", " enable password 0 wheel": "wheel", "en sec wheel": "wheel", "enable secret 9 $9$a$b": "", "enable secret 5 x": "", "no enable secret wheel": "",
		"default enable secret wheel": "", "hostname wheel": "", "enable secret": "", "": "", "exit": "",
	} {
		if got, ok := PlainEnable(line); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", line, got, ok)
		}
	}
}

func TestOpenBanner(t *testing.T) {
	for line, want := range map[string]string{
		"banner motd #": "#", "banner motd ^C": "^C", "banner login ^Chello": "^C", "banner exec éhello": "é", "banner motd #hello#": "", "banner motd ^Chello^C": "",
		"banner motd": "", "no banner motd #": "", "hostname #": "", "": "",
	} {
		if got, ok := OpenBanner(line); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", line, got, ok)
		}
	}
}

func FuzzUnderstand(f *testing.F) {
	f.Add("interface Tunnel0", "no ip mtu 1")
	f.Add("router bgp 1", "banner motd ^")
	f.Fuzz(func(_ *testing.T, path, line string) {
		s, err := SessionAt(&Config{}, "", []string{path})
		if err != nil {
			return
		}
		s.Understand(line)
		PlainEnable(line)
		OpenBanner(line)
		s.Complete(line)
	})
}
