// Package interop tests nave against peers that others wrote: FRR's nhrpd, in user-mode-linux guests.
//
// A scenario is a folder below scenarios: description.txt says what is there and what must hold, NAME.cfg is the
// configuration of a router that runs naved, frrN.guest the settings of a guest (see uml/node.sh). All of them, and a
// host called stranger, meet on one Ethernet, 192.0.2.0/24; behind a router that has an Ethernet1 stands a host.
// What a node says of itself is compared with what crossed that Ethernet.
//
//	guest.go     boots guests, and runs commands in them
//	scenario.go  brings a scenario up
//	checks.go    what nodes say of themselves
//	wire.go      what crosses the Ethernet, taken apart
//	stranger.go  a node made of raw packets
//	uml          what runs in a guest
package interop
