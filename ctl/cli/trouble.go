package cli

import "nave/ctl/config/grammar"

// troubleCommands are for finding faults: what a box has and does, in short.
var troubleCommands = []*grammar.Command{}
