package ikev2

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
)

// atPorts is two nodes, a behind NAT, and where each sees the other on port 4500.
func atPorts(t *testing.T, seed uint64) (w *wire, seesB, seesA netip.AddrPort) {
	t.Helper()
	w = join(t, seed, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	return w, netip.AddrPortFrom(w.b.addr, 4500), netip.MustParseAddrPort("198.51.100.7:14500")
}

func (n *node) opens(remote netip.AddrPort) {
	n.event(ike.Initiate{Protection: 1, Remote: remote, Within: time.Second})
}

// IKE begins on port 4500 at the port that is given, and gets through though the first packets do not: the way opens a moment later.
func TestOpening(t *testing.T) {
	for lose := range 5 {
		w, seesB, seesA := atPorts(t, 900+uint64(lose))
		begun := w.now
		w.tap = func(from *node, p ike.Path, _ []byte) bool {
			if p.Local.Port() != 4500 || from == w.a && p.Remote != seesB || from == w.b && p.Remote != seesA {
				t.Errorf("%s sends from %v to %v", from.name, p.Local, p.Remote)
			}
			return w.now.Sub(begun) >= time.Duration(lose)*100*time.Millisecond
		}
		w.a.opens(seesB)
		w.run(time.Duration(lose)*100*time.Millisecond + 250*time.Millisecond)
		w.wantUp()
		c := w.a.children[w.a.active]
		if c == nil || !c.Encap || c.Path.Remote != seesB || len(w.a.failed) != 0 {
			t.Errorf("a has %+v, failed %+v", c, w.a.failed)
		}
	}
}

// Nobody is there: that is known a second later, and nothing is sent any more.
func TestOpeningFails(t *testing.T) {
	w, seesB, _ := atPorts(t, 910)
	w.b.stopped = true
	w.a.opens(seesB)
	w.run(time.Second - time.Millisecond)
	if len(w.a.failed) != 0 {
		t.Errorf("after less than a second: %+v", w.a.failed)
	}
	w.run(time.Minute)
	if want := (ike.Failed{Protection: 1, Remote: seesB, Why: ike.WhyTimeout}); len(w.a.failed) != 1 || w.a.failed[0] != want {
		t.Errorf("failed %+v, want %+v", w.a.failed, want)
	}
	if n := len(w.ladder); n < 8 || n > 11 {
		t.Errorf("%d messages: %v", n, w.ladder)
	}
	if len(w.a.e.sas) != 0 || !w.a.e.Deadline().IsZero() {
		t.Errorf("%d SAs are left", len(w.a.e.sas))
	}
}

// Whoever was called already waits for that. When it comes to nothing, that is told.
func TestOpeningYields(t *testing.T) {
	w, seesB, seesA := atPorts(t, 920)
	w.a.opens(seesB)
	w.run(15 * time.Millisecond)
	own := 0
	w.tap = func(from *node, _ ike.Path, b []byte) bool {
		if from == w.b && [8]byte(b[8:16]) == [8]byte{} {
			own++
		}
		return true
	}
	w.b.opens(netip.AddrPortFrom(seesA.Addr(), seesA.Port()+1)) // what others see of it
	w.run(5 * time.Second)
	w.wantUp()
	if own != 0 || len(w.b.failed) != 0 || len(w.a.children) != 1 || len(w.b.children) != 1 {
		t.Errorf("b began %d times, failed %+v; a has %d children, b %d", own, w.b.failed, len(w.a.children), len(w.b.children))
	}

	w, seesB, seesA = atPorts(t, 921)
	w.a.opens(seesB)
	w.run(15 * time.Millisecond)
	w.b.opens(seesA)
	w.a.stopped = true
	w.run(5 * time.Minute)
	if len(w.b.failed) != 1 || w.b.failed[0].Remote != seesA {
		t.Errorf("b is told %+v", w.b.failed)
	}
}

// Both begin at once, for an hour of rekeys: at every moment each sends by what the other has, and no attempt is reported as failed.
func TestOpeningFromBothSides(t *testing.T) {
	for k := range 12 {
		w, seesB, seesA := atPorts(t, 930+uint64(k))
		w.a.opens(seesB)
		w.run(time.Duration(k) * 5 * time.Millisecond)
		w.b.opens(seesA)
		w.run(3 * time.Second)
		w.wantUp()
		w.run(10 * time.Minute)
		w.wantUp()
		if len(w.a.failed)+len(w.b.failed) != 0 {
			t.Errorf("%d ms apart: failed %+v, %+v", 5*k, w.a.failed, w.b.failed)
		}
		if len(w.a.children) != 1 || len(w.b.children) != 1 {
			t.Errorf("%d ms apart: %d and %d children stay", 5*k, len(w.a.children), len(w.b.children))
		}
	}
}

// Another peer at the same address, by another port, is another peer: it is called though there is a child with the first one, and what is released is its own.
func TestOpeningBesideAnother(t *testing.T) {
	w, seesB, seesA := atPorts(t, 950)
	w.a.opens(seesB)
	w.run(5 * time.Second)
	w.wantUp()
	other := netip.AddrPortFrom(seesA.Addr(), 20000)
	sent := 0
	w.tap = func(from *node, p ike.Path, _ []byte) bool {
		if from == w.b && p.Remote == other {
			sent++
			return false
		}
		return true
	}
	w.b.opens(other)
	w.run(500 * time.Millisecond)
	if sent < 4 {
		t.Errorf("the other one is called %d times in half a second", sent)
	}
	w.b.event(ike.Release{Protection: 1, Remote: other})
	before := sent
	w.run(5 * time.Second)
	if sent != before || len(w.b.failed) != 0 {
		t.Errorf("after it was released: %d messages more, failed %+v", sent-before, w.b.failed)
	}
	w.wantUp()
}
