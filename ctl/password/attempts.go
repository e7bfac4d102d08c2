package password

import (
	"fmt"
	"time"
)

// How often a password may be wrong.
const (
	freeAttempts = 3                // before there is a pause
	firstPause   = 2 * time.Second  // after those; it doubles
	longestPause = time.Minute      // and ends here
	forgetAfter  = 10 * time.Minute // without an attempt
)

// Attempts counts wrong passwords of each user, and has those who guess wait. The zero value is ready; it is not safe for use by several goroutines.
type Attempts struct {
	users map[uint32]*attempts
}

type attempts struct {
	wrong int
	last  time.Time
	until time.Time
}

// TooMany says how long a user has to wait.
type TooMany struct{ Wait time.Duration }

// Error implements error.
func (e TooMany) Error() string {
	return fmt.Sprintf("too many wrong passwords; try again in %d seconds", max(1, int((e.Wait+time.Second-1)/time.Second)))
}

// May tells whether a user may try now: nil, or TooMany. What is tried counts as wrong until Right says otherwise, so that several tries at once gain nothing.
func (a *Attempts) May(now time.Time, user uint32) error {
	if a.users == nil {
		a.users = make(map[uint32]*attempts)
	}
	for u, t := range a.users {
		if now.Sub(t.last) > forgetAfter {
			delete(a.users, u)
		}
	}
	t := a.users[user]
	if t == nil {
		t = &attempts{}
		a.users[user] = t
	}
	if wait := t.until.Sub(now); wait > 0 {
		return TooMany{wait}
	}
	t.last = now
	if t.wrong++; t.wrong >= freeAttempts {
		t.until = now.Add(min(longestPause, firstPause<<min(t.wrong-freeAttempts, 10)))
	}
	return nil
}

// Right forgets the wrong attempts of a user.
func (a *Attempts) Right(user uint32) { delete(a.users, user) }
