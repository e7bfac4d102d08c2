package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"nave/ctl/show"
)

// Each command of a report on trouble is one that there is, and its output stands under its name.
func TestTechSupport(t *testing.T) {
	for line, commands := range map[string][]string{"show tech-support": show.TechSupport, "sh tech dmvpn": show.TechDMVPN} {
		out, _, err := runLine(line, false)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, c := range commands {
			if _, bad := table.Match(c, false); bad != nil {
				t.Errorf("%s: there is no command %q: %v", line, c, bad)
			}
			head := "\n------------------ " + c + " ------------------\n\n"
			k := strings.Index(out[at:], head)
			if k < 0 {
				t.Fatalf("%s: %q is not there, or in another place:\n%s", line, c, out)
			}
			at += k + len(head)
		}
		if !strings.Contains(out, "box uptime is") || !strings.Contains(out, "Tunnel0") {
			t.Errorf("%s:\n%s", line, out)
		}
		if out, _, err = runLine(line, true); err != nil {
			t.Fatal(err)
		}
		var parts []techPart
		if err := json.Unmarshal([]byte(out), &parts); err != nil || len(parts) != len(commands) {
			t.Fatalf("%s --json: %v, %d parts\n%s", line, err, len(parts), out)
		}
		for k, p := range parts {
			if p.Command != commands[k] || (p.Error == "") != json.Valid(p.Output) {
				t.Errorf("%s --json: part %d is %+v", line, k, p)
			}
		}
	}
}

// `terminal show-format` changes what comes after it, and nothing in what is cleared.
func TestShowFormat(t *testing.T) {
	var out strings.Builder
	s := &Session{Daemon: &daemon{}, Out: &out}
	show := func(line string) string {
		t.Helper()
		out.Reset()
		if err := s.Run(line); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	legacy := show("show dmvpn")
	if text := show("terminal show-format modern"); text != "" {
		t.Errorf("it prints %q", text)
	}
	modern := show("show dmvpn")
	if !strings.Contains(legacy, "Tunnel0, Type: Hub, NBMA Peers: 0,") || !strings.Contains(modern, "Interface: Tunnel0, IPv4 NHRP Details") {
		t.Errorf("legacy:\n%s\nmodern:\n%s", legacy, modern)
	}
	for _, line := range []string{"show dmvpn detail", "show ip nhrp", "show ip nhrp nhs", "show ip nhrp traffic", "show crypto isakmp sa", "show crypto ipsec sa", "show crypto map", "show interfaces", "show processes memory"} {
		m := show(line)
		show("terminal show-format legacy")
		if show(line) == m {
			t.Errorf("%s is the same in both forms:\n%s", line, m)
		}
		show("ter sh mod")
	}
	if show("term show leg"); show("show dmvpn") != legacy {
		t.Error("it can't be changed back")
	}
}
