package eigrp

import (
	"net/netip"
	"testing"
	"time"
)

// A redistributed route gives way to a neighbor's that the RIB would prefer and that does not depend on it, and to no other.
func TestRedistributedYields(t *testing.T) {
	p := pfx("10.1.0.0/24")
	for _, c := range []struct {
		name     string
		distance uint8
		delay    uint64 // of what is redistributed
		yields   bool
	}{
		{"to a lesser distance", 110, 100_000, true},
		{"to an equal one", 90, 100_000, false},
		{"to none", 0, 100_000, false},
		{"to what may depend on it", 110, 1, false},
	} {
		w := newWorld(t, 1)
		l := w.link()
		a, b := w.node("a"), w.node("b")
		a.attach(l, "e0", "10.0.0.1/24", 10_000, 100)
		a.attach(nil, "e1", "10.1.0.1/24", 10_000, 100)
		b.attach(l, "e0", "10.0.0.2/24", 10_000, 100)
		b.start()
		x := ExternalRoute{Prefix: p, Bandwidth: 10_000, Delay: c.delay, Reliability: 255, Load: 1, MTU: 1500, Distance: c.distance}
		b.handle(Redistributed{Changed: []ExternalRoute{x}})
		a.start()
		w.run(10 * time.Second)
		if _, got := b.routes[p]; got != c.yields {
			t.Errorf("%s: a route: %v", c.name, got)
		}
		if !c.yields {
			continue
		}
		// Whoever has redistributed it takes it back, and it comes again when the neighbor's is gone.
		b.handle(Redistributed{Gone: []netip.Prefix{p}})
		w.run(time.Second)
		if r := b.routes[p]; len(r.Hops) != 1 || r.Hops[0].Addr != adr("10.0.0.1") {
			t.Errorf("%s: %+v", c.name, r)
		}
		a.setPort("e1", func(s *InterfaceState) { s.Up = false })
		w.run(time.Second)
		b.handle(Redistributed{Changed: []ExternalRoute{x}})
		w.run(time.Second)
		if r, got := b.routes[p]; got {
			t.Errorf("%s: %+v after it was gone", c.name, r)
		}
	}
}
