package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/config"
	"nave/ctl/config/grammar"
	"nave/ctl/password"
	"nave/ctl/show"
)

// topMode is how the prompt says the top of a configuration.
const topMode = "config"

// configure goes to configuration mode.
func (s *Shell) configure(candidate bool) error {
	if s.o.Session.Editor == nil {
		return errors.New("there is nothing here that edits configurations")
	}
	if s.config != nil && s.config.candidate != candidate {
		return errors.New("`end` this configuration first")
	}
	text := ""
	if candidate {
		done, err := s.o.Session.Editor.Act(api.ConfigAction{What: api.ActBegin})
		if err != nil {
			return err
		}
		for _, f := range done.Findings {
			text += show.ShellFinding(f)
		}
		text = show.ShellCandidate + text
	} else {
		text = show.ShellConfigure
	}
	s.config = &configuring{candidate: candidate, mode: topMode}
	_, err := io.WriteString(s.out, text)
	return err
}

// leave ends configuration mode.
func (s *Shell) leave() {
	if s.config.candidate {
		_, _ = io.WriteString(s.console, show.ShellKept) // the terminal may have gone
	}
	s.config = nil
	s.greet()
}

// configWords are what configuration mode has beside the lines of a configuration.
var configWords = grammar.New([]*grammar.Command{
	{Syntax: "do <command:line>", Help: "run a command of exec"},
	{Syntax: "end", Help: "go back to exec"},
	{Syntax: "exit", Help: "leave this mode"},
}, map[string]string{"<command>": "A command of exec"})

// candidateWords are the first words of exec commands that need no `do` while a candidate is edited.
var candidateWords = []string{"show", "commit", "rollback", "write", "copy"}

// candidateSet are short for commands about the candidate, while one is edited.
var candidateSet = grammar.New([]*grammar.Command{
	{Syntax: "abandon", Help: "forget the candidate", Data: "configure abandon"},
	{Syntax: "confirm", Help: "let what was committed for some minutes stay", Data: "configure confirm"},
}, nil)

// configLine carries out a line in configuration mode.
func (s *Shell) configLine(ctx context.Context, line string) error {
	text := strings.TrimLeft(line, " \t")
	first, rest, _ := strings.Cut(text, " ")
	indent := len(line) - len(text)
	switch strings.ToLower(first) {
	case "do":
		if strings.TrimSpace(rest) == "" {
			return &misunderstood{show.ShellIncomplete(show.ShellExpected(nil, []string{"a command of exec"}))}
		}
		return s.exec(ctx, rest, indent+len(first)+1)
	case "end":
		s.leave()
		return nil
	case "exit", "quit":
		return s.exitMode()
	}
	m, _, bad := s.config.session().Understand(line)
	if m == nil && bad != nil {
		if word := s.own(first); word == "exit" {
			return s.exitMode()
		} else if word == "end" {
			s.leave()
			return nil
		}
		if s.config.candidate {
			if m, bad := candidateSet.Match(line, false); bad == nil {
				return s.candidateLine(ctx, m)
			}
			if ofCandidate(line) {
				return s.exec(ctx, line, 0)
			}
		}
	}
	if m != nil {
		var err error
		if line, err = s.complement(line, grammar.Path(m.Command.Syntax)); err != nil {
			return err
		}
	}
	return s.edit(line, m)
}

// complement makes of a line what the daemon is to have of it: a banner with its end, a password as a hash.
func (s *Shell) complement(line, command string) (string, error) {
	switch command {
	case "banner":
		if mark, open := config.OpenBanner(line); open {
			return s.banner(line, mark)
		}
	case "enable":
		if plain, ok := config.PlainEnable(line); ok {
			hash, err := password.Hash(plain)
			return fmt.Sprintf("enable secret %d %s", password.Scrypt, hash), err
		}
	}
	return line, nil
}

