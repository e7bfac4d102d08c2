package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSession configures line by line, with mistakes among the lines.
func TestSession(t *testing.T) {
	start := mustParse(t, hubText)
	s := NewSession(start, "terminal")
	for _, tc := range []struct{ line, mode, code string }{
		{"hostname dijon", "config", ""},
		{"interface tu9", "config-if", ""},
		{"ip mtu 5", "config-if", CodeBadValue},
		{"ip mtu 1350", "config-if", ""},
		{"nonsense", "config-if", CodeUnknown},
		{"router bgp 65000", "config-router", ""},
		{"neighbor 10.0.0.9 remote-as 65000", "config-router", ""},
		{"address-family vpnv4", "config-router-af", ""},
		{"neighbor 10.0.0.9 activate", "config-router-af", ""},
		{"exit-address-family", "config-router", ""},
		{"address-family ipv4 vrf v", "config-router-af", ""},
		{"exit", "config-router", ""},
		{"end", "config", ""},
		{"banner motd #", "config", CodeIncomplete},
		{"! nothing", "config", ""},
		{"no interface Loopback0", "config", ""},
	} {
		before := s.Config()
		diags := s.Line(tc.line)
		code := ""
		for _, d := range diags {
			if d.Severity == Error {
				code = d.Code
			}
		}
		if code != tc.code || s.Mode() != tc.mode {
			t.Errorf("%q: %v, mode %s; want %s, %s", tc.line, diags, s.Mode(), tc.code, tc.mode)
		}
		if code != "" && s.Config() != before {
			t.Errorf("%q changed the tree", tc.line)
		}
	}
	want := mustParse(t, hubText+"hostname dijon\ninterface Tunnel9\n ip mtu 1350\nrouter bgp 65000\n neighbor 10.0.0.9 remote-as 65000\n address-family vpnv4\n  neighbor 10.0.0.9 activate\n exit-address-family\n address-family ipv4 vrf v\nno interface Loopback0\n")
	if !s.Config().Equal(want) {
		t.Errorf("%s", s.Config().Running())
	}
	if !start.Equal(mustParse(t, hubText)) {
		t.Error("the session changed the tree that it began with")
	}
}

func TestSessionComplete(t *testing.T) {
	s := NewSession(&Config{}, "terminal")
	s.Line("interface Tunnel0")
	for line, want := range map[string]string{
		"ip nhrp hold":          "holdtime",
		"no ip nhrp hold":       "holdtime",
		"ip nhrp holdtime ":     "<1-65535>",
		"tunnel mode gre ":      "ip ipv6 multipoint",
		"host":                  "hostname",
		"ip nhrp map multi ":    "A.B.C.D dynamic",
		"crypto isakmp policy ": "<1-10000>",
		"zzz":                   "",
		"zzz y":                 "",
	} {
		list, _ := s.Complete(line)
		var got []string
		for _, c := range list {
			got = append(got, c.Text)
			if c.Help == "" {
				t.Errorf("%q: %s has no help", line, c.Text)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v; want %s", line, got, want)
		}
	}
	if _, end := s.Complete("shutdown "); !end {
		t.Error("shutdown is complete")
	}
}

// TestHelpEverywhere walks the completions of each mode, and asserts that each has its help.
func TestHelpEverywhere(t *testing.T) {
	for id := range numModes {
		set := modes()[id].set
		for _, c := range set.Commands {
			if c.Help == "" {
				t.Errorf("%s has no help", c.Syntax)
			}
			short, long := examples(c.Syntax)
			for _, line := range []string{short, long} {
				words := strings.Fields(line)
				for n := range words {
					list, _, err := set.Complete(strings.Join(words[:n], " ")+" ", false)
					for _, item := range list {
						if err == nil && item.Help == "" && id != mSwallow {
							t.Errorf("%s: %s has no help", strings.Join(words[:n], " "), item.Text)
						}
					}
				}
			}
		}
	}
}

func TestDocs(t *testing.T) {
	kinds := map[string]int{}
	own := 0
	for _, d := range Docs() {
		kinds[d.Kind]++
		if d.Mode == "" || d.Syntax == "" || d.Help == "" || d.Kind != "effective" && d.Note == "" {
			t.Errorf("%+v", d)
		}
		if d.Note == "nave's own" {
			own++
		}
	}
	if kinds["effective"] < 350 || kinds["no effect"] < 90 || kinds["refused"] < 30 || own < 12 {
		t.Errorf("%v, %d of nave's own", kinds, own)
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hub, spoke := write("hub", hubText), write("spoke", spokeText)
	wrong, unknown := write("wrong", "interface Tunnel0\n"), write("unknown", "hostnme x\n")
	for _, tc := range []struct {
		files []string
		code  int
		text  string
	}{
		{[]string{hub, spoke}, 0, ""},
		{[]string{wrong}, 1, ":1:1: error: Tunnel0 has no tunnel source"},
		{[]string{unknown}, 2, "did you mean `hostname`?"},
		{[]string{hub, wrong, unknown}, 2, "wrong:1:1"},
	} {
		var text, asJSON bytes.Buffer
		code, err := CheckFiles(&text, false, tc.files...)
		if err != nil || code != tc.code || !strings.Contains(text.String(), tc.text) {
			t.Errorf("%v: code %d, %v\n%s", tc.files, code, err, text.String())
		}
		if code, err = CheckFiles(&asJSON, true, tc.files...); err != nil || code != tc.code {
			t.Errorf("%v: code %d, %v", tc.files, code, err)
		}
		var diags Diagnostics
		if err := json.Unmarshal(asJSON.Bytes(), &diags); err != nil || len(diags) != strings.Count(text.String(), "\n") {
			t.Errorf("%v: %v, %d findings\n%s", tc.files, err, len(diags), asJSON.String())
		}
		for i, line := range strings.Split(strings.TrimSpace(text.String()), "\n") {
			if i < len(diags) && diags[i].String() != line {
				t.Errorf("%s\n%s", diags[i], line)
			}
		}
	}
	if code, err := CheckFiles(&bytes.Buffer{}, false, filepath.Join(dir, "absent")); err == nil || code != 2 {
		t.Errorf("absent file: %d %v", code, err)
	}
}

func TestDiagnostics(t *testing.T) {
	ds := Diagnostics{{File: "b", Line: 2, Severity: Warning, Code: "x", Message: "m"}, {File: "a", Line: 9, Column: 3, Severity: Error, Code: "y", Message: "n", Action: "do"}, {File: "b", Line: 1, Severity: Info, Code: "z", Message: "o"}}
	ds.Sort()
	if got := ds[0].String() + "|" + ds[1].String() + "|" + ds[2].String(); got != "b:1:1: info: o|b:2:1: warning: m|a:9:3: error: n (do)" {
		t.Error(got)
	}
	if ds.ExitCode() != 1 || !ds.HasErrors() || ds.Err() == nil || ds[:2].ExitCode() != 0 || ds[:2].Err() != nil {
		t.Error("exit code")
	}
	if string(Diagnostics(nil).JSON()) != "[]\n" {
		t.Errorf("%s", Diagnostics(nil).JSON())
	}
	if got := (Diagnostic{Severity: Error, Message: "m"}).String(); got != "error: m" {
		t.Error(got)
	}
	var s Severity
	if err := s.UnmarshalText([]byte("nonsense")); err == nil {
		t.Error("severity nonsense")
	}
}
