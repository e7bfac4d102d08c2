// Package ikev2 is version 2 of IKE (RFC 7296) as an ike.Engine, with MOBIKE as far as following a peer goes (RFC 4555), signatures of any
// hash (RFC 7427), fragments (RFC 7383), and additional key exchanges (RFC 9242, RFC 9370).
//
// An sa has a small state, and a queue of tasks: each is one exchange that we start, with build for what it says and process for what the answer
// means. There is one request under way at a time. What the peer starts is answered at once; the answer is kept and given again when the same
// request comes again. Keys, nonces and what else only the first exchanges need are in a handshake, which is gone when the SA is up.
//
//	engine.go        Engine: events, one by one
//	peers.go         which SAs there are with a peer, and who waits for a child
//	timer.go         when an SA is to be woken
//	sa.go            sa: its states and times
//	exchange.go      tasks: sending, sending again, giving up
//	receive.go       a message from the wire to its SA; what is not authentic stops here
//	lastwords.go     the answer that ended an SA, for who did not get it
//	init.go          IKE_SA_INIT, both sides
//	cookie.go        who has to show that it is where it says
//	natd.go          is there NAT?
//	intermediate.go  IKE_INTERMEDIATE and IKE_FOLLOWUP_KE
//	auth.go          IKE_AUTH: proofs, and the first child
//	identity.go      profiles, identities, certificates
//	select.go        proposals: what is offered, and what is chosen
//	child.go         child: from offer to removal
//	rekey.go         CREATE_CHILD_SA for a child, new or in the place of another
//	rekeyike.go      CREATE_CHILD_SA for the IKE SA
//	twin.go          two SAs where one is enough
//	informational.go INFORMATIONAL: deletes, signs of life, what is told
//	mobile.go        a peer that is elsewhere
//	fragment.go      messages in pieces
//	status.go        copies for show
//	trace.go         what is done, for those who debug it
//
// # A child that is replaced
//
//	who asks                                    who is asked
//	CREATE_CHILD_SA(REKEY_SA) ────────────────► installs the new inbound SA
//	installs, sends by the new one ◄─────────── answer
//	DELETE of the old one ────────────────────► sends by the new one (or when first heard by it)
//	the old inbound SA stays for graceTime      the old inbound SA stays for graceTime
//
// When both ask at once there are two new ones, and four nonces: who made the one with the lowest nonce takes it away, the other deletes the old one
// (RFC 7296 section 2.8.1). Where an exchange meets another one that it must not mix with, TEMPORARY_FAILURE is the answer, and it is tried again within
// seconds (section 2.25).
//
// # Who is believed
//
// Nothing in clear ends or moves an SA. An error in clear is noted as the reason of a timeout that may follow; a cookie and another group are
// taken a few times. A request counts when it is authentic and has the next message number, so nothing that is replayed or reflected does anything
// but have the last answer repeated. What a peer can have us keep before it has authenticated is bounded: by admission, by the length of a first
// message, and by the number and size of fragments.
package ikev2
