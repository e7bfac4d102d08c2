package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, c := range []struct {
		args           []string
		status         int
		inOut, inError string
	}{
		{nil, 2, "", "naveperf COMMAND"},
		{[]string{"help"}, 0, "clock", ""},
		{[]string{"frobnicate"}, 2, "", `there is no command "frobnicate"`},
		{[]string{"clock", "--span", "10ms"}, 0, "GHz", ""},
		{[]string{"clock", "--help"}, 0, "", "-span"},
		{[]string{"clock", "--span", "0"}, 1, "", "naveperf clock: --span 0s"},
	} {
		var out, errs bytes.Buffer
		if got := run(t.Context(), c.args, &out, &errs); got != c.status {
			t.Errorf("%v: status %d, want %d", c.args, got, c.status)
		}
		if !strings.Contains(out.String(), c.inOut) || !strings.Contains(errs.String(), c.inError) {
			t.Errorf("%v: out %q, errors %q", c.args, out.String(), errs.String())
		}
	}
}

// TestNames: every command can be told from the others, and says what it does.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands {
		if c.name == "" || c.what == "" || c.run == nil || seen[c.name] {
			t.Errorf("command %q: %q", c.name, c.what)
		}
		seen[c.name] = true
	}
}
