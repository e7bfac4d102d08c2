package ikev2

import (
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/suite"
)

func TestFirstExchanges(t *testing.T) {
	w := join(t, 1, nil)
	w.A.Initiate()
	w.Run(time.Second)
	w.WantLadder("a INIT req 0", "b INIT rsp 0", "a AUTH req 1", "b AUTH rsp 1")
	w.WantUp()
	if len(w.A.Failed)+len(w.B.Failed) != 0 {
		t.Errorf("failures: %v %v", w.A.Failed, w.B.Failed)
	}
}

func TestChildRekey(t *testing.T) {
	w := join(t, 2, nil)
	w.A.Initiate()
	w.Run(time.Second)
	old := w.A.Active
	w.Ladder = nil
	w.A.Event(ike.Volume{Child: old})
	w.Run(time.Second)
	w.WantLadder("a CHILD req 2", "b CHILD rsp 2", "a INFO req 3", "b INFO rsp 3")
	w.WantUp()
	if w.A.Active == old || w.A.Children[old] == nil {
		t.Errorf("the old child is still in use, or gone before its time")
	}
	w.Run(time.Minute)
	if len(w.A.Children) != 1 || len(w.B.Children) != 1 {
		t.Errorf("%d and %d children stay", len(w.A.Children), len(w.B.Children))
	}
	w.WantUp()
}

func TestIKERekey(t *testing.T) {
	for _, starter := range []string{"a", "b"} {
		w := join(t, 3, nil)
		w.A.Initiate()
		w.Run(time.Second)
		w.Ladder = nil
		n := w.A
		if starter == "b" {
			n = w.B
		}
		s := n.Engine.all()[0]
		s.rekey()
		n.Do(n.Engine.take())
		w.Run(time.Second)
		w.WantUp()
		if len(w.A.Engine.sas) != 1 || len(w.B.Engine.sas) != 1 {
			t.Errorf("%d and %d SAs stay\n%v", len(w.A.Engine.sas), len(w.B.Engine.sas), w.Ladder)
		}
		w.A.Event(ike.Volume{Child: w.A.Active})
		w.Run(time.Minute)
		w.WantUp()
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
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	if st := w.A.Engine.all()[0].status(); len(st.Additional) != 1 || !st.Fragmentation {
		t.Errorf("%+v", st)
	}
	s := w.A.Engine.all()[0]
	s.rekey()
	w.A.Do(w.A.Engine.take())
	w.Run(time.Second)
	w.WantUp()
	if len(w.A.Engine.sas) != 1 || len(w.B.Engine.sas) != 1 || w.A.Engine.all()[0] == s {
		t.Errorf("the SA was not rekeyed: %v", w.Ladder)
	}
}

func TestWrongKey(t *testing.T) { iketest.WrongKey(t, version, 2*time.Second) }

func TestDeleteAndDPD(t *testing.T) { iketest.DeleteAndDPD(t, version) }

func TestOpening(t *testing.T) { iketest.Opening(t, version) }
