package labs

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
	"nave/testbed/topo"
)

// siteHosts are the hosts of hub-spoke.
var siteHosts = []floodHost{{"host0", "site", "192.168.0.7"}, {"host1", "site", "192.168.1.7"}, {"host2", "site", "192.168.2.7"}}

// rejoined are the routes of hub-spoke that make it whole.
func rejoined(t *testing.T, l *topo.Lab) {
	t.Helper()
	check(t, l, Routed("spoke1", "", "D 192.168.2.0/24 [90/*] via 10.0.0.3", "D 192.168.0.0/24 [90/*] via 10.0.0.1"),
		Routed("spoke2", "", "D 192.168.1.0/24 [90/*] via 10.0.0.2", "D 192.168.0.0/24 [90/*] via 10.0.0.1"),
		Routed("hub", "", "D 192.168.1.0/24 [90/*] via 10.0.0.2", "D 192.168.2.0/24 [90/*] via 10.0.0.3"))
}

// beforeHold is well before a neighbor that says nothing is given up: hold times are 15 s, and it may have said something 5 s before it died. After latestHold it is.
const (
	beforeHold = 8 * time.Second
	latestHold = 20 * time.Second
)

// loses waits until a router has lost a route, and tells how long that took.
func loses(t *testing.T, l *topo.Lab, router, route string, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	must(t, topo.Eventually(limit, func() error {
		out, err := Routes(l, router, "")
		if err == nil && HasRoute(out, route) {
			err = fmt.Errorf("after %v %s still has %s:\n%s", time.Since(began), router, route, out)
		}
		return err
	}))
	return time.Since(began)
}

