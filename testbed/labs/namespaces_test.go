package labs

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/netns"
	"nave/testbed/topo"
)

// vrfSpace is the network namespace of a VRF of a router: each naved of a lab has its own, and all share one /run.
func vrfSpace(t *testing.T, l *topo.Lab, router, vrf string) *netns.NS {
	t.Helper()
	names, err := netns.Namespaces("nave-" + vrf)
	must(t, err)
	for _, name := range names {
		ns := &netns.NS{Name: name}
		if out, err := ns.Run("ip", "link", "show", "dev", "lo"); err == nil && strings.HasSuffix(out, " "+l.RunDir(router)) {
			return ns
		}
	}
	t.Fatalf("%s has no namespace of VRF %s", router, vrf)
	return nil
}

// pings is a row of pings, 20 ms apart.
type pings struct {
	node string
	out  strings.Builder
	wait func() error
}

func startPings(t *testing.T, l *topo.Lab, node, to string, count int) *pings {
	t.Helper()
	p := &pings{node: node}
	cmd := l.NS(node).Command("ping", "-n", "-q", "-i", "0.02", "-W", "2", "-c", fmt.Sprint(count), to)
	cmd.Stdout = &p.out
	must(t, cmd.Start())
	p.wait = cmd.Wait
	return p
}

// lost waits for the end.
func (p *pings) lost(t *testing.T) int {
	t.Helper()
	_ = p.wait() // loss is told by what it says
	m := pingLoss.FindStringSubmatch(p.out.String())
	if m == nil {
		t.Fatalf("ping of %s says %q", p.node, p.out.String())
	}
	sent, _ := strconv.Atoi(m[1])
	got, _ := strconv.Atoi(m[2])
	return sent - got
}

// naved is killed, and another takes over: ports stay in the namespaces of their VRFs, where the workers go on with them, and no packet of either VRF is lost. A stop brings all
// home.
func TestNamespaces(t *testing.T) {
	lab := vrfAware()
	l := topo.ForTest(t, lab.Topology)
	check(t, l, lab.Checks...)
	red, blue := vrfSpace(t, l, "hub", "RED"), vrfSpace(t, l, "hub", "BLUE")
	for _, ns := range []*netns.NS{red, blue} { // the box itself, in each VRF
		if out, err := ns.Run("ping", "-n", "-c", "1", "-W", "2", "192.168.1.7"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if out, err := ns.Run("ip", "route", "get", "198.51.100.9"); err != nil || !strings.Contains(out, "dev nave0") {
			t.Errorf("the last resort: %v: %s", err, out)
		}
		if out, err := ns.Run("ip", "-4", "address", "show", "to", "10.9.0.1"); err != nil || !strings.Contains(out, "10.9.0.1/24") {
			t.Errorf("the port's address: %v: %s", err, out)
		}
	}
	const count = 600
	rows := []*pings{startPings(t, l, "red1", "192.168.1.7", count), startPings(t, l, "blue2", "10.9.0.7", count)}
	time.Sleep(500 * time.Millisecond)
	must(t, l.StopRouter("hub", unix.SIGKILL))
	if out, err := red.Run("ip", "link", "show", "dev", "eth3"); err != nil {
		t.Errorf("with naved dead: %v: %s", err, out)
	}
	time.Sleep(2 * time.Second)
	start(t, l, "hub")
	for _, p := range rows {
		if n := p.lost(t); n > 0 {
			t.Errorf("%s lost %d of %d pings", p.node, n, count)
		}
	}
	if now := vrfSpace(t, l, "hub", "RED"); now.Name != red.Name {
		t.Errorf("the namespace is %s, was %s", now.Name, red.Name)
	}
	// a worker that dies gets sockets for ports in other namespaces again
	must(t, unix.Kill(workers(t, l, "hub")[0], unix.SIGKILL))
	check(t, l, Ping("red1", "192.168.1.7", ""), Ping("blue1", "192.168.1.7", ""))
	must(t, l.StopRouter("hub", unix.SIGTERM))
	for _, dev := range []string{"eth2", "eth3"} {
		out, err := l.Run("hub", "ip", "address", "show", "dev", dev)
		if err != nil || strings.Contains(out, "inet ") || !strings.Contains(out, "xdp") {
			t.Errorf("after a stop: %v: %s", err, out)
		}
	}
	for _, ns := range []*netns.NS{red, blue} {
		if left, err := netns.Namespaces(ns.Name); err != nil || len(left) > 0 {
			t.Errorf("after a stop: %v, %v", left, err)
		}
	}
	check(t, l, Unreachable("red1", "10.9.0.1"), Unreachable("red1", "172.17.0.1"))
}

// Subinterfaces in two VRFs on a trunk go through a kill of naved, whose TAPs the next one takes over; the box itself reaches its neighbours by them, and what it does not
// know by nave.
func TestTrunkKilled(t *testing.T) {
	lab := trunk()
	l := topo.ForTest(t, lab.Topology)
	check(t, l, lab.Checks...)
	const count = 500
	rows := []*pings{startPings(t, l, "red1", "192.168.2.7", count), startPings(t, l, "blue2", "192.168.1.7", count)}
	time.Sleep(500 * time.Millisecond)
	must(t, l.StopRouter("west", unix.SIGKILL))
	time.Sleep(2 * time.Second)
	start(t, l, "west")
	for _, p := range rows {
		if n := p.lost(t); n > 0 {
			t.Errorf("%s lost %d of %d pings", p.node, n, count)
		}
	}
	red := vrfSpace(t, l, "west", "red")
	if out, err := red.Run("ip", "link", "show", "dev", "eth0.10"); err != nil {
		t.Errorf("the TAP: %v: %s", err, out)
	}
	for _, to := range []string{"10.0.0.2", "192.168.2.7"} {
		if out, err := red.Run("ping", "-n", "-c", "1", "-W", "2", to); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	check(t, l, lab.Checks...)
}
