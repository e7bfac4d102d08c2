// Package interop tests nave against peers that others wrote: FRR and strongSwan, in user-mode-linux guests, and FRR's daemons on this kernel.
//
// A scenario is a folder below scenarios: description.txt says what is there and what must hold, NAME.cfg is the
// configuration of a router that runs naved, frrN.guest the settings of a guest (see uml/node.sh),
// NAME.bgpd and the like the configurations of daemons of FRR's that run beside the naved of NAME. All of them, and a
// host called stranger, meet on one Ethernet, 192.0.2.0/24; behind a router that has an Ethernet1 stands a host.
// What a node says of itself is compared with what crossed that Ethernet. Nodes with addresses of 10.99.0.0/24 are behind a NAT box.
//
// Two scenarios are up at a time, each with two of the four guests: most of the time they wait. What needs all guests, or measures loss, is up alone.
//
// A Suite says how a tunnel is protected; what both sides are told, and what both must show, comes from it.
//
//	guest.go       boots guests, and runs commands in them
//	scenario.go    brings a scenario up
//	nat.go         the NAT box
//	hostfrr.go     daemons of FRR's beside a naved, and what they say
//	checks.go      what nodes say of themselves
//	twin.go        what naved says of labels and VPN routes; a naved that is killed and taken over
//	swan.go        what strongSwan says of itself
//	algorithms.go  suites, in the words of nave and of strongSwan
//	pki.go         certificates
//	wire.go        what crosses the Ethernet, taken apart
//	labelled.go    what of it is labelled
//	routes.go      routes of nave's and of the kernel's
//	eigrp.go       neighbours by EIGRP; FRR's eigrpd in guests
//	eigrpwire.go   what is EIGRP on the wire, to us and to tshark
//	secure.go      what of it is ESP, IKE, or in clear
//	stranger.go    a node made of raw packets
//	uml            what runs in a guest
package interop
