// Package dmvpn keeps the sessions of protected tunnels: for each peer NHRP entry, crypto socket, IKE and IPsec SAs, brought
// up and down together.
//
// NHRP says which peers it wants, IKE says which children there are, the fast path takes associations; a session joins the
// three. It is named by Protection and the peer's nbma.Address: tunnels that share a Protection share the session.
//
//	config.go   protections, and the tunnels that use them
//	event.go    what happens to sessions
//	effect.go   what they want done, of the fast path, of IKE and of NHRP
//	machine.go  Machine: Configure, Handle, Deadline
//	session.go  one session: wanted, brought up, given up, tried again
//	child.go    a child of IKE as associations of the fast path
//	belong.go   which of the sessions at an address a child belongs to
//	rival.go    peers that call themselves the same
//	opening.go  a path that both sides open through NAT
//	calm.go     a peer that moves with every packet
//	nathub.go   hubs behind NAT, where the hardware can't have that
//	seal.go     what protection adds to a packet
//	inherit.go  associations that outlived the process that made them
//	retry.go    when a session looks at itself again
//	status.go   copies of the state, for show output
//
// # The life of a session
//
//	closed --wanted--> negotiating --Install, Activate--> up --released, failed--> closed
//
// The crypto socket is open while NHRP wants the peer, or while a peer that came by itself may still be wanted (it is about
// to register). An open session without a child asks IKE for one, again and again with back-off. Children of one
// session stand side by side: the active one is sent by, all are received by; when the active one goes, another
// takes its place, and only when there is none the session is down and NHRP is told.
package dmvpn
