package ikev2

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// atOnce has both sides start at the same moment, and runs until both SAs are up on both sides.
func atOnce(t *testing.T, seed uint64) *wire {
	t.Helper()
	w := join(t, seed, nil)
	w.a.initiate()
	w.run(time.Duration(seed%20) * time.Millisecond)
	w.b.initiate()
	for range 100 {
		if w.a.up() == 2 && w.b.up() == 2 {
			return w
		}
		w.run(time.Millisecond)
	}
	t.Fatalf("seed %d: %d and %d SAs are up: %v", seed, w.a.up(), w.b.up(), w.ladder)
	return nil
}

func (n *node) up() (count int) {
	for _, s := range n.e.sas {
		if s.state == stateUp {
			count++
		}
	}
	return count
}

// idle keeps a node from taking away one of two SAs, as other makes do.
func (n *node) idle() {
	for _, s := range n.e.sas {
		s.pruneAt = time.Time{}
		n.e.touch(s)
	}
	n.do(n.e.take())
}

// A peer that keeps both SAs: one of them goes all the same, whoever would have to take it away, and no packet is lost.
func TestTwinOfAPeerThatKeepsBoth(t *testing.T) {
	ours := 0
	for seed := range uint64(40) {
		w := atOnce(t, 3000+seed)
		w.b.idle()
		w.traffic, w.changed = true, true
		w.run(10 * time.Second)
		if w.a.up() != 1 || w.b.up() != 1 {
			t.Fatalf("seed %d: %d and %d SAs stay: %v", seed, w.a.up(), w.b.up(), w.ladder)
		}
		if w.a.e.all()[0].initiator {
			ours++
		}
		w.run(time.Minute)
		w.wantOne()
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.ladder)
		}
	}
	if ours == 0 || ours == 40 {
		t.Errorf("the SA of the same side stays each time")
	}
}

// The peer takes INITIAL_CONTACT at its word, and forgets the SA that it has started meanwhile without saying so: what is left is one that it has.
func TestTwinThatThePeerForgot(t *testing.T) {
	for seed := range uint64(20) {
		w := join(t, 3100+seed, nil)
		held := false
		w.tap = func(from *node, _ ike.Path, b []byte) bool {
			h, err := ikemsg.ParseHeader(b)
			if hold := !held && err == nil && from == w.a && h.Exchange == ikev2msg.ExchangeAuth; hold { // it comes once b's own is up
				held = true
				return false
			}
			return true
		}
		w.a.initiate()
		w.run(12 * time.Millisecond)
		w.b.initiate()
		for w.b.up() < 2 && w.step(start.Add(5*time.Second)) {
			continue
		}
		if !held || w.b.up() != 2 {
			t.Fatalf("seed %d: %v", seed, w.ladder)
		}
		for _, s := range w.b.e.all() {
			if s.initiator {
				s.end(ike.WhyInitialContact)
			}
		}
		w.b.do(w.b.e.take())
		w.run(20 * time.Millisecond)
		w.traffic, w.changed = true, true
		w.run(3 * time.Minute)
		w.wantOne()
		if s := w.a.e.all()[0]; !s.initiator || !s.claimed {
			t.Errorf("seed %d: a goes by an SA that b does not have", seed)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.ladder)
		}
	}
}

// A peer that has forgotten its IKE SA, and not what it was for, makes another child beside the one in use: who answers sends by the old one until the peer
// is heard on the new one, or must have the answer.
func TestSecondChildWaitsForItsInitiator(t *testing.T) {
	for _, talks := range []bool{true, false} {
		w := join(t, 3400, nil)
		w.b.initiate()
		w.run(time.Second)
		old := w.a.active
		for _, s := range w.b.e.all() { // its child stays in the fast path
			s.children = nil
			s.end(ike.WhyNone)
		}
		clear(w.b.e.children)
		w.b.e.env.Outlives = func(uint16, netip.Addr) bool { return true }
		w.b.do(w.b.e.take())
		w.b.initiate()
		w.run(45 * time.Millisecond) // all that is said has arrived
		if w.a.up() != 2 || len(w.a.children) != 2 || w.a.active != old {
			t.Fatalf("%d SAs, %d children, %d is used and was %d: %v", w.a.up(), len(w.a.children), w.a.active, old, w.ladder)
		}
		fresh := w.a.e.childList()[1].ID
		wait := activateSoon
		if talks {
			wait = 0
			w.a.event(ike.Heard{Child: fresh})
		}
		w.run(wait)
		if w.a.active != fresh {
			t.Errorf("talks %v: child %d is used after %v, want %d", talks, w.a.active, wait, fresh)
		}
	}
}

// Of two children, the one is used by which the peer is heard; once each, so that two sides that follow each other come to rest.
func TestTwinFollowed(t *testing.T) {
	w := atOnce(t, 3200)
	w.a.idle()
	w.b.idle()
	list := w.a.e.childList()
	if len(list) != 2 {
		t.Fatalf("%d children", len(list))
	}
	for round, want := range []ike.ChildID{list[0].ID, list[1].ID, list[1].ID} {
		w.a.event(ike.Heard{Child: list[round%2].ID})
		if w.a.active != want {
			t.Errorf("round %d: child %d is used, want %d", round, w.a.active, want)
		}
	}
}

// What a peer has brought up since it began to say that it starts afresh is of its new life.
func TestInitialContactOfASecondSA(t *testing.T) {
	w := join(t, 3300, nil)
	hold := true
	w.tap = func(from *node, _ ike.Path, _ []byte) bool { return !(hold && from == w.b) }
	w.b.initiate() // its first message is lost, and said again in 2 seconds
	w.run(time.Millisecond)
	hold = false
	w.run(2200 * time.Millisecond) // b's SA is up
	w.wantUp()
	s := w.a.e.all()[0]
	w.a.initiate()
	if w.a.up() != 1 {
		t.Fatalf("%d SAs", w.a.up())
	}
	n := &sa{e: w.a.e, path: s.path, peer: s.peer, begun: s.created.Add(-time.Millisecond)}
	w.a.e.initialContact(n)
	w.a.do(w.a.e.take())
	if w.a.up() != 1 {
		t.Error("an SA is ended that came up after the negotiation began")
	}
	n.begun = s.created.Add(time.Millisecond)
	w.a.e.initialContact(n)
	w.a.do(w.a.e.take())
	if w.a.up() != 0 {
		t.Error("an SA of before is kept")
	}
}
