package cli

import (
	"nave/ctl/api"
	"nave/ctl/config/grammar"
)

// Editor edits the configuration. api.Client is one.
type Editor interface {
	Edit(api.Edit) (api.Edited, error)
	Act(api.ConfigAction) (api.ConfigDone, error)
	ConfigText(api.ConfigText) (string, error)
}

// configCommands save, copy, commit and roll back configurations.
var configCommands = []*grammar.Command{}
