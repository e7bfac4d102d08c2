// Package sim runs many gateways in one process and in virtual time.
//
// Each router is what the daemon is, without Linux: a fast path with one worker, and a control plane (gateway.Core). What
// stands in for Linux answers neighbour questions from the simulated topology, routes what the box itself sends, and
// answers pings of its addresses. Hosts and the internet between are small IPv4 nodes; links have a delay, a loss
// rate and an MTU. A router has a host stack a VRF, and a port may carry subinterfaces.
//
//	sim.go       the Net: its clock, its events, Run
//	link.go      cables
//	router.go    a gateway: start, stop, configure
//	linux.go     its box: neighbours, subinterfaces, what the control plane asks of it
//	space.go     the host stack of each VRF: addresses, kernel routes
//	steer.go     what goes to nave and what to the kernel
//	ike.go       its UDP sockets for IKE
//	ldp.go       its sockets for LDP: Hellos, and as much of TCP as that takes
//	eigrp.go     its raw sockets for EIGRP
//	node.go      hosts and the internet: IPv4 with forwarding, fragments and ICMP errors
//	nat.go       NAT boxes of every behaviour; nat_packet.go what they do to a packet
//	stack.go     a host stack: echo replies, reassembly, a record of what came
//	probe.go     Ping and Trace, and the way that packets take
//	frame.go     packets as values
//	topology.go  a Net of a topo.Topology; stars of any number of spokes
//
// Nothing waits: Run takes the next event (a frame that arrives, a timer, a neighbour's answer), moves the clock there, and
// turns the router or node that it is for until it has nothing left to do. The same seed gives the same losses and the
// same jitter.
package sim
