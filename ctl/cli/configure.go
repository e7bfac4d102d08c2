package cli

import "nave/ctl/config/grammar"

// Editor edits the configuration. api.Client is one.
type Editor interface{}

// configCommands save, copy, commit and roll back configurations.
var configCommands = []*grammar.Command{}
