package labs

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"nave/testbed/topo"
)

// fewProfile is hardware with little room and a slow route processor.
const (
	fewCEF       = 3000
	fewException = 1000
	fewRoutes    = 800
	fewProfile   = `name: few
extends: [sup720-3bxl]
values:
  rp.sw_cef_kpps: {value: 3, unit: kpps, basis: assumed, source: "this test: what any machine outruns"}
  fib.units72: {value: 1024, unit: units, basis: assumed, source: "this test: as few as there can be"}
  fib.split.ip_mpls: {value: 800, unit: entries, basis: assumed, source: "this test"}
  fib.split.ipv6_mcast: {value: 112, unit: entries, basis: assumed, source: "this test"}
  fib.exception_pps: {value: 1000, unit: pps, basis: assumed, source: "this test: less than its CEF"}
`
)

// Pieces of the configuration of a router on such hardware, between the hosts h1 and h2. Its tunnel leads to h2.
const (
	fewHead = `hostname r
platform hardware profile few
interface Tunnel0
 ip address 10.254.0.1 255.255.255.252
 tunnel source Ethernet1
 tunnel destination 10.0.0.9
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
interface Ethernet1
 ip address 10.0.0.1 255.255.255.0
ip route 10.77.0.0 255.255.0.0 Tunnel0
`
	// fewShares is a tunnel with the source of the other. It is one of a DMVPN.
	fewShares = `interface Tunnel1
 ip address 10.253.0.1 255.255.255.0
 ip nhrp network-id 5
 tunnel source Ethernet1
 tunnel mode gre multipoint
`
)

// The tables and queues of hardware that is emulated, on real packets through one router.
func TestHardwareTables(t *testing.T) {
	l := topo.ForTest(t, topo.Topology{
		Name: "tables",
		Nodes: []topo.Node{
			{Name: "r", Kind: topo.Router, Config: fewHead, Profiles: map[string]string{"few.yaml": fewProfile}},
			{Name: "h1", Kind: topo.Host, Gateway: "192.0.2.1"},
			{Name: "h2", Kind: topo.Host, Gateway: "10.0.0.1"},
		},
		Links: []topo.Link{
			{A: topo.Port{Node: "r", Dev: "eth0", Iface: "Ethernet0"}, B: topo.Port{Node: "h1", Dev: "eth0", Addrs: []string{"192.0.2.9/24"}}},
			{A: topo.Port{Node: "r", Dev: "eth1", Iface: "Ethernet1"}, B: topo.Port{Node: "h2", Dev: "eth0", Addrs: []string{"10.0.0.9/24"}}},
		},
	})
	check(t, l, Ping("h1", "10.0.0.9", ""))
	for _, state := range []struct {
		name string
		run  func(*testing.T, *topo.Lab)
	}{{"a source that two tunnels share", sharedSource}, {"more routes than there is room for", tooManyRoutes}, {"TTL failures", ttlFailures}, {"Supervisor 2", supervisor2}} {
		t.Run(state.name, func(t *testing.T) { state.run(t, l) })
	}
}

// arrivals is how many packets a host's wire has brought.
func arrivals(t *testing.T, l *topo.Lab, host string) uint64 {
	t.Helper()
	var n uint64
	must(t, l.NS(host).Do(func() error { // at once, and not when a program has been started
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			n = link.Attrs().Statistics.RxPackets
		}
		return err
	}))
	return n
}

// passes checks that packets to an address come to h2 at a rate, a tenth more or less, or short of it by some share; or with 0 that they come faster than hardware's
// queues would let them.
func passes(t *testing.T, l *topo.Lab, what, addr string, rate int, short float64) {
	t.Helper()
	f := traffic(t, l, Load{From: "h1", Addr: netip.MustParseAddr(addr), Rate: fullRate})
	defer f.Close()
	wrong := atLeast(3 * fewCEF)
	if rate != 0 {
		wrong = within(rate, short)
	}
	looks(t, what, func() uint64 { return arrivals(t, l, "h2") }, []*Traffic{f}, wrong)
}

// software is what `show platform software-switched` says.
type software struct {
	Routes  int
	Tunnels []struct{ Interface, Key, By string }
}

func softwareSwitched(l *topo.Lab, router string) (s software, err error) {
	out, err := l.Nave(router, "show", "platform", "software-switched", "--json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(out), &s)
}

// sharedSource: a tunnel goes at the hardware's speed until another has its source. Both are the route processor's then, which is logged.
func sharedSource(t *testing.T, l *topo.Lab) {
	passes(t, l, "a tunnel with a source of its own", "10.77.0.1", 0, 0)
	reload(t, l, "r", fewHead+fewShares)
	comes(t, func() error {
		s, err := softwareSwitched(l, "r")
		if err == nil && (len(s.Tunnels) != 2 || s.Tunnels[0].Interface != "Tunnel0" || s.Tunnels[1].Interface != "Tunnel1" || s.Tunnels[0].Key != "gre.unique_source" || s.Tunnels[1].Key != "gre.unique_source") {
			err = fmt.Errorf("two tunnels of one source: %+v", s.Tunnels)
		}
		return err
	})
	logs(t, l, "r", "SOFTWARE_SWITCHED: Tunnel0", "SOFTWARE_SWITCHED: Tunnel1")
	passes(t, l, "a tunnel whose source another one has, too", "10.77.0.1", fewCEF, 0.1)
	reload(t, l, "r", fewHead)
	comes(t, func() error {
		s, err := softwareSwitched(l, "r")
		if err == nil && len(s.Tunnels) != 0 {
			err = fmt.Errorf("the source is one tunnel's alone again, and software-switched are %+v", s.Tunnels)
		}
		return err
	})
}

// manyRoutes are more static routes than there is room for.
func manyRoutes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "ip route 10.64.%d.%d 255.255.255.255 10.0.0.9\n", i>>8, i&255)
	}
	return b.String()
}

