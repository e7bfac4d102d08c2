package cli

import "nave/ctl/config/grammar"

// Capturer copies packets out of the fast path. api.Client is one.
type Capturer interface{}

// captureCommands capture packets.
var captureCommands = []*grammar.Command{}
