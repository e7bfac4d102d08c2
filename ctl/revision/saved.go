package revision

import (
	"fmt"
	"time"

	"nave/ctl/config"
)

// Saved is what outlives the process, without the texts of the revisions.
type Saved struct {
	Version   int             `json:"version"`
	Revisions []SavedRevision `json:"revisions"` // the last one runs
	Pending   *Pending        `json:"pending,omitempty"`
}

// SavedRevision is a revision without its text.
type SavedRevision struct {
	N       int       `json:"n"`
	Time    time.Time `json:"time"`
	User    string    `json:"user,omitempty"`
	How     string    `json:"how,omitempty"`
	Changes string    `json:"changes,omitempty"`
}

// version is of what Saved means.
const version = 1

// Save is what Open makes the same book of, but for the candidates, together with the texts (config.Config.Running) of the revisions.
func (b *Book) Save() Saved {
	s := Saved{Version: version, Pending: b.pending}
	for _, r := range b.revisions {
		s.Revisions = append(s.Revisions, SavedRevision{r.N, r.Time, r.User, r.How, r.Changes})
	}
	return s
}

// Open makes a book of what was saved. text returns the text of a revision; those that can't be had, or read, are left out, and so is what waits to be confirmed if what would come back is not there.
func Open(s Saved, text func(n int) ([]byte, error)) (*Book, error) {
	if s.Version != version {
		return nil, fmt.Errorf("revision: what was saved is of version %d, and this is %d", s.Version, version)
	}
	b := &Book{candidates: make(map[string]*candidate)}
	for _, r := range s.Revisions {
		t, err := text(r.N)
		if err != nil || r.N <= 0 || len(b.revisions) > 0 && r.N <= b.Running().N {
			continue
		}
		tree, diags := config.Parse(fmt.Sprintf("revision %d", r.N), t)
		if diags.HasErrors() {
			continue
		}
		var was *config.Config
		if len(b.revisions) > 0 {
			was = b.Running().Tree
		}
		tree.Hold(was)
		b.revisions = append(b.revisions, Revision{N: r.N, Time: r.Time, User: r.User, How: r.How, Changes: r.Changes, Tree: tree})
	}
	if len(b.revisions) == 0 {
		return nil, fmt.Errorf("revision: none of what was saved can be read")
	}
	if p := s.Pending; p != nil {
		if _, err := b.Revision(p.Back); err == nil && p.Back != 0 {
			b.pending = p
		}
	}
	return b, nil
}

// Resume plans what to begin with after a process that did not end as it should: what ran, or what ran before a change that was not confirmed.
func (b *Book) Resume() *Plan {
	if b.pending != nil {
		if p := b.undo(); p != nil {
			return p
		}
	}
	r := b.Running()
	return &Plan{Before: r.Tree, Tree: r.Tree}
}

// Started adds the configuration that a process begins with, if it is another than ran last.
func (b *Book) Started(now time.Time, how, changes string, tree *config.Config) {
	b.pending = nil
	if run := b.Running(); run.Tree.Equal(tree) {
		b.revisions[len(b.revisions)-1].Tree = tree // its findings have lines of the file
		return
	}
	b.add(Revision{Time: now, How: how, Changes: changes, Tree: tree})
}
