package eigrp

import (
	"fmt"
	"testing"
	"time"
)

// Graceful restarts among all that can happen: of neighbors at the same moment, again before they are over, with loss, and where links end in the middle. What goes round fails the test, and so does what is not
// right half a minute after the last fault.
func TestRandomGracefulRestarts(t *testing.T) {
	seeds := uint64(320)
	if testing.Short() || racing {
		seeds = 40
	}
	const lanes = 4
	for lane := range uint64(lanes) {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			for seed := lane; seed < seeds; seed += lanes {
				w := random(t, 5000+seed, 8, 4)
				w.start()
				settleWorld(w, time.Minute)
				for range 10 {
					w.sweep()
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// sweep is some faults, and the time until all is right again.
func (w *world) sweep() {
	w.t.Helper()
	loss := 0.0
	if w.rng.IntN(3) == 0 {
		loss = 0.1 + 0.2*w.rng.Float64()
	}
	for _, l := range w.links {
		l.loss = loss
	}
	for range 1 + w.rng.IntN(4) {
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		switch w.rng.IntN(6) {
		case 0, 1:
			n.softRestartIfKnown()
		case 2:
			n.softRestartIfKnown()
			for _, p := range n.ports[n.order[1+w.rng.IntN(len(n.order)-1)]].link.ports {
				if p.node != n {
					p.node.softRestartIfKnown()
					break
				}
			}
		default:
			w.t.Log(w.now.Sub(epoch), disturb(w))
		}
		w.run(time.Duration(w.rng.IntN([]int{30, 400, 8000}[w.rng.IntN(3)])) * time.Millisecond)
	}
	w.run(time.Duration(w.rng.IntN(20)) * time.Second)
	for _, l := range w.links {
		l.loss = 0
	}
	settleWorld(w, 30*time.Second)
}

// softRestartIfKnown leaves out the one case that nobody can tell from a good one: somebody has the router as its neighbor, and it has not, as it has begun anew or lost it just before; what that one keeps
// of it then is of no meaning.
func (n *node) softRestartIfKnown() {
	for _, x := range n.w.nodes {
		for _, ifc := range x.m.order {
			for _, y := range ifc.nbrs {
				if n.w.owner[y.addr] == n && (y.up || y.resyncing) && !n.m.Restarting() && n.knows(y.addr, x.ports[ifc.name]) == nil {
					return
				}
			}
		}
	}
	n.w.t.Log(n.w.now.Sub(epoch), n.name, "restarts softly")
	n.softRestart()
}
