package config

import (
	"fmt"
	"slices"
	"strings"

	"nave/ctl/config/grammar"
)

// Session is interactive configuration: one line at a time, in the mode that the lines before it entered.
type Session struct {
	cfg   *Config
	file  string
	path  []string // the lines that lead to the mode
	modes []modeID
}

// NewSession begins at the top of c. c itself is never changed. name stands for the file in findings.
func NewSession(c *Config, name string) *Session {
	return &Session{cfg: c, file: name, modes: []modeID{mGlobal}}
}

// SessionAt begins in the mode that some lines lead to, outermost first. Lines that lead nowhere are an error.
func SessionAt(c *Config, name string, path []string) (*Session, error) {
	s := NewSession(c, name)
	if len(path) == 0 {
		return s, nil
	}
	p := newParser(name, c.Clone())
	for _, enter := range path {
		p.line(enter, 1)
	}
	if p.diags.HasErrors() || len(p.stack) != len(path)+1 {
		return nil, fmt.Errorf("config: there is no mode %q", clip(strings.Join(path, " / ")))
	}
	s.at(p)
	return s, nil
}

// Config returns the tree as the lines so far have made it.
func (s *Session) Config() *Config { return s.cfg }

// Mode names the mode as it shows in the prompt: config, config-if, config-router-af.
func (s *Session) Mode() string { return modes()[s.modes[len(s.modes)-1]].name }

// Path lists the lines that lead to the mode, outermost first, in full; none at the top.
func (s *Session) Path() []string { return slices.Clone(s.path) }

// Line reads one line. With an error among the findings nothing changes, neither the tree nor the mode.
func (s *Session) Line(line string) Diagnostics {
	_, diags := s.Read(line)
	return diags
}

// Read is Line, and returns the line in full as it was understood, with keys masked: what may be logged. Of a line that was not understood it has the words before the fault.
func (s *Session) Read(line string) (shown string, diags Diagnostics) {
	p := newParser(s.file, s.cfg.Clone())
	p.had = s.cfg
	for _, enter := range s.path {
		p.line(enter, 0)
	}
	p.diags, p.shown = nil, ""
	p.line(line, 1)
	if p.until != "" {
		p.until = ""
		p.report(Pos{s.file, 1, 1}, Error, CodeIncomplete, "the banner has no end", "write it on one line")
	}
	p.judgeKeepalives()
	if p.diags.HasErrors() {
		return p.shown, p.diags
	}
	s.at(p)
	p.cfg.normalise()
	s.cfg = p.cfg
	return p.shown, p.diags
}

// at takes over the mode that a parser is in.
func (s *Session) at(p *parser) {
	s.path, s.modes = nil, nil
	for _, f := range p.stack {
		s.modes = append(s.modes, f.mode)
		if f.enter != "" {
			s.path = append(s.path, f.enter)
		}
	}
}

// Complete lists what could stand at the end of line in the session's mode; end tells that the line is complete as it
// is. Nothing is listed where the line fits no command.
func (s *Session) Complete(line string) (list []grammar.Completion, end bool) {
	rest, no := line, false
	first, after, more := cutWord(strings.TrimLeft(line, " \t"))
	if more && (strings.EqualFold(first, "no") || strings.EqualFold(first, "default")) {
		rest, no = after, true
	}
	for i := len(s.modes) - 1; i >= 0; i-- {
		list, end, err := modes()[s.modes[i]].set.Complete(rest, no)
		if err == nil && (len(list) > 0 || end) {
			return list, end
		}
	}
	return nil, false
}

// Doc describes one command for the reference.
type Doc struct {
	Mode    string
	Syntax  string
	Help    string
	Default string
	Note    string // why it is refused or has no effect, or that it is nave's own
	Kind    string // "effective", "no effect", "refused"
}

// Docs lists all commands, mode by mode.
func Docs() []Doc {
	var out []Doc
	for id, m := range modes() {
		if modeID(id) == mSwallow {
			continue
		}
		for _, c := range m.set.Commands {
			s := c.Data.(*spec)
			kind := [...]string{effective: "effective", ignored: "no effect", refused: "refused"}[s.kind]
			out = append(out, Doc{Mode: m.name, Syntax: c.Syntax, Help: c.Help, Default: c.Default, Note: c.Note, Kind: kind})
		}
	}
	return out
}
