package hwprofiles

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with a file of profiles: where, what, and what to write.
type Problem struct {
	File         string
	Line, Column int // from 1; 0 where it concerns the whole file
	Message      string
	Action       string
}

// String is file:line:column: message (what to write).
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, max(p.Column, 1))
	}
	b.WriteString(": " + p.Message)
	if p.Action != "" {
		b.WriteString(" (" + p.Action + ")")
	}
	return b.String()
}

// Problems are all that is wrong, as one error, one a line.
type Problems []Problem

// Error joins the problems.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// err returns the problems as an error, nil if there is none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
