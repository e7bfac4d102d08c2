package sim

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/gateway"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/rib"
)

// eigrpRoute tells whether a router's global table has a route of EIGRP by these next hops and no others; without any, whether it has none.
func eigrpRoute(n *Net, router, prefix string, hops ...string) bool {
	p := netip.MustParsePrefix(prefix)
	r, ok := n.Router(router).Core().Router().Route(fib.Global, p, true)
	ok = ok && r.Source == rib.EIGRP
	if len(hops) == 0 || !ok || len(r.Hops) != len(hops) {
		return len(hops) == 0 && !ok
	}
	for _, h := range r.Hops {
		if !strings.Contains(" "+strings.Join(hops, " ")+" ", " "+h.Addr.String()+" ") {
			return false
		}
	}
	return true
}

// hubSpoke is the lab of the guide's commands, with the leases that its DHCP server gives. In clear the ways of packets can be seen, and no session that one side has lost is in
// the way of others: the guide has no dead peer detection.
func hubSpoke(t *testing.T, seed uint64, inClear bool) *Net {
	t.Helper()
	n := lab(t, "hub-spoke", seed)
	if inClear {
		for _, r := range []string{"hub", "spoke1", "spoke2"} {
			n.Router(r).text = strings.Replace(n.Router(r).text, " tunnel protection ipsec profile vpnprof\n", "", 1)
		}
	}
	n.Run(time.Millisecond)
	for k, s := range []string{"spoke1", "spoke2"} {
		n.Router(s).SetLease("Ethernet0", gateway.Lease{Address: netip.PrefixFrom(addr4(172<<24|17<<16|51+uint32(k)), 24)})
	}
	return n
}

// knowEachOther waits until all three sites of the lab have all routes that they are to have.
func knowEachOther(n *Net, limit time.Duration) time.Duration {
	began := n.Now()
	n.Until(limit, "EIGRP has all routes", func() bool {
		return eigrpRoute(n, "spoke1", "192.168.2.0/24", "10.0.0.3") && eigrpRoute(n, "spoke1", "192.168.0.0/24", "10.0.0.1") &&
			eigrpRoute(n, "spoke2", "192.168.1.0/24", "10.0.0.2") && eigrpRoute(n, "spoke2", "192.168.0.0/24", "10.0.0.1") &&
			eigrpRoute(n, "hub", "192.168.1.0/24", "10.0.0.2") && eigrpRoute(n, "hub", "192.168.2.0/24", "10.0.0.3")
	})
	return n.Now().Sub(began)
}

// expired is how many packets ran out of hops in routers.
func expired(n *Net, routers ...string) (sum uint64) {
	for _, r := range routers {
		sum += n.Router(r).Counters().Reasons[fastpath.TTLExpired]
	}
	return sum
}

// The guide's commands, from the start to direct tunnels between spokes; the boxes' own programs go the same ways.
func TestHubSpoke(t *testing.T) {
	n := hubSpoke(t, 61, false)
	t.Logf("all routes after %v", knowEachOther(n, 30*time.Second))
	ping(t, n, "host1", "192.168.0.7")
	ping(t, n, "host1", "192.168.2.7")
	byTwo(t, n, "host1", "192.168.2.7")
	ping(t, n, "spoke1", "192.168.2.7")
	ping(t, n, "hub", "192.168.1.7")
	if text := n.Show("spoke1", "show ip route"); strings.Contains(text, "\nS") || !strings.Contains(text, "D    192.168.2.0/24 [90/") {
		t.Errorf("routes of spoke 1:\n%s", text)
	}
}

// byTwo waits until answers come by two routers and not three, and wants each ping answered: of what is sealed no more can be seen.
func byTwo(t *testing.T, n *Net, from, to string) {
	t.Helper()
	for range 20 {
		if ping(t, n, from, to).TTL == 62 {
			return
		}
		n.Run(500 * time.Millisecond)
	}
	t.Fatalf("%s to %s: never without the hub", from, to)
}

