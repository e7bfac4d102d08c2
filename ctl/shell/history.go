package shell

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"nave/ctl/cli"
)

const (
	defaultHistory = 100
	keptHistory    = 1000 // lines of the file
)

// history is what was typed. It is a term.History.
type history struct {
	lines []string // oldest first
	size  int
	file  string
}

// openHistory reads what was typed in earlier sessions. A file that can't be read is none.
func openHistory(file string) *history {
	h := &history{size: defaultHistory, file: file}
	if file == "" {
		return h
	}
	f, err := os.Open(file)
	if err != nil {
		return h
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		h.lines = append(h.lines, in.Text())
	}
	if len(h.lines) > keptHistory {
		h.lines = slices.Clone(h.lines[len(h.lines)-keptHistory:])
		h.rewrite()
	}
	return h
}

// rewrite makes the file anew.
func (h *history) rewrite() {
	temporary := h.file + ".new"
	text := strings.Join(h.lines, "\n") + "\n"
	if os.WriteFile(temporary, []byte(text), 0o600) == nil {
		_ = os.Rename(temporary, h.file) // the file is a convenience: without it the session goes on
	}
}

// add remembers a line, unless it has a secret or is the last one again.
func (h *history) add(line string, secret bool) {
	line = strings.TrimSpace(line)
	if secret || h.size == 0 || line == "" || strings.ContainsAny(line, "\n\r") || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > keptHistory {
		h.lines = slices.Delete(h.lines, 0, len(h.lines)-keptHistory)
	}
	if h.file == "" {
		return
	}
	if os.MkdirAll(filepath.Dir(h.file), 0o700) != nil {
		return
	}
	f, err := os.OpenFile(h.file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	_ = f.Chmod(0o600)                // an old one may be open to others
	_, _ = f.WriteString(line + "\n") // as above
	_ = f.Close()
}

// setSize says how many lines are remembered.
func (h *history) setSize(n int) { h.size = n }

// recent are the lines that are remembered.
func (h *history) recent() []string {
	return h.lines[max(0, len(h.lines)-h.size):]
}

// Add implements term.History. It does nothing: the editor knows nothing of secrets, the shell adds.
func (h *history) Add(string) {}

// Len implements term.History.
func (h *history) Len() int { return len(h.recent()) }

// At implements term.History: 0 is the latest.
func (h *history) At(n int) string {
	r := h.recent()
	return r[len(r)-1-n]
}

// secretWords are in lines that could have a secret, if nobody understands them.
var secretWords = regexp.MustCompile(`(?i)\b(key|key-string|secret|password|pre-shared-key|passw\w*|psk|community)\b`)

// secret tells whether a line has a key or a password in it. Of what is not understood nobody can tell: where its words are about secrets, it counts as one.
func (s *Shell) secret(line string) bool {
	text := strings.TrimLeft(line, " \t")
	exec := s.config == nil
	if first, rest, ok := strings.Cut(text, " "); ok && !exec && strings.EqualFold(first, "do") {
		exec, text = true, rest
	}
	if exec {
		command, _, _ := cutFilter(text)
		if m, bad := cli.Understand(command, true); bad == nil {
			return m.Masked() != m.Canonical
		}
		return secretWords.MatchString(line)
	}
	m, _, bad := s.config.session().Understand(line)
	if m != nil {
		return m.Masked() != m.Canonical
	}
	return bad != nil && secretWords.MatchString(line)
}
