// Package fastpath forwards packets. An Engine holds the tables, a Worker polls ports and forwards by them.
//
// Between the slow path and the engine there are four verbs: Apply (entries down), Punt (packets up, with the reason; taken by Drain),
// Inject (packets down) and Counters (numbers up).
//
// # A packet's way, file by file
//
//	worker.go     Poll takes a burst from each port and, in the end, sends what became of it
//	input.go      Ethernet and IPv4: for us, or transit
//	gre.go        a tunnel's packet for us loses its headers (greDecap); one that leaves by a tunnel gets them (encapsulate)
//	forward.go    longest prefix, path, adjacency; TTL; who is told (Redirect, Resolve, Glean); does it fit
//	fragment.go   it does not: cut it, or ask for smaller ones
//	multicast.go  a copy for each member of a group
//	punt.go       the way up: into the worker's punt ring, so many a second of each reason (allowance.go)
//	inject.go     the way down: out of the worker's inject ring, then as above
//
// Around it: engine.go, apply.go and check.go (Apply), reason.go (every reason that a packet is not forwarded for, with its name and
// text), counters.go, run.go (Poll for ever: spinning, or sleeping when there is nothing to do), wake.go.
//
// # Rules of the path
//
// A function on it returns a verdict, whose zero value is to drop; there is no error, lock, channel, interface call or allocation a packet.
// A frame is written into in place: headers go into the room in front of the packet. A frame returns to its pool in
// one place (Worker.release), unless a port took it. A packet is never changed before it is certain that the slow path need not see it as it came.
//
// The tables are read without locks. A worker announces itself before it looks (arena.Reader) and withdraws when the burst is
// done: a worker that sleeps, or that nobody polls, holds up nothing.
//
// Poll reads no clock: the time is its argument, so a simulator can turn many engines in virtual time.
//
// # Multicast
//
// What a host or a protocol of this box sends to a group is copied to the members of the tunnel's or port's list, TTL unchanged, link-local
// groups too. What comes in by a tunnel is copied to the other members of that tunnel's list; link-local groups (224.0.0.0/24) never are. There is no
// multicast routing: no PIM, no IGMP, no state by group, and multicast that comes in by a port goes nowhere.
package fastpath
