package config

import (
	"strings"
	"unicode/utf8"

	"nave/ctl/config/grammar"
)

// Understand finds the command that a line is, in the session's mode or around it; column is what the error's column counts from, the byte of the line where the command
// begins behind `no`. A nil match without an error is a line with nothing in it, or one that leaves the mode.
func (s *Session) Understand(line string) (m *grammar.Match, column int, err *grammar.Error) {
	text := strings.TrimLeft(line, " \t")
	if grammar.Blank(text) {
		return nil, 0, nil
	}
	no := false
	first, rest, more := cutWord(text)
	switch strings.ToLower(first) {
	case "exit", "quit", "end":
		return nil, 0, nil
	case "no", "default":
		if !more {
			rest = ""
		}
		no, text = true, rest
	}
	column = len(line) - len(text)
	for i := len(s.modes) - 1; i >= 0; i-- {
		got, bad := modes()[s.modes[i]].set.Match(text, no)
		if bad == nil && (m == nil || got.Exact && !m.Exact) {
			m = got
		}
		if bad != nil && (err == nil || bad.Depth > err.Depth) {
			err = bad
		}
	}
	if m != nil {
		return m, column, nil
	}
	return nil, column, err
}

// PlainEnable is the password that a line gives privileged exec in clear; ok tells whether it does.
func PlainEnable(line string) (password string, ok bool) {
	m, _, err := NewSession(&Config{}, "").Understand(line)
	first, _, _ := strings.Cut(strings.TrimLeft(line, " \t"), " ")
	if err != nil || m == nil || strings.EqualFold(first, "no") || strings.EqualFold(first, "default") {
		return "", false
	}
	if grammar.Path(m.Command.Syntax) != "enable" || m.OneOf("5", "8", "9") != "" {
		return "", false
	}
	return m.Text("value"), true
}

// OpenBanner is the delimiter of a banner that a line begins and does not end; ok tells whether it does.
func OpenBanner(line string) (delimiter string, ok bool) {
	m, _, err := NewSession(&Config{}, "").Understand(line)
	first, _, _ := strings.Cut(strings.TrimLeft(line, " \t"), " ")
	if err != nil || m == nil || strings.EqualFold(first, "no") || strings.EqualFold(first, "default") || grammar.Path(m.Command.Syntax) != "banner" {
		return "", false
	}
	text := m.Text("text")
	n := bannerMark(text)
	return text[:n], n > 0 && !strings.Contains(text[n:], text[:n])
}

// bannerMark is the length of the delimiter that a banner's text begins with: its first character, and ^C is one.
func bannerMark(text string) int {
	if len(text) > 1 && text[0] == '^' {
		return 2
	}
	_, n := utf8.DecodeRuneInString(text)
	return n
}