// forgets ends the sessions of routers that have no dead peer detection with one that has lost all it knew.
func forgets(t *testing.T, l *topo.Lab, routers ...string) {
	t.Helper()
	for _, r := range routers {
		if out, err := l.Nave(r, "clear", "crypto", "session"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// What becomes of traffic between the sites of the guide's cloud when parts of it die, are stopped, and are there again.
func TestEIGRPFaults(t *testing.T) {
	need.Command(t, "dnsmasq")
	lab := hubSpoke()
	l := topo.ForTest(t, lab.Topology)
	holds(t, l, lab)
	f := startFlood(t, l, siteHosts)
	f.flowing(t, recovery, "start")
	for _, node := range []string{"spoke1", "hub"} {
		t.Run("kill -9 of the naved of "+node, func(t *testing.T) {
			for try := 1; ; try++ {
				lost := eigrpKilled(t, l, f, node)
				if lost <= fewLost {
					break
				}
				if try == mostTries {
					t.Errorf("%d packets lost; no more than %d of a flow may be: EIGRP starts again without its peers losing a route", lost, fewLost)
					break
				}
			}
		})
	}
	t.Run("a spoke is stopped", func(t *testing.T) {
		must(t, l.StopRouter("spoke2", unix.SIGTERM))
		for _, r := range []string{"hub", "spoke1"} {
			if took := loses(t, l, r, "D 192.168.2.0/24 [90/*]", 5*time.Second); took > 2*time.Second {
				t.Errorf("%s has the routes of a spoke that was stopped for %v", r, took)
			}
		}
		start(t, l, "spoke2")
		rejoined(t, l)
		f.flowing(t, recovery, "a spoke was stopped")
	})
	t.Run("a tunnel is shut", func(t *testing.T) {
		text := configuration(t, l, "spoke2")
		for _, c := range []string{strings.Replace(text, "interface Tunnel0\n", "interface Tunnel0\n shutdown\n", 1), text} {
			reload(t, l, "spoke2", c)
			if c != text {
				if took := loses(t, l, "hub", "D 192.168.2.0/24 [90/*]", 5*time.Second); took > 2*time.Second {
					t.Errorf("the hub has the routes of a spoke whose tunnel was shut for %v", took)
				}
			}
		}
		rejoined(t, l)
		f.flowing(t, recovery, "a tunnel was shut")
	})
	t.Run("the hub is away", func(t *testing.T) {
		dies := time.Now()
		must(t, l.KillRouter("hub"))
		loses(t, l, "spoke1", "D 192.168.2.0/24 [90/*]", latestHold)
		took := time.Since(dies).Round(100 * time.Millisecond)
		if took < beforeHold {
			t.Errorf("after %v the spoke has given the hub up, whose hold time is 15 s", took)
		}
		t.Logf("the spoke misses the hub after %v", took)
		start(t, l, "hub")
		began := time.Now()
		forgets(t, l, "spoke1", "spoke2")
		rejoined(t, l)
		t.Logf("all routes %v after the hub is back", time.Since(began).Round(100*time.Millisecond))
		f.flowing(t, recovery, "the hub was away")
	})
	f.close()
	check(t, l, lab.Checks...)
}

// eigrpKilled kills a naved under traffic, starts it a second later, and returns the most that a flow has lost of it, those packets counted that are under way.
func eigrpKilled(t *testing.T, l *topo.Lab, f *flood, node string) int {
	before := f.mark()
	must(t, l.StopRouter(node, unix.SIGKILL))
	time.Sleep(time.Second)
	start(t, l, node)
	time.Sleep(500 * time.Millisecond)
	rejoined(t, l)
	f.flowing(t, recovery, node+" killed")
	time.Sleep(5 * time.Second) // Hellos of all, and all sessions made anew
	rejoined(t, l)
	lost, which := f.lost(before, fewLost)
	t.Logf("%s killed: %d packets lost of %s, 5 ms apart", node, lost, which)
	return lost
}

// kernelHas checks that the kernel of a router has routes of nave's in the main table: each is the beginning of a line of `ip route`.
func kernelHas(t *testing.T, what string, run func(...string) (string, error), routes ...string) {
	t.Helper()
	var want []string
	for _, r := range routes {
		want = append(want, "\n"+r+" ")
	}
	says(t, what, func() (string, error) { out, err := run("ip", "route", "show", "proto", "206"); return "\n" + out, err }, want)
}

// Programs on a spoke reach what nave has learned, through a kill and a new start; a stop takes all of it back.
func TestKernelHasRoutes(t *testing.T) {
	t.Parallel()
	need.Command(t, "dnsmasq")
	lab := hubSpoke()
	l := topo.ForTest(t, lab.Topology)
	rejoined(t, l)
	shell := l.NS("spoke1").Run
	far := []string{"192.168.2.0/24 dev Tunnel0", "192.168.0.0/24 dev Tunnel0"}
	kernelHas(t, "running", shell, far...)
	check(t, l, Ping("spoke1", "192.168.2.7", ""), Ping("spoke1", "192.168.0.7", ""), Ping("hub", "192.168.1.7", ""))
	must(t, l.StopRouter("spoke1", unix.SIGKILL))
	start(t, l, "spoke1")
	rejoined(t, l)
	kernelHas(t, "killed and started", shell, far...)
	check(t, l, Ping("spoke1", "192.168.2.7", ""))
	must(t, l.StopRouter("spoke2", unix.SIGTERM))
	none := func(what string, words ...string) {
		t.Helper()
		comes(t, func() error {
			out, err := shell(words...)
			if err == nil && out != "" {
				err = fmt.Errorf("%s: %s", what, out)
			}
			return err
		})
	}
	none("the kernel has a route that nave has lost", "ip", "route", "show", "192.168.2.0/24")
	must(t, l.StopRouter("spoke1", unix.SIGTERM))
	none("after a stop the kernel has routes", "ip", "route", "show", "proto", "206")
}

// What an operator puts into the kernel of a spoke, all sites reach.
func TestKernelRoutesRedistributed(t *testing.T) {
	t.Parallel()
	need.Command(t, "dnsmasq")
	lab := hubSpoke()
	const process = "router eigrp 1\n"
	l := topo.ForTest(t, changed(t, lab, "spoke1", process, process+" redistribute kernel metric 10000 100 255 1 1500\n"))
	if out, err := l.Run("host1", "ip", "addr", "add", "192.168.77.7/32", "dev", "lo"); err != nil {
		t.Fatal(err, out)
	}
	rejoined(t, l)
	for range 2 {
		if out, err := l.Run("spoke1", "ip", "route", "add", "192.168.77.0/24", "via", "192.168.1.7"); err != nil {
			t.Fatal(err, out)
		}
		check(t, l, Routed("hub", "", "D EX 192.168.77.0/24 [170/*] via 10.0.0.2"), Routed("spoke2", "", "D EX 192.168.77.0/24 [170/*] via 10.0.0.2"),
			Ping("host0", "192.168.77.7", ""), Ping("host2", "192.168.77.7", ""))
		if out, err := l.Run("spoke1", "ip", "route", "del", "192.168.77.0/24"); err != nil {
			t.Fatal(err, out)
		}
		for _, r := range []string{"hub", "spoke2"} {
			loses(t, l, r, "D EX 192.168.77.0/24 [170/*]", 5*time.Second)
		}
	}
	check(t, l, cut("host0", "192.168.77.7"))
}

// Flows to what is behind both hubs take both; those that took the one that dies go on by the other.
func TestEqualCostPaths(t *testing.T) {
	t.Parallel()
	lab := dualCloud()
	l := topo.ForTest(t, lab.Topology)
	const addrs = 24
	var hosts []string
	for i := range addrs {
		a := fmt.Sprintf("10.9.0.%d", 100+i)
		if out, err := l.Run("servers", "ip", "addr", "add", a+"/24", "dev", "lan"); err != nil {
			t.Fatal(err, out)
		}
		hosts = append(hosts, a)
	}
	holds(t, l, lab)
	packets := func(hub string) int { // that came to the servers from a hub
		out, err := l.Run("servers", "ip", "-s", "-j", "link", "show", "dev", hub)
		must(t, err)
		var links []struct {
			Stats struct{ RX struct{ Packets int } } `json:"stats64"`
		}
		if err := json.Unmarshal([]byte(out), &links); err != nil || len(links) != 1 {
			t.Fatalf("%v: %s", err, out)
		}
		return links[0].Stats.RX.Packets
	}
	ping := func() (lost int, by [2]int) {
		was := [2]int{packets("hub1"), packets("hub2")}
		failed := make([]error, len(hosts))
		var pings sync.WaitGroup
		for k, a := range hosts {
			pings.Go(func() { _, failed[k] = l.Run("host1", "ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", a) })
		}
		pings.Wait()
		for _, err := range failed {
			if err != nil {
				lost++
			}
		}
		return lost, [2]int{packets("hub1") - was[0], packets("hub2") - was[1]}
	}
	flows := func(when string, least [2]int) {
		t.Helper()
		if lost, by := ping(); lost > 0 || by[0] < least[0] || by[1] < least[1] {
			t.Errorf("%s %d flows to %d addresses fail; %d packets came by hub 1, %d by hub 2", when, lost, addrs, by[0], by[1])
		}
	}
	flows("at first", [2]int{addrs / 2, addrs / 2})
	must(t, l.KillRouter("hub2"))
	took := loses(t, l, "spoke1", "D 10.9.0.0/24 [90/*] via 10.255.2.1", latestHold)
	flows("with hub 2 dead", [2]int{2 * addrs, 0})
	t.Logf("the spoke misses a hub after %v", took.Round(100*time.Millisecond))
	start(t, l, "hub2")
	check(t, l, lab.Checks...)
	flows("with hub 2 back", [2]int{addrs / 2, addrs / 2})
}

func TestHasRoute(t *testing.T) {
	const text = `D    10.2.0.0/24 [90/793600] via 10.255.2.12, 00:00:30, Tunnel2
                     [90/793600] via 10.255.1.12, 00:00:30, Tunnel1
D EX 10.3.0.0/24 [170/99] via 10.255.2.1, 00:00:30, Tunnel2
C    10.255.1.0/24 is directly connected, Tunnel1`
	for want, has := range map[string]bool{
		"D 10.2.0.0/24 [90/*] via 10.255.2.12": true, "D 10.2.0.0/24 [90/*] via 10.255.1.12": true, "D 10.2.0.0/24 [90/*] via 10.255.1.1": false,
		"D 10.2.0.0/24 [90/*]": true, "D 10.3.0.0/24 [170/*]": false, "D EX 10.3.0.0/24 [170/*] via 10.255.2.1": true, "D EX 10.3.0.0/24 [170/*] via 10.255.1.12": false,
		"C 10.255.1.0/24 is directly connected, Tunnel1": true, "C 10.255.1.0/24 is directly connected, Tunnel": false, "D 10.4.0.0/24 [90/*]": false,
	} {
		if HasRoute(text, want) != has {
			t.Errorf("%q: want %v", want, has)
		}
	}
}
