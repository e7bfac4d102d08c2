// Package fastpath forwards packets. An Engine holds the tables, a Worker polls ports and forwards by them.
//
// Between the slow path and the engine there are four verbs: Apply (entries down), Punt (packets up, with the reason; taken by Drain),
// Inject (packets down) and Counters (numbers up).
//
// # A packet's way, file by file
//
//	worker.go     Poll takes a burst from each port and, in the end, sends what became of it; in between, packets go in vectors (handleVector)
//	ahead.go      with many peers, what a vector will need of the tables is looked up and loaded before the first packet needs it
//	input.go      Ethernet and IPv4: for us, or transit
//	ah.go         AH for us is authenticated (ahOpen); what comes out is ESP or GRE
//	esp.go        ESP for us, in UDP or not, is authenticated and decrypted (espOpen); a packet that leaves by associations is sealed (espSeal)
//	opening.go    where the cipher has a kernel, the packets of a vector wait until all have come so far, are opened together, and go on (openAll)
//	sealing.go    likewise on the way out: packets stand in their queues, and get their sequence numbers and are sealed together before those leave (sealAll)
//	association.go  finding an association, its sequence number and window, its limits; who is told (SAHeard, SASoft, SAHard, SAUnknown)
//	gre.go        a tunnel's packet for us loses its headers (greOpen); one that leaves by a tunnel gets them (encapsulate)
//	subinterface.go  a frame with a tag is a subinterface's: what nave forwards or ends goes on as above, the rest is the host's (Host)
//	mpls.go       a labelled packet is switched (mplsSwitch): swap, pop, look up; what leaves by a labelled adjacency gets its labels (pushLabels)
//	outside.go    encapsulate for what leaves with a tag, or with labels in front of the outer IPv4 header
//	forward.go    longest prefix, path, adjacency; another VRF's routes where a route leads there (leak); TTL; who is told (Redirect, Resolve, Glean); does it fit
//	flow.go       if the worker remembers flows (Config.FlowCache), their adjacency without a look at the routes, and counts of them (Flows)
//	fragment.go   it does not: cut it, or ask for smaller ones
//	multicast.go  a copy for each member of a group
//	lane.go       packets of slow ciphers wait here, for the time that is left at the end of a poll
//	punt.go       the way up: into the worker's punt ring, so many a second of each reason (allowance.go)
//	handover.go   (handshare.go, relay.go, flowbucket.go) from the worker that received it to the worker that its flow belongs to, where a link does not spread by itself
//	inject.go     the way down: out of the worker's inject ring, then as above
//	capturetap.go  copies for who asked for them (capture.go): where a port receives and sends, where a tunnel's packet comes and goes, and of what is dropped or punted
//	captureforged.go  what they show of a packet that failed its integrity check
//
// Around it: engine.go, apply.go, applysa.go, check.go and checklabel.go (Apply), reason.go (every reason that a packet is not forwarded for, with its name and
// text), counters.go and sacount.go, run.go (Poll for ever: spinning, or sleeping when there is nothing to do), wake.go.
// What would become of a packet (Explain): explain.go; explain_run.go sends it through a worker of its own, in a mapping where nothing stays, and explain_read.go reads off what
// became of it.
// Workers in processes of their own: block.go (where everything is in the arena), join.go (a worker's process), adopt.go and inherited.go (the process that follows
// the one that wrote the tables), transform.go (cipher objects).
//
// # Rules of the path
//
// What few packets need stands in functions that are not inlined (go:noinline), so that the compiler, which goes by a profile, has room for what all of them need.
//
// A function on it returns a verdict, whose zero value is to drop; there is no error, lock, channel, interface call or allocation a packet.
// A frame is written into in place: headers go into the room in front of the packet. A frame returns to its pool in
// one place (Worker.release), unless a port took it. A packet is never changed before it is certain that the slow path need not see it as it came.
//
// The tables are read without locks. A worker announces itself before it looks (arena.Reader) and withdraws when the burst is
// done: a worker that sleeps, or that nobody polls, holds up nothing.
//
// Poll reads no clock: the time is its argument, so a simulator can turn many engines in virtual time.
//
// # Security associations
//
// An association is a record in the arena (internal/table): keys, sequence number, window, counts. Numbers and window slots change by atomic operations, so any worker may
// use it at any time, and the next process goes on where this one stopped. What AES-GCM makes of a key lies there, too, where the CPU has what the kernels
// want (internal/aesgcm). What other ciphers' keys become (internal/sa) is held by the process, by number and
// generation, and never changes. A sequence number is taken from the arena before the packet is sealed, and is used up by that: whatever dies afterwards,
// no nonce comes twice.
//
// It fails closed. A protected tunnel's adjacency without associations sends nothing, and one whose association is not there (any more) sends nothing
// either (NoSA). What comes in is let into a protected tunnel only out of an association of the tunnel's Protection, and into any other tunnel
// only in clear. Nothing of an association changes by a packet that is not authentic; the first thing that a packet is refused for is its reason.
//
// The order of an outbound packet is: push Inner, the IPv4 header of tunnel mode, ESP, AH's header, push Outer, AH's ICV; then it is cut if the link is
// smaller. An adjacency's limit knows what its associations add, so that packets are cut before they are sealed.
//
// # Labels
//
// A label leads to adjacencies, as a route does, or to a VRF's routes. What an adjacency pushes stands in its record as it will in the packet, but for EXP, bottom
// bit and TTL; a swap writes those, the label and the Ethernet header, and looks at nothing under the label. Labels are pushed before Inner, so a
// sealed packet's are sealed with it.
//
// What came with a label stays in the VRF that the label says: it is not multicast, no redirect is sent for it, and while it waits for a slow cipher or for its
// next hop it is never sent without the labels that it was to have. A punt that is to be answered carries the stack as it came (Punt.Stack); the answer to
// a packet whose source has no route here goes the way of the packet (InjectLabelled, RFC 3032 section 2.3.2).
//
// What is for an address of this box in that VRF is as though it had come by a port of the VRF: a tunnel whose source that is takes it, also if the label came in another
// tunnel; the rest is punted with VRF and stack and without a tunnel. Counts of what came with a label stand beside its entry, and begin when it is installed.
//
// # VRFs and subinterfaces
//
// By a port, subinterface or tunnel without an IPv4 address nothing comes in but what is for this box, and labels (unaddressed): IP is off there. A port whose
// subinterfaces have the addresses takes no untagged transit by that.
//
// A packet is routed in the VRF of its port, tunnel or label. A route of one VRF leads into another by an adjacency of kind Lookup: the packet is looked up again there, and
// is of that VRF from then on. What leads on from there into one more is no way: it is not that VRF's to give.
//
// A subinterface is a port without queues. Its frames come by its parent with a tag and leave by it; the kernel sees none of them, so all that is not forwarded or
// ended here is punted as a whole frame, and what the host sends is injected as one (InjectFrame).
//
// # Multicast
//
// What a host or a protocol of this box sends to a group is copied to the members of the tunnel's or port's list, TTL unchanged, link-local
// groups too. What comes in by a tunnel is copied to the other members of that tunnel's list; link-local groups (224.0.0.0/24) never are. There is no
// multicast routing: no PIM, no IGMP, no state by group, and multicast that comes in by a port goes nowhere.
package fastpath