// tooManyRoutes: routes that come to a full table are the route processor's, at the rate of such packets; those that have room keep it; and the state stays when there is room
// again, until the profile is loaded anew.
func tooManyRoutes(t *testing.T, l *topo.Lab) {
	exception := []string{"show", "mls", "cef", "exception", "status"}
	lines(t, l, "r", exception, []string{"Current IPv4 FIB exception state = FALSE"})
	reload(t, l, "r", fewHead+manyRoutes(fewRoutes+100))
	lines(t, l, "r", exception, []string{"Current IPv4 FIB exception state = TRUE", "Current MPLS FIB exception state = FALSE"})
	logs(t, l, "r", "%MLSCEF-SP-4-FIB_EXCEPTION_THRESHOLD: ", "%MLSCEF-SP-7-FIB_EXCEPTION: ")
	const late = "10.65.0.1"
	reload(t, l, "r", fewHead+manyRoutes(fewRoutes+100)+"ip route "+late+" 255.255.255.255 10.0.0.9\n")
	comes(t, func() error {
		s, err := softwareSwitched(l, "r")
		if err == nil && (s.Routes < 101 || s.Routes > 120) {
			err = fmt.Errorf("%d routes have no room, of %d and those of the router's own", s.Routes, fewRoutes+101)
		}
		return err
	})
	// Such packets have no queue to speak of: what a worker without CPU does not take, is lost to them. In virtual time it is exact.
	passes(t, l, "a route without room", late, fewException, 0.5)
	passes(t, l, "a route that has its room", "10.77.0.1", 0, 0)
	if n := reasons(t, l, "r")["exception-over"]; n < fewException {
		t.Errorf("%d packets are counted as more than are let through", n)
	}
	reload(t, l, "r", fewHead)
	comes(t, func() error {
		s, err := softwareSwitched(l, "r")
		if err == nil && s.Routes != 0 {
			err = fmt.Errorf("the routes are gone, and %d have no room", s.Routes)
		}
		return err
	})
	lines(t, l, "r", exception, []string{"Current IPv4 FIB exception state = TRUE"})
	setProfile(t, l, "r", "none")
	check(t, l, Ping("h1", "10.0.0.9", ""))
	setProfile(t, l, "r", "few")
	lines(t, l, "r", exception, []string{"Current IPv4 FIB exception state = FALSE"})
}

// ttlFailures: packets whose TTL runs out come to the route processor at the rate that `mls rate-limit` says.
func ttlFailures(t *testing.T, l *topo.Lab) {
	const flood, limit = 1500, 100
	traffic(t, l, Load{From: "h1", Addr: netip.MustParseAddr("10.0.0.9"), Rate: flood, TTL: 1})
	punted := func(what string) float64 { // however evenly they are sent: there are more than the limit anyway
		time.Sleep(settling)
		began, before := time.Now(), reasons(t, l, "r")["ttl-expired"]
		time.Sleep(measuring)
		n := float64(reasons(t, l, "r")["ttl-expired"]-before) / time.Since(began).Seconds()
		t.Logf("%s: %.0f packets a second come to the route processor", what, n)
		return n
	}
	seen := func(what string, right func(float64) bool) (n float64) { // as looks
		for range mostLooks {
			if n = punted(what); right(n) {
				break
			}
		}
		return n
	}
	if n := seen("no limit", func(n float64) bool { return n >= flood/2 }); n < flood/2 {
		t.Errorf("without a limit %.0f of %d packets a second come to the route processor", n, flood)
	}
	reload(t, l, "r", fewHead+"mls rate-limit all ttl-failure 100 10\n")
	lines(t, l, "r", []string{"show", "mls", "rate-limit"}, []string{"TTL FAILURE"})
	limited := func(n float64) bool { return n >= limit/2 && n <= 1.1*limit }
	if n := seen("mls rate-limit", limited); !limited(n) {
		t.Errorf("%.0f packets a second come to the route processor, want %d, a tenth more or half as many at least", n, limit)
	}
	reload(t, l, "r", fewHead)
}

// supervisor2: a tunnel of a DMVPN stays down on hardware that has none, and says why; all else goes on.
func supervisor2(t *testing.T, l *topo.Lab) {
	reload(t, l, "r", strings.Replace(fewHead, "profile few", "profile sup2", 1)+fewShares)
	const why = "can't be hub or spoke of a DMVPN"
	logs(t, l, "r", why)
	lines(t, l, "r", []string{"show", "interfaces", "Tunnel1"}, []string{"Tunnel1 is up, line protocol is down", why})
	lines(t, l, "r", []string{"show", "interfaces", "Tunnel0"}, []string{"Tunnel0 is up, line protocol is up"})
	check(t, l, Ping("h1", "10.0.0.9", ""))
	reload(t, l, "r", fewHead+fewShares)
	lines(t, l, "r", []string{"show", "interfaces", "Tunnel1"}, []string{"Tunnel1 is up, line protocol is up"}, why)
}
