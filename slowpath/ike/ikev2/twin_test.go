package ikev2

import (
	"testing"
	"time"

	"nave/slowpath/ike"
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
	for seed := range uint64(40) {
		w := atOnce(t, 3100+seed)
		for _, s := range w.b.e.all() {
			if s.initiator {
				s.end(ike.WhyInitialContact)
			}
		}
		w.b.do(w.b.e.take())
		for _, c := range w.a.e.childList() { // what came up last, as where the order is this
			if c.sa.initiator {
				w.a.do([]ike.Effect{ike.Activate{Child: c.ID}})
			}
		}
		w.traffic, w.changed = true, true
		w.run(3 * time.Minute)
		w.wantOne()
		if s := w.a.e.all()[0]; !s.initiator {
			t.Errorf("seed %d: a goes by an SA that b does not have", seed)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.ladder)
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
	w.run(2100 * time.Millisecond) // b's SA is up
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
