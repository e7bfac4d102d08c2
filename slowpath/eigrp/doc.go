// Package eigrp is EIGRP (RFC 7868) of one routing table and one autonomous system, for IPv4: neighbors, the reliable transport, DUAL with feasible
// successors, classic and wide metrics, summaries, stubs, MD5 and HMAC-SHA-256.
//
// A Machine is a step function: Configure and Handle take the time and what happened and return what to do; Deadline says when to come
// back with a Tick. It has no socket, clock, goroutine or lock. Whoever drives it, one goroutine, carries out the effects in order.
//
// What plugs in where:
//
//   - Packets: each Send effect is a packet of IP protocol 88, TOS 0xC0, TTL 2, by an interface to a neighbor or to
//     224.0.0.10; on a tunnel, the latter goes to those on its multicast list. What comes by protocol 88 is PacketReceived.
//   - Interfaces: those that `network` covers are in Config; what they are like comes as InterfaceState. Their subnets are the internal routes. The caller
//     matches networks with interfaces, and makes functions of distribute lists and leak maps.
//   - Redistribution: routes of other protocols, with the metric that `redistribute` or its route map gives them, come as Redistributed.
//   - Routes: Route and RouteGone are what the RIB is to have of EIGRP, summaries' discard routes among them. What is local (connected, redistributed) is
//     somebody else's route, and so none of the machine's.
//
// The files: receive.go is a packet's way in, transport.go its way out; neighbor.go and iface.go who there is to talk to; dual.go and active.go the
// computation; advertise.go who is told what; local.go and summary.go what the router has of its own; install.go what the RIB gets; community.go what goes
// with a route through BGP.
//
// A prefix that comes as Redistributed is one whose route in the RIB is the other protocol's; so it is preferred to what neighbors say, and a Route of the
// same prefix is taken back; unless the neighbors' is one that the RIB would prefer, by ExternalRoute.Distance: then there is a Route, and the caller takes the
// other one back.
//
// Restarts (restart.go): with Config.Restarting the machine takes the place of one that ended while packets went on. It says so, gathers what its neighbors
// know, which keep what they know of it, and only then has Route effects. What it does for a neighbor that restarts is the same from the other side: what
// such a one told is kept for its hold time, and while it goes on for 240 seconds at most, from the first of several restarts in a row.
//
// What a restart cannot do (regain.go): the router does not know its feasible distances, and so trusts the way that packets go by now only, and asks for any
// other, until all have acknowledged its new table, or 240 seconds have passed (a hold time, if that is more). A neighbor that begins anew, without its
// routes, while another one restarts owes that one nothing: what this one sends it as before may come back, until the restart is over, usually after 6
// seconds, at most after 90; then the way is given up. And the process before must have had as neighbors all who have it as one: who lost some of them, or
// began anew, less than a hold time ago had better not restart gracefully: two may have each other for the next hop, until the news of the new table has
// come, or twice the active time has passed (active.go: who answers SIA-Queries is waited for).
//
// Many neighbors at once (table.go, advertise.go): a table, and each packet of changes, goes to all of an interface by one multicast, and the next when they
// have acknowledged it; who does not in time is left behind and goes on by unicast. On an mGRE tunnel a multicast is one packet for each spoke; of the share
// of the bandwidth, which is that of one spoke's line, it takes one.
//
// Values are put in packets as late as possible: what changed is noted per interface, and read when a packet is made. So a busy interface sends the last
// value of each route, and one that flaps costs little. Order is all that DUAL needs of that, and each neighbor has one queue.
package eigrp
