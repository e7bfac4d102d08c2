package eigrp

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// star is a hub with spokes over one tunnel: each spoke has a subnet of its own behind it, and is a stub. Spokes hear the hub only.
func star(t testing.TB, spokes int, summary bool) *world {
	w := newWorld(t, 1)
	w.noLoopCheck = true
	l := w.link()
	l.delay = 20 * time.Millisecond
	hub := w.node("hub")
	hub.attach(l, "Tunnel0", "10.0.0.1/16", 100000, 1000)
	hub.attach(nil, "lan", "192.168.0.1/24", 1000000, 1)
	hub.cfg.Interfaces[0].NoSplitHorizon = true
	if summary {
		hub.cfg.Interfaces[0].Summaries = []Summary{{Prefix: pfx("0.0.0.0/0")}}
	}
	l.spokesTo = hub
	for i := range spokes {
		n := w.node(fmt.Sprintf("spoke%d", i))
		n.attach(l, "Tunnel0", fmt.Sprintf("10.0.%d.%d/16", (i+2)>>8, (i+2)&255), 100000, 1000)
		n.attach(nil, "lan", fmt.Sprintf("172.%d.%d.1/24", 16+i>>8, i&255), 100000, 10)
		n.cfg.Stub = Stub{Enabled: true, Connected: true, Summary: true}
	}
	return w
}

// complete says whether the hub has all subnets but those of the excepted spoke, and each spoke all others' or the default route.
func (w *world) complete(summary bool, except int) bool {
	spokes := len(w.nodes) - 1
	want := spokes
	if except > 0 {
		want--
	}
	learned := 0
	for p := range w.nodes[0].routes {
		if p.Bits() == 24 {
			learned++
		}
	}
	if learned != want {
		return false
	}
	for i, n := range w.nodes[1:] {
		if i+1 == except {
			continue
		}
		if summary {
			if _, ok := n.routes[netip.PrefixFrom(netip.IPv4Unspecified(), 0)]; !ok {
				return false
			}
		} else if len(n.routes) != want { // the others' subnets and the hub's, without its own
			return false
		}
	}
	return true
}

// BenchmarkStar measures a hub with 1 000 spokes: first start, reboot of the hub, loss of one spoke.
func BenchmarkStar(b *testing.B) {
	for _, summary := range []bool{true, false} {
		name := map[bool]string{true: "summary", false: "all-routes"}[summary]
		b.Run(name, func(b *testing.B) {
			for range b.N {
				w := star(b, 1000, summary)
				for _, n := range w.nodes {
					n.start()
				}
				cpu := func() (hub, all time.Duration) {
					for _, n := range w.nodes {
						if all += n.cpu; n == w.nodes[0] {
							hub = n.cpu
						}
						n.cpu = 0
					}
					return hub, all
				}
				measure := func(what string, except int) {
					w.packets, w.bytes = 0, 0
					took := w.runUntil(5*time.Minute, what, func() bool { return w.complete(summary, except) })
					hub, all := cpu()
					b.Logf("%s: %s of virtual time, %d packets, %d bytes, %.2f s CPU of the hub, %.2f of all", what, took.Round(10*time.Millisecond), w.packets, w.bytes, hub.Seconds(), all.Seconds())
				}
				measure("first start", 0)
				w.run(5 * time.Second)
				var ms runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&ms)
				b.Logf("heap of all routers: %.1f MB", float64(ms.HeapAlloc)/1e6)
				w.nodes[0].restart()
				measure("hub reboot", 0)
				w.run(5 * time.Second)
				w.nodes[1].handle(InterfaceState{Name: "Tunnel0"})
				w.nodes[1].ports["Tunnel0"].st.Up = false
				measure("one spoke leaves", 1)
				w.run(20 * time.Second)
				w.nodes[2].ports["Tunnel0"].st.Up = false // it is gone without a word
				w.nodes[1].ports["Tunnel0"].st.Up = true
				w.nodes[1].handle(w.nodes[1].ports["Tunnel0"].st)
				w.run(10 * time.Second)
				measure("one spoke lost", 2)
				w.packets, w.bytes = 0, 0
				w.run(time.Minute)
				hub, all := cpu()
				b.Logf("a quiet minute: %d packets, %d bytes, %.2f s CPU of the hub, %.2f of all", w.packets, w.bytes, hub.Seconds(), all.Seconds())
			}
		})
	}
}
