package cli

import "nave/ctl/config/grammar"

// Pinger sends echo requests and probes from the box. api.Client is one.
type Pinger interface{}

// pingCommands send echo requests and probes.
var pingCommands = []*grammar.Command{}
