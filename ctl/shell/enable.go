package shell

import (
	"errors"
	"io"

	"nave/ctl/api"
	"nave/ctl/show"
)

// tries is how often a password is asked for.
const tries = 3

// enable goes to privileged exec, if the daemon says so.
func (s *Shell) enable() error {
	if s.privileged {
		return nil
	}
	g, err := s.o.Daemon.Greet()
	if err != nil {
		return err
	}
	s.greeting = g
	if !g.Password || !g.Change {
		err := s.o.Daemon.Enable("")
		s.privileged = err == nil
		return err
	}
	for range tries {
		typed, err := s.console.password(show.ShellPassword)
		if err != nil {
			return io.ErrUnexpectedEOF
		}
		if err = s.o.Daemon.Enable(typed); err == nil {
			s.privileged = true
			return nil
		}
		if err.Error() != api.BadSecret {
			return err
		}
		if columns, _ := s.console.size(); columns == 0 {
			break // a script says it once
		}
	}
	return errors.New(show.ShellBadSecrets)
}
