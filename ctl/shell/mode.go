package shell

import (
	"strings"

	"nave/ctl/config"
)

// configuring is a mode of configuration.
type configuring struct {
	candidate bool     // lines change the candidate, not what runs
	path      []string // the lines that lead to the mode
	mode      string   // as the prompt says it
	// local understands and completes lines of the mode; it is made when it is wanted first.
	local *config.Session
}

// session is the grammar of the mode.
func (c *configuring) session() *config.Session {
	if c.local == nil {
		s, err := config.SessionAt(&config.Config{}, "", c.path)
		if err != nil { // a daemon of another version: complete what is at the top
			s = config.NewSession(&config.Config{}, "")
		}
		c.local = s
	}
	return c.local
}

// at goes to a mode.
func (c *configuring) at(path []string, mode string) {
	if strings.Join(path, "\n") != strings.Join(c.path, "\n") {
		c.local = nil
	}
	c.path, c.mode = path, mode
}

// prompt is what stands in front of what is typed.
func (s *Shell) prompt() string {
	switch {
	case s.config != nil && s.config.candidate:
		return s.hostname + "(" + s.config.mode + ":candidate)#"
	case s.config != nil:
		return s.hostname + "(" + s.config.mode + ")#"
	case s.privileged:
		return s.hostname + "#"
	}
	return s.hostname + ">"
}
