package cli

import "nave/ctl/config/grammar"

// Explainer tells what would become of a packet. api.Client is one.
type Explainer interface{}

// explainCommands tell what would become of a packet.
var explainCommands = []*grammar.Command{}
