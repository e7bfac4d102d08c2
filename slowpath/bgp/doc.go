// Package bgp is the border gateway protocol: IPv4 unicast, VPNv4 and VPNv6, in the global table and inside VRFs. GoBGP speaks
// it; this package turns configuration values into what GoBGP is told and what GoBGP learns into routes. No type of GoBGP's
// leaves it.
//
// Contrary to the other protocols it has goroutines and sockets of its own. What it says goes to Env.Deliver, in order and from
// one goroutine; whoever runs the protocols takes it into their loop from there.
//
//	caller ── Configure, Announce, Retract, Clear ──► Speaker ──► GoBGP: one server for the global table, one for each VRF with neighbours
//	caller ◄── Deliver: routes, labels to swap, sessions ── Speaker ◄── best paths, sessions ──┘
//	caller ◄── Allocate, Release: labels ──┘
//
// # Sockets
//
// GoBGP dials and listens in one network namespace, names a neighbour by its address alone, and can't change a VPN label on the
// way out. So it is given no socket of the network's. A link (link.go) holds a neighbour's connection, which it dials or accepts
// in the VRF's namespace, with password, TTL and source as configured, and passes on to GoBGP over the loopback, where each
// neighbour has an address of its own out of 127.64.0.0/10. What GoBGP listens on takes only connections that are signed (TCP
// MD5) by a key of this process, where the kernel has that.
//
// What comes from the neighbour passes untouched. What goes to it is read message by message, and UPDATEs are rewritten
// (bgpmsg): the next hop "self" becomes the connection's own address; `send-community`, `next-hop-self` and
// `route-map … out` with nothing but `set ip next-hop` are done here.
//
// # Labels
//
// A router that makes itself the next hop of a VPN route must advertise a label of its own and swap. For each such prefix that
// is learned from others the speaker asks for a label (Labels.Allocate), says what to swap it for (Effects.Swaps) and only then
// lets the route go out; when the best path changes, the label stays and what it is swapped for changes. With a neighbour whose
// next hops are not changed, next hop and label pass as they are: each neighbour gets what its own configuration says, and
// GoBGP's choice of paths, ORIGINATOR_ID and CLUSTER_LIST are not interfered with. A label that is not used any more is given
// back after Config.KeepLabel.
//
// Labels of routes of our own are the caller's (Local.Label); those learned from neighbours inside VRFs are asked for, too
// (Labels.Allocate with the VRF's name), so that a label per prefix or per VRF is the caller's choice.
//
// # VRFs
//
// GoBGP's own VRFs are not used. A VPN path is imported into each VRF whose import targets it carries, the best of those that
// have the same prefix and different route distinguishers chosen by vrf.go; routes of one local VRF are imported into another in
// the same way, which is route leaking. What a VRF's neighbours say is exported with the VRF's route distinguisher and targets.
//
// # What plugs in where
//
// slowpath: Env.Deliver posts to the loop; routes become RIB routes (Route.Distance is given), swaps become fib.Label entries of
// action LabelSwap by Route's next hop, Labels is the label table's allocator (it must not give a label again within the grace
// time). slowpath/host: Env.Within runs a function in a VRF's namespace. ctl/gateway makes Config of the configuration, and
// Locals of `network` and `redistribute`. ctl/show prints Status and Paths.
package bgp
