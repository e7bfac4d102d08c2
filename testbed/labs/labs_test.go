package labs

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/bpf"
	"nave/testbed/need"
	"nave/testbed/topo"
)

// Tests that mostly wait run two at a time, once those have run that need the machine for themselves: what floods, and what measures how long or how much.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "2"); err != nil {
		panic(err)
	}
	code := m.Run()
	if os.Geteuid() == 0 {
		topo.CleanUp()
	}
	os.Exit(code)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, l *topo.Lab, cs ...Check) {
	t.Helper()
	for _, c := range cs {
		if err := c.Run(l); err != nil {
			t.Fatalf("%s: %v", c.What, err)
		}
	}
}

// holds checks all of a lab that is up.
func holds(t *testing.T, l *topo.Lab, lab Lab) {
	t.Helper()
	check(t, l, lab.Checks...)
	for _, table := range lab.Tables {
		if out, err := l.Nave(table.Router, strings.Fields(table.Command)...); err != nil || out == "" {
			t.Errorf("%s on %s: %v: %q", table.Command, table.Router, err, out)
		}
	}
}

// elsewhere are the tests that bring labs up and begin with all that must hold in them.
var elsewhere = map[string]string{
	"vrf-aware": "TestNamespaces", "trunk": "TestTrunkKilled", "2547-bgp": "TestVPNRestarts", "2547-enterprise": "TestVPNRestarts",
	"hub-spoke": "TestEIGRPFaults", "dual-cloud": "TestEqualCostPaths", "hardware": "TestHardware", "nat": "TestNAT", "nat-hub": "TestNATHub",
}

// Every lab comes up, and what must hold in it does.
func TestLabs(t *testing.T) {
	t.Parallel()
	for _, lab := range All() {
		if elsewhere[lab.Name] != "" {
			continue
		}
		t.Run(lab.Name, func(t *testing.T) {
			t.Parallel()
			if slices.Contains([]string{"dhcp", "guide"}, lab.Name) {
				need.Command(t, "dnsmasq")
			}
			l := topo.ForTest(t, lab.Topology)
			holds(t, l, lab)
		})
	}
}

func TestFind(t *testing.T) {
	for _, l := range All() {
		got, err := Find(l.Name)
		if err != nil || got.Name != l.Name {
			t.Errorf("%s: %v", l.Name, err)
		}
		must(t, l.Topology.Check())
	}
	if _, err := Find("nothing"); err == nil || !strings.Contains(err.Error(), "phase3") {
		t.Errorf("an unknown lab: %v", err)
	}
}

