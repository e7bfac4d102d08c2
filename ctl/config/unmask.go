package config

import (
	"slices"
	"strings"

	"nave/ctl/config/grammar"
)

// unmask puts the key back into a line that has it masked, as it is shown, if the configuration that the line is added to has such a line at that very place. It is false where
// there is none, or several.
func (p *parser) unmask(m *grammar.Match, s *spec) (*grammar.Match, bool) {
	// A command without effect is kept as text, and may have asterisks of its own: it is taken as it is where no such line was there.
	loose := s.kind != effective && slices.Contains(strings.Fields(m.Canonical), masked)
	if !m.HasMask() && !loose {
		return m, true
	}
	if p.had == nil {
		return m, loose
	}
	if p.keys == nil {
		p.keys = make(map[string][]string)
		p.findKeys(nil, p.had.Outline())
	}
	var path []string
	for _, f := range p.stack {
		if f.enter != "" {
			path = append(path, f.enter)
		}
	}
	lines := p.keys[place(path, m.Canonical)]
	if len(lines) == 0 || slices.ContainsFunc(lines, func(l string) bool { return l != lines[0] }) {
		return m, loose
	}
	with, err := modes()[p.stack[len(p.stack)-1].mode].set.Match(lines[0], false)
	if err != nil {
		return m, loose
	}
	return with, true
}

// findKeys notes the lines that have keys.
func (p *parser) findKeys(path []string, parts []*Part) {
	for _, q := range parts {
		if q.Line != q.Shown {
			at := place(path, q.Shown)
			p.keys[at] = append(p.keys[at], q.Line)
		}
		p.findKeys(append(path, q.Line), q.Sub)
	}
}

// place names a line by those that lead to it.
func place(path []string, line string) string {
	return strings.Join(append(slices.Clone(path), line), "\n")
}

// hide masks what looks like a password in a line that is kept as text.
func hide(text string) string {
	text = passwordText.ReplaceAllString(text, "$1$2 "+masked)
	text = secretWords.ReplaceAllString(text, "$1 "+masked)
	if strings.HasPrefix(text, "snmp-server ") { // community names stand by themselves
		return snmpWords.ReplaceAllString(text, "$1 "+masked)
	}
	return text
}