// A spoke that is stopped says goodbye; one that dies is missed after the hold time. Nobody sends to either for longer than that.
func TestEIGRPSpokeGoes(t *testing.T) {
	n := hubSpoke(t, 62, false)
	knowEachOther(n, 30*time.Second)
	gone := func() bool {
		return eigrpRoute(n, "hub", "192.168.2.0/24") && eigrpRoute(n, "spoke1", "192.168.2.0/24")
	}
	n.Router("spoke2").ShutDown()
	n.Until(time.Second, "goodbye has been heard", gone)
	n.Router("spoke2").Start()
	t.Logf("after a stop: all routes after %v", knowEachOther(n, 2*time.Minute))
	n.Router("spoke2").Stop()
	n.Run(9 * time.Second)
	if gone() {
		t.Error("a neighbor of which nothing was heard for 9 s is given up; the hold time is 15 s")
	}
	n.Until(8*time.Second, "the hold time is over", gone)
	n.Router("spoke2").Start()
	t.Logf("after a crash: all routes after %v", knowEachOther(n, 2*time.Minute))
	ping(t, n, "host1", "192.168.2.7")
	n.Router("hub").Stop()
	n.Until(20*time.Second, "the spokes miss the hub", func() bool {
		return eigrpRoute(n, "spoke1", "192.168.2.0/24") && eigrpRoute(n, "spoke2", "192.168.1.0/24")
	})
	n.Router("hub").Start()
	for _, s := range []string{"spoke1", "spoke2"} { // the operator's part, without dead peer detection
		if err := n.Router(s).Clear(api.Clear{What: api.ClearCrypto}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("after a crash of the hub: all routes after %v", knowEachOther(n, 2*time.Minute))
	ping(t, n, "host1", "192.168.2.7")
}

// The control plane dies, and another takes its fast path over: what it inherited leads on until EIGRP has said all again, and its peers keep what they have of it.
func TestEIGRPTakeOver(t *testing.T) {
	n := hubSpoke(t, 63, true)
	knowEachOther(n, 30*time.Second)
	direct(t, n, "host1", "192.168.2.7", "spoke1", "spoke2")
	for _, name := range []string{"spoke1", "hub"} {
		r := n.Router(name)
		lease := r.leases["Ethernet0"]
		r.Orphan()
		n.Run(time.Second)
		r.TakeOver(r.text)
		if lease.Address.IsValid() {
			r.SetLease("Ethernet0", lease)
		}
		lost := 0
		for range 300 {
			for _, p := range [][2]string{{"host0", "192.168.1.7"}, {"host1", "192.168.2.7"}, {"host2", "192.168.0.7"}} {
				if r := n.Ping(p[0], p[1], PingOptions{Timeout: 500 * time.Millisecond}); !r.OK {
					lost++
					t.Logf("%s taken over: %s to %s: %v", name, p[0], p[1], r)
				}
			}
			n.Run(20 * time.Millisecond)
		}
		if lost > 0 {
			t.Errorf("%s taken over: %d of 900 pings lost", name, lost)
		}
		knowEachOther(n, time.Minute)
		n.Run(3 * time.Minute) // what nobody claims goes
		knowEachOther(n, time.Second)
		ping(t, n, "host1", "192.168.2.7", "spoke1", "spoke2")
		ping(t, n, "host0", "192.168.1.7", "hub", "spoke1")
	}
}

// The branches of the guide: EIGRP leads to the loopbacks, and LDP's labels follow its routes.
func TestEnterpriseBranches(t *testing.T) {
	n := lab(t, "2547-enterprise", 64)
	routes := func() bool {
		return eigrpRoute(n, "spoke2", "10.9.9.1/32", "10.0.0.1") && eigrpRoute(n, "spoke2", "10.9.9.12/32", "10.0.0.1") &&
			eigrpRoute(n, "spoke3", "10.9.9.11/32", "10.0.0.1") && eigrpRoute(n, "hub", "10.9.9.11/32", "10.0.0.11") && eigrpRoute(n, "hub", "10.9.9.12/32", "10.0.0.12")
	}
	labels := func() bool { // the hub swaps, or takes the label off, for both loopbacks
		text := n.Show("hub", "show mpls forwarding-table")
		return ldpUp(n, "hub", "10.9.9.11", "10.9.9.12") && strings.Contains(text, "10.9.9.11/32") && strings.Contains(text, "10.9.9.12/32") &&
			strings.Contains(n.Show("spoke2", "show ip cef 10.9.9.12"), "tags imposed")
	}
	n.Until(time.Minute, "EIGRP has the loopbacks, and LDP labels for them", func() bool { return routes() && labels() })
	t.Logf("routes and labels after %v", n.Now().Sub(epoch))
	from := PingOptions{Source: n.addr("10.9.9.11")}
	if r := n.Ping("spoke2", "10.9.9.12", from); !r.OK || r.TTL != 63 {
		t.Errorf("from loopback to loopback: %v", r)
	}
	n.Router("spoke3").ShutDown()
	n.Until(2*time.Second, "the loopback of a spoke that is stopped has no route", func() bool { return eigrpRoute(n, "spoke2", "10.9.9.12/32") })
	n.Router("spoke3").Start()
	n.Until(2*time.Minute, "all is back", func() bool { return routes() && labels() && n.Ping("spoke2", "10.9.9.12", from).OK })
}

// With 30 % of all packets lost between any two routers EIGRP has all routes in the end, and keeps most of them most of the time.
func TestEIGRPLoss(t *testing.T) {
	seeds := uint64(4)
	if raceEnabled {
		seeds = 2
	}
	for seed := range seeds {
		n := hubSpoke(t, 640+seed, false)
		for _, r := range []string{"hub", "spoke1", "spoke2"} {
			n.Link(r, "Ethernet0").SetLoss(0.163) // of each of two links
		}
		took := knowEachOther(n, 10*time.Minute)
		answered := 0
		for range 400 {
			if n.Ping("host1", "192.168.2.7").OK {
				answered++
			}
		}
		t.Logf("seed %d: all routes after %v, %d of 400 answered", seed, took, answered)
		// Half of them at best, by the hub a quarter; and a hold time runs out where three Hellos in a row are lost.
		if answered < 50 {
			t.Errorf("seed %d: %d of 400 answered", seed, answered)
		}
		for _, l := range n.links {
			l.SetLoss(0)
		}
		n.Run(time.Minute)
		knowEachOther(n, time.Second)
		byTwo(t, n, "host1", "192.168.2.7")
	}
}

// A link and a tunnel that come and go: no packet goes round in circles, and what stays is as if nothing had been.
func TestEIGRPFlapping(t *testing.T) {
	n := hubSpoke(t, 65, true)
	knowEachOther(n, 30*time.Second)
	wan, tunnel := n.Link("spoke2", "Ethernet0"), n.Router("spoke1")
	const up, down = "interface Tunnel0\n", "interface Tunnel0\n shutdown\n"
	for k := range 40 {
		wan.SetUp(k%2 == 1)
		if k%6 == 0 {
			tunnel.Edit(up, down)
		}
		for range 30 {
			n.Ping("host0", "192.168.1.7", PingOptions{Timeout: 50 * time.Millisecond})
			n.Ping("host1", "192.168.2.7", PingOptions{Timeout: 50 * time.Millisecond})
			n.Run(time.Duration(n.rng.IntN(200)) * time.Millisecond)
		}
		if k%6 == 0 {
			tunnel.Edit(down, up)
		}
	}
	wan.SetUp(true)
	t.Logf("all routes %v after the last flap", knowEachOther(n, time.Minute))
	ping(t, n, "host0", "192.168.2.7")
	direct(t, n, "host1", "192.168.2.7", "spoke1", "spoke2")
	if e := expired(n, "hub", "spoke1", "spoke2"); e > 0 {
		t.Errorf("%d packets ran out of hops: they went in a circle", e)
	}
}

// Two ways of one cost are both taken, and the one that is left when a hub dies.
func TestEqualCost(t *testing.T) {
	n := lab(t, "dual-cloud", 66)
	for i := range 32 {
		n.elements["servers"].(*Node).Alias(fmt.Sprintf("10.9.0.%d", 100+i))
	}
	n.Until(30*time.Second, "two ways to the servers", func() bool {
		return eigrpRoute(n, "spoke1", "10.9.0.0/24", "10.255.1.1", "10.255.2.1") && eigrpRoute(n, "spoke1", "10.2.0.0/24", "10.255.1.12", "10.255.2.12")
	})
	by := func() map[string]int {
		ways := make(map[string]int)
		for i := range 32 {
			r := n.Ping("host1", fmt.Sprintf("10.9.0.%d", 100+i))
			if !r.OK || len(r.Out) != 2 {
				ways["lost"]++
				continue
			}
			ways[r.Out[1]]++
		}
		return ways
	}
	if w := by(); w["hub1"] < 8 || w["hub2"] < 8 || w["lost"] > 0 {
		t.Errorf("32 flows take %v", w)
	}
	n.Router("hub2").Stop()
	n.Run(16 * time.Second)
	if w := by(); w["hub1"] != 32 {
		t.Errorf("with hub 2 dead 32 flows take %v", w)
	}
	n.Router("hub2").Start()
	n.Until(2*time.Minute, "two ways again", func() bool { return eigrpRoute(n, "spoke1", "10.9.0.0/24", "10.255.1.1", "10.255.2.1") })
	if w := by(); w["hub1"] < 8 || w["hub2"] < 8 || w["lost"] > 0 {
		t.Errorf("with hub 2 back 32 flows take %v", w)
	}
}
