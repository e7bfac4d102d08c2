package eigrp

import (
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// A hub with many spokes on slow tunnels sends them its table together: each by itself would take minutes. Those who lose packets go on by themselves.
func TestTablesTogether(t *testing.T) {
	for _, loss := range []float64{0, 0.05} {
		w := star(t, starOf{spokes: 150, prefixes: 4, bandwidth: 1000})
		w.links[0].loss = loss
		alone := 0
		w.see = func(from, to *node, s Send) {
			if p, _ := eigrpmsg.Parse(s.Payload); from == w.nodes[0] && s.To != Group && len(p.Routes) > 0 {
				alone++
			}
		}
		w.start()
		limit := 15 * time.Second
		if loss > 0 {
			limit = 5 * time.Minute
		}
		w.runUntil(limit, "complete", func() bool { return w.complete(false, 0) })
		if loss == 0 && alone > 150 {
			t.Errorf("%d packets with routes for one", alone)
		}
		w.run(20 * time.Second)
		if loss == 0 {
			w.nodes[0].restart()
			w.runUntil(limit, "complete again", func() bool { return w.complete(false, 0) })
		}
		w.run(20 * time.Second)
		hub := w.nodes[0].m.ifaces["Tunnel0"]
		if hub.cohort != nil || len(hub.joining) > 0 || len(hub.changes) > 0 && loss == 0 {
			t.Errorf("something is left: %d join, %d changes", len(hub.joining), len(hub.changes))
		}
		for _, n := range hub.nbrs {
			if w.now.Sub(n.since) > 15*time.Second && (n.inTable || n.cohort != nil || n.startup != nil) { // by loss one may have come again just now
				t.Errorf("%s is not through: up %v for %s, in table %v, cohort %v of %v, left %d, queue %d, retries %d", n.addr, n.up, w.now.Sub(n.since), n.inTable, n.cohort != nil, hub.cohort != nil, len(n.startup), len(n.queue), n.retries)
			}
		}
	}
}
