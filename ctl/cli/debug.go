package cli

import "nave/ctl/config/grammar"

// Debugger turns debugging on and off. api.Client is one.
type Debugger interface{}

// debugCommands turn debugging on and off.
var debugCommands = []*grammar.Command{}
