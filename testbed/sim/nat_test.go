package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nave/testbed/labs"
	"nave/testbed/topo"
)

// behindNAT is the phase 3 lab under protection, with spoke1 behind a NAT whose outside address is 192.88.99.9.
func behindNAT(t *testing.T, seed uint64, crypto string) (*Net, *Node) {
	t.Helper()
	l, err := labs.Find("phase3")
	if err != nil {
		t.Fatal(err)
	}
	n := New(t, seed)
	n.AddInternet("internet")
	nat := n.AddNAT("nat", "192.88.99.9", "192.88.99.254")
	for _, d := range l.Topology.Nodes {
		switch d.Kind {
		case topo.Router:
			n.AddRouter(d.Name, strings.Replace(crypto+d.Config, " tunnel key 700\n", " tunnel key 700\n"+protection, 1))
		case topo.Host:
			n.AddHost(d.Name, d.Gateway)
		}
	}
	c := LinkConfig{Delay: 10 * time.Millisecond}
	n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", c)
	n.Connect("spoke2:Ethernet0", "internet:203.0.113.254/24", c)
	n.Connect("nat:192.88.99.9/24", "internet:192.88.99.254/24", c)
	n.Connect("spoke1:Ethernet0", "nat:198.51.100.254/24", c)
	for i := 1; i <= 2; i++ {
		n.Connect(fmt.Sprintf("spoke%d:Ethernet1", i), fmt.Sprintf("host%d:10.%d.0.7/24", i, i), c)
	}
	count := clearPackets(n)
	t.Cleanup(func() {
		if *count != 0 {
			t.Errorf("%d packets left in clear", *count)
		}
	})
	return n, nat
}

// A spoke behind NAT: its ESP is in UDP, and NHRP knows it by the NAT's address.
func TestProtectedBehindNAT(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := behindNAT(t, 61, crypto)
		converge(t, n, "hub")
		s, ok := secured(n, "hub")["192.88.99.9"]
		if !ok || s.Port < firstNATPort {
			t.Fatalf("the hub's sessions: %+v", secured(n, "hub"))
		}
		for range 100 { // by the hub first, direct when spoke1 has asked spoke2
			if r := n.Ping("host1", "10.2.0.7"); !r.OK {
				t.Fatalf("at %v: %v", n.Now().Sub(epoch), r)
			}
			n.Run(time.Second)
		}
		for _, size := range []int{1400, 1500, 4000} {
			if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: size}); !r.OK {
				t.Errorf("%d bytes: %v", size, r)
			}
		}
		// Nothing is said for a while: keepalives hold the NAT's mapping, and the hub can speak first.
		n.Run(10 * time.Minute)
		if r := n.Ping("hub", "10.1.0.7"); !r.OK {
			t.Errorf("the hub to host1: %v", r)
		}
	})
}

// The NAT box restarts and gives other ports, then another address: the session follows the first packet, and no other session is made.
func TestProtectedNATRebinds(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, nat := behindNAT(t, 62, crypto)
		converge(t, n, "hub")
		before := secured(n, "hub")["192.88.99.9"]
		nat.Rebind()
		n.Ping("host1", "10.255.0.1")
		if r := n.Ping("host1", "10.255.0.1"); !r.OK {
			t.Errorf("after other ports: %v", r)
		}
		after := secured(n, "hub")["192.88.99.9"]
		if before.Since.IsZero() || after.Since != before.Since || after.Port == before.Port {
			t.Errorf("the session, before: %+v, after: %+v", before, after)
		}
		if r := n.Ping("hub", "10.1.0.7"); !r.OK {
			t.Errorf("the hub to host1: %v", r)
		}
		nat.SetOutside("192.88.99.77")
		n.Ping("host1", "10.255.0.1")
		n.Until(time.Minute, "the session follows to another address", func() bool { return n.Ping("host1", "10.255.0.1").OK })
		if r := n.Ping("hub", "10.1.0.7"); !r.OK {
			t.Errorf("the hub to host1: %v", r)
		}
		n.Until(5*time.Minute, "NHRP knows the new address", func() bool { return strings.Contains(n.Show("hub", "show dmvpn"), "192.88.99.77") })
		for range 60 {
			if r := n.Ping("host1", "10.255.0.1"); !r.OK {
				t.Errorf("at %v: %v", n.Now().Sub(epoch), r)
			}
			n.Run(5 * time.Second)
		}
	})
}
