package ikev1

import (
	"testing"
	"time"

	"nave/slowpath/ike"
)

// The guide's configuration: DES, SHA-1, group 1, a wildcard key; DES and MD5 for the child.
func TestMainAndQuickMode(t *testing.T) {
	w := join(t, 1, nil)
	w.a.initiate()
	w.run(time.Second)
	w.wantLadder("a MM", "b MM", "a MM", "b MM", "a MM", "b MM", "a QM", "b QM", "a QM")
	w.wantUp()
	if len(w.a.failed)+len(w.b.failed) != 0 {
		t.Errorf("failures: %v %v", w.a.failed, w.b.failed)
	}
}

func TestAggressiveMode(t *testing.T) {
	w := join(t, 2, func(a, b *ike.Config) {
		a.V1.Profiles = []ike.V1Profile{{Name: "ag", Aggressive: true, Match: []ike.Match{{VRF: ike.AnyVRF}}}}
		a.Protections[0].ISAKMPProfile = "ag"
	})
	w.a.initiate()
	w.run(time.Second)
	w.wantLadder("a AG", "b AG", "a AG", "a QM", "b QM", "a QM")
	w.wantUp()
}

func TestChildRekey(t *testing.T) {
	for _, starter := range []string{"a", "b"} {
		w := join(t, 3, nil)
		w.a.initiate()
		w.run(time.Second)
		n := w.a
		if starter == "b" {
			n = w.b
		}
		old := n.active
		w.ladder = nil
		n.event(ike.Volume{Child: old})
		w.run(time.Second)
		w.wantLadder(starter+" QM", w.other(n).name+" QM", starter+" QM")
		w.wantUp()
		if n.active == old || n.children[old] == nil {
			t.Error("the old child is still in use, or gone before its time")
		}
		w.run(3 * time.Minute)
		if len(w.a.children) != 1 || len(w.b.children) != 1 {
			t.Errorf("%d and %d children stay", len(w.a.children), len(w.b.children))
		}
		w.wantUp()
	}
}

func TestWrongKey(t *testing.T) {
	w := join(t, 5, func(a, b *ike.Config) { b.Keyrings[0].Keys[0].Local = ike.Secret("other") })
	w.a.initiate()
	w.run(3 * time.Minute)
	if len(w.a.failed) != 1 || w.a.failed[0].Why != ike.WhyAuthentication || !w.b.logged(ike.LogFailed, ike.WhyAuthentication) {
		t.Errorf("failed %+v; b logs %+v", w.a.failed, w.b.logs)
	}
	if len(w.a.e.sas)+len(w.b.e.sas) != 0 || w.a.e.env.Admission.SAs != 0 || w.b.e.env.Admission.InNegotiation != 0 {
		t.Error("SAs stay")
	}
}

func TestDeleteAndDPD(t *testing.T) {
	w := join(t, 6, func(a, b *ike.Config) { a.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second} })
	w.a.initiate()
	w.run(time.Second)
	w.b.event(ike.Clear{})
	w.run(time.Second)
	if len(w.a.children)+len(w.b.children)+len(w.a.e.sas)+len(w.b.e.sas) != 0 {
		t.Errorf("something stays after a delete: %v", w.ladder)
	}
	w.a.initiate()
	w.run(5 * time.Minute)
	w.wantUp()
	w.b.stopped = true
	w.run(2 * time.Minute)
	if len(w.a.children) != 0 || !w.a.logged(ike.LogSADown, ike.WhyDeadPeer) {
		t.Errorf("a dead peer is not noticed: %+v", w.a.logs)
	}
}
