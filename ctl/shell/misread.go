package shell

import (
	"slices"
	"strings"

	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// misunderstood is a line that was not understood, with the text that says so.
type misunderstood struct{ text string }

// Error implements error.
func (e *misunderstood) Error() string { return strings.TrimSpace(e.text) }

// misread says why a command is not understood. at is where it begins in what was typed.
func (s *Shell) misread(line string, at int, bad *grammar.Error) error {
	words := slices.Concat(bad.Expect, bad.Keywords)
	switch bad.Kind {
	case grammar.Incomplete:
		return &misunderstood{show.ShellIncomplete(show.ShellExpected(nil, words))}
	case grammar.Ambiguous:
		return &misunderstood{show.ShellAmbiguous(strings.TrimSpace(line), show.ShellExpected(nil, bad.Keywords))}
	case grammar.NotText:
		return &misunderstood{s.marked(line, at, bad.Column-1, bad.Reason)}
	}
	return &misunderstood{s.marked(line, at, bad.Column-1, show.ShellExpected(grammar.Nearest(bad.Token, bad.Keywords, 3), words))}
}

// marked is the text that marks a column of a line, which begins at some column of what was typed. Where nobody typed it, the line is told first.
func (s *Shell) marked(line string, at, column int, what string) string {
	if columns, _ := s.console.size(); columns > 0 {
		return show.ShellInvalid(len([]rune(s.prompt()))+at+column, what)
	}
	return line + "\n" + show.ShellInvalid(column, what)
}
