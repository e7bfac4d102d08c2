package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"nave/ctl/config/grammar"
)

// Parse reads a whole configuration. The tree holds what was understood, also where the findings say that some of
// it was not; with errors among them it must not be used to run a router. file names the text in findings.
func Parse(file string, text []byte) (*Config, Diagnostics) {
	p := newParser(file, &Config{})
	p.text(text)
	p.cfg.normalise()
	return p.cfg, p.diags
}

// Apply reads a fragment on top of c and returns the new tree. It is atomic: if a line has an error, c itself comes
// back. c is never changed.
func (c *Config) Apply(file string, text []byte) (*Config, Diagnostics) {
	p := newParser(file, c.Clone())
	p.had = c
	p.text(text)
	if p.diags.HasErrors() {
		return c, p.diags
	}
	p.cfg.normalise()
	return p.cfg, p.diags
}

// op is how a command was given.
type op uint8

const (
	opSet op = iota
	opNo
	opDefault
)

// word is what a command begins with that is given so.
func (o op) word() string { return [...]string{opSet: "", opNo: "no ", opDefault: "default "}[o] }

// shownAs is a command in full, with keys masked, of text that is kept as such too.
func shownAs(m *grammar.Match) string {
	if m.Command.Data.(*spec).kind == effective {
		return m.Masked()
	}
	return hide(m.Masked())
}

// frame is a mode that was entered, and the part of the tree that its commands change.
type frame struct {
	mode  modeID
	obj   any
	lines *Lines
	enter string // the line that entered it, canonical
	// sink takes the commands without effect; nil: they are forgotten.
	sink *[]string
}

// parser turns lines into changes of a tree.
type parser struct {
	file  string
	cfg   *Config
	stack []frame
	diags Diagnostics
	noted map[*spec]bool
	// keepalives are the tunnels with `keepalive`, and where it stands.
	keepalives map[*Interface]Pos
	// until is the delimiter of a banner that is being skipped.
	until string
	// had is what lines are added to, nil for a file; keys are its lines with keys, by the same lines masked, once they are asked for.
	had  *Config
	keys map[string][]string
	// shown is the last line as it was understood, keys masked.
	shown string
}

func newParser(file string, c *Config) *parser {
	p := &parser{file: file, cfg: c, noted: map[*spec]bool{}, keepalives: map[*Interface]Pos{}}
	p.stack = []frame{{mode: mGlobal, obj: c, lines: &c.Lines}}
	return p
}

func (p *parser) text(text []byte) {
	n := 0
	for len(text) > 0 {
		n++
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		p.line(string(bytes.TrimSuffix(line, []byte("\r"))), n)
	}
	if p.until != "" {
		p.until = ""
		p.report(Pos{p.file, n, 1}, Error, CodeIncomplete, "the banner has no end", "close it with its first character")
	}
	p.judgeKeepalives()
}

func (p *parser) report(pos Pos, s Severity, code, message, action string) {
	p.diags = append(p.diags, Diagnostic{File: pos.File, Line: pos.Line, Column: pos.Column, Severity: s, Code: code,
		Message: message, Action: action})
}

// line reads one line in the innermost mode that it fits.
func (p *parser) line(text string, n int) {
	if p.until != "" {
		if strings.Contains(text, p.until) {
			p.until = ""
		}
		return
	}
	if n == 1 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	if grammar.Blank(text) {
		return
	}
	rest, how := text, opSet
	skip := len(text) - len(strings.TrimLeft(text, " \t"))
	first, after, _ := cutWord(text[skip:])
	switch strings.ToLower(first) {
	case "no":
		how = opNo
	case "default":
		how = opDefault
	case "exit", "quit":
		p.shown = "exit"
		p.pop(1)
		return
	case "end":
		p.shown = "end"
		p.pop(len(p.stack))
		return
	}
	if how != opSet {
		rest = after
	}
	offset := len(text) - len(rest)
	if how != opSet && grammar.Blank(rest) {
		p.report(Pos{p.file, n, offset + 1}, Error, CodeIncomplete, "incomplete command", "say what is to be undone")
		return
	}
	p.match(rest, n, offset, how)
}

// cutWord splits off the first word, which an exclamation mark ends too.
func cutWord(s string) (word, rest string, ok bool) {
	i := strings.IndexAny(s, " \t!")
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i:], true
}