// own is the word of configWords that is abbreviated, of two characters or more; empty: none is.
func (s *Shell) own(word string) string {
	for _, w := range []string{"exit", "end"} {
		if len(word) > 1 && strings.HasPrefix(w, strings.ToLower(word)) {
			return w
		}
	}
	return ""
}

// exitMode leaves the innermost mode; at the top, configuration.
func (s *Shell) exitMode() error {
	c := s.config
	if len(c.path) == 0 {
		s.leave()
		return nil
	}
	up := c.path[:len(c.path)-1]
	outer, err := config.SessionAt(&config.Config{}, "", up)
	if err != nil { // a daemon of another version: it knows
		done, err := s.o.Session.Editor.Edit(api.Edit{Path: c.path, Line: "exit", Candidate: c.candidate})
		if err != nil {
			return err
		}
		c.at(done.Path, done.Mode)
		return nil
	}
	c.at(up, outer.Mode())
	return nil
}

// ofCandidate tells whether a line is a command about the candidate, or shows something.
func ofCandidate(line string) bool {
	text, _, _ := cutFilter(line)
	m, bad := cli.Understand(text, true)
	var words []string
	if bad != nil {
		words = strings.Fields(bad.Before)
	} else {
		words = strings.Fields(m.Command.Syntax)
	}
	for _, w := range candidateWords {
		if len(words) > 0 && words[0] == w {
			return true
		}
	}
	return false
}

// candidateLine runs a short command about the candidate. There is none any more after `abandon`.
func (s *Shell) candidateLine(ctx context.Context, m *grammar.Match) error {
	err := s.exec(ctx, m.Command.Data.(string), 0)
	if err == nil && m.Has("abandon") {
		s.config = nil
	}
	return err
}

// banner reads the rest of a banner's text. Banners are not kept, so that what goes to the daemon is one without a text.
func (s *Shell) banner(line, mark string) (string, error) {
	for {
		text, how, err := s.console.line("", true)
		if err != nil {
			return "", errors.New("the banner has no end: close it with its first character")
		}
		if strings.Contains(text, mark) || how != byReturn {
			break
		}
	}
	return line + mark, nil
}

// edit sends a line of the configuration to the daemon. m is what it is by the grammar that we have; nil: nothing.
func (s *Shell) edit(line string, m *grammar.Match) error {
	c := s.config
	done, err := s.o.Session.Editor.Edit(api.Edit{Path: c.path, Line: line, Candidate: c.candidate})
	if err != nil {
		return err
	}
	if done.Refused {
		return s.refused(line, m, done)
	}
	c.at(done.Path, done.Mode)
	var text strings.Builder
	for _, f := range done.Findings {
		text.WriteString(show.ShellFinding(f))
	}
	if done.Partly != "" {
		text.WriteString(show.ShellFinding(done.Partly))
	}
	if text.Len() > 0 {
		if _, err := io.WriteString(s.console, text.String()); err != nil {
			return err
		}
	}
	if m != nil && m.Has("hostname") && !c.candidate {
		s.greet()
	}
	return nil
}

// refused is the error of a line that the daemon did not take. Where our own grammar does not take it either, it is told as of any command.
func (s *Shell) refused(line string, m *grammar.Match, done api.Edited) error {
	if m == nil {
		if _, at, bad := s.config.session().Understand(line); bad != nil {
			if exec, other := cli.Understand(line, true); other == nil && bad.Kind == grammar.Unknown {
				return &misunderstood{s.marked(line, at, bad.Column-1, show.ShellDo(exec.Masked()))}
			}
			return s.misread(line, at, bad)
		}
	}
	var text strings.Builder
	for _, f := range done.Findings {
		text.WriteString(show.ShellFinding(f))
	}
	if text.Len() == 0 {
		text.WriteString(show.ShellFinding("the line is refused"))
	}
	return &refusal{text.String()}
}

// refusal is a line of configuration that was understood and refused.
type refusal struct{ text string }

// Error implements error. The text begins with its mark.
func (r *refusal) Error() string { return strings.TrimRight(r.text, "\n") }
