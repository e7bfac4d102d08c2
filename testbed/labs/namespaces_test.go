package labs

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
	"nave/testbed/netns"
	"nave/testbed/topo"
)

var pingLoss = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

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
	t.Parallel()
	lab := vrfAware()
	l := topo.ForTest(t, lab.Topology)
	holds(t, l, lab)
	red, blue := vrfSpace(t, l, "hub", "RED"), vrfSpace(t, l, "hub", "BLUE")
	kernel := func(when string) { // what EIGRP has learned in a VRF is in its namespace
		kernelHas(t, when, blue.Run, "192.168.1.0/24 dev Tunnel0")
		kernelHas(t, when, red.Run, "192.168.1.0/24 dev Tunnel1")
	}
	kernel("running")
	for _, ns := range []*netns.NS{red, blue} { // the box itself, in each VRF
		answers(t, ns, "192.168.1.7")
		linesIn(t, ns, "ip route get 198.51.100.9", []string{"dev nave0"}) // the last resort
		linesIn(t, ns, "ip -4 address show to 10.9.0.1", []string{"10.9.0.1/24"})
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
	kernel("killed and started")
	// a worker that dies gets sockets for ports in other namespaces again
	must(t, unix.Kill(workers(t, l, "hub")[0], unix.SIGKILL))
	check(t, l, Ping("red1", "192.168.1.7", ""), Ping("blue1", "192.168.1.7", ""))
	must(t, l.StopRouter("hub", unix.SIGTERM))
	for _, dev := range []string{"eth2", "eth3"} {
		lines(t, l, "hub", []string{"ip", "address", "show", "dev", dev}, []string{"xdp"}, "inet ")
	}
	spaceGone(t, red)
	spaceGone(t, blue)
	check(t, l, cut("red1", "10.9.0.1"), cut("red1", "172.17.0.1"))
}

// patientNeighbors has the neighbors of a trunk ask for a minute before they give each other up. The kernel answers for a port, but for a subinterface it has only a TAP, and what
// comes for that only naved brings there: who asks while there is none, and asks three times in three seconds, sends nothing more until it is back.
func patientNeighbors(t *testing.T, l *topo.Lab) {
	t.Helper()
	for _, router := range []string{"west", "east"} {
		for vrf, dev := range map[string]string{"red": "eth0.10", "blue": "eth0.20"} {
			must(t, vrfSpace(t, l, router, vrf).Sysctl("ipv4/neigh/"+dev+"/ucast_solicit", "60"))
		}
	}
}

// Subinterfaces in two VRFs on a trunk go through a kill of naved, whose TAPs the next one takes over; the box itself reaches its neighbours by them, and what it does not
// know by nave.
func TestTrunkKilled(t *testing.T) {
	t.Parallel()
	lab := trunk()
	l := topo.ForTest(t, lab.Topology)
	holds(t, l, lab)
	patientNeighbors(t, l)
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
	linesIn(t, red, "ip link show dev eth0.10", []string{"eth0.10"}) // the TAP
	answers(t, red, "10.0.0.2")
	answers(t, red, "192.168.2.7")
	check(t, l, lab.Checks...)
}

// changed is a lab in which a router's configuration says something else.
func changed(t *testing.T, lab Lab, router string, oldNew ...string) topo.Topology {
	t.Helper()
	for k := range lab.Topology.Nodes {
		n := &lab.Topology.Nodes[k]
		if n.Name != router {
			continue
		}
		text := strings.NewReplacer(oldNew...).Replace(n.Config)
		if text == n.Config {
			t.Fatalf("the configuration of %s has nothing of %q", router, oldNew)
		}
		n.Config = text
	}
	return lab.Topology
}

// A port changes its VRF while workers are threads, goes nowhere and is down while its name is taken where it is to be, and goes there when it is not any more.
func TestPortBetweenVRFs(t *testing.T) {
	t.Parallel()
	lab := vrfAware()
	l := topo.ForTest(t, changed(t, lab, "hub", "hostname hub\n", "hostname hub\nfastpath workers thread\n"))
	check(t, l, lab.Checks...)
	text := configuration(t, l, "hub")
	const inRed, inNone = " description the hosts of RED\n ip vrf forwarding RED\n", " description the hosts of RED\n"
	global := strings.Replace(strings.Replace(text, inRed, inNone, 1), "interface Ethernet3\n description the hosts of RED\n ip address 10.9.0.1", "interface Ethernet3\n description the hosts of RED\n ip address 10.8.0.1", 1)
	for range 2 {
		reload(t, l, "hub", global)
		check(t, l, cut("red1", "192.168.1.7"), cut("red2", "10.9.0.7"))
		lines(t, l, "hub", []string{"ip", "address", "show", "dev", "eth3"}, []string{"10.8.0.1/24"})
		reload(t, l, "hub", text)
		check(t, l, Ping("red1", "192.168.1.7", ""))
	}
	if out, err := l.Run("hub", "ip", "tuntap", "add", "eth3", "mode", "tap"); err != nil {
		t.Fatal(err, out)
	}
	if out, err := load(l, "hub", global); err == nil || !strings.Contains(out, "port Ethernet3: host: move eth3 to the network namespace of naved: a netdev of that name is there already") {
		t.Errorf("a name that is taken: %v: %s", err, out)
	}
	check(t, l, cut("red1", "10.9.0.1"), cut("red1", "192.168.1.7"), Ping("blue1", "192.168.1.7", ""))
	if out, err := l.Run("hub", "ip", "link", "del", "eth3"); err != nil {
		t.Fatal(err, out)
	}
	reload(t, l, "hub", text)
	check(t, l, lab.Checks...)
}

