package revision

import (
	"errors"
	"fmt"
	"time"
)

// MostMinutes bounds how long a change may wait to be confirmed.
const MostMinutes = 24 * 60

// Pending is a change that is undone by itself if nobody confirms it.
type Pending struct {
	User  string
	Back  int // the revision that comes back
	Until time.Time
}

func (p *Plan) pending(now time.Time, back int) *Pending {
	return &Pending{User: p.user, Back: back, Until: now.Add(time.Duration(p.minutes) * time.Minute)}
}

// Pending is the change that waits, nil if none does.
func (b *Book) Pending() *Pending { return b.pending }

// Brace notes a plan that is to be undone by itself before it is carried out, so that it is undone even if the process does not survive it. It tells whether there was something to note. Ran, or
// Unbrace, follows.
func (b *Book) Brace(now time.Time, p *Plan) bool {
	if p.minutes == 0 || p.Tree == nil || b.pending != nil {
		return false
	}
	b.pending = p.pending(now, b.Running().N)
	p.braced = true
	return true
}

// Unbrace takes back Brace of a plan that was not carried out.
func (b *Book) Unbrace(p *Plan) {
	if p.braced {
		b.pending, p.braced = nil, false
	}
}

// Confirm plans that what waits to be confirmed stays.
func (b *Book) Confirm(user string) (*Plan, error) {
	if b.pending == nil {
		return nil, errors.New("nothing waits to be confirmed")
	}
	return &Plan{Before: b.Running().Tree, user: user, how: "configure confirm", after: func(b *Book) {
		if c := b.candidates[b.pending.User]; c != nil {
			c.base = b.Running().Tree
		}
		b.pending = nil
	}}, nil
}

// Expired plans to undo what nobody has confirmed in time; nil if there is no such thing.
func (b *Book) Expired(now time.Time) *Plan {
	if b.pending == nil || now.Before(b.pending.Until) {
		return nil
	}
	return b.undo()
}

// undo plans to run by what ran before the change that waits.
func (b *Book) undo() *Plan {
	r, err := b.Revision(b.pending.Back)
	if err != nil { // it is kept as long as it may have to come back
		b.pending = nil
		return nil
	}
	p := b.whole(b.pending.User, fmt.Sprintf("revision %d was not confirmed: back to %d", b.Running().N, r.N), r.Tree.Clone(), nil)
	p.settles = true
	return p
}

// Minutes checks how long a change is to wait.
func Minutes(n int) error {
	if n < 0 || n > MostMinutes {
		return fmt.Errorf("a commit waits 1 to %d minutes, not %d", MostMinutes, n)
	}
	return nil
}
