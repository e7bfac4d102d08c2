package shell

import (
	"strconv"

	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// What a terminal is like that does not say so.
const (
	defaultLength = 24
	defaultWidth  = 80
	// endless is the width of a terminal whose lines have no end.
	endless = 4096
)

// severities are the words of terminal monitor, by their numbers.
var severities = []string{"emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging"}

// terminal carries out a `terminal` command.
func (s *Shell) terminal(m *grammar.Match) error {
	no := m.Has("no")
	switch {
	case m.Has("length"):
		s.length = -1
		if !no {
			s.length = int(m.Uint("lines"))
		}
	case m.Has("width"):
		s.width.Store(-1)
		if !no {
			s.width.Store(int32(m.Uint("columns")))
		}
		s.console.setWidth(s.columns())
	case m.Has("history"):
		switch {
		case no:
			s.history.setSize(0)
		case m.Given("lines"):
			s.history.setSize(int(m.Uint("lines")))
		default:
			s.history.setSize(defaultHistory)
		}
	case m.Has("monitor"):
		if no {
			s.monitor.stop()
			return nil
		}
		severity := len(severities) - 1
		if m.Given("severity") {
			severity = int(m.Uint("severity"))
		}
		if word := m.OneOf(severities...); word != "" {
			for n, w := range severities {
				if w == word {
					severity = n
				}
			}
		}
		return s.monitor.start(severity)
	}
	return nil
}

// lines is how many lines a page has; 0: output does not stop.
func (s *Shell) lines() int {
	_, lines := s.console.size()
	switch {
	case lines == 0: // nobody reads it
		return 0
	case s.length >= 0:
		return s.length
	}
	return lines
}

// columns is how wide the terminal is.
func (s *Shell) columns() int {
	columns, _ := s.console.size()
	switch w := int(s.width.Load()); {
	case w == 0:
		return endless
	case w > 0:
		return w
	case columns > 0:
		return columns
	}
	return defaultWidth
}

// terminalNow is what the terminal is like.
func (s *Shell) terminalNow() show.ShellTerminal {
	columns, _ := s.console.size()
	t := show.ShellTerminal{Length: s.lines(), Width: s.columns(), History: s.history.size, ShowFormat: s.o.Session.Format.String(), Terminal: columns > 0, Privileged: s.privileged}
	if on, severity := s.monitor.now(); on {
		t.Monitor = severities[severity] + " (" + strconv.Itoa(severity) + ")"
	}
	return t
}
