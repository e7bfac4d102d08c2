package iketest

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
)

// Opening is IKE that begins on port 4500 with a peer behind NAT that begins in the same moment (ike.Initiate.Within).
func Opening[E ike.Engine](t *testing.T, v *Version[E]) {
	t.Run("late", func(t *testing.T) { opensLate(t, v) })
	t.Run("to nobody", func(t *testing.T) { opensToNobody(t, v) })
	t.Run("while called", func(t *testing.T) { opensWhileCalled(t, v) })
	t.Run("from both sides", func(t *testing.T) { opensFromBothSides(t, v) })
	t.Run("beside another", func(t *testing.T) { opensBesideAnother(t, v) })
}

// behindNAT is two nodes, A behind NAT, and where each sees the other on port 4500.
func behindNAT[E ike.Engine](t *testing.T, v *Version[E], seed uint64) (w *Wire[E], seesB, seesA netip.AddrPort) {
	t.Helper()
	w = Join(t, v, seed, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	return w, netip.AddrPortFrom(w.B.Addr, 4500), netip.MustParseAddrPort("198.51.100.7:14500")
}

// IKE begins on port 4500 at the port that is given, and gets through though the first packets do not: the way opens a moment later.
func opensLate[E ike.Engine](t *testing.T, v *Version[E]) {
	for lose := range 5 {
		w, seesB, seesA := behindNAT(t, v, 900+uint64(lose))
		begun := w.Now
		w.Tap = func(from *Node[E], p ike.Path, _ []byte) bool {
			if p.Local.Port() != 4500 || from == w.A && p.Remote != seesB || from == w.B && p.Remote != seesA {
				t.Errorf("%s sends from %v to %v", from.Name, p.Local, p.Remote)
			}
			return w.Now.Sub(begun) >= time.Duration(lose)*100*time.Millisecond
		}
		w.A.opens(seesB)
		w.Run(time.Duration(lose)*100*time.Millisecond + 250*time.Millisecond)
		w.WantUp()
		c := w.A.Children[w.A.Active]
		if c == nil || !c.Encap || c.Path.Remote != seesB || len(w.A.Failed) != 0 {
			t.Errorf("a has %+v, failed %+v", c, w.A.Failed)
		}
	}
}

// Nobody is there: that is known a second later, and nothing is sent any more.
func opensToNobody[E ike.Engine](t *testing.T, v *Version[E]) {
	w, seesB, _ := behindNAT(t, v, 910)
	w.B.Stopped = true
	w.A.opens(seesB)
	w.Run(time.Second - time.Millisecond)
	if len(w.A.Failed) != 0 {
		t.Errorf("after less than a second: %+v", w.A.Failed)
	}
	w.Run(time.Minute)
	if want := (ike.Failed{Protection: 1, Remote: seesB, Why: ike.WhyTimeout}); len(w.A.Failed) != 1 || w.A.Failed[0] != want {
		t.Errorf("failed %+v, want %+v", w.A.Failed, want)
	}
	if n := len(w.Ladder); n < 8 || n > 11 {
		t.Errorf("%d messages: %v", n, w.Ladder)
	}
	if w.A.SAs() != 0 || !w.A.Engine.Deadline().IsZero() {
		t.Errorf("%d SAs are left", w.A.SAs())
	}
}

// Whoever was called already waits for that. When it comes to nothing, that is told.
func opensWhileCalled[E ike.Engine](t *testing.T, v *Version[E]) {
	w, seesB, seesA := behindNAT(t, v, 920)
	w.A.opens(seesB)
	w.Run(15 * time.Millisecond)
	own := 0
	w.Tap = func(from *Node[E], _ ike.Path, b []byte) bool {
		if from == w.B && [8]byte(b[8:16]) == [8]byte{} {
			own++
		}
		return true
	}
	w.B.opens(netip.AddrPortFrom(seesA.Addr(), seesA.Port()+1)) // what others see of it
	w.Run(5 * time.Second)
	w.WantUp()
	if own != 0 || len(w.B.Failed) != 0 || len(w.A.Children) != 1 || len(w.B.Children) != 1 {
		t.Errorf("b began %d times, failed %+v; a has %d children, b %d", own, w.B.Failed, len(w.A.Children), len(w.B.Children))
	}

	w, seesB, seesA = behindNAT(t, v, 921)
	w.A.opens(seesB)
	w.Run(15 * time.Millisecond)
	w.B.opens(seesA)
	w.A.Stopped = true
	w.Run(5 * time.Minute)
	if len(w.B.Failed) != 1 || w.B.Failed[0].Remote != seesA {
		t.Errorf("b is told %+v", w.B.Failed)
	}
}

// Both begin at once, for an hour of rekeys: at every moment each sends by what the other has, and no attempt is reported as failed.
func opensFromBothSides[E ike.Engine](t *testing.T, v *Version[E]) {
	for k := range 12 {
		w, seesB, seesA := behindNAT(t, v, 930+uint64(k))
		w.A.opens(seesB)
		w.Run(time.Duration(k) * 5 * time.Millisecond)
		w.B.opens(seesA)
		w.Run(3 * time.Second)
		w.WantUp()
		w.Run(10 * time.Minute)
		w.WantUp()
		if len(w.A.Failed)+len(w.B.Failed) != 0 {
			t.Errorf("%d ms apart: failed %+v, %+v", 5*k, w.A.Failed, w.B.Failed)
		}
		if len(w.A.Children) != 1 || len(w.B.Children) != 1 {
			t.Errorf("%d ms apart: %d and %d children stay", 5*k, len(w.A.Children), len(w.B.Children))
		}
	}
}

// Another peer at the same address, by another port, is another peer: it is called though there is a child with the first one, and what is released is its own.
func opensBesideAnother[E ike.Engine](t *testing.T, v *Version[E]) {
	w, seesB, seesA := behindNAT(t, v, 950)
	w.A.opens(seesB)
	w.Run(5 * time.Second)
	w.WantUp()
	other := netip.AddrPortFrom(seesA.Addr(), 20000)
	sent := 0
	w.Tap = func(from *Node[E], p ike.Path, _ []byte) bool {
		if from == w.B && p.Remote == other {
			sent++
			return false
		}
		return true
	}
	w.B.opens(other)
	w.Run(500 * time.Millisecond)
	if sent < 4 {
		t.Errorf("the other one is called %d times in half a second", sent)
	}
	w.B.Event(ike.Release{Protection: 1, Remote: other})
	before := sent
	w.Run(5 * time.Second)
	if sent != before || len(w.B.Failed) != 0 {
		t.Errorf("after it was released: %d messages more, failed %+v", sent-before, w.B.Failed)
	}
	w.WantUp()
}