// With naved and its workers killed the box answers and forwards nothing; the next one takes the steering over.
func TestKilled(t *testing.T) {
	t.Parallel()
	l := topo.ForTest(t, phase3().Topology)
	w := watch(t, l)
	check(t, l, Registered("hub", "10.255.0.11", "10.255.0.12"), Ping("host1", "10.2.0.7", ""))
	// The kernel would forward, and the internet would take it.
	must(t, l.NS("spoke1").Sysctl("ipv4/ip_forward", "1"))
	must(t, l.KillRouter("spoke1"))
	check(t, l, Ping("internet", "198.51.100.1", ""), Ping("host1", "10.1.0.1", ""))
	if n := leaks(t, l, w); n > 0 {
		t.Errorf("%d inner packets on the internet; the first in clear: %s", n, w.Seen().First)
	}
	// Without steering, and without the twin that holds the kernel's routes, they would be there: what is tested can be seen.
	must(t, bpf.RemovePins(l.RunDir("spoke1")))
	if _, err := l.Run("spoke1", "ip", "link", "del", "Tunnel0"); err != nil {
		t.Fatal(err)
	}
	comes(t, func() error { // the kernel takes a program off its netdev beside other work
		if leaks(t, l, w) == 0 {
			return errors.New("with the steering taken off no packet leaks: this test sees nothing")
		}
		return nil
	})
	start(t, l, "spoke1")
	check(t, l, Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"))
}

// leaks sends pings from host 1 to host 2, and is how many packets with an inner address the internet saw meanwhile.
func leaks(t *testing.T, l *topo.Lab, w *Watch) int {
	t.Helper()
	before := w.Seen().Inner
	for range 3 {
		if _, err := l.Run("host1", "ping", "-n", "-c", "1", "-W", "1", "10.2.0.7"); err == nil {
			t.Error("host 2 answers though nothing forwards")
		}
	}
	time.Sleep(500 * time.Millisecond) // what crossed a moment ago is to be counted
	return w.Seen().Inner - before
}

// A clean stop keeps the addresses and the steering, too; with --release the kernel has the ports back.
func TestCleanStop(t *testing.T) {
	t.Parallel()
	l := topo.ForTest(t, phase3().Topology)
	check(t, l, Registered("hub", "10.255.0.11"))
	must(t, l.StopRouter("spoke1", unix.SIGTERM))
	check(t, l, Ping("internet", "198.51.100.1", ""))
	out, err := l.Run("spoke1", "ip", "link", "show", "eth0")
	must(t, err)
	if !strings.Contains(out, "xdp") {
		t.Errorf("the steering is gone after a clean stop: %s", out)
	}
	lines(t, l, "spoke1", []string{"ip", "link", "show"}, []string{"eth0"}, "Tunnel0") // the twin goes
	start(t, l, "spoke1")
	check(t, l, Ping("host1", "10.2.0.7", ""))
}

// A second naved on the same ports says so, and disturbs nothing.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	l := topo.ForTest(t, phase3().Topology)
	check(t, l, Ping("host1", "10.2.0.7", ""))
	for _, dir := range []string{l.RunDir("spoke1"), l.Dir + "/other"} {
		out, err := l.Run("spoke1", l.Bin+"/naved", "-c", l.ConfigFile("spoke1"), "--run-dir", dir, "--port", "Ethernet0=eth0", "--port", "Ethernet1=eth1")
		if err == nil || !strings.Contains(out, "another naved has the port eth0") {
			t.Errorf("run directory %s: %v: %s", dir, err, out)
		}
	}
	must(t, os.RemoveAll(l.Dir+"/other"))
	check(t, l, Ping("host1", "10.2.0.7", ""))
}