// match tries the modes from the innermost outwards. A command written in full in an outer mode wins over an
// abbreviation in an inner one: `key 2` after a key's lines is no `key-string 2`.
func (p *parser) match(rest string, n, offset int, how op) {
	top := len(p.stack) - 1
	var worst *grammar.Error
	var found *grammar.Match
	at := 0
	for _, depth := range p.order() {
		m, err := modes()[p.stack[depth].mode].set.Match(rest, how != opSet)
		if err == nil && (m.Exact || found == nil) {
			found, at = m, depth
		}
		if err == nil && m.Exact {
			break
		}
		if err != nil && (worst == nil || err.Depth > worst.Depth) {
			worst = err
		}
		// A command of this mode that only lacks its end is not looked for further out.
		if err != nil && depth == top && err.Kind == grammar.Incomplete && err.Exact {
			break
		}
	}
	if found == nil {
		p.shown = strings.TrimSpace(how.word() + worst.Before + " ...")
		p.reportMismatch(worst, Pos{p.file, n, offset + worst.Column}, how)
		return
	}
	p.stack = p.stack[:at+1]
	p.shown = how.word() + shownAs(found)
	p.run(found, Pos{p.file, n, offset + 1 + len(rest) - len(strings.TrimLeft(rest, " \t"))}, how)
}

// order lists the modes to try: outwards, but a mode that takes any line comes last.
func (p *parser) order() []int {
	var out []int
	top := len(p.stack) - 1
	for d := top; d >= 0; d-- {
		if p.stack[d].mode != mSwallow {
			out = append(out, d)
		}
	}
	if p.stack[top].mode == mSwallow {
		out = append(out, top)
	}
	return out
}

// run carries out a command in the mode on top of the stack.
func (p *parser) run(m *grammar.Match, pos Pos, how op) {
	s := m.Command.Data.(*spec)
	fr := &p.stack[len(p.stack)-1]
	if how == opSet {
		var ok bool
		if m, ok = p.unmask(m, s); !ok {
			p.report(pos, Error, CodeMaskedKey, masked+" is how keys are shown, and no key", "write the key itself, or leave the line out")
			return
		}
	}
	x := &ctx{Match: m, p: p, cfg: p.cfg, op: how, pos: pos, spec: s}
	if fr.lines != nil && s.kind == effective && fr.mode != mSwallow {
		if *fr.lines == nil {
			*fr.lines = Lines{}
		}
		(*fr.lines)[grammar.Path(s.Syntax)] = pos
		if !m.Raw() { // keys stay out of what may be printed
			(*fr.lines)[m.Canonical] = pos
		}
	}
	switch s.kind {
	case effective:
		s.do(x)
	case refused:
		p.note(x, fr)
		if how == opSet {
			x.report(Error, "refused", fmt.Sprintf("`%s` is not supported: %s", grammar.Path(s.Syntax), s.Note), s.action)
			if s.do != nil {
				s.do(x)
			}
		}
	case ignored:
		p.note(x, fr)
		p.ignore(x, fr)
	}
}

// ignore keeps a command without effect, for printing, and says so once.
func (p *parser) ignore(x *ctx, fr *frame) {
	s := x.spec
	if !p.noted[s] {
		p.noted[s] = true
		if s.hardware {
			x.report(Info, CodeNoProfile, noProfile(s), "")
		} else {
			x.report(Info, "no-effect", fmt.Sprintf("`%s` is accepted and has no effect here", grammar.Path(s.Syntax)), "")
		}
	}
	path := grammar.Path(s.Syntax)
	if s.multi {
		path = x.Canonical
	}
	text := x.Canonical
	switch {
	case x.op == opDefault, x.op == opNo && s.multi:
		text = ""
	case x.op == opNo:
		text = "no " + text
	}
	if fr.mode == mGlobal {
		p.ignoreGlobal(x, path, text)
		return
	}
	if fr.sink == nil {
		return
	}
	list := *fr.sink
	for i, have := range list {
		if sameCommand(have, path) {
			if text == "" {
				*fr.sink = append(list[:i:i], list[i+1:]...)
			} else {
				list[i] = text
			}
			return
		}
	}
	if text != "" {
		*fr.sink = append(list, text)
	}
}

