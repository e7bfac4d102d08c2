package revision

import (
	"fmt"
	"strings"
	"time"

	"nave/ctl/config"
)

// Line is a line of configuration that was read.
type Line struct {
	*Plan
	Path   []string // where the next line stands
	At     []string // where this one stands, which may be further out than where it was typed
	Mode   string   // as the prompt says it
	Shown  string   // the line in full, keys masked: what may be logged
	Column int      // of the first error in the line, from 1; 0 where it concerns something else
}

// taking are the codes of findings for which a line is refused: it would take from another part what that works by.
var taking = map[string]bool{"address-duplicate": true, "address-overlap": true, "vlan-duplicate": true, "rd-duplicate": true, "eigrp-twice": true}

// Line plans to apply a line of configuration at once, in the mode that path leads to.
func (b *Book) Line(now time.Time, user string, path []string, line string) (*Line, error) {
	l, tree, err := read(now, b.Running().Tree, path, line, true)
	if err != nil || l.Refused {
		return l, err
	}
	l.Before, l.user, l.how, l.line = b.Running().Tree, user, "configure terminal", true
	if tree.Equal(l.Before) {
		return l, nil
	}
	if b.pending != nil {
		return nil, b.ErrPending()
	}
	for _, name := range tree.Hold(l.Before) {
		i := tree.Interface(name)
		if was := l.Before.Interface(name); was == nil || was.Held != i.Held {
			l.Findings = append(l.Findings, config.Diagnostic{Severity: config.Warning, Code: "held",
				Message: fmt.Sprintf("%s stays down: %s", name, i.Held), Action: "it comes up when that is mended"})
		}
	}
	l.Tree = tree
	return l, nil
}

// CandidateLine applies a line to the user's candidate, which is made if there is none.
func (b *Book) CandidateLine(now time.Time, user string, path []string, line string) (*Line, error) {
	b.Begin(user)
	c := b.candidates[user]
	l, tree, err := read(now, c.tree, path, line, false)
	if err == nil && !l.Refused {
		c.tree = tree
	}
	return l, err
}

// read reads a line on top of a tree. runs tells that what comes of it is to run at once: in a candidate the lines that make it whole may stand in any order.
func read(now time.Time, on *config.Config, path []string, line string, runs bool) (*Line, *config.Config, error) {
	s, err := config.SessionAt(on, "", path)
	if err != nil {
		return nil, nil, err
	}
	if strings.ContainsAny(line, "\r\n") {
		return nil, nil, fmt.Errorf("a line of configuration is one line")
	}
	l := &Line{Plan: &Plan{}}
	typed := s.Path()
	l.Shown, l.Findings = s.Read(line)
	l.At = typed[:common(typed, s.Path())]
	for _, d := range l.Findings {
		if d.Severity == config.Error && l.Column == 0 {
			l.Column = d.Column
		}
	}
	l.Path, l.Mode = s.Path(), s.Mode()
	l.Refused = l.Findings.HasErrors()
	tree := s.Config()
	if !l.Refused && !tree.Equal(on) {
		for _, d := range News(config.CheckAt(now, on), config.CheckAt(now, tree)) {
			switch {
			case d.Severity == config.Error && runs && taking[d.Code]:
				l.Refused = true
			case d.Severity == config.Error && runs && (d.Code == "mgre-no-key" || d.Code == "tunnel-duplicate" || d.Code == "protection-shared"):
				continue // what that means for the two is said where one is held
			case d.Severity == config.Error:
				d.Severity = config.Warning
			}
			l.Findings = append(l.Findings, d)
		}
	}
	if l.Refused {
		back, err := config.SessionAt(on, "", path)
		if err != nil {
			return nil, nil, err
		}
		l.Path, l.Mode = back.Path(), back.Mode()
	}
	for k := range l.Findings { // the place is the line itself
		l.Findings[k].File, l.Findings[k].Line = "", 0
	}
	return l, tree, nil
}

// common is how many lines two paths begin with that are the same.
func common(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// News are the findings that were not there before, wherever they stood.
func News(before, after config.Diagnostics) (out config.Diagnostics) {
	was := make(map[string]bool, len(before))
	for _, d := range before {
		was[d.Code+" "+d.Message] = true
	}
	for _, d := range after {
		if d.Severity != config.Info && !was[d.Code+" "+d.Message] {
			out = append(out, d)
		}
	}
	return out
}
