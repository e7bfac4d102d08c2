package eigrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// rush is routes of another protocol that come at once, more than a packet holds.
func rush(n int) (ev Redistributed) {
	for i := range n {
		ev.Changed = append(ev.Changed, ExternalRoute{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i), 0}), 24), Bandwidth: 10000, Delay: 100, Reliability: 255, Load: 1, MTU: 1500,
		})
	}
	return ev
}

// Changes that take several packets come while the second of two neighbors waits to be sent the table.
func TestRushWhileOneJoins(t *testing.T) {
	w := newWorld(t, 1)
	l := w.link()
	hub, a, b := w.node("hub"), w.node("a"), w.node("b")
	for i, n := range []*node{hub, a, b} {
		n.attach(l, "lan", fmt.Sprintf("172.16.0.%d/24", i+1), 10000, 100)
	}
	hub.start()
	a.start()
	w.run(5 * time.Second)
	b.start()
	w.runUntil(10*time.Second, "b is up at the hub", func() bool { return len(hub.up()) == 2 })
	hub.handle(rush(200))
	w.run(10 * time.Second)
	for _, n := range []*node{a, b} {
		if len(n.routes) != 200 {
			t.Errorf("%s has %d routes", n.name, len(n.routes))
		}
	}
}
