package config

import (
	"os"
	"path/filepath"
	"testing"

	"nave/testbed/need"
)

// TestReferenceConfigurations reads the configurations of the guide, where they are at hand: no command in them is
// unknown, and each prints and parses back to the same tree.
func TestReferenceConfigurations(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "guide", "configs")
	need.Optional(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.cfg"))
	if err != nil || len(files) != 11 {
		t.Fatalf("%d files, %v; want 11", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			c, diags := Parse(f, text)
			for _, d := range diags {
				if d.Severity == Error {
					t.Error(d)
				}
			}
			again, diags := Parse("printed", []byte(c.Running()))
			if diags.HasErrors() || !again.Equal(c) {
				t.Errorf("does not parse back: %v\n%s", diags.Err(), c.Running())
			}
		})
	}
}
