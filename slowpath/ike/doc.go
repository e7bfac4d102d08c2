// Package ike keeps security associations with peers, by IKEv1 (RFC 2407 to 2409) and IKEv2 (RFC 7296).
//
// This package is what the two versions and the rest of the slow path say to each other; each version is an Engine in a package of its own
// (ikev1, ikev2), and Machine puts them together. All are step functions: no socket, no clock, no goroutine.
//
//	config.go     what is configured: protections of tunnels, policies, keys, identities
//	credential.go certificates, and how signatures are made and checked
//	event.go      what happens to IKE
//	effect.go     what it wants done
//	child.go      Child: a pair of IPsec SAs as negotiated
//	machine.go    Machine: both versions behind one door
//	env.go        what the versions share: randomness, numbers, admission
//	status.go     copies of the state, for show output
//	trace.go      what is done, for those who debug it: no secrets
//
// # The life of a child
//
// Install puts a child's inbound SA in place (its outbound keys come along), Activate has its outbound SA used, Remove takes
// both away. A rekeyed child is installed before the peer can use it, activated when the peer surely has it, and the old one is removed after
// a grace time, so no packet is lost. All is keyed by ChildID; several children of one Protection and peer may stand side by side.
package ike
