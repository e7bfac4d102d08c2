package sim

import (
	"slices"
	"testing"
	"time"

	"nave/fastpath"
	"nave/testbed/labs"
)

// narrow is the phase 3 lab with an internet link to spoke 2 that takes little.
func narrow(t *testing.T, mtu int) *Net {
	t.Helper()
	l, err := labs.Find("phase3")
	if err != nil {
		t.Fatal(err)
	}
	for k := range l.Topology.Links {
		if p := l.Topology.Links[k].A; p.Node == "spoke2" && p.Iface == "Ethernet0" {
			l.Topology.Links[k].MTU = mtu
		}
	}
	return FromTopology(t, 21, l.Topology, LinkConfig{})
}

func TestTooLargeWithDF(t *testing.T) {
	n := lab(t, "phase3", 20)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1500, DF: true})
	if e := r.Error; e == nil || e.Type != 3 || e.Code != 4 || e.MTU != 1400 || e.From.String() != "10.1.0.1" {
		t.Errorf("1500 bytes with DF into a tunnel of ip mtu 1400: %v", r)
	}
	for _, size := range []int{1400, 1399} {
		if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: size, DF: true}); !r.OK {
			t.Errorf("%d bytes with DF: %v", size, r)
		}
	}
	if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1401, DF: true}); r.OK || r.Error == nil || r.Error.MTU != 1400 {
		t.Errorf("1401 bytes with DF: %v", r)
	}
}

// What the box itself sends is told to its own host stack.
func TestTooLargeFromTheBox(t *testing.T) {
	n := lab(t, "phase3", 24)
	converge(t, n, "hub")
	r := n.Ping("spoke1", "10.255.0.1", PingOptions{Size: 1450, DF: true})
	if r.Error == nil || r.Error.Type != 3 || r.Error.Code != 4 || r.Error.MTU != 1400 {
		t.Errorf("1450 bytes with DF from the box: %v", r)
	}
	if r := n.Ping("spoke1", "10.255.0.1", PingOptions{Size: 1450}); !r.OK {
		t.Errorf("1450 bytes without DF from the box: %v", r)
	}
}

func TestTooLargeWithoutDF(t *testing.T) {
	n := lab(t, "phase3", 20)
	converge(t, n, "hub")
	ping(t, n, "host1", "10.2.0.7", "spoke1", "hub", "spoke2") // of a fragmented packet, ARP keeps one piece
	for _, size := range []int{1401, 1480, 1500} {             // through the hub, then directly
		if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: size}); !r.OK {
			t.Errorf("%d bytes: %v", size, r)
		}
	}
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	pieces := 0
	n.Tap(func(c Crossing) {
		if ip, tunnel := Inner(c.Frame); tunnel && c.To == "spoke2" && ip.IsFragment() {
			pieces++
		}
	})
	if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1500}); !r.OK || pieces != 2 {
		t.Errorf("1500 bytes: %v, in %d fragments inside the tunnel", r, pieces)
	}
	// The hosts check the ICMP checksum over all of it: what arrives is what was sent.
	for _, got := range n.Received("host2") {
		if !slices.Contains([]int{84, 1401, 1480, 1500}, len(got.Packet)) {
			t.Errorf("host 2 got %d bytes", len(got.Packet))
		}
	}
}

// An internet that cuts tunnel packets: the outer packet is put together again, in the slow path.
func TestOuterFragments(t *testing.T) {
	n := narrow(t, 1300)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	before := n.Router("spoke2").Counters().Reasons[fastpath.Fragment]
	r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1400, DF: true})
	if !r.OK {
		t.Fatalf("1400 bytes over an internet link of MTU 1300: %v", r)
	}
	if got := n.Router("spoke2").Counters().Reasons[fastpath.Fragment] - before; got != 2 {
		t.Errorf("spoke 2 put together %d fragments, want 2", got)
	}
	// The answer leaves by a port that is too narrow for it, in fragments too.
	if got := n.Router("spoke1").Counters().Reasons[fastpath.Fragment]; got != 2 {
		t.Errorf("spoke 1 put together %d fragments, want 2", got)
	}
	if s := n.Status("spoke2").Router.Reassembly; s.Reassembled == 0 {
		t.Errorf("reassembly: %+v", s)
	}
	// Half a packet is forgotten, and does no harm.
	lost := 0
	n.Link("spoke2", "Ethernet0").SetLose(func(f []byte) bool {
		if ip, _ := Inner(f); ip != nil && ip.IsFragment() && lost == 0 {
			lost++
			return true
		}
		return false
	})
	if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1400, DF: true}); r.OK {
		t.Errorf("answered though a fragment was lost: %v", r)
	}
	n.Link("spoke2", "Ethernet0").SetLose(nil)
	if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1400, DF: true}); !r.OK {
		t.Errorf("after a lost fragment: %v", r)
	}
}

