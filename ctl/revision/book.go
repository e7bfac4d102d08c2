package revision

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"nave/ctl/config"
)

// Keep is how many revisions a Book has at most, the one that runs included.
const Keep = 20

// series is how long after a line the same user's next one belongs to the same revision.
const series = 10 * time.Minute

// Revision is a configuration that ran or runs.
type Revision struct {
	N       int // from 1
	Time    time.Time
	User    string
	How     string // the command that made it, without secrets
	Changes string // what differs from the one before, in a few words
	Tree    *config.Config
	// typed is set of one that single lines have made: the user's next line goes on with it.
	typed bool
	last  time.Time // of the last line
}

// Book is the state. The zero Book is not usable: New and Open make one.
type Book struct {
	revisions  []Revision // oldest first; the last one runs
	candidates map[string]*candidate
	pending    *Pending
}

// New makes the book of a router that begins with a configuration.
func New(now time.Time, how string, tree *config.Config) *Book {
	b := &Book{candidates: make(map[string]*candidate)}
	b.add(Revision{Time: now, How: how, Changes: "all", Tree: tree})
	return b
}

// add makes a revision the one that runs.
func (b *Book) add(r Revision) {
	r.N = 1
	if n := len(b.revisions); n > 0 {
		r.N = b.revisions[n-1].N + 1
	}
	b.revisions = append(b.revisions, r)
	for len(b.revisions) > Keep {
		at := 0
		if b.pending != nil && b.revisions[0].N == b.pending.Back { // it may have to come back
			at = 1
		}
		b.revisions = slices.Delete(b.revisions, at, at+1)
	}
}

// Running is the revision that runs.
func (b *Book) Running() Revision { return b.revisions[len(b.revisions)-1] }

// Revisions lists all, the one that runs last.
func (b *Book) Revisions() []Revision { return slices.Clone(b.revisions) }

// Revision finds one by its number; 0 is the one that runs.
func (b *Book) Revision(n int) (Revision, error) {
	if n == 0 {
		return b.Running(), nil
	}
	for _, r := range b.revisions {
		if r.N == n {
			return r, nil
		}
	}
	return Revision{}, fmt.Errorf("there is no revision %d: `show configuration revisions` lists those from %d to %d", n, b.revisions[0].N, b.Running().N)
}

// Plan is a change that is thought out and not carried out.
type Plan struct {
	// Tree is what is to run. Nil: nothing that runs is to change.
	Tree     *config.Config
	Before   *config.Config // what runs
	Findings config.Diagnostics
	Refused  bool // because of the errors among the findings; Tree is nil

	user, how string
	line      bool
	minutes   int  // undone then, if nobody confirms it
	settles   bool // what waits to be confirmed waits no more
	braced    bool // it is noted as what waits
	after     func(*Book)
}

// Changes tells whether something that runs is to change.
func (p *Plan) Changes() bool { return p.Tree != nil }

// ErrPending is for a change while another one waits to be confirmed.
func (b *Book) ErrPending() error {
	p := b.pending
	return fmt.Errorf("revision %d of %s is undone at %s unless it is confirmed: `commit` confirms it, `rollback %d now` undoes it; until then nothing else is changed",
		b.Running().N, p.User, p.Until.Format(time.TimeOnly), p.Back)
}

// ErrNothing is for what there is nothing to do for.
var ErrNothing = errors.New("there is nothing to commit: the candidate is what runs")

// whole plans to run by a whole configuration.
func (b *Book) whole(user, how string, tree *config.Config, diags config.Diagnostics) *Plan {
	p := &Plan{Before: b.Running().Tree, user: user, how: how, Findings: diags}
	if diags.HasErrors() {
		p.Refused = true
		return p
	}
	tree.Hold(p.Before)
	p.Tree = tree
	return p
}

// Replace plans to run by the text of a file. What waits to be confirmed waits no more: who names a file means that one. File names it in findings.
func (b *Book) Replace(now time.Time, user, how, file string, text []byte) *Plan {
	tree, diags := config.Parse(file, text)
	diags = append(diags, config.CheckAt(now, tree)...)
	diags.Sort()
	p := b.whole(user, how, tree, diags)
	p.settles = true
	return p
}

// Merge plans to add the lines of a file to what runs, as though they were typed. It is refused as a whole where a line has an error, or something
// does not check that did before.
func (b *Book) Merge(now time.Time, user, how, file string, text []byte) (*Plan, error) {
	if b.pending != nil {
		return nil, b.ErrPending()
	}
	tree, diags := b.Running().Tree.Apply(file, text)
	if !diags.HasErrors() { // what was unfinished before does not keep other lines from being added
		run := config.CheckAt(now, b.Running().Tree)
		diags = append(diags, News(run, config.CheckAt(now, tree))...)
	}
	return b.whole(user, how, tree, diags), nil
}

// Rollback plans to run by revision n again, exactly. It ran, so it is not refused for what is wrong with it; that is said. With minutes it is undone then, unless it is confirmed.
func (b *Book) Rollback(now time.Time, user string, n, minutes int) (*Plan, error) {
	r, err := b.Revision(n)
	if err != nil {
		return nil, err
	}
	if b.pending != nil && minutes != 0 {
		return nil, b.ErrPending()
	}
	p := b.whole(user, fmt.Sprintf("rollback %d", r.N), r.Tree.Clone(), nil)
	p.Findings, p.settles, p.minutes = soften(config.CheckAt(now, r.Tree)), true, minutes
	return p, nil
}

// soften makes warnings of errors.
func soften(list config.Diagnostics) config.Diagnostics {
	for k := range list {
		list[k].Severity = min(list[k].Severity, config.Warning)
	}
	return list
}

// Ran records that a plan was carried out; changes says in a few words what it changed. It returns the revision that runs now.
func (b *Book) Ran(now time.Time, p *Plan, changes string) Revision {
	switch {
	case p.Tree == nil:
	case p.line && b.continues(now, p.user):
		r := &b.revisions[len(b.revisions)-1]
		r.Tree, r.last = p.Tree, now
		r.Changes = changes
	default:
		if !p.braced {
			b.pending = nil
		}
		if p.minutes != 0 && b.pending == nil {
			b.pending = p.pending(now, b.Running().N)
		}
		b.add(Revision{Time: now, User: p.user, How: p.how, Changes: changes, Tree: p.Tree, typed: p.line, last: now})
	}
	if p.after != nil {
		p.after(b)
	}
	return b.Running()
}

// Base is what the changes of a plan are counted from: what ran before the revision that it becomes part of.
func (b *Book) Base(now time.Time, p *Plan) *config.Config {
	if n := len(b.revisions); p.line && n > 1 && b.continues(now, p.user) {
		return b.revisions[n-2].Tree
	}
	return b.Running().Tree
}

// continues tells whether a line of a user belongs to the revision that runs.
func (b *Book) continues(now time.Time, user string) bool {
	r := b.Running()
	return r.typed && r.User == user && now.Sub(r.last) <= series && !now.Before(r.last)
}
