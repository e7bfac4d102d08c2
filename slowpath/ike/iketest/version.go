// Package iketest is a rig for the tests of both versions of IKE: two engines, a wire between them in virtual time, and the test cases that are the same
// for either version. It is part of no program: only tests import it.
//
//	version.go   Version: what the rig has to be told of a version
//	wire.go      Wire: two nodes, the messages and the packets between them
//	node.go      Node: one engine, and what has come of what it said
//	random.go    randomness that a test can repeat
//	session.go   what both versions do alike when nothing is wrong, and when a side goes
//	faults.go    the same of bad wires, bad messages and refusals
//	opening.go   the same of IKE that begins on port 4500 while the way opens
//	tracing.go   the same of what is told to those who debug
//	pair.go      Pair: two engines without a wire, for benchmarks
//	recording.go sessions of other makes, from a file
//	script.go    Script: bytes of a fuzz test as decisions
package iketest

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
)

// Start is when virtual time begins.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Version is what the rig has to be told of a version of IKE, whose engine is an E.
type Version[E ike.Engine] struct {
	New func(*ike.Env) E
	// Config is a protection, of number 1, with a pre-shared key for everybody.
	Config func(local netip.Addr) ike.Config
	// Keepalive sets dead peer detection.
	Keepalive func(c *ike.Config, k ike.Keepalive)
	// SAs counts all the IKE SAs that the engine holds, those too that its status does not show any more.
	SAs func(E) int
	// Name is what a message is called in a ladder, behind who sends it.
	Name func(h ikemsg.Header) string
	// Check is done after every event of a node. Nil: nothing is.
	Check func(n *Node[E])
	// Others has the newest of the other children that were ever activated take over when the one in use is removed, as sessions do. Without it the
	// engine has to say itself by which child is sent then.
	Others bool
	// Late is how long a slow packet of the traffic takes to the other side (Wire.Carry).
	Late time.Duration
}

// Join makes two nodes, A and B, and a wire between them; change, if any, is given both configurations.
func Join[E ike.Engine](t *testing.T, v *Version[E], seed uint64, change func(a, b *ike.Config)) *Wire[E] {
	t.Helper()
	w := &Wire[E]{T: t, Now: Start, Delay: 10 * time.Millisecond, Rand: rand.New(rand.NewPCG(seed, 1)), version: v}
	w.A, w.B = newNode(w, "a", "192.0.2.1", seed), newNode(w, "b", "192.0.2.2", seed+1000)
	if change != nil {
		change(&w.A.Config, &w.B.Config)
	}
	for _, n := range w.nodes() {
		n.Configure()
	}
	return w
}

// both is a change of either side's configuration.
func both(change func(c *ike.Config)) func(a, b *ike.Config) {
	return func(a, b *ike.Config) { change(a); change(b) }
}
