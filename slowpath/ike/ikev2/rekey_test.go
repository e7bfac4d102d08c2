package ikev2

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// rekeyIKE has a node begin to rekey its IKE SA.
func (n *node) rekeyIKE() {
	for _, s := range n.e.all() {
		if s.state == stateUp && s.rekeyed == nil {
			s.rekey()
			break
		}
	}
	n.do(n.e.take())
}

// release has a node want nothing of the other any more.
func (n *node) release() {
	n.event(ike.Release{Protection: 1, Remote: netip.AddrPortFrom(n.w.other(n).addr, 0)})
}

// wantOne wants one IKE SA and one child on each side, and no reserved SPI besides.
func (w *wire) wantOne() {
	w.t.Helper()
	w.wantUp()
	for _, n := range []*node{w.a, w.b} {
		if len(n.e.sas) != 1 || len(n.children) != 1 || len(n.e.children) != 1 {
			w.t.Errorf("%s keeps %d IKE SAs and %d children: %v", n.name, len(n.e.sas), len(n.children), w.ladder)
		}
		if a := n.e.env.Admission; a.InNegotiation != 0 || a.SAs != len(n.e.sas) {
			w.t.Errorf("%s: admission counts %d and %d of %d SAs", n.name, a.SAs, a.InNegotiation, len(n.e.sas))
		}
		if got := n.e.env.ReservedSPIs(); got != 1 {
			w.t.Errorf("%s: %d SPIs are reserved", n.name, got)
		}
		if len(n.e.wants) != 0 || len(n.e.half) != 0 {
			w.t.Errorf("%s: %d wait, %d half-open", n.name, len(n.e.wants), len(n.e.half))
		}
	}
}

