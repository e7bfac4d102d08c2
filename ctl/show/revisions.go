package show

import (
	"fmt"
	"strings"
	"time"
)

// Revision is a configuration that ran or runs.
type Revision struct {
	N       int       `json:"revision"`
	Time    time.Time `json:"time"`
	User    string    `json:"user,omitempty"`
	How     string    `json:"command"`
	Changes string    `json:"changes"` // in a few words
}

// Revisions are those that are kept, oldest first.
type Revisions struct {
	Revisions []Revision `json:"revisions"`
	Running   int        `json:"running"`
	Undone    time.Time  `json:"undone_at,omitzero"` // when what runs is undone if nobody confirms it
	Back      int        `json:"undone_to,omitempty"`
}

// JSON is `show configuration revisions` for programs.
func (r Revisions) JSON() (string, error) {
	b, err := encode("configuration revisions", r)
	return string(b), err
}

// Text is `show configuration revisions`, the newest first.
func (r Revisions) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %4s  %-19s  %-12s  %-24s  %s\n", "No.", "When", "Who", "By", "Changes")
	for k := len(r.Revisions) - 1; k >= 0; k-- {
		v := r.Revisions[k]
		mark := " "
		if v.N == r.Running {
			mark = "*"
		}
		who := v.User
		if who == "" {
			who = "-"
		}
		fmt.Fprintf(&b, "%s %4d  %-19s  %-12s  %-24s  %s\n", mark, v.N, v.Time.Local().Format(time.DateTime), who, v.How, v.Changes)
	}
	if !r.Undone.IsZero() {
		fmt.Fprintf(&b, "Revision %d is undone at %s, and %d runs again, unless it is confirmed (configure confirm).\n", r.Running, r.Undone.Local().Format(time.DateTime), r.Back)
	}
	return b.String()
}

// ConfigurationJSON is a configuration, or a difference (what begins with "diff"), for programs.
func ConfigurationJSON(what, text string) (string, error) {
	name := "configuration"
	if strings.HasPrefix(what, "diff") {
		name = "diff"
	}
	b, err := encode("configuration "+what, object{name: text})
	return string(b), err
}

// ConfigDone is what came of a change of the whole configuration, for programs.
type ConfigDone struct {
	Findings []string  `json:"findings,omitempty"`
	Refused  bool      `json:"refused,omitempty"`
	Changes  string    `json:"changes,omitempty"`
	Partly   string    `json:"partly,omitempty"` // what the box refused of what runs
	Revision int       `json:"revision,omitempty"`
	Undone   time.Time `json:"undone_at,omitzero"` // if nobody confirms it
}

// JSON is the change for programs.
func (c ConfigDone) JSON() (string, error) {
	b, err := encode("configuration", c)
	return string(b), err
}

// NotUnderstood says at the end of a configuration that lines of its file have errors; nothing where none have.
func NotUnderstood(file string, errs int) string {
	if errs == 0 {
		return ""
	}
	return fmt.Sprintf("! %d errors in %s, whose lines are not shown: `nave check %s` lists them\n", errs, file, file)
}

// NotCarriedOut says of a line of configuration what does not come of it.
func NotCarriedOut(p Problem) string {
	return fmt.Sprintf("warning: configured and not carried out: %s: %s", p.What, p.Why)
}

// Taken says that a revision is the candidate now, and what comes next. 0 is what runs.
func Taken(revision int) string {
	if revision == 0 {
		return "What runs is your candidate now: it has no changes.\n"
	}
	return fmt.Sprintf("Revision %d is your candidate now, and nothing has changed yet: `show configuration diff` tells what it would change, `commit` runs by it, `configure abandon` forgets it.\n", revision)
}

// Confirmed says that what waited to be confirmed stays.
func Confirmed(revision int) string { return fmt.Sprintf("Revision %d stays.\n", revision) }

// Reread says that the file was read that naved starts with.
func Reread() string {
	return "The configuration file was read again: `show configuration revisions` tells what has changed.\n"
}

// ConfigChanged is the log message of a change of what runs.
func ConfigChanged(user, how string, revision int, changes string) string {
	return fmt.Sprintf("%%SYS-5-CONFIG_I: Configured by %s (%s): revision %d, changes: %s", user, how, revision, changes)
}

// Unconfirmed is the log message of a change that was undone.
func Unconfirmed(revision int) string {
	return fmt.Sprintf("%%NAVE-4-UNCONFIRMED: A change was not confirmed in time and is undone: revision %d runs", revision)
}
