package cli

import (
	"slices"

	"nave/ctl/config/grammar"
)

// Commands are all exec commands. They must not be changed.
func Commands() []*grammar.Command { return table.Commands }

// userTable is what user exec has.
var userTable = grammar.New(slices.DeleteFunc(slices.Clone(table.Commands), Privileged), helpWords)

// tableOf is the grammar of a level of privilege.
func tableOf(privileged bool) *grammar.Set {
	if privileged {
		return table
	}
	return userTable
}

// Understand finds the command that a line is, among those of user exec or of privileged exec.
func Understand(line string, privileged bool) (*grammar.Match, *grammar.Error) {
	return tableOf(privileged).Match(line, false)
}

// Complete lists what could stand at the end of a line; end tells that it is complete as it is, when it ends with a space.
func Complete(line string, privileged bool) (list []grammar.Completion, end bool, err *grammar.Error) {
	return tableOf(privileged).Complete(line, false)
}

// Do carries out a command that was understood.
func (s *Session) Do(m *grammar.Match) error { return m.Command.Data.(run)(s, m) }
