package ikev1

import (
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
)

// The guide's configuration: DES, SHA-1, group 1, a wildcard key; DES and MD5 for the child.
func TestMainAndQuickMode(t *testing.T) {
	w := join(t, 1, nil)
	w.A.Initiate()
	w.Run(time.Second)
	w.WantLadder("a MM", "b MM", "a MM", "b MM", "a MM", "b MM", "a QM", "b QM", "a QM")
	w.WantUp()
	if len(w.A.Failed)+len(w.B.Failed) != 0 {
		t.Errorf("failures: %v %v", w.A.Failed, w.B.Failed)
	}
}

func TestAggressiveMode(t *testing.T) {
	w := join(t, 2, func(a, b *ike.Config) {
		a.V1.Profiles = []ike.V1Profile{{Name: "ag", Aggressive: true, Match: []ike.Match{{VRF: ike.AnyVRF}}}}
		a.Protections[0].ISAKMPProfile = "ag"
	})
	w.A.Initiate()
	w.Run(time.Second)
	w.WantLadder("a AG", "b AG", "a AG", "a QM", "b QM", "a QM")
	w.WantUp()
}

func TestChildRekey(t *testing.T) {
	for _, starter := range []string{"a", "b"} {
		w := join(t, 3, nil)
		w.A.Initiate()
		w.Run(time.Second)
		n := w.A
		if starter == "b" {
			n = w.B
		}
		old := n.Active
		w.Ladder = nil
		n.Event(ike.Volume{Child: old})
		w.Run(time.Second)
		w.WantLadder(starter+" QM", w.Other(n).Name+" QM", starter+" QM")
		w.WantUp()
		if n.Active == old || n.Children[old] == nil {
			t.Error("the old child is still in use, or gone before its time")
		}
		w.Run(3 * time.Minute)
		if len(w.A.Children) != 1 || len(w.B.Children) != 1 {
			t.Errorf("%d and %d children stay", len(w.A.Children), len(w.B.Children))
		}
		w.WantUp()
	}
}

func TestWrongKey(t *testing.T) { iketest.WrongKey(t, version, 3*time.Minute) }

func TestDeleteAndDPD(t *testing.T) { iketest.DeleteAndDPD(t, version) }

func TestOpening(t *testing.T) { iketest.Opening(t, version) }
