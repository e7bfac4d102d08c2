package iketest

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
)

// BadWire loses, doubles and reorders messages: they come up, rekey, and end in agreement when the wire has been good for so long as settles says. pass lets
// time pass.
func BadWire[E ike.Engine](t *testing.T, v *Version[E], pass func(w *Wire[E], d time.Duration), settles time.Duration) {
	for seed := range uint64(40) {
		w := Join(t, v, 100+seed, both(func(c *ike.Config) { // without it a side that gives up would not be noticed
			v.Keepalive(c, ike.Keepalive{Interval: 20 * time.Second})
		}))
		w.Loss, w.Dup, w.Jitter = 0.25, 0.2, 300*time.Millisecond
		w.A.Initiate()
		pass(w, 90*time.Second)
		if w.A.Active == 0 { // a lost handshake ends in time, and another can be made
			w.A.Initiate()
			pass(w, 90*time.Second)
		}
		for range 3 {
			for _, n := range w.nodes() {
				if n.Active != 0 {
					n.Rekey()
				}
			}
			pass(w, 90*time.Second)
		}
		w.Loss, w.Dup, w.Jitter = 0, 0, 0
		pass(w, settles)
		if w.A.Active == 0 {
			w.A.Initiate()
			pass(w, time.Second)
		}
		w.WantUp()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// Refusal is a reason for which nothing comes up when A asks.
type Refusal struct {
	Name   string
	Change func(a, b *ike.Config)
	Why    ike.Why // what A is told
}

// Refusals wants each of them told once, no child, and nothing counted in the end that is not there.
func Refusals[E ike.Engine](t *testing.T, v *Version[E], list []Refusal) {
	for _, c := range list {
		t.Run(c.Name, func(t *testing.T) {
			w := Join(t, v, 900, c.Change)
			w.A.Initiate()
			w.Run(2 * time.Minute)
			if len(w.A.Failed) != 1 || w.A.Failed[0].Why != c.Why {
				t.Errorf("failed: %+v, want %v", w.A.Failed, c.Why)
			}
			if len(w.A.Children)+len(w.B.Children) != 0 {
				t.Error("a child came up")
			}
			w.Run(2 * time.Minute)
			w.wantCounted()
		})
	}
}

// state is what nobody may change who has no keys.
func (w *Wire[E]) state() string {
	return fmt.Sprint(w.A.Active, w.B.Active, len(w.A.Children), len(w.B.Children))
}

// throw has a message come to both nodes, on either port, and carries out what they make of it.
func (w *Wire[E]) throw(p []byte) {
	for _, n := range w.nodes() {
		for _, port := range []uint16{500, 4500} {
			path := ike.Path{Local: netip.AddrPortFrom(n.Addr, port), Remote: netip.AddrPortFrom(w.Other(n).Addr, port)}
			n.Do(n.Engine.Handle(w.Now, ike.Received{Path: path, Packet: p}))
		}
	}
}

// Mutilated does anything to messages that were on their way: an SA that is up stays up, and nothing panics.
func Mutilated[E ike.Engine](t *testing.T, v *Version[E]) {
	w := Join(t, v, 1100, nil)
	var seen [][]byte
	w.Tap = func(_ *Node[E], _ ike.Path, p []byte) bool {
		seen = append(seen, slices.Clone(p))
		return true
	}
	w.A.Initiate()
	w.Run(time.Second)
	w.A.Rekey()
	w.Run(2 * time.Second)
	before := w.state()
	w.Tap = nil
	for _, p := range seen {
		w.throw(p) // replayed, and reflected
		for n := range p {
			w.throw(p[:n])
		}
		for range 300 {
			q := slices.Clone(p)
			for range 1 + w.Rand.IntN(3) {
				q[w.Rand.IntN(len(q))] ^= byte(1 << w.Rand.IntN(8))
			}
			w.throw(q)
		}
	}
	w.Flights = nil
	if got := w.state(); got != before {
		t.Errorf("state %s, before %s", got, before)
	}
	w.A.Rekey()
	w.Run(time.Second)
	w.WantUp()
}

// Flood has A begin, and its first message come to B so many times more at once, as if others began: by other SPIs, from other addresses. What B says to those
// gets lost.
func (w *Wire[E]) Flood(times int) {
	w.A.Initiate()
	first := w.Flights[0].packet
	for i := range times {
		p := slices.Clone(first)
		p[0], p[1] = byte(i), byte(i>>8)
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 500)
		w.B.Engine.Handle(w.Now, ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.B.Addr, 500), Remote: from}, Packet: p})
	}
}
