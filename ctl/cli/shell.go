package cli

import (
	"fmt"
	"strings"

	"nave/ctl/config/grammar"
)

// Shell is where commands are typed, as far as commands change it. Without one (a command from the system's shell) those commands are refused.
type Shell interface {
	// Act does what a command says to the shell itself. m is the command's line.
	Act(a Act, m *grammar.Match) error
}

// Act is what a command does to a shell.
type Act uint8

// The acts.
const (
	ActEnable       Act = iota // to privileged exec
	ActDisable                 // back to user exec
	ActExit                    // end the shell
	ActConfigure               // lines of configuration that are applied at once; of a candidate where the line says so
	ActTerminal                // set what the terminal is like
	ActShowTerminal            // tell what it is like
	ActShowHistory             // tell what was typed
)

// shellCommands are about the shell.
var shellCommands = []*grammar.Command{
	{Syntax: "enable", Help: "go to privileged exec", Data: acts(ActEnable)},
	{Syntax: "disable", Help: "go back to user exec", Data: acts(ActDisable)},
	{Syntax: "exit", Help: "end the session", Data: acts(ActExit)},
	{Syntax: "logout", Help: "end the session", Data: acts(ActExit)},
	{Syntax: "quit", Help: "end the session", Data: acts(ActExit)},
	{Syntax: "configure terminal", Help: "configure: each line runs at once", Data: acts(ActConfigure)},
	{Syntax: "configure candidate", Help: "configure a candidate, which runs as a whole when it is committed", Data: acts(ActConfigure)},
	{Syntax: "terminal length <lines:0-512>", Help: "lines of a page; 0: output does not stop", Default: "what the terminal has", Data: acts(ActTerminal)},
	{Syntax: "terminal width <columns:0-512>", Help: "columns; 0: as many as it takes", Default: "what the terminal has", Data: acts(ActTerminal)},
	{Syntax: "terminal no length", Help: "a page is what the terminal has", Data: acts(ActTerminal)},
	{Syntax: "terminal no width", Help: "columns are what the terminal has", Data: acts(ActTerminal)},
	{Syntax: "terminal monitor [{emergencies|alerts|critical|errors|warnings|notifications|informational|debugging|<severity:0-7>}]",
		Help: "show the log as it is written, up to a severity", Default: "off; debugging where no severity is said", Data: acts(ActTerminal)},
	{Syntax: "terminal no monitor", Help: "show the log no longer", Data: acts(ActTerminal)},
	{Syntax: "terminal history", Help: "remember what is typed", Data: acts(ActTerminal)},
	{Syntax: "terminal history size <lines:0-1000>", Help: "how many lines are remembered", Default: "100", Data: acts(ActTerminal)},
	{Syntax: "terminal no history", Help: "remember nothing of what is typed", Data: acts(ActTerminal)},
	{Syntax: "show history", Help: "what was typed", Data: acts(ActShowHistory)},
	{Syntax: "show terminal", Help: "what the terminal is like", Data: acts(ActShowTerminal)},
}

// acts makes a command of an act.
func acts(a Act) run {
	return func(s *Session, m *grammar.Match) error {
		if s.Shell == nil {
			return fmt.Errorf("`%s` is for `nave shell`: each command from the system's shell stands alone", m.Canonical)
		}
		return s.Shell.Act(a, m)
	}
}

// anybody are the first words of what user exec has. Everything else is privileged.
var anybody = []string{"show", "ping", "traceroute", "explain", "terminal", "enable", "disable", "exit", "logout", "quit"}

// hidden are the beginnings of what user exec does not have, though it begins with a word of anybody: whole configurations.
var hidden = []string{"show running-config", "show startup-config", "show configuration", "show archive", "show tech-support"}

// Privileged tells whether a command is one of privileged exec.
func Privileged(c *grammar.Command) bool {
	for _, h := range hidden {
		if strings.HasPrefix(c.Syntax, h) {
			return true
		}
	}
	first, _, _ := strings.Cut(c.Syntax, " ")
	for _, w := range anybody {
		if first == w {
			return false
		}
	}
	return true
}
