package daemon

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"nave/ctl/api"
	"nave/ctl/gateway"
	"nave/ctl/password"
)

// errBadSecret is all that is said of a password that is wrong.
var errBadSecret = errors.New(api.BadSecret)

// enabler verifies the password of privileged exec.
type enabler struct {
	mu       sync.Mutex // one password at a time: each costs memory and a moment of a CPU
	attempts password.Attempts
}

// Greet implements api.Enabler.
func (d *Daemon) Greet(who *api.Caller) (g api.Greeting) {
	g = api.Greeting{User: who.Name, Change: who.Change}
	d.gw.Do(func(_ time.Time, c *gateway.Core) { g.Hostname, g.Password = c.Tree().Hostname, c.Tree().Enable != "" })
	return g
}

// Enable implements api.Enabler. Without a password in the configuration privileged exec is for whoever may change things.
func (d *Daemon) Enable(who *api.Caller, typed string) error {
	var kind int
	var want string
	if !d.gw.Do(func(_ time.Time, c *gateway.Core) { kind, want = c.Tree().EnableHashed, c.Tree().Enable.Reveal() }) {
		return errStopping
	}
	if want == "" {
		return nil
	}
	return d.enabler.verify(time.Now(), who.UID, kind, want, typed)
}

// verify tries a password. An empty one is not one, and costs no attempt: a shell asks so whether there is a password at all.
func (e *enabler) verify(now time.Time, user uint32, kind int, want, typed string) error {
	if typed == "" {
		return errBadSecret
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.attempts.May(now, user); err != nil {
		return err
	}
	ok, err := password.Verify(kind, want, typed)
	if err != nil {
		return fmt.Errorf("`enable secret` of the configuration can't be verified: %w; root may change it", err)
	}
	if !ok {
		return errBadSecret
	}
	e.attempts.Right(user)
	return nil
}
