package eigrp

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
)

// starOf says what a star is like.
type starOf struct {
	spokes    int
	prefixes  int    // behind each spoke
	bandwidth uint64 // of the tunnels, kbit/s
	summary   bool   // the hub tells the default route only, and the spokes are stubs; else it tells all, each spoke being the next hop of what is its own
}

// star is a hub with spokes over one tunnel, which hear the hub only.
func star(t testing.TB, c starOf) *world {
	w := newWorld(t, 1)
	w.noLoopCheck = true
	l := w.link()
	l.delay = 20 * time.Millisecond
	hub := w.node("hub")
	hub.attach(l, "Tunnel0", "10.0.0.1/16", c.bandwidth, 1000)
	hub.attach(nil, "lan", "192.168.0.1/24", 1000000, 1)
	hub.cfg.Interfaces[0].NoSplitHorizon = true
	hub.cfg.Interfaces[0].NoNextHopSelf = !c.summary
	if c.summary {
		hub.cfg.Interfaces[0].Summaries = []Summary{{Prefix: pfx("0.0.0.0/0")}}
	}
	l.spokesTo = hub
	for i := range c.spokes {
		n := w.node(fmt.Sprintf("spoke%d", i))
		n.attach(l, "Tunnel0", fmt.Sprintf("10.0.%d.%d/16", (i+2)>>8, (i+2)&255), c.bandwidth, 1000)
		bits := 24
		if c.prefixes > 1 {
			bits = 28
		}
		lan := n.attach(nil, "lan", fmt.Sprintf("172.%d.%d.1/%d", 16+i>>8, i&255, bits), 100000, 10)
		for k := 1; k < c.prefixes; k++ { // secondary addresses
			lan.st.Addrs = append(lan.st.Addrs, pfx(fmt.Sprintf("172.%d.%d.%d/28", 16+i>>8, i&255, 16*k+1)))
		}
		if c.summary {
			n.cfg.Stub = Stub{Enabled: true, Connected: true, Summary: true}
		}
	}
	return w
}

// complete says whether the hub has all subnets but those of the excepted spoke, and each spoke all others' or the default route.
func (w *world) complete(summary bool, except int) bool {
	count := func(n *node) int { return len(n.ports["lan"].st.Addrs) }
	want := 0
	for i, n := range w.nodes[1:] {
		if i+1 != except {
			want += count(n)
		}
	}
	if len(w.nodes[0].routes) < want {
		return false
	}
	learned := 0
	for p := range w.nodes[0].routes {
		if p.Addr().As4()[0] == 172 {
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
		} else if len(n.routes) != want-count(n)+1 { // the others' subnets and the hub's
			return false
		}
	}
	return true
}

// cpu is what the hub's machine and all of them have taken since the last call.
func (w *world) cpu() (hub, all time.Duration) {
	for _, n := range w.nodes {
		if all += n.cpu; n == w.nodes[0] {
			hub = n.cpu
		}
		n.cpu = 0
	}
	return hub, all
}

// BenchmarkStar measures a hub with 1 000 spokes: first start, reboot of the hub, its process killed with its forwarding going on, loss of one spoke.
func BenchmarkStar(b *testing.B) {
	for _, c := range []starOf{
		{1000, 1, 1000, true}, {1000, 1, 100_000, true}, {1000, 10, 1000, true}, {1000, 10, 100_000, true},
		{1000, 1, 1000, false}, {1000, 1, 100_000, false}, {300, 10, 1000, false}, {300, 10, 100_000, false}, // of 1 000 with 10 each the machines alone would take 12 GB
	} {
		name := map[bool]string{true: "summary", false: "all-routes"}[c.summary]
		b.Run(fmt.Sprintf("%s/%d-spokes/%d-prefixes/%d-kbps", name, c.spokes, c.prefixes, c.bandwidth), func(b *testing.B) {
			for range b.N {
				runStar(b, c)
			}
		})
	}
}

func runStar(b *testing.B, c starOf) {
	w := star(b, c)
	for _, n := range w.nodes {
		n.start()
	}
	measure := func(what string, ok func() bool) {
		w.packets, w.bytes = 0, 0
		took := w.runUntil(2*time.Hour, what, ok)
		hub, all := w.cpu()
		b.Logf("%s: %s of virtual time, %d packets, %.1f MB, %.0f packets a second, %.2f s CPU of the hub, %.2f of all", what, took.Round(10*time.Millisecond), w.packets,
			float64(w.bytes)/1e6, float64(w.packets)/max(took.Seconds(), 0.01), hub.Seconds(), all.Seconds())
	}
	whole := func(except int) func() bool { return func() bool { return w.complete(c.summary, except) } }
	measure("first start", whole(0))
	w.run(20 * time.Second)
	var ms runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&ms)
	b.Logf("heap of all routers: %.1f MB", float64(ms.HeapAlloc)/1e6)
	hub, spoke := w.nodes[0], w.nodes[2]
	w.cpu()
	hub.restart()
	measure("hub reboot", whole(0))
	w.run(20 * time.Second)
	before := w.changes(nil)
	w.cpu()
	hub.softRestart()
	measure("hub's process killed", func() bool {
		return !hub.m.Restarting() && !slices.ContainsFunc(w.nodes, func(n *node) bool {
			return slices.ContainsFunc(n.m.Neighbors(), func(s NeighborStatus) bool { return s.Resyncing })
		})
	})
	b.Logf("%d routes changed", w.changes(nil)-before)
	w.run(20 * time.Second)
	w.cpu()
	spoke.ports["Tunnel0"].st.Up = false // it is gone without a word
	measure("one spoke lost", whole(2))
	w.run(20 * time.Second)
	w.packets, w.bytes = 0, 0
	w.cpu()
	w.run(time.Minute)
	h, all := w.cpu()
	b.Logf("a quiet minute: %d packets, %.1f MB, %.2f s CPU of the hub, %.2f of all", w.packets, float64(w.bytes)/1e6, h.Seconds(), all.Seconds())
}
