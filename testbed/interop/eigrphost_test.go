package interop

import (
	"strings"
	"testing"
	"time"
)

// FRR's eigrpd beside naved, over nave's tunnels, with nave forwarding by the kernel's routes; see scenarios/eigrp-host.
func TestEIGRPHost(t *testing.T) {
	t.Parallel()
	s := Start(t, "eigrp-host")
	if out, err := s.Guests["frr1"].Run(eigrpd + "eigrp_start"); err != nil || out != "" {
		t.Fatal(out, err)
	}
	spoke3 := s.StartFRR(t, "spoke3")
	hub := s.StartFRR(t, "hub")
	hub.says(t, "eigrpd", "show ip eigrp neighbors", eigrpFRR1+" ", eigrpSpoke3+" ")
	s.guestSays(t, "frr1", "show ip eigrp neighbors", eigrpHub+" ")
	taken := func() {
		t.Helper()
		inKernel(t, s.NS("hub"), "10.1.0.0/24", byEIGRP, eigrpFRR1)
		inKernel(t, s.NS("hub"), "10.3.0.0/24", byEIGRP, eigrpSpoke3)
		inKernel(t, s.NS("spoke3"), "10.0.0.0/24", byEIGRP, eigrpHub)
		s.has(t, "hub", "", "10.1.0.0/24", "kernel", 90, eigrpFRR1)
		s.has(t, "hub", "", "10.3.0.0/24", "kernel", 90, eigrpSpoke3)
		s.has(t, "spoke3", "", "10.0.0.0/24", "kernel", 90, eigrpHub)
	}
	taken()
	s.linuxForwards(t, "hub", "spoke3")
	s.rise(t, "hub", "Ethernet1", 3, func() {
		s.Reaches(t, "hub-host", "10.0.0.7", "10.3.0.7")
		s.Reaches(t, "hub-host", "10.0.0.7", "10.1.0.1")
		s.Reaches(t, "spoke3-host", "10.3.0.7", "10.0.0.7")
	})
	hub.Kill(t, "eigrpd") // one that ends by itself sends routes until the last moment, and zebra may keep them
	for _, p := range []string{"10.1.0.0/24", "10.3.0.0/24"} {
		notInKernel(t, s.NS("hub"), p)
		s.lacks(t, "hub", "", p)
	}
	s.Unanswered(t, "hub-host", "10.0.0.7", "10.3.0.7") // without a route
	// 8.4 makes no adjacency with a neighbour that comes back before it was given up, now and then; and one that has given a
	// neighbour up may keep a path by it as one by 0.0.0.0, which zebra then installs beside the new one. So spoke3, whose
	// kernel is looked at, starts afresh.
	stands(t, "frr1 gives the hub up", func() (bool, error) {
		out, err := s.Guests["frr1"].VTY("show ip eigrp neighbors")
		return !strings.Contains(out, eigrpHub+" "), err
	})
	spoke3.Kill(t, "eigrpd")
	notInKernel(t, s.NS("spoke3"), "10.0.0.0/24")
	s.lacks(t, "spoke3", "", "10.0.0.0/24")
	spoke3.Run(t, "eigrpd")
	hub.Run(t, "eigrpd")
	taken()
	s.Reaches(t, "hub-host", "10.0.0.7", "10.3.0.7")
}

// EIGRP over a protected tunnel, with FRR behind strongSwan; see scenarios/eigrp-secure.
func TestEIGRPSecure(t *testing.T) {
	t.Parallel()
	s := Start(t, "eigrp-secure")
	s.startEIGRP(t, "frr1", "10.1.0.0/24", eigrpFRR1, eigrpSpoke3)
	s.has(t, "spoke3", "", "10.1.0.0/24", "eigrp", 90, eigrpHub)
	s.guestSays(t, "frr1", "show ip route eigrp", "10.0.0.0/24", "10.3.0.0/24")
	s.Reaches(t, "hub-host", "10.0.0.7", "10.1.0.1")
	s.Reaches(t, "frr1", "10.1.0.1", "10.3.0.7")
	if leaks := s.Wire.InClear(time.Time{}); len(leaks) > 0 {
		t.Errorf("%d packets in clear; the first: %s", len(leaks), leaks[0])
	}
}
