package sim

import (
	"flag"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/slowpath/rib"
)

// cpu is the processor time that this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// eigrpRoutes is how many routes a router has of EIGRP.
func eigrpRoutes(n *Net, router string) (count int) {
	for _, r := range n.Router(router).Core().Router().Routes(fib.Global) {
		if r.Source == rib.EIGRP {
			count++
		}
	}
	return count
}

// starSpokes measures other sizes: 1000 spokes take three minutes and 5 GB.
var starSpokes = flag.Int("spokes", 0, "spokes of the star that speaks EIGRP; 0: 200, under the race detector 50")

// A hub and its spokes, each with the whole control plane: how long it takes until everybody knows everybody's network, at the first start, when the hub was away, and when one
// spoke goes.
func TestEIGRPStar(t *testing.T) {
	spokes := *starSpokes
	if spokes == 0 {
		spokes = fewer(200)
	}
	n := EIGRPStar(t, 67, spokes, "")
	all := func() bool {
		if eigrpRoutes(n, "hub") != spokes {
			return false
		}
		for i := 1; i <= spokes; i++ {
			if eigrpRoutes(n, StarOf(i).Name) != spokes-1 {
				return false
			}
		}
		return true
	}
	measure := func(what string, limit time.Duration, holds func() bool) {
		t.Helper()
		at, used, real := n.Now(), cpu(t), time.Now()
		n.Until(limit, what, holds)
		t.Logf("%s: %v; %.1f s of CPU for all %d routers, %.1f s of real time", what, n.Now().Sub(at), (cpu(t) - used).Seconds(), spokes+1, time.Since(real).Seconds())
	}
	measure("first start", 5*time.Minute, all)
	var from []string
	var source, to []netip.Addr
	for i := 1; i <= spokes; i++ {
		a, b := StarOf(i), StarOf(i%spokes+1)
		from, source, to = append(from, a.Name), append(source, a.LAN), append(to, b.LAN)
	}
	if got := n.PingAll(from, source, to, 5*time.Second); got != spokes {
		t.Errorf("%d of %d answered", got, spokes)
	}
	n.Run(time.Second)
	byHub := 0
	n.Tap(func(c Crossing) {
		if ip, tunnel := Inner(c.Frame); tunnel && ip.Proto() == protoICMP && c.To == "hub" {
			byHub++
		}
	})
	if got := n.PingAll(from, source, to, 5*time.Second); got != spokes || byHub > 0 {
		t.Errorf("%d of %d answered, with %d packets by the hub", got, spokes, byHub)
	}
	last := StarOf(spokes)
	n.Router(last.Name).ShutDown()
	network := netip.PrefixFrom(last.LAN, 24).Masked()
	lost := func() bool {
		for i := range spokes {
			name := "hub"
			if i > 0 {
				name = StarOf(i).Name
			}
			if _, ok := n.Router(name).Core().Router().Route(fib.Global, network, true); ok {
				return false
			}
		}
		return true
	}
	measure("one spoke stopped", 5*time.Second, lost)
	n.Router(last.Name).Start()
	measure("and started", time.Minute, all)
	n.Router(last.Name).Stop()
	measure("one spoke dead", 20*time.Second, lost)
	n.Router(last.Name).Start()
	n.Until(time.Minute, "it is back", all)
	n.Router("hub").Stop()
	n.Run(20 * time.Second)
	n.Router("hub").Start()
	measure("hub started again", 3*time.Minute, all)
}
