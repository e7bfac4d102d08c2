package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrConflict is in the error of a Merge of changes that touch each other.
var ErrConflict = errors.New("both changes touch the same lines")

// Merge makes of two configurations, each of which was made of base, one that has the changes of both: what runs has changed to theirs, and ours was edited meanwhile. Changes that
// touch the same lines, or of which one takes away the mode that the other changes, are ErrConflict with those lines, keys masked.
func Merge(base, ours, theirs *Config) (*Config, error) {
	switch {
	case base.Equal(theirs):
		return ours, nil
	case base.Equal(ours), ours.Equal(theirs):
		return theirs, nil
	}
	m := &merger{}
	parts := m.merge("", base.Outline(), ours.Outline(), theirs.Outline())
	if len(m.clashes) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrConflict, strings.Join(m.clashes, "; "))
	}
	merged, diags := Parse("merged", []byte(Text(parts, false)))
	if diags.HasErrors() {
		return nil, fmt.Errorf("%w: the two together do not parse", ErrConflict)
	}
	// Two values of one command are two lines here, and the tree has the later one. So what was merged has to be what prints.
	if left := strays(parts, merged.Outline()); left != "" {
		return nil, fmt.Errorf("%w:\n%s", ErrConflict, left)
	}
	return merged, nil
}

type merger struct{ clashes []string }

// merge takes the lines of one mode, whose path is for what it says of clashes.
func (m *merger) merge(path string, base, ours, theirs []*Part) (out []*Part) {
	inBase, inOurs := byLine(base), byLine(ours)
	at := make(map[string]int) // where a line has come to stand in out
	for _, p := range theirs {
		was, mine := inBase[p.Line], inOurs[p.Line]
		switch {
		case mine != nil:
			q := *p
			var before []*Part
			if was != nil {
				before = was.Sub
			}
			q.Sub = m.merge(path+p.Shown+" / ", before, mine.Sub, p.Sub)
			p = &q
		case was != nil: // we have taken it away
			if diffParts(was.Sub, p.Sub) != "" {
				m.clashes = append(m.clashes, fmt.Sprintf("%s%s is removed by one and changed by the other", path, p.Shown))
			}
			continue
		}
		at[p.Line] = len(out)
		out = append(out, p)
	}
	// What we have added goes after the line that it stands after in ours.
	place := 0
	for _, p := range ours {
		if k, there := at[p.Line]; there {
			place = max(place, k+1)
			continue
		}
		if was := inBase[p.Line]; was != nil { // they have taken it away
			if diffParts(was.Sub, p.Sub) != "" {
				m.clashes = append(m.clashes, fmt.Sprintf("%s%s is changed by one and removed by the other", path, p.Shown))
			}
			continue
		}
		out = slices.Insert(out, place, p)
		for line, k := range at {
			if k >= place {
				at[line] = k + 1
			}
		}
		at[p.Line] = place
		place++
	}
	return out
}

func byLine(parts []*Part) map[string]*Part {
	out := make(map[string]*Part, len(parts))
	for _, p := range parts {
		out[p.Line] = p
	}
	return out
}

// strays lists lines, keys masked, that stand in one outline and not in the other, in whatever order they are.
func strays(a, b []*Part) string {
	var out strings.Builder
	var walk func(a, b []*Part, depth int)
	walk = func(a, b []*Part, depth int) {
		for _, s := range alignUnordered(a, b) {
			indent := strings.Repeat(" ", depth)
			switch {
			case s.to == nil:
				out.WriteString(indent + s.from.Shown + "\n")
			case s.from == nil:
				out.WriteString(indent + s.to.Shown + "\n")
			default:
				before := out.Len()
				walk(s.from.Sub, s.to.Sub, depth+1)
				if out.Len() > before && depth == 0 { // say where it stands
					text := out.String()
					out.Reset()
					out.WriteString(text[:before] + s.to.Shown + "\n" + text[before:])
				}
			}
		}
	}
	walk(a, b, 0)
	return strings.TrimRight(out.String(), "\n")
}