// ignoreGlobal is ignore for the top level, where a command may open a mode.
func (p *parser) ignoreGlobal(x *ctx, path, text string) {
	at := -1
	for i := range p.cfg.Ignored {
		if sameCommand(p.cfg.Ignored[i].Text, path) {
			at = i
		}
	}
	switch {
	case at >= 0 && text == "":
		p.cfg.Ignored = append(p.cfg.Ignored[:at:at], p.cfg.Ignored[at+1:]...)
		return
	case at >= 0:
		p.cfg.Ignored[at].Text = text
	case text == "":
		return
	default:
		p.cfg.Ignored = append(p.cfg.Ignored, Ignored{Text: text})
		at = len(p.cfg.Ignored) - 1
	}
	if x.spec.do != nil && x.op == opSet {
		x.ignoredAt = at
		x.spec.do(x)
	}
}

// sameCommand tells whether a kept line is of the command with these leading words.
func sameCommand(have, path string) bool {
	have = strings.TrimPrefix(have, "no ")
	return have == path || strings.HasPrefix(have, path+" ")
}

// pop leaves n modes, never the global one.
func (p *parser) pop(n int) {
	p.stack = p.stack[:max(1, len(p.stack)-n)]
}

// aboutKeys are beginnings of lines that say a key or a password.
var aboutKeys = regexp.MustCompile(`\b(pre-share|pre-shared-key|password|secret|key-string|isakmp key|nhrp authentication|hmac-sha-256)\b`)

// reportMismatch explains why a line fits nowhere, with the nearest commands that would.
func (p *parser) reportMismatch(e *grammar.Error, pos Pos, how op) {
	code := map[grammar.ErrorKind]string{grammar.NotText: CodeNotText, grammar.Unknown: CodeUnknown,
		grammar.Ambiguous: CodeAmbiguous, grammar.BadValue: CodeBadValue, grammar.Incomplete: CodeIncomplete,
		grammar.TrailingText: CodeBadValue}[e.Kind]
	if aboutKeys.MatchString(e.Before) && (e.Kind == grammar.BadValue || e.Kind == grammar.TrailingText) {
		bare := *e
		bare.Token, e = masked, &bare // it may be the key itself, where a word before it was left out
	}
	prefix := ""
	if e.Before != "" {
		prefix = e.Before + " "
	}
	message, action := e.Error(), ""
	switch e.Kind {
	case grammar.Unknown:
		message = fmt.Sprintf("unknown command %q", clip(prefix+e.Token))
		action = p.suggest(e, prefix)
	case grammar.Ambiguous:
		action = "write more of the word"
	case grammar.Incomplete:
		message = fmt.Sprintf("incomplete command %q", clip(e.Before))
		action = "add " + strings.Join(append(e.Expect, e.Keywords...), " or ")
	case grammar.BadValue, grammar.TrailingText:
		message = fmt.Sprintf("in %q: %s", clip(strings.TrimSpace(prefix)), message)
		if e.Kind == grammar.BadValue && len(e.Keywords) > 0 {
			action = p.suggest(e, prefix)
		}
	}
	if how == opNo && e.Kind == grammar.Unknown {
		message += " after `no`"
	}
	p.report(pos, Error, code, message, action)
}

// suggest names the known commands nearest to the unknown word.
func (p *parser) suggest(e *grammar.Error, prefix string) string {
	words := e.Keywords
	if e.Depth == 0 {
		words = nil
		seen := map[string]bool{}
		for d := len(p.stack) - 1; d >= 0; d-- {
			for _, c := range modes()[p.stack[d].mode].set.Commands {
				w, _, _ := strings.Cut(c.Syntax, " ")
				if !seen[w] && !strings.ContainsAny(w, "<[{~") {
					seen[w] = true
					words = append(words, w)
				}
			}
		}
	}
	near := grammar.Nearest(e.Token, words, 3)
	if len(near) == 0 {
		if e.Depth == 0 || len(words) == 0 {
			return "see the list of commands in the reference"
		}
		near = words[:min(len(words), 8)]
		return "known here: " + prefix + strings.Join(near, ", "+prefix)
	}
	return "did you mean `" + prefix + strings.Join(near, "` or `"+prefix) + "`?"
}

func clip(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}
