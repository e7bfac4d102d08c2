package slowpath

import (
	"nave/slowpath/bgp"
	"nave/slowpath/ldp"
)

// LDP takes what happened to LDP's sockets: HelloReceived, Connected, Accepted, Data, Closed; and Clear.
func (r *Router) LDP(ev ldp.Event) {}

// BGP takes what the speaker says. When it returns, the labels are installed.
func (r *Router) BGP(e bgp.Effects) {}
