package dmvpn

import (
	"testing"
	"time"

	"nave/slowpath/ike"
)

// A peer that comes from another port with each packet is followed three times, and then every ten seconds, to where it is then. Others are followed each time.
func TestCalm(t *testing.T) {
	for _, opened := range []bool{true, false} {
		r := newRig(t)
		if opened {
			r.opens(true, time.Second)
		}
		c := r.child("198.51.100.9", func(c *ike.Child) {
			c.Initiator, c.Encap, c.Path.Local, c.Path.Remote = true, true, port("192.0.2.1", 4500), seenAt
		})
		r.event(FromIKE{ike.Install{Child: c}}, FromIKE{ike.Activate{Child: c.ID}})
		in := r.in(c.ID)
		moves, last := 0, uint16(0)
		follow := func() {
			for _, ev := range r.take() {
				if mv, ok := ev.(ike.Moved); ok && mv.Child == c.ID {
					moves++
					last = mv.Remote.Port()
					r.event(FromIKE{ike.Rehomed{Child: c.ID, Path: ike.Path{Local: port("192.0.2.1", 4500), Remote: mv.Remote}}})
				}
			}
		}
		r.take()
		for k := range 300 { // in thirty seconds
			r.event(Moved{in, port("198.51.100.9", 30000+uint16(k))})
			follow()
			r.wait(100 * time.Millisecond)
			follow()
		}
		if opened && (moves < 4 || moves > 8) || !opened && moves != 300 {
			t.Errorf("opened %v: followed %d times", opened, moves)
		}
		r.wait(calmTime)
		follow()
		if last != 30299 {
			t.Errorf("opened %v: followed to port %d in the end", opened, last)
		}
		r.event(Moved{in, port("198.51.100.10", 1)}) // another address is another matter
		if follow(); last != 1 {
			t.Errorf("opened %v: not followed to another address", opened)
		}
	}
}
