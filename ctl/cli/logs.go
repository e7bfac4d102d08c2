package cli

import "nave/ctl/config/grammar"

// Logs is the log of the daemon. api.Client is one.
type Logs interface{}

// logCommands show the log.
var logCommands = []*grammar.Command{}