// A tunnel whose packets leave by a VRF has its source from the DHCP server there.
func TestLeaseInVRF(t *testing.T) {
	t.Parallel()
	need.Command(t, "dnsmasq")
	lab := dhcp()
	l := topo.ForTest(t, changed(t, lab, "spoke1",
		"interface Ethernet0\n", "ip vrf NET\n rd 1:1\n!\ninterface Ethernet0\n ip vrf forwarding NET\n", " tunnel source", " tunnel vrf NET\n tunnel source"))
	check(t, l, lab.Checks...)
	// naved writes its routes into the kernel beside its other work, after the lease.
	linesIn(t, vrfSpace(t, l, "spoke1", "NET"), "ip route", []string{"default via 198.51.100.254 dev eth0"})
}

// A namespace that somebody has put a netdev into stays when its VRF goes, and keeps no naved from starting.
func TestNamespaceInUseStays(t *testing.T) {
	t.Parallel()
	lab := vrfAware()
	l := topo.ForTest(t, changed(t, lab, "hub", "hostname hub\n", "hostname hub\nip vrf GREEN\n"))
	green := vrfSpace(t, l, "hub", "GREEN")
	check(t, l, lab.Checks[:2]...) // or the kill comes between two messages of IKE's first exchange, which peers give up late
	if out, err := green.Run("ip", "tuntap", "add", "theirs", "mode", "tap"); err != nil {
		t.Fatal(err, out)
	}
	must(t, l.StopRouter("hub", unix.SIGKILL))
	l.Topology = changed(t, lab, "hub", "ip vrf GREEN\n", "")
	start(t, l, "hub")
	if out, err := green.Run("ip", "link", "show", "dev", "theirs"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	logs(t, l, "hub", "of VRF GREEN stays")
	check(t, l, lab.Checks...)
	if out, err := green.Run("ip", "link", "del", "theirs"); err != nil {
		t.Fatal(err, out)
	}
	must(t, l.StopRouter("hub", unix.SIGTERM))
	start(t, l, "hub")
	spaceGone(t, green) // with the netdev gone
}

// A UDP port of IKE that another program has keeps naved from nothing else, and a reload takes it when it is free.
func TestStartWithoutIKEPort(t *testing.T) {
	t.Parallel()
	lab := vrfAware()
	l := topo.ForTest(t, lab.Topology)
	must(t, l.StopRouter("red", unix.SIGTERM))
	var other net.PacketConn
	must(t, l.NS("red").Do(func() (err error) { other, err = net.ListenPacket("udp4", ":500"); return err }))
	defer other.Close()
	start(t, l, "red")
	logs(t, l, "red", "the configuration runs, with faults", "UDP port 500")
	if out, err := l.Nave("red", "reload"); err == nil || !strings.Contains(out, "UDP port 500") {
		t.Errorf("a reload with the port taken: %v: %s", err, out)
	}
	must(t, other.Close())
	if out, err := l.Nave("red", "reload"); err != nil {
		t.Error(err, out)
	}
	check(t, l, lab.Checks...)
}

// A start that fails leaves no port in a namespace: what it has moved it brings home.
func TestFailedStartBringsPortsHome(t *testing.T) {
	t.Parallel()
	lab := vrfAware()
	l := topo.ForTest(t, lab.Topology)
	check(t, l, lab.Checks...)
	must(t, l.StopRouter("hub", unix.SIGTERM))
	l.Topology = changed(t, lab, "hub", "interface Ethernet3\n", "interface Ethernet3\n mtu 9000\n")
	must(t, l.StartRouter("hub"))
	logs(t, l, "hub", "naved: gateway: port Ethernet3: eth3 has MTU 9000")
	haveHome(t, l, "hub", "eth2", "eth3")
	l.Topology = changed(t, lab, "hub", " mtu 9000\n", "")
	_ = l.StopRouter("hub", unix.SIGKILL) // it has ended
	start(t, l, "hub")
	check(t, l, lab.Checks...)
}
