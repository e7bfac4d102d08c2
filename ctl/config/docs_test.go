package config

import (
	"os"
	"strings"
	"testing"
)

// The configurations in the documentation of EIGRP can be read, and nothing in them has no effect.
func TestDocumentedConfigurations(t *testing.T) {
	text, err := os.ReadFile("../../docs/eigrp.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for block := range strings.SplitSeq(string(text), "\n\n") {
		if !strings.HasPrefix(block, "    ") {
			continue
		}
		blocks++
		c, diags := Parse("eigrp.md", []byte(block))
		if len(diags) > 0 {
			t.Errorf("%s\n%v", block, diags)
		}
		if again, _ := Parse("printed", []byte(c.Running())); !again.Equal(c) {
			t.Errorf("does not parse back:\n%s", c.Running())
		}
	}
	if blocks < 10 {
		t.Errorf("only %d configurations found", blocks)
	}
}
