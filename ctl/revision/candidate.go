package revision

import (
	"fmt"
	"time"

	"nave/ctl/config"
)

// candidate is what a user is editing.
type candidate struct {
	base *config.Config // what ran when it was begun, or committed last
	tree *config.Config
}

// Begin makes the user's candidate of what runs, if there is none.
func (b *Book) Begin(user string) {
	if b.candidates[user] == nil {
		run := b.Running().Tree
		b.candidates[user] = &candidate{base: run, tree: run}
	}
}

// Candidate is what the user is editing.
func (b *Book) Candidate(user string) (*config.Config, error) {
	c := b.candidates[user]
	if c == nil {
		return nil, fmt.Errorf("%s has no candidate: `configure candidate` begins one", user)
	}
	return c.tree, nil
}

// Editors lists who has a candidate that is not what it began with.
func (b *Book) Editors() (users []string) {
	for user, c := range b.candidates {
		if !c.tree.Equal(c.base) {
			users = append(users, user)
		}
	}
	return users
}

// Abandon forgets the user's candidate.
func (b *Book) Abandon(user string) error {
	if b.candidates[user] == nil {
		return fmt.Errorf("%s has no candidate", user)
	}
	delete(b.candidates, user)
	return nil
}

// Take makes the user's candidate that of revision n; 0 is what runs.
func (b *Book) Take(user string, n int) error {
	r, err := b.Revision(n)
	if err != nil {
		return err
	}
	b.candidates[user] = &candidate{base: b.Running().Tree, tree: r.Tree.Clone()}
	return nil
}

// Commit plans to run by the user's candidate. If what runs has changed since it was begun, it gets both changes; where they touch the same lines it is an error that names them, and
// the candidate stays. With minutes the change is undone then, unless it is confirmed. A commit of nothing confirms what waits for that.
func (b *Book) Commit(now time.Time, user string, minutes int) (*Plan, error) {
	run := b.Running().Tree
	c := b.candidates[user]
	if b.pending != nil && (c == nil || c.tree.Equal(c.base) || c.tree.Equal(run)) {
		if minutes != 0 {
			return nil, b.ErrPending()
		}
		return b.Confirm(user)
	}
	switch {
	case c == nil:
		_, err := b.Candidate(user)
		return nil, err
	case b.pending != nil:
		return nil, b.ErrPending()
	case c.tree.Equal(c.base) || c.tree.Equal(run):
		c.base, c.tree = run, run
		return nil, ErrNothing
	}
	tree, err := config.Merge(c.base, c.tree, run)
	if err != nil {
		return nil, fmt.Errorf("what runs has changed since %s began, and %w\n`show configuration diff` shows the candidate's changes; change those lines, or `rollback 0` and begin again", user, err)
	}
	// Read again as it prints, so that findings have lines of `show configuration candidate`.
	tree, diags := config.Parse("candidate", []byte(tree.Running()))
	diags = append(diags, config.CheckAt(now, tree)...)
	p := b.whole(user, "commit", tree, diags)
	p.minutes = minutes
	p.after = func(b *Book) {
		c.base, c.tree = tree, tree
		if minutes != 0 { // until it is confirmed the changes are the candidate's own: they may be wanted again
			c.base = run
		}
	}
	return p, nil
}
