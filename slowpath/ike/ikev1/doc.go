// Package ikev1 is version 1 of IKE (RFC 2407, 2408, 2409) as an ike.Engine.
//
// An SA is a small state and a set of exchanges. Each exchange has a task that says what it is for; the exchange itself knows how to
// repeat a message, chain initialization vectors and answer a repeated message with the same bytes. In the order of a message's way:
//
//	engine.go        Engine, its events and timers
//	receive.go       to which SA and exchange a message belongs; decryption
//	fragment.go      messages put together of fragments
//	exchange.go      exchange: sending, repeating, IV chain; message ids that were used
//	crypt.go         keys of an SA, encryption, the hashes of all exchanges
//	phase1.go        what main and aggressive mode have in common
//	mainmode.go      main mode, six messages, both roles
//	aggressive.go    aggressive mode, three messages, both roles
//	policy.go        proposals of phase 1
//	authenticate.go  identities, keys, certificates, profiles
//	natt.go          NAT traversal
//	sa.go            an SA established, replaced, ended; twins.go two of them at once
//	peer.go          what there is of one address
//	want.go          children that are asked for
//	quick.go         quick mode, initiator; quickanswer.go the responder
//	proposal.go      proposals of phase 2; protection.go which protection a peer's is for
//	child.go         children: in use, rekeyed, ended; collide.go two of them at once
//	informational.go notifications and deletions
//	dpd.go           dead peer detection
//	transaction.go   mode config and XAUTH, refused
//	fault.go         why something failed, to the log and to the peer
//	configure.go     another configuration
//	status.go        copies of the state
//	trace.go         what is done, for those who debug it
//
// # Phase 1
//
//	initiator                          responder
//	MM_NO_STATE   SA ------------------> MM_NO_STATE
//	MM_SA_SETUP   <------------------ SA MM_SA_SETUP
//	              KE Ni NAT-D --------->
//	MM_KEY_EXCH   <--------- KE Nr NAT-D MM_KEY_EXCH
//	              ID HASH or SIG ------>
//	QM_IDLE       <------ ID HASH or SIG QM_IDLE
//
// What cannot be authenticated changes no state beyond that: a message that is wrong is thrown away, the reason is kept, and a
// negotiation fails with it when its time is over.
package ikev1
