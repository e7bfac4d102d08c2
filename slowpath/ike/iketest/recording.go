package iketest

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// Recording reads a session of another make from a file, a line at a time: words, of which hexadecimal ones are for Unhex. Lines of # are comments.
func Recording(t *testing.T, file string, line func(words []string)) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(text)) {
		if words := strings.Fields(l); words[0] != "#" {
			line(words)
		}
	}
}

// Unhex is what a word of a recording stands for.
func Unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
