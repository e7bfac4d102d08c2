package eigrp

import (
	"fmt"
	"testing"
	"time"
)

// settleWorld runs until all routes are the shortest ones.
func settleWorld(w *world, limit time.Duration) {
	w.t.Helper()
	start := w.now
	var err error
	for w.now.Sub(start) < limit {
		w.run(250 * time.Millisecond)
		if err = w.check(10000); err == nil {
			return
		}
	}
	for _, n := range w.nodes {
		for _, t := range n.m.Topology() {
			if t.Active {
				w.t.Logf("%s: %s active, origin %d, waits for %v", n.name, t.Prefix, t.Origin, t.Waiting)
			}
		}
	}
	w.t.Fatalf("after %s: %v", limit, err)
}

// disturb changes something at random.
func disturb(w *world) string {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	name := n.order[w.rng.IntN(len(n.order))]
	switch w.rng.IntN(8) {
	case 0, 1, 2:
		d := uint64(10 + w.rng.IntN(2000))
		n.setPort(name, func(s *InterfaceState) { s.Delay = d })
		return fmt.Sprintf("%s %s delay %d", n.name, name, d)
	case 3, 4, 5:
		n.setPort(name, func(s *InterfaceState) { s.Up = !s.Up })
		return fmt.Sprintf("%s %s up %v", n.name, name, n.ports[name].st.Up)
	case 6:
		l := w.links[w.rng.IntN(len(w.links))]
		l.cut = !l.cut
		return "a link is cut or mended"
	default:
		n.restart()
		return n.name + " restarts"
	}
}

// TestRandom changes random networks, several changes at once, and compares with shortest paths each time; no step may leave a loop.
func TestRandom(t *testing.T) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := random(t, seed, 9, 5)
			if seed%3 > 0 { // named mode, on all or on some
				for i, n := range w.nodes {
					n.cfg.Wide = seed%3 == 1 || i%2 == 0
				}
			}
			for _, n := range w.nodes {
				n.start()
			}
			settleWorld(w, time.Minute)
			for range 12 {
				for range 1 + w.rng.IntN(4) {
					what := disturb(w)
					t.Logf("%s: %s", w.now.Sub(epoch), what)
					w.run(time.Duration(w.rng.IntN(30)) * time.Millisecond)
				}
				settleWorld(w, 2*time.Minute)
			}
		})
	}
}
