package sim

import (
	"strings"
	"testing"
	"time"

	"nave/testbed/labs"
)

// lab is a network of one of the labs that people play with, once its spokes have registered.
func lab(t *testing.T, name string, seed uint64) *Net {
	t.Helper()
	l, err := labs.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return FromTopology(t, seed, l.Topology, LinkConfig{Delay: 10 * time.Millisecond})
}

// registered tells whether a hub has the registrations of clients.
func registered(n *Net, hub string, clients ...string) bool {
	text := n.Show(hub, "show ip nhrp")
	for _, c := range clients {
		if !strings.Contains(text, c+"/32 via "+c) {
			return false
		}
	}
	return true
}

func converge(t *testing.T, n *Net, hubs ...string) {
	t.Helper()
	for _, h := range hubs {
		n.Until(30*time.Second, h+" has the registrations", func() bool { return registered(n, h, "10.255.0.11", "10.255.0.12") })
	}
}

// ping pings and wants an answer, by these routers.
func ping(t *testing.T, n *Net, from, to string, way ...string) Reply {
	t.Helper()
	r := n.Ping(from, to)
	if !r.OK || len(way) > 0 && !Same(r.Out, way...) {
		t.Fatalf("%s to %s at %v: %v; want by %v", from, to, n.Now().Sub(epoch), r, way)
	}
	return r
}

// direct waits until pings take the direct way, and wants each of them answered.
func direct(t *testing.T, n *Net, from, to string, way ...string) {
	t.Helper()
	for range 20 {
		r := n.Ping(from, to)
		if !r.OK {
			t.Fatalf("%s to %s at %v: %v", from, to, n.Now().Sub(epoch), r)
		}
		if Same(r.Out, way...) {
			return
		}
		n.Run(500 * time.Millisecond)
	}
	t.Fatalf("%s to %s: never by %v", from, to, way)
}

func TestPhase3(t *testing.T) {
	n := lab(t, "phase3", 1)
	converge(t, n, "hub")
	ping(t, n, "host1", "10.2.0.7", "spoke1", "hub", "spoke2")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	r := ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	if r.TTL != 62 || !Same(r.Back, "spoke2", "spoke1") {
		t.Errorf("the answer came with TTL %d by %v", r.TTL, r.Back)
	}
	if text := n.Show("spoke1", "show ip route"); !strings.Contains(text, "H    10.2.0.0/24 [250/1] via 10.255.0.12, Tunnel0\n") {
		t.Errorf("no route of NHRP:\n%s", text)
	}
	if text := n.Show("spoke1", "show dmvpn"); !strings.Contains(text, "Type: Spoke") || !strings.Contains(text, "    10.255.0.12    UP") {
		t.Errorf("show dmvpn of a spoke:\n%s", text)
	}
}

func TestPhase2(t *testing.T) {
	n := lab(t, "phase2", 2)
	converge(t, n, "hub")
	ping(t, n, "host1", "10.2.0.7", "spoke1", "hub", "spoke2")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	r := ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	if r.TTL != 62 || !Same(r.Back, "spoke2", "spoke1") {
		t.Errorf("the answer came with TTL %d by %v", r.TTL, r.Back)
	}
	if text := n.Show("spoke1", "show ip route"); strings.Contains(text, "\nH ") {
		t.Errorf("phase 2 has no routes of NHRP:\n%s", text)
	}
}

func TestDHCPLab(t *testing.T) {
	n := lab(t, "dhcp", 3)
	n.Run(5 * time.Second)
	if registered(n, "hub", "10.255.0.11") {
		t.Fatal("a spoke without an address has registered")
	}
	n.Router("spoke1").SetLease("Ethernet0", lease("198.51.100.50/24", "198.51.100.254"))
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
}

// The first packet of each direction and each later one is answered: nothing is lost while a way is looked for.
func TestNothingLostOnTheWayToDirect(t *testing.T) {
	for _, name := range []string{"phase2", "phase3"} {
		t.Run(name, func(t *testing.T) {
			n := lab(t, name, 4)
			converge(t, n, "hub")
			for k := range 200 {
				if r := n.Ping("host1", "10.2.0.7"); !r.OK {
					t.Fatalf("ping %d: %v", k, r)
				}
				n.Run(20 * time.Millisecond)
			}
		})
	}
}

// What the box's own programs send through its tunnel goes the same ways.
func TestTunnelOfTheBoxItself(t *testing.T) {
	n := lab(t, "phase3", 5)
	converge(t, n, "hub")
	ping(t, n, "spoke1", "10.255.0.1", "hub")
	ping(t, n, "hub", "10.255.0.11", "spoke1")
	from := PingOptions{Source: n.addr("10.1.0.1")}
	for range 10 {
		r := n.Ping("spoke1", "10.2.0.1", from)
		if !r.OK {
			t.Fatal(r)
		}
		if Same(r.Out, "spoke2") && Same(r.Back, "spoke1") {
			return
		}
		n.Run(time.Second)
	}
	t.Error("the spokes' own packets never take the direct way")
}

// One seed, one outcome: to the bit and to the nanosecond.
func TestDeterministic(t *testing.T) {
	run := func(seed uint64) uint64 {
		n := lab(t, "phase3", seed)
		for _, l := range n.links {
			l.SetLoss(0.1)
		}
		n.Run(20 * time.Second)
		for range 20 {
			n.Ping("host1", "10.2.0.7")
			n.Ping("host2", "10.1.0.7")
		}
		n.Run(5 * time.Minute)
		return n.Digest()
	}
	a := run(7)
	for range 3 {
		if b := run(7); b != a {
			t.Fatal("two runs of one seed differ")
		}
	}
	if b := run(8); b == a {
		t.Error("another seed gives the same run")
	}
}