func TestPathMTUDiscovery(t *testing.T) {
	n := narrow(t, 1300)
	n.Run(time.Millisecond)
	n.Router("spoke1").Edit(" tunnel key 700\n", " tunnel key 700\n tunnel path-mtu-discovery\n")
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	const fits = 1300 - 28 // GRE with a key, and IPv4
	big := PingOptions{Size: 1400, DF: true}
	if r := n.Ping("host1", "10.2.0.7", big); r.OK {
		t.Fatalf("the outer packet had no DF: %v", r)
	}
	r := n.Ping("host1", "10.2.0.7", big)
	if r.Error == nil || r.Error.MTU != fits || r.Error.From.String() != "10.1.0.1" {
		t.Errorf("after the internet's answer: %v, want fragmentation needed with MTU %d", r, fits)
	}
	if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: fits, DF: true}); !r.OK {
		t.Errorf("%d bytes with DF: %v", fits, r)
	}
	if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1400}); !r.OK {
		t.Errorf("1400 bytes without DF: %v", r)
	}
	// The way to the hub is another one.
	if r := n.Ping("host1", "10.255.0.1", big); !r.OK {
		t.Errorf("1400 bytes to the hub: %v", r)
	}
	n.Run(11 * time.Minute)
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	if r := n.Ping("host1", "10.2.0.7", big); r.Error != nil && r.Error.From.String() == "10.1.0.1" {
		t.Errorf("a learned path MTU is believed for ever: %v", r)
	}
}

func TestTraceroute(t *testing.T) {
	n := lab(t, "phase3", 22)
	converge(t, n, "hub")
	// The third probe goes through the hub and brings about the shortcut; before it, the hub is seen.
	if hops := n.Trace("host1", "10.2.0.7", 2); !Same(hops, "10.1.0.1", "10.255.0.1") {
		t.Errorf("the first two hops: %v", hops)
	}
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	if hops := n.Trace("host1", "10.2.0.7", 6); !Same(hops, "10.1.0.1", "10.255.0.12", "10.2.0.7") {
		t.Errorf("directly: %v", hops)
	}
}

func TestNoRoute(t *testing.T) {
	n := lab(t, "phase3", 23)
	n.Run(time.Millisecond)
	n.Router("spoke1").Edit("ip route 0.0.0.0 0.0.0.0 198.51.100.254\n", "ip route 192.0.2.0 255.255.255.0 198.51.100.254\nip route 203.0.113.0 255.255.255.0 198.51.100.254\nip route 172.31.0.0 255.255.0.0 Null0\n")
	converge(t, n, "hub")
	if r := n.Ping("host1", "172.16.0.1"); r.Error == nil || r.Error.Type != 3 || r.Error.Code != 0 {
		t.Errorf("no route: %v, want net unreachable", r)
	}
	if r := n.Ping("host1", "172.31.0.1"); r.OK || r.Error != nil {
		t.Errorf("Null0: %v, want silence", r)
	}
	if r := n.Ping("host2", "10.2.0.9", PingOptions{Timeout: 5 * time.Second}); r.OK {
		t.Errorf("nobody has 10.2.0.9: %v", r)
	}
	// A host that does not answer: the router on its link says so, after three seconds.
	r := n.Ping("host1", "10.2.0.9", PingOptions{Timeout: 10 * time.Second})
	if r.Error == nil || r.Error.Type != 3 || r.Error.Code != 1 {
		t.Errorf("a host that is not there: %v, want host unreachable", r)
	}
}
