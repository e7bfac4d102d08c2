package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Profiles are shown without a daemon, those of the user's directory too.
func TestHWProfiles(t *testing.T) {
	dir := t.TempDir()
	text := "name: iron\nplatform: A box\nsupervisor: its engine\nvalues:\n  dmvpn.supported: {value: yes, basis: found, source: its manual}\n"
	if err := os.WriteFile(filepath.Join(dir, "iron.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(dir, line string, asJSON bool) (string, error) {
		var out strings.Builder
		s := &Session{Daemon: &daemon{err: errors.New("no daemon")}, Out: &out, JSON: asJSON, ProfileDir: dir}
		err := s.Run(line)
		return out.String(), err
	}
	for _, c := range []struct {
		dir, line string
		json      bool
		want      string
	}{
		{"", "show hwprofiles", false, "sup720-3bxl-7600-vspa"},
		{"", "sh hwp sup2", false, "Supervisor Engine 2"},
		{dir, "show hwprofiles", false, "A box"},
		{dir, "show hwprofiles iron", false, "its manual"},
		{dir, "show hwprofiles", true, `"name": "iron"`},
		{dir, "show hwprofiles iron", true, `"source": "its manual"`},
	} {
		if out, err := run(c.dir, c.line, c.json); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", c.line, err, out)
		}
	}
	if _, err := run("", "show hwprofiles iron", false); err == nil || !strings.Contains(err.Error(), "sup720-3bxl") {
		t.Errorf("a profile that is not there: %v", err)
	}
	if _, err := run(filepath.Join(dir, "none"), "show hwprofiles", false); err == nil {
		t.Error("a directory that is not there")
	}
}
