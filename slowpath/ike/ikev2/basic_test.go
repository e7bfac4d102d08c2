package ikev2

import (
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

func TestFirstExchanges(t *testing.T) {
	w := join(t, 1, nil)
	w.a.initiate()
	w.run(time.Second)
	w.wantLadder("a INIT req 0", "b INIT rsp 0", "a AUTH req 1", "b AUTH rsp 1")
	w.wantUp()
	if len(w.a.failed)+len(w.b.failed) != 0 {
		t.Errorf("failures: %v %v", w.a.failed, w.b.failed)
	}
}

func TestChildRekey(t *testing.T) {
	w := join(t, 2, nil)
	w.a.initiate()
	w.run(time.Second)
	old := w.a.active
	w.ladder = nil
	w.a.event(ike.Volume{Child: old})
	w.run(time.Second)
	w.wantLadder("a CHILD req 2", "b CHILD rsp 2", "a INFO req 3", "b INFO rsp 3")
	w.wantUp()
	if w.a.active == old || w.a.children[old] == nil {
		t.Errorf("the old child is still in use, or gone before its time")
	}
	w.run(time.Minute)
	if len(w.a.children) != 1 || len(w.b.children) != 1 {
		t.Errorf("%d and %d children stay", len(w.a.children), len(w.b.children))
	}
	w.wantUp()
}

func TestIKERekey(t *testing.T) {
	for _, starter := range []string{"a", "b"} {
		w := join(t, 3, nil)
		w.a.initiate()
		w.run(time.Second)
		w.ladder = nil
		n := w.a
		if starter == "b" {
			n = w.b
		}
		s := n.e.all()[0]
		s.rekey()
		n.do(n.e.take())
		w.run(time.Second)
		w.wantUp()
		if len(w.a.e.sas) != 1 || len(w.b.e.sas) != 1 {
			t.Errorf("%d and %d SAs stay\n%v", len(w.a.e.sas), len(w.b.e.sas), w.ladder)
		}
		w.a.event(ike.Volume{Child: w.a.active})
		w.run(time.Minute)
		w.wantUp()
	}
}

func TestMLKEM(t *testing.T) {
	hybrid := []ike.V2Proposal{{
		Name: "h", Ciphers: []ike.V2Cipher{{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}}, PRFs: []suite.Hash{suite.HashSHA256},
		Groups: []suite.Group{suite.GroupX25519}, Additional: map[int][]suite.Group{1: {suite.GroupMLKEM768}},
	}}
	w := join(t, 4, func(a, b *ike.Config) {
		for _, c := range []*ike.Config{a, b} {
			c.V2.Proposals, c.V2.Policies = hybrid, []ike.V2Policy{{Name: "p", Proposals: []string{"h"}, VRF: ike.AnyVRF}}
		}
	})
	w.a.initiate()
	w.run(time.Second)
	w.wantUp()
	if st := w.a.e.all()[0].status(); len(st.Additional) != 1 || !st.Fragmentation {
		t.Errorf("%+v", st)
	}
	s := w.a.e.all()[0]
	s.rekey()
	w.a.do(w.a.e.take())
	w.run(time.Second)
	w.wantUp()
	if len(w.a.e.sas) != 1 || len(w.b.e.sas) != 1 || w.a.e.all()[0] == s {
		t.Errorf("the SA was not rekeyed: %v", w.ladder)
	}
}

func TestWrongKey(t *testing.T) {
	w := join(t, 5, func(a, b *ike.Config) { b.Keyrings[0].Keys[0].Remote = ike.Secret("other") })
	w.a.initiate()
	w.run(2 * time.Second)
	if len(w.a.failed) != 1 || w.a.failed[0].Why != ike.WhyAuthentication || !w.b.logged(ike.LogFailed, ike.WhyAuthentication) {
		t.Errorf("failed %+v; b logs %+v", w.a.failed, w.b.logs)
	}
	if len(w.a.e.sas)+len(w.b.e.sas) != 0 {
		t.Error("SAs stay")
	}
}

func TestDeleteAndDPD(t *testing.T) {
	w := join(t, 6, func(a, b *ike.Config) { a.V2.DPD = ike.Keepalive{Interval: 10 * time.Second} })
	w.a.initiate()
	w.run(time.Second)
	w.b.event(ike.Clear{})
	w.run(time.Second)
	if len(w.a.children)+len(w.b.children)+len(w.a.e.sas)+len(w.b.e.sas) != 0 {
		t.Errorf("something stays after a delete: %v", w.ladder)
	}
	w.a.initiate()
	w.run(time.Second)
	w.wantUp()
	w.b.stopped = true
	w.run(2 * time.Minute)
	if len(w.a.children) != 0 || !w.a.logged(ike.LogSADown, ike.WhyDeadPeer) {
		t.Errorf("a dead peer is not noticed: %+v", w.a.logs)
	}
}
