// Package nhrp is the next hop resolution protocol (RFC 2332) as DMVPN uses it: client and server, Cisco's redirect
// and shortcut, and the NAT extension.
//
// A Machine is a step function: Configure and Handle take the time and what happened and return what to do; Deadline
// says when to come back with a Tick. It has no socket, clock, goroutine or lock. Whoever drives it, one goroutine,
// carries out the effects in order.
//
// A peer is an NBMA address. On a protected interface its session comes first (PeerWanted, PeerState), bindings after:
// until the direct path is ready, traffic takes the hub. Where NAT boxes on both sides keep peers from calling each other, the way is opened from
// both sides (opening.go).
package nhrp
