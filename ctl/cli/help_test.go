package cli

import (
	"regexp"
	"testing"
)

var argument = regexp.MustCompile(`<([a-z0-9]+)[:>]`)

// ? explains each argument.
func TestArgumentsAreExplained(t *testing.T) {
	for _, c := range Commands() {
		for _, m := range argument.FindAllStringSubmatch(c.Syntax, -1) {
			if helpWords["<"+m[1]+">"] == "" {
				t.Errorf("help.go does not explain <%s> of `%s`", m[1], c.Syntax)
			}
		}
	}
}

func TestPrivileged(t *testing.T) {
	for line, want := range map[string]bool{
		"show ip nhrp": false, "show running-config": true, "show startup-config": true, "show configuration diff": true, "ping 192.0.2.1": false, "enable": false, "terminal length 0": false,
		"configure terminal": true, "clear ip nhrp": true, "reload": true, "write memory": true, "debug nhrp": true, "undebug all": true,
	} {
		if m, bad := Understand(line, true); bad != nil || Privileged(m.Command) != want {
			t.Errorf("%s: %v, %v", line, m, bad)
		}
		if _, bad := Understand(line, false); (bad != nil) != want {
			t.Errorf("%s in user exec: %v", line, bad)
		}
	}
}
