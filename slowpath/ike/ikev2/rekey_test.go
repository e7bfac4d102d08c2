package ikev2

import (
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/suite"
)

// Ten thousand rekeys, begun by whoever's time comes first, and of the IKE SA between them, lose no packet: those on their way included, quick or slow.
func TestTenThousandRekeys(t *testing.T) {
	w := join(t, 600, func(a, b *ike.Config) {
		for _, c := range []*ike.Config{a, b} {
			c.Protections[0].Lifetime = 5 * time.Minute
			c.V2.Profiles[0].Lifetime = time.Hour
		}
	})
	w.A.Initiate()
	w.Run(time.Second)
	w.Carry(true)
	begun := [2]int{}
	for w.A.Engine.stats.ChildrenRekeyed < 10_000 {
		w.Run(time.Hour)
		w.Ladder = w.Ladder[:0]
		w.A.Logs, w.B.Logs = nil, nil
		if c := w.A.Children[w.A.Active]; c != nil && c.Initiator {
			begun[0]++
		} else {
			begun[1]++
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d rekeys of the child and %d of the IKE SA in %v of virtual time, %d packets, %d lost; begun by either side %v",
		w.A.Engine.stats.ChildrenRekeyed, w.A.Engine.stats.Rekeyed, w.Now.Sub(iketest.Start).Round(time.Hour), w.Carried, w.Lost, begun)
	if w.A.Engine.stats.Rekeyed < 500 || w.Carried < 40_000 || w.Lost != 0 {
		t.Error("too few of something, or packets lost")
	}
}

// The same on a wire that loses, doubles and reorders what IKE says, with rekeys that both sides begin at times of their own.
func TestRekeysOnBadWire(t *testing.T) {
	n := uint64(0)
	for seed := range uint64(40) {
		var set func(a, b *ike.Config)
		if seed >= 30 {
			set = hybrid
		}
		w := join(t, 700+seed, set)
		w.A.Initiate()
		w.Run(time.Second)
		w.Carry(true)
		w.Loss, w.Dup, w.Jitter = 0.05, 0.2, 200*time.Millisecond
		for range 40 {
			for _, x := range []*node{w.A, w.B} {
				switch w.Rand.IntN(4) {
				case 0, 1:
					x.Event(ike.Volume{Child: x.Active})
				case 2:
					rekeyIKE(x)
				}
			}
			w.Run(time.Duration(w.Rand.Int64N(int64(40 * time.Second))))
		}
		w.Loss, w.Dup, w.Jitter = 0, 0, 0
		w.Run(3 * time.Minute)
		wantOne(w)
		n += w.A.Engine.stats.ChildrenRekeyed + w.A.Engine.stats.Rekeyed
		if t.Failed() {
			t.Fatalf("seed %d: a %+v\nb %+v", seed, w.A.Logs, w.B.Logs)
		}
	}
	t.Logf("%d rekeys", n)
}

// Both sides rekey the child at the same moment: one new child is left, and no packet is lost.
func TestRekeyAtOnce(t *testing.T) {
	for seed := range uint64(40) {
		w := join(t, 200+seed, nil)
		w.A.Initiate()
		w.Run(time.Second)
		w.Carry(seed%2 == 0)
		w.Ladder = nil
		w.A.Event(ike.Volume{Child: w.A.Active})
		w.B.Event(ike.Volume{Child: w.B.Active})
		w.Run(500 * time.Millisecond)
		// The four messages, then two deletes: the loser's of its own child, the winner's of the old one.
		w.WantLadder("a CHILD req 2", "b CHILD req 0", "b CHILD rsp 2", "a CHILD rsp 0", "a INFO req 3", "b INFO req 1", "b INFO rsp 3", "a INFO rsp 1")
		if w.A.Engine.children[w.A.Active].Initiator == w.B.Engine.children[w.B.Active].Initiator {
			t.Fatalf("seed %d: the two sides use different children", seed)
		}
		w.Run(2 * time.Minute)
		wantOne(w)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// Both sides rekey the IKE SA at the same moment.
func TestIKERekeyAtOnce(t *testing.T) {
	for seed := range uint64(40) {
		w := join(t, 300+seed, nil)
		w.A.Initiate()
		w.Run(time.Second)
		w.Carry(true)
		w.Ladder = nil
		rekeyIKE(w.A)
		rekeyIKE(w.B)
		w.Run(500 * time.Millisecond)
		if len(w.Ladder) != 8 {
			t.Errorf("ladder %v", w.Ladder)
		}
		w.Run(3 * time.Minute)
		wantOne(w)
		w.B.Event(ike.Volume{Child: w.B.Active})
		w.Run(time.Minute)
		wantOne(w)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// One side rekeys the child while the other rekeys the IKE SA, makes another child, or takes this one away.
func TestRekeyMixed(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b func(n *node)
		none bool // nothing is left
	}{
		{"IKE SA and child", rekeyIKE, func(n *node) { n.Event(ike.Volume{Child: n.Active}) }, false},
		{"child and delete of it", func(n *node) { n.Event(ike.Volume{Child: n.Active}) }, (*node).Release, true},
		{"IKE SA and delete of the child", rekeyIKE, func(n *node) { n.Event(ike.Clear{Children: true}) }, true},
		{"IKE SA and delete of it", rekeyIKE, func(n *node) { n.Event(ike.Clear{}) }, true},
		{"child and delete of the IKE SA", func(n *node) { n.Event(ike.Volume{Child: n.Active}) }, func(n *node) { n.Event(ike.Clear{}) }, true},
		{"delete of the IKE SA by both", func(n *node) { n.Event(ike.Clear{}) }, func(n *node) { n.Event(ike.Clear{}) }, true},
		{"delete of the child by both", func(n *node) { n.Event(ike.Drop{Child: n.Active}) }, func(n *node) { n.Event(ike.Drop{Child: n.Active}) }, true},
		{"child and its release", func(n *node) { n.Event(ike.Volume{Child: n.Active}) }, (*node).Release, true},
	} {
		for seed := range uint64(12) {
			for _, swap := range []bool{false, true} {
				w := join(t, 400+seed, nil)
				w.A.Initiate()
				w.Run(time.Second)
				first, second := w.A, w.B
				if swap {
					first, second = w.B, w.A
				}
				w.Ladder = nil
				c.a(first)
				w.Run(time.Duration(seed%4) * 4 * time.Millisecond) // while the request is on its way, and a little later
				c.b(second)
				w.Run(3 * time.Minute)
				if c.none {
					if len(w.A.Children)+len(w.B.Children) != 0 {
						t.Errorf("children %d and %d", len(w.A.Children), len(w.B.Children))
					}
					w.A.Initiate()
					w.Run(time.Minute)
				}
				w.WantUp()
				if n, m := len(w.A.Children), len(w.B.Children); n != 1 || m != 1 {
					t.Errorf("children %d and %d", n, m)
				}
				if len(w.A.Engine.sas) != len(w.B.Engine.sas) {
					t.Errorf("SAs %d and %d", len(w.A.Engine.sas), len(w.B.Engine.sas))
				}
				if t.Failed() {
					t.Fatalf("%s, seed %d, swap %v: %v\na %+v\nb %+v", c.name, seed, swap, w.Ladder, w.A.Logs, w.B.Logs)
				}
			}
		}
	}
}

// A request to rekey that comes when the child has been replaced already finds out so, and nothing ends (RFC 7296 section 2.25.1).
func TestLateRekey(t *testing.T) {
	w := join(t, 450, nil)
	w.A.Initiate()
	w.Run(time.Second)
	w.Carry(true)
	drop := true // a's request is lost, b's is not
	w.Tap = func(from *node, _ ike.Path, p []byte) bool {
		return !(drop && from == w.A && p[18] == 36 && p[19]&0x20 == 0)
	}
	w.A.Event(ike.Volume{Child: w.A.Active})
	w.B.Event(ike.Volume{Child: w.B.Active})
	w.Run(time.Second)
	drop = false
	w.Run(10 * time.Second) // a asks again
	w.Run(2 * time.Minute)
	wantOne(w)
}

// Both sides start at the same moment: two SAs come up, one of them goes again, and no packet is lost.
func TestStartAtOnce(t *testing.T) {
	for seed := range uint64(20) {
		w := join(t, 500+seed, nil)
		w.A.Initiate()
		w.Run(time.Duration(seed) * time.Millisecond)
		w.B.Initiate()
		w.Run(time.Second)
		w.WantUp()
		if len(w.A.Failed)+len(w.B.Failed) != 0 {
			t.Errorf("failed: %+v %+v", w.A.Failed, w.B.Failed)
		}
		w.Carry(true)
		w.Run(time.Minute)
		wantOne(w)
		w.Run(3 * time.Hour)
		wantOne(w)
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.Ladder)
		}
	}
}

// A rekey that the peer refuses for now is tried again soon; one that it does not know the child of makes a new one.
func TestRekeyRefused(t *testing.T) {
	w := join(t, 460, nil)
	w.A.Initiate()
	w.Run(time.Second)
	// b forgets the child without a word.
	for _, c := range w.B.Engine.childList() {
		c.remove(ike.WhyNone)
	}
	w.B.Do(w.B.Engine.take())
	w.A.Event(ike.Volume{Child: w.A.Active})
	w.Run(time.Second)
	w.WantUp()
	if len(w.A.Children) != 1 || len(w.B.Children) != 1 {
		t.Errorf("children %d and %d: %v", len(w.A.Children), len(w.B.Children), w.Ladder)
	}
}

// hybrid has both sides do two additional key exchanges, and one of each child's own.
func hybrid(a, b *ike.Config) {
	only(ike.V2Proposal{
		Ciphers: []ike.V2Cipher{{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}}, PRFs: []suite.Hash{suite.HashSHA256},
		Groups: []suite.Group{suite.GroupX25519}, Additional: map[int][]suite.Group{1: {suite.GroupMLKEM768}, 2: {suite.GroupMLKEM1024, suite.GroupNone}},
	})(a, b)
	a.Protections[0].PFS, b.Protections[0].PFS = suite.GroupX25519, suite.GroupX25519
}

// Both sides rekey a hybrid SA at once: one of the attempts at a time succeeds.
func TestHybridRekeyAtOnce(t *testing.T) {
	for seed := range uint64(10) {
		w := join(t, 470+seed, hybrid)
		w.A.Initiate()
		w.Run(time.Second)
		w.WantUp()
		old := w.A.Engine.all()[0]
		if n := len(old.choice.Additional); n != 2 {
			t.Fatalf("%d additional key exchanges", n)
		}
		w.Carry(true)
		rekeyIKE(w.A)
		w.Run(time.Duration(seed) * 8 * time.Millisecond)
		rekeyIKE(w.B)
		w.B.Event(ike.Volume{Child: w.B.Active})
		w.Run(3 * time.Minute)
		wantOne(w)
		if w.A.Engine.all()[0] == old {
			t.Error("the SA was not rekeyed")
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v\na %+v\nb %+v", seed, w.Ladder, w.A.Logs, w.B.Logs)
		}
	}
}
