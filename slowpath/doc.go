// Package slowpath decides; the fast path forwards. A Router builds and runs the protocols of one box, and is the only
// place that knows all of them.
//
//	router.go   the Router and its step: what happened, what the protocols say to it, one batch to the fast path
//	config.go   what it is told: interfaces, static routes, NHRP
//	punts.go    packets that the fast path sent up, by reason
//	nhrp.go     carries out what NHRP wants; sends its packets
//	crypto.go   carries out what IKE and the sessions of protected tunnels want
//	mpls.go     labels: who has which, and who hears of routes
//	ldp.go      feeds LDP, and carries out what it wants
//	eigrp.go    runs EIGRP's processes; eigrp_redistribute.go works out what of other protocols goes into each
//	kernel.go   routes that others put into the kernel's tables
//	bgp.go      carries out what BGP's speaker says; bgp_originate.go works out what this router announces, bgp_labels.go has its labels
//	hold.go     packets that wait for a next hop
//	sweep.go    what is looked at now and then: peers in use, learned path MTUs
//	status.go   copies of its state, for show output
//	debug.go    what the protocols do, handed to those who want to see it, if it is of those whom they want to see
//
// A Router is a step function as the protocols in it are: it has no clock, socket, goroutine or lock. Its methods take
// the time; one goroutine calls them (loop), or a test.
package slowpath