// Reading a bad configuration again changes nothing; a good one is applied without ending what stands.
func TestReload(t *testing.T) {
	t.Parallel()
	l := topo.ForTest(t, phase3().Topology)
	check(t, l, Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"), Direct("host2", "10.1.0.7"))
	good := configuration(t, l, "spoke1")
	if out, err := load(l, "spoke1", good+"interfase Tunnel9\n"); err == nil || !strings.Contains(out, "the running configuration stands") {
		t.Errorf("reload of a bad configuration: %v: %s", err, out)
	}
	check(t, l, Direct("host1", "10.2.0.7"))
	before := settledNHRP(t, l, "spoke1")
	reload(t, l, "spoke1", strings.Replace(good, "ip route 10.0.0.0", "ip route 172.31.0.0 255.255.0.0 Null0\nip route 10.0.0.0", 1))
	lines(t, l, "spoke1", []string{"show", "ip", "route"}, []string{"172.31.0.0/16 is directly connected, Null0"})
	after, err := l.Nave("spoke1", "show", "ip", "nhrp")
	must(t, err)
	if strings.Count(before, "NBMA address") != strings.Count(after, "NBMA address") {
		t.Errorf("NHRP entries before:\n%s\nafter:\n%s", before, after)
	}
	check(t, l, Direct("host1", "10.2.0.7"))
	configures(t, l)
}

// settledNHRP is what a router shows of NHRP once no entry has come or gone for a second.
func settledNHRP(t *testing.T, l *topo.Lab, router string) (text string) {
	t.Helper()
	comes(t, func() error {
		before := text
		var err error
		if text, err = l.Nave(router, "show", "ip", "nhrp"); err != nil {
			return err
		}
		if strings.Count(before, "NBMA address") != strings.Count(text, "NBMA address") {
			time.Sleep(time.Second)
			return fmt.Errorf("entries of %s still come or go:\n%s\n%s", router, before, text)
		}
		return nil
	})
	return text
}

// Packets that do not fit the tunnel: with DF their sender is told the size, without they are fragmented and arrive.
func TestMTU(t *testing.T) {
	t.Parallel()
	l := topo.ForTest(t, phase3().Topology)
	check(t, l, Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"))
	comes(t, func() error {
		out, err := l.Run("host1", "ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1450", "10.2.0.7")
		if err == nil || !strings.Contains(out, "mtu = 1400") && !strings.Contains(out, "mtu=1400") {
			return fmt.Errorf("1478 bytes with DF: %w: %s", err, out)
		}
		return nil
	})
	if _, err := l.Run("host1", "ip", "route", "flush", "cache"); err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"1372", "1373", "1450", "1472", "3000", "8000"} {
		comes(t, func() error {
			_, err := l.Run("host1", "ping", "-n", "-c", "1", "-W", "2", "-M", "dont", "-s", size, "10.2.0.7")
			return err
		})
	}
}

// A smaller link on the way: outer packets are fragmented there and put together by the far gateway.
func TestReassembly(t *testing.T) {
	t.Parallel()
	top := phase3().Topology
	for k := range top.Links {
		if top.Links[k].B.Dev == "spoke2" {
			top.Links[k].MTU = 1300
		}
	}
	l := topo.ForTest(t, top)
	check(t, l, Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"))
	comes(t, func() error {
		_, err := l.Run("host1", "ping", "-n", "-c", "3", "-W", "2", "-i", "0.2", "-s", "1372", "10.2.0.7") // 1400 bytes over a link of 1300
		return err
	})
}

// The hub goes on when one of two hubs dies: within three renewals the spokes know, and find each other through the other.
func TestDualHubFailover(t *testing.T) {
	t.Parallel()
	lab := dualHub()
	l := topo.ForTest(t, lab.Topology)
	check(t, l, lab.Checks...)
	must(t, l.KillRouter("hub1"))
	lines(t, l, "spoke1", strings.Fields("show ip nhrp nhs"), []string{"10.255.0.1  E"}) // it knows that hub 1 is down
	for _, s := range []string{"spoke1", "spoke2"} {
		if _, err := l.Nave(s, "clear", "dmvpn", "session"); err != nil {
			t.Fatal(err)
		}
	}
	check(t, l, Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"))
}

// An idle box sleeps: under 3 % of a CPU, by the kernel's own account.
func TestIdle(t *testing.T) {
	l := topo.ForTest(t, phase3().Topology)
	check(t, l, Ping("host1", "10.2.0.7", ""))
	time.Sleep(time.Second)
	const window = 5 * time.Second
	must(t, topo.Eventually(soon, func() error { // what it does when it has begun may take a slow machine longer
		before := make(map[string]time.Duration)
		for _, r := range l.Topology.Routers() {
			before[r] = routerTime(t, l, r)
		}
		time.Sleep(window)
		for _, r := range l.Topology.Routers() {
			used := routerTime(t, l, r) - before[r]
			share := 100 * float64(used) / float64(window)
			t.Logf("%s idle takes %.1f %% of a CPU", r, share)
			if share >= 3 {
				return fmt.Errorf("%s idle takes %.1f %% of a CPU", r, share)
			}
		}
		return nil
	}))
}

// routerTime is what naved and its workers have used.
func routerTime(t *testing.T, l *topo.Lab, node string) time.Duration {
	t.Helper()
	used := cpuTime(t, l.PIDs[node])
	list := workers(t, l, node)
	if len(list) == 0 {
		t.Errorf("%s has no workers", node)
	}
	for _, pid := range list {
		used += cpuTime(t, pid)
	}
	return used
}

// cpuTime is what a process has used, user and system.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	var user, system int64
	if _, err := fmt.Sscan(f[11]+" "+f[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	const perSecond = 100 // USER_HZ
	return time.Duration(user+system) * time.Second / perSecond
}

// With path MTU discovery on the tunnel a router on the way tells how much fits, and senders are told in turn.
func TestPathMTU(t *testing.T) {
	t.Parallel()
	top := phase3().Topology
	for k := range top.Links {
		if top.Links[k].B.Dev == "spoke2" {
			top.Links[k].MTU = 1300
		}
	}
	for k := range top.Nodes {
		top.Nodes[k].Config = strings.Replace(top.Nodes[k].Config, " tunnel key 700", " tunnel key 700\n tunnel path-mtu-discovery", 1)
	}
	l := topo.ForTest(t, top)
	check(t, l, Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"))
	const want = "1272" // 1300 less the outer IP header and GRE with a key
	must(t, topo.Eventually(soon, func() error {
		out, err := l.Run("host1", "ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1350", "10.2.0.7")
		if err == nil || !strings.Contains(out, want) {
			return fmt.Errorf("1378 bytes with DF: %w: %s", err, out)
		}
		return nil
	}))
	comes(t, func() error {
		_, err := l.Run("host1", "ping", "-n", "-c", "2", "-W", "1", "-i", "0.2", "-M", "do", "-s", "1244", "10.2.0.7") // 1272 bytes with DF
		return err
	})
}

// traceroute sees the routers of the path: TTL runs out on a port, in the hub's tunnel, and on the far spoke.
func TestTTL(t *testing.T) {
	t.Parallel()
	top := phase2().Topology
	for k := range top.Nodes { // no default route: there must be something that has none
		top.Nodes[k].Config = strings.Replace(top.Nodes[k].Config, "ip route 0.0.0.0 0.0.0.0 198.51.100.254",
			"ip route 192.0.2.0 255.255.255.0 198.51.100.254\nip route 203.0.113.0 255.255.255.0 198.51.100.254", 1)
	}
	l := topo.ForTest(t, top)
	check(t, l, Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"))
	told := func(what, from, text string, words ...string) {
		t.Helper()
		comes(t, func() error {
			out, err := l.Run("host1", append([]string{"ping", "-n", "-c", "1", "-W", "2"}, words...)...)
			if err == nil || !strings.Contains(out, "From "+from) || !strings.Contains(out, text) {
				return fmt.Errorf("%s: %w: %s", what, err, out)
			}
			return nil
		})
	}
	for ttl, from := range map[string]string{"1": "10.1.0.1", "2": "10.255.0.12"} {
		told("TTL "+ttl, from, "Time to live exceeded", "-t", ttl, "10.2.0.7")
	}
	told("an address without a route", "10.1.0.1", "Net Unreachable", "10.99.0.1")
}

// systemd hears that the daemon is ready, lives, reads its configuration again and stops.
func TestNotify(t *testing.T) {
	need.Root(t)
	path := t.TempDir() + "/notify"
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	must(t, err)
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "400000")
	said := make(chan string, 10000) // read all the time: the queue of such a socket has room for ten, and who finds it full waits
	go func() {
		defer close(said)
		buf := make([]byte, 512)
		for {
			n, err := socket.Read(buf)
			if err != nil {
				return // closed
			}
			said <- string(buf[:n])
		}
	}()
	hear := func(want string) {
		t.Helper()
		for late := time.After(soon); ; {
			select {
			case text := <-said:
				if strings.Contains(text, want) {
					return
				}
			case <-late:
				t.Fatalf("nobody says %s", want)
			}
		}
	}
	top := phase3().Topology
	l := topo.ForTest(t, top)
	for range top.Routers() {
		hear("READY=1")
	}
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	must(t, l.Signal("spoke1", unix.SIGHUP))
	hear("RELOADING=1")
	hear("READY=1")
	must(t, l.StopRouter("spoke1", unix.SIGTERM))
	hear("STOPPING=1")
}
