package config

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// Severity says how bad a finding is.
type Severity uint8

// The severities. With an Error naved does not start; a Warning works but is advised against; Info has no effect.
const (
	Info Severity = iota
	Warning
	Error
)

// String returns info, warning or error.
func (s Severity) String() string { return [...]string{"info", "warning", "error"}[s] }

// MarshalText writes the severity as a word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Severity) UnmarshalText(b []byte) error {
	for _, v := range []Severity{Info, Warning, Error} {
		if v.String() == string(b) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("config: unknown severity %q", b)
}

// Diagnostic is one finding: what, where, and what to do about it.
type Diagnostic struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`   // from 1; 0 where it concerns the whole file
	Column   int      `json:"column"` // from 1, in bytes
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // short and stable
	Message  string   `json:"message"`
	Action   string   `json:"action,omitempty"`
	Hardware *Verdict `json:"hardware,omitempty"` // of a check with a hardware profile
}

// Verdict is what hardware would do with the line.
type Verdict struct {
	Profile string `json:"profile"`
	Effect  string `json:"effect"` // "refused", "no effect", "software-switched", "scale" or "advised against"
	Source  string `json:"source"` // where that is written
	Assumed bool   `json:"assumed,omitempty"`
}

// Codes of findings that mean the text was not understood (exit code 2).
const (
	CodeUnknown    = "unknown-command"
	CodeAmbiguous  = "ambiguous-command"
	CodeIncomplete = "incomplete-command"
	CodeBadValue   = "bad-value"
	CodeNotText    = "not-text"
)

// CodeMaskedKey is the finding of a key that stands masked, as it is shown.
const CodeMaskedKey = "masked-key"

// Syntax tells whether the text itself was not understood.
func (d Diagnostic) Syntax() bool {
	switch d.Code {
	case CodeUnknown, CodeAmbiguous, CodeIncomplete, CodeBadValue, CodeNotText:
		return true
	}
	return false
}

// String is file:line:column: severity: message [profile: effect; source] (what to do).
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.File != "" {
		b.WriteString(d.File + ":")
	}
	if d.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", d.Line, max(d.Column, 1))
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, "%s: %s", d.Severity, d.Message)
	if h := d.Hardware; h != nil {
		fmt.Fprintf(&b, " [%s: %s; %s%s]", h.Profile, h.Effect, map[bool]string{true: "assumed: "}[h.Assumed], h.Source)
	}
	if d.Action != "" {
		fmt.Fprintf(&b, " (%s)", d.Action)
	}
	return b.String()
}

// Diagnostics is a list of findings.
type Diagnostics []Diagnostic

// HasErrors tells whether one of them is an error.
func (ds Diagnostics) HasErrors() bool {
	for _, d := range ds {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// ExitCode is 2 where the text was not understood, 1 where there are other errors, else 0.
func (ds Diagnostics) ExitCode() int {
	code := 0
	for _, d := range ds {
		if d.Severity != Error {
			continue
		}
		if d.Syntax() {
			return 2
		}
		code = 1
	}
	return code
}

// Sort orders the findings by file and line; the order of files is that of their first finding.
func (ds Diagnostics) Sort() {
	order := map[string]int{}
	for _, d := range ds {
		if _, ok := order[d.File]; !ok {
			order[d.File] = len(order)
		}
	}
	sort.SliceStable(ds, func(i, j int) bool {
		a, b := ds[i], ds[j]
		if a.File != b.File {
			return order[a.File] < order[b.File]
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
}

// JSON returns the findings as an array, indented, never null.
func (ds Diagnostics) JSON() []byte {
	if ds == nil {
		ds = Diagnostics{}
	}
	out, err := json.MarshalIndent(ds, "", "  ")
	if err != nil { // only strings and numbers in it
		panic(err)
	}
	return append(out, '\n')
}

// Err returns the errors among the findings as one error, nil if there is none.
func (ds Diagnostics) Err() error {
	var lines []string
	for _, d := range ds {
		if d.Severity == Error {
			lines = append(lines, d.String())
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("config: %s", strings.Join(lines, "\n"))
}
