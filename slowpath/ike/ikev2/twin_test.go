package ikev2

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// atOnce has both sides start at the same moment, and runs until both SAs are up on both sides.
func atOnce(t *testing.T, seed uint64) *wire {
	t.Helper()
	w := join(t, seed, nil)
	w.A.Initiate()
	w.Run(time.Duration(seed%20) * time.Millisecond)
	w.B.Initiate()
	for range 100 {
		if up(w.A) == 2 && up(w.B) == 2 {
			return w
		}
		w.Run(time.Millisecond)
	}
	t.Fatalf("seed %d: %d and %d SAs are up: %v", seed, up(w.A), up(w.B), w.Ladder)
	return nil
}

func up(n *node) (count int) {
	for _, s := range n.Engine.sas {
		if s.state == stateUp {
			count++
		}
	}
	return count
}

// idle keeps a node from taking away one of two SAs, as other makes do.
func idle(n *node) {
	for _, s := range n.Engine.sas {
		s.pruneAt = time.Time{}
		n.Engine.touch(s)
	}
	n.Do(n.Engine.take())
}

// A peer that keeps both SAs: one of them goes all the same, whoever would have to take it away, and no packet is lost.
func TestTwinOfAPeerThatKeepsBoth(t *testing.T) {
	ours := 0
	for seed := range uint64(40) {
		w := atOnce(t, 3000+seed)
		idle(w.B)
		w.Carry(true)
		w.Run(10 * time.Second)
		if up(w.A) != 1 || up(w.B) != 1 {
			t.Fatalf("seed %d: %d and %d SAs stay: %v", seed, up(w.A), up(w.B), w.Ladder)
		}
		if w.A.Engine.all()[0].initiator {
			ours++
		}
		w.Run(time.Minute)
		wantOne(w)
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.Ladder)
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
		w.Tap = func(from *node, _ ike.Path, b []byte) bool {
			h, err := ikemsg.ParseHeader(b)
			if hold := !held && err == nil && from == w.A && h.Exchange == ikev2msg.ExchangeAuth; hold { // it comes once b's own is up
				held = true
				return false
			}
			return true
		}
		w.A.Initiate()
		w.Run(12 * time.Millisecond)
		w.B.Initiate()
		for up(w.B) < 2 && w.Step(iketest.Start.Add(5*time.Second)) {
			continue
		}
		if !held || up(w.B) != 2 {
			t.Fatalf("seed %d: %v", seed, w.Ladder)
		}
		for _, s := range w.B.Engine.all() {
			if s.initiator {
				s.end(ike.WhyInitialContact)
			}
		}
		w.B.Do(w.B.Engine.take())
		w.Run(20 * time.Millisecond)
		w.Carry(true)
		w.Run(3 * time.Minute)
		wantOne(w)
		if s := w.A.Engine.all()[0]; !s.initiator || !s.claimed {
			t.Errorf("seed %d: a goes by an SA that b does not have", seed)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.Ladder)
		}
	}
}

// A peer that has forgotten its IKE SA, and not what it was for, makes another child beside the one in use: who answers sends by the old one until the peer
// is heard on the new one, or must have the answer.
func TestSecondChildWaitsForItsInitiator(t *testing.T) {
	for _, talks := range []bool{true, false} {
		w := join(t, 3400, nil)
		w.B.Initiate()
		w.Run(time.Second)
		old := w.A.Active
		for _, s := range w.B.Engine.all() { // its child stays in the fast path
			s.children = nil
			s.end(ike.WhyNone)
		}
		clear(w.B.Engine.children)
		w.B.Engine.env.Outlives = func(uint16, netip.Addr) bool { return true }
		w.B.Do(w.B.Engine.take())
		w.B.Initiate()
		w.Run(45 * time.Millisecond) // all that is said has arrived
		if up(w.A) != 2 || len(w.A.Children) != 2 || w.A.Active != old {
			t.Fatalf("%d SAs, %d children, %d is used and was %d: %v", up(w.A), len(w.A.Children), w.A.Active, old, w.Ladder)
		}
		fresh := w.A.Engine.childList()[1].ID
		wait := activateSoon
		if talks {
			wait = 0
			w.A.Event(ike.Heard{Child: fresh})
		}
		w.Run(wait)
		if w.A.Active != fresh {
			t.Errorf("talks %v: child %d is used after %v, want %d", talks, w.A.Active, wait, fresh)
		}
	}
}

// Of two children, the one is used by which the peer is heard; once each, so that two sides that follow each other come to rest.
func TestTwinFollowed(t *testing.T) {
	w := atOnce(t, 3200)
	idle(w.A)
	idle(w.B)
	list := w.A.Engine.childList()
	if len(list) != 2 {
		t.Fatalf("%d children", len(list))
	}
	for round, want := range []ike.ChildID{list[0].ID, list[1].ID, list[1].ID} {
		w.A.Event(ike.Heard{Child: list[round%2].ID})
		if w.A.Active != want {
			t.Errorf("round %d: child %d is used, want %d", round, w.A.Active, want)
		}
	}
}

// What a peer has brought up since it began to say that it starts afresh is of its new life.
func TestInitialContactOfASecondSA(t *testing.T) {
	w := join(t, 3300, nil)
	hold := true
	w.Tap = func(from *node, _ ike.Path, _ []byte) bool { return !(hold && from == w.B) }
	w.B.Initiate() // its first message is lost, and said again in 2 seconds
	w.Run(time.Millisecond)
	hold = false
	w.Run(2200 * time.Millisecond) // b's SA is up
	w.WantUp()
	s := w.A.Engine.all()[0]
	w.A.Initiate()
	if up(w.A) != 1 {
		t.Fatalf("%d SAs", up(w.A))
	}
	n := &sa{e: w.A.Engine, path: s.path, peer: s.peer, begun: s.created.Add(-time.Millisecond)}
	w.A.Engine.initialContact(n)
	w.A.Do(w.A.Engine.take())
	if up(w.A) != 1 {
		t.Error("an SA is ended that came up after the negotiation began")
	}
	n.begun = s.created.Add(time.Millisecond)
	w.A.Engine.initialContact(n)
	w.A.Do(w.A.Engine.take())
	if up(w.A) != 0 {
		t.Error("an SA of before is kept")
	}
}
