// Package ldp is the label distribution protocol (RFC 5036) of one routing table: link discovery, sessions, downstream unsolicited
// advertisement with independent control and liberal retention, for prefixes of IPv4. No loop detection, no targeted Hellos.
//
// A Machine is a step function: Configure and Handle take the time and what happened and return what to do; Deadline says when to come
// back with a Tick. It has no socket, clock, goroutine or lock. Whoever drives it, one goroutine, carries out the effects in order.
//
// What plugs in where:
//
//   - Hellos: each Hello effect is a datagram from UDP 646 of the interface to 224.0.0.2 port 646, TTL 1; on a tunnel, to those on its multicast
//     list. What comes to that group, and port, by an interface is HelloReceived.
//   - Sessions: Listen, Key, Connect, Send and Close are what to do with TCP port 646; Connected, Accepted, Data and Closed what came of it.
//     The machine sees a byte stream, and cuts it up itself.
//   - Routes: all that may have a label, and those whose next hops may give one, come as Routes; addresses of all interfaces of the routing table as
//     InterfaceState.
//   - Labels: LocalLabel says that packets with a label of ours go where the prefix's route goes (fib.Label, LabelSwap), Bind which label a
//     next hop wants for it (labels of an adjacency). A path without a Bind is unlabelled. Connected prefixes get implicit null, which needs no entry.
//
// Labels come from a range that is the machine's alone. A label that was in use is not given to another prefix while a peer may still send by it: not
// before all who were told have released it or lost their session, and a grace time later, which by default is longer than our sessions' hold time. After a
// restart, what the fast path still has is to be given back (Inherited): a prefix gets its label of before, and no other prefix does within the grace time.
// Where that is not known, allocation starts at a random label of the range, so that labels of before are not given first.
//
// Label Requests are answered, and none are made: peers tell their labels unasked. Messages are never passed on, as with independent control every
// message is of the router's own making; so the F bit of unknown TLVs has nothing to say. Graceful restart (RFC 3478) is in
// restart.go: what a neighbor told is kept while it restarts, and neighbors are asked for the same.
package ldp
