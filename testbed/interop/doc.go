// Package interop tests nave against peers that others wrote: FRR's nhrpd and strongSwan, in user-mode-linux guests.
//
// A scenario is a folder below scenarios: description.txt says what is there and what must hold, NAME.cfg is the
// configuration of a router that runs naved, frrN.guest the settings of a guest (see uml/node.sh). All of them, and a
// host called stranger, meet on one Ethernet, 192.0.2.0/24; behind a router that has an Ethernet1 stands a host.
// What a node says of itself is compared with what crossed that Ethernet. Nodes with addresses of 10.99.0.0/24 are behind a NAT box.
//
// A Suite says how a tunnel is protected; what both sides are told, and what both must show, comes from it.
//
//	guest.go       boots guests, and runs commands in them
//	scenario.go    brings a scenario up
//	nat.go         the NAT box
//	checks.go      what nodes say of themselves
//	swan.go        what strongSwan says of itself
//	algorithms.go  suites, in the words of nave and of strongSwan
//	pki.go         certificates
//	wire.go        what crosses the Ethernet, taken apart
//	secure.go      what of it is ESP, IKE, or in clear
//	stranger.go    a node made of raw packets
//	uml            what runs in a guest
package interop