// Ten thousand rekeys, begun by whoever's time comes first, and of the IKE SA between them, lose no packet: those on their way included, quick or slow.
func TestTenThousandRekeys(t *testing.T) {
	w := join(t, 600, func(a, b *ike.Config) {
		for _, c := range []*ike.Config{a, b} {
			c.Protections[0].Lifetime = 5 * time.Minute
			c.V2.Profiles[0].Lifetime = time.Hour
		}
	})
	w.a.initiate()
	w.run(time.Second)
	w.traffic, w.changed = true, true
	begun := [2]int{}
	for w.a.e.stats.ChildrenRekeyed < 10_000 {
		w.run(time.Hour)
		w.ladder = w.ladder[:0]
		w.a.logs, w.b.logs = nil, nil
		if c := w.a.children[w.a.active]; c != nil && c.Initiator {
			begun[0]++
		} else {
			begun[1]++
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d rekeys of the child and %d of the IKE SA in %v of virtual time, %d packets, %d lost; begun by either side %v",
		w.a.e.stats.ChildrenRekeyed, w.a.e.stats.Rekeyed, w.now.Sub(start).Round(time.Hour), w.carried, w.lost, begun)
	if w.a.e.stats.Rekeyed < 500 || w.carried < 40_000 || w.lost != 0 {
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
		w.a.initiate()
		w.run(time.Second)
		w.traffic, w.changed = true, true
		w.loss, w.dup, w.jitter = 0.05, 0.2, 200*time.Millisecond
		for range 40 {
			for _, x := range []*node{w.a, w.b} {
				switch w.rand.IntN(4) {
				case 0, 1:
					x.event(ike.Volume{Child: x.active})
				case 2:
					x.rekeyIKE()
				}
			}
			w.run(time.Duration(w.rand.Int64N(int64(40 * time.Second))))
		}
		w.loss, w.dup, w.jitter = 0, 0, 0
		w.run(3 * time.Minute)
		w.wantOne()
		n += w.a.e.stats.ChildrenRekeyed + w.a.e.stats.Rekeyed
		if t.Failed() {
			t.Fatalf("seed %d: a %+v\nb %+v", seed, w.a.logs, w.b.logs)
		}
	}
	t.Logf("%d rekeys", n)
}

// Both sides rekey the child at the same moment: one new child is left, and no packet is lost.
func TestRekeyAtOnce(t *testing.T) {
	for seed := range uint64(40) {
		w := join(t, 200+seed, nil)
		w.a.initiate()
		w.run(time.Second)
		w.traffic, w.changed = seed%2 == 0, true
		w.ladder = nil
		w.a.event(ike.Volume{Child: w.a.active})
		w.b.event(ike.Volume{Child: w.b.active})
		w.run(500 * time.Millisecond)
		// The four messages, then two deletes: the loser's of its own child, the winner's of the old one.
		w.wantLadder("a CHILD req 2", "b CHILD req 0", "b CHILD rsp 2", "a CHILD rsp 0", "a INFO req 3", "b INFO req 1", "b INFO rsp 3", "a INFO rsp 1")
		if w.a.e.children[w.a.active].Initiator == w.b.e.children[w.b.active].Initiator {
			t.Fatalf("seed %d: the two sides use different children", seed)
		}
		w.run(2 * time.Minute)
		w.wantOne()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// Both sides rekey the IKE SA at the same moment.
func TestIKERekeyAtOnce(t *testing.T) {
	for seed := range uint64(40) {
		w := join(t, 300+seed, nil)
		w.a.initiate()
		w.run(time.Second)
		w.traffic, w.changed = true, true
		w.ladder = nil
		w.a.rekeyIKE()
		w.b.rekeyIKE()
		w.run(500 * time.Millisecond)
		if len(w.ladder) != 8 {
			t.Errorf("ladder %v", w.ladder)
		}
		w.run(3 * time.Minute)
		w.wantOne()
		w.b.event(ike.Volume{Child: w.b.active})
		w.run(time.Minute)
		w.wantOne()
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
		{"IKE SA and child", (*node).rekeyIKE, func(n *node) { n.event(ike.Volume{Child: n.active}) }, false},
		{"child and delete of it", func(n *node) { n.event(ike.Volume{Child: n.active}) }, (*node).release, true},
		{"IKE SA and delete of the child", (*node).rekeyIKE, func(n *node) { n.event(ike.Clear{Children: true}) }, true},
		{"IKE SA and delete of it", (*node).rekeyIKE, func(n *node) { n.event(ike.Clear{}) }, true},
		{"child and delete of the IKE SA", func(n *node) { n.event(ike.Volume{Child: n.active}) }, func(n *node) { n.event(ike.Clear{}) }, true},
		{"delete of the IKE SA by both", func(n *node) { n.event(ike.Clear{}) }, func(n *node) { n.event(ike.Clear{}) }, true},
		{"delete of the child by both", func(n *node) { n.event(ike.Drop{Child: n.active}) }, func(n *node) { n.event(ike.Drop{Child: n.active}) }, true},
		{"child and its release", func(n *node) { n.event(ike.Volume{Child: n.active}) }, (*node).release, true},
	} {
		for seed := range uint64(12) {
			for _, swap := range []bool{false, true} {
				w := join(t, 400+seed, nil)
				w.a.initiate()
				w.run(time.Second)
				first, second := w.a, w.b
				if swap {
					first, second = w.b, w.a
				}
				w.ladder = nil
				c.a(first)
				w.run(time.Duration(seed%4) * 4 * time.Millisecond) // while the request is on its way, and a little later
				c.b(second)
				w.run(3 * time.Minute)
				if c.none {
					if len(w.a.children)+len(w.b.children) != 0 {
						t.Errorf("children %d and %d", len(w.a.children), len(w.b.children))
					}
					w.a.initiate()
					w.run(time.Minute)
				}
				w.wantUp()
				if n, m := len(w.a.children), len(w.b.children); n != 1 || m != 1 {
					t.Errorf("children %d and %d", n, m)
				}
				if len(w.a.e.sas) != len(w.b.e.sas) {
					t.Errorf("SAs %d and %d", len(w.a.e.sas), len(w.b.e.sas))
				}
				if t.Failed() {
					t.Fatalf("%s, seed %d, swap %v: %v\na %+v\nb %+v", c.name, seed, swap, w.ladder, w.a.logs, w.b.logs)
				}
			}
		}
	}
}

// A request to rekey that comes when the child has been replaced already finds out so, and nothing ends (RFC 7296 section 2.25.1).
func TestLateRekey(t *testing.T) {
	w := join(t, 450, nil)
	w.a.initiate()
	w.run(time.Second)
	w.traffic, w.changed = true, true
	drop := true // a's request is lost, b's is not
	w.tap = func(from *node, _ ike.Path, p []byte) bool {
		return !(drop && from == w.a && p[18] == 36 && p[19]&0x20 == 0)
	}
	w.a.event(ike.Volume{Child: w.a.active})
	w.b.event(ike.Volume{Child: w.b.active})
	w.run(time.Second)
	drop = false
	w.run(10 * time.Second) // a asks again
	w.run(2 * time.Minute)
	w.wantOne()
}

// Both sides start at the same moment: two SAs come up, one of them goes again, and no packet is lost.
func TestStartAtOnce(t *testing.T) {
	for seed := range uint64(20) {
		w := join(t, 500+seed, nil)
		w.a.initiate()
		w.run(time.Duration(seed) * time.Millisecond)
		w.b.initiate()
		w.run(time.Second)
		w.wantUp()
		if len(w.a.failed)+len(w.b.failed) != 0 {
			t.Errorf("failed: %+v %+v", w.a.failed, w.b.failed)
		}
		w.traffic, w.changed = true, true
		w.run(time.Minute)
		w.wantOne()
		w.run(3 * time.Hour)
		w.wantOne()
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.ladder)
		}
	}
}

// A rekey that the peer refuses for now is tried again soon; one that it does not know the child of makes a new one.
func TestRekeyRefused(t *testing.T) {
	w := join(t, 460, nil)
	w.a.initiate()
	w.run(time.Second)
	// b forgets the child without a word.
	for _, c := range w.b.e.childList() {
		c.remove(ike.WhyNone)
	}
	w.b.do(w.b.e.take())
	w.a.event(ike.Volume{Child: w.a.active})
	w.run(time.Second)
	w.wantUp()
	if len(w.a.children) != 1 || len(w.b.children) != 1 {
		t.Errorf("children %d and %d: %v", len(w.a.children), len(w.b.children), w.ladder)
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
		w.a.initiate()
		w.run(time.Second)
		w.wantUp()
		old := w.a.e.all()[0]
		if n := len(old.choice.Additional); n != 2 {
			t.Fatalf("%d additional key exchanges", n)
		}
		w.traffic, w.changed = true, true
		w.a.rekeyIKE()
		w.run(time.Duration(seed) * 8 * time.Millisecond)
		w.b.rekeyIKE()
		w.b.event(ike.Volume{Child: w.b.active})
		w.run(3 * time.Minute)
		w.wantOne()
		if w.a.e.all()[0] == old {
			t.Error("the SA was not rekeyed")
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v\na %+v\nb %+v", seed, w.ladder, w.a.logs, w.b.logs)
		}
	}
}
