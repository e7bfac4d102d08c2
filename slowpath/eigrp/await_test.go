package eigrp

import (
	"testing"
	"time"
)

// A router that comes back before what it redistributes is known again keeps its neighbors waiting: nothing goes that comes again, and nothing stays that does not.
func TestGracefulRestartAwaiting(t *testing.T) {
	x := ExternalRoute{Prefix: pfx("192.168.7.0/24"), Bandwidth: 10_000, Delay: 10, Reliability: 255, Load: 1, MTU: 1500}
	for _, c := range []struct {
		name     string
		again    bool
		complete time.Duration // after the restart; 0: never
		until    time.Duration // that the route goes, at the latest
	}{
		{"it comes again", true, 30 * time.Second, 0},
		{"it does not", false, 30 * time.Second, 35 * time.Second},
		{"nobody says that all has come", false, 0, restartLimit + 5*time.Second},
	} {
		w := chain(t, 3).start()
		n := w.nodes[1]
		n.handle(Redistributed{Changed: []ExternalRoute{x}})
		w.run(10 * time.Second)
		if !w.nodes[0].has("192.168.7.0/24") {
			t.Fatal("no route")
		}
		before := w.nodes[0].changes
		n.cfg.Awaiting = true
		n.softRestart()
		n.cfg.Awaiting = false
		began := w.now
		w.run(29 * time.Second)
		if !n.m.Restarting() || !w.nodes[0].has("192.168.7.0/24") || !w.nodes[0].has("10.2.0.0/24") || w.nodes[0].changes != before {
			t.Errorf("%s: after 29 seconds: %v, %+v", c.name, n.m.Restarting(), w.nodes[0].routes)
		}
		if c.again {
			n.handle(Redistributed{Changed: []ExternalRoute{x}})
		}
		if c.complete != 0 {
			w.run(c.complete - w.now.Sub(began))
			n.handle(Complete{})
		}
		if c.again {
			w.run(2 * time.Minute)
			if n.m.Restarting() || w.nodes[0].changes != before {
				t.Errorf("%s: %d changes", c.name, w.nodes[0].changes-before)
			}
			continue
		}
		w.run(c.until - w.now.Sub(began))
		if n.m.Restarting() || w.nodes[0].has("192.168.7.0/24") || !w.nodes[0].has("10.2.0.0/24") {
			t.Errorf("%s: in the end: %v, %+v", c.name, n.m.Restarting(), w.nodes[0].routes)
		}
	}
}
