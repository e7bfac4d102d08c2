package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	ospfHub    = "10.255.0.1"
	ospfSpoke3 = "10.255.0.13"
	ospfSpoke4 = "10.255.0.14"
	ospfSpoke5 = "10.255.0.15"
)

// FRR's ospfd beside naved, over nave's tunnels; see scenarios/ospf-host.
func TestOSPFHost(t *testing.T) {
	t.Parallel()
	s := Start(t, "ospf-host")
	s.addAddress(t, "hub-host", "10.40.0.1/24")
	s.addAddress(t, "spoke3-host2", "172.16.34.1/24")
	hub, spoke3, spoke4 := s.StartFRR(t, "hub"), s.StartFRR(t, "spoke3"), s.StartFRR(t, "spoke4")
	red, customer := s.StartVRF(t, "spoke3", "red"), s.StartFRR(t, "spoke3-host2")
	bgp := s.StartFRR(t, "hub-host")
	for _, step := range []struct {
		name string
		f    func(t *testing.T)
	}{
		{"neighbors", func(t *testing.T) {
			hub.full(t, 2)
			spoke3.full(t, 1)
			spoke4.full(t, 1)
			red.full(t, 1)
			customer.full(t, 1)
		}},
		{"routes", func(t *testing.T) { ospfRoutes(t, s) }},
		{"told on", func(t *testing.T) { ospfToldOn(t, s, bgp) }},
		{"told to ospfd", func(t *testing.T) { toldToOSPF(t, s) }},
		{"VRF", func(t *testing.T) { ospfInVRF(t, s) }},
		{"killed", func(t *testing.T) { ospfKilled(t, s, hub, spoke4) }},
		{"tshark", func(t *testing.T) {
			if seen := s.Wire.eigrpWellFormed(t, ospfHub, ospfSpoke5); seen["update classic external"] == 0 || seen["query classic unreachable"]+seen["query classic external unreachable"] == 0 {
				t.Errorf("the hub has not told of external routes, and of their end: %v", seen)
			}
		}},
	} {
		t.Run(step.name, step.f)
	}
}

// full waits until a daemon has this many neighbours that are Full.
func (f *HostFRR) full(t *testing.T, n int) {
	t.Helper()
	Soon(t, func() error {
		out, err := f.VTY("ospfd", "show ip ospf neighbor")
		if have := strings.Count(out, " Full/"); err == nil && have != n {
			err = fmt.Errorf("%s has %d neighbours that are Full and not %d:\n%s", f.Node, have, n, out)
		}
		return err
	})
}

// ospfRoutes: ospfd's routes are in the kernel and in nave, which forwards by them.
func ospfRoutes(t *testing.T, s *Scenario) {
	for _, r := range []struct{ router, prefix, hop string }{
		{"hub", "10.3.0.0/24", ospfSpoke3}, {"hub", "10.4.0.0/24", ospfSpoke4}, {"spoke3", "10.4.0.0/24", ospfHub}, {"spoke4", "10.3.0.0/24", ospfHub},
	} {
		inKernel(t, s.NS(r.router), r.prefix, byOSPF, r.hop)
		s.has(t, r.router, "", r.prefix, "kernel", 110, r.hop)
	}
	s.linuxForwards(t, "hub", "spoke3", "spoke4")
	s.rise(t, "hub", "Tunnel0", 4, func() {
		s.rise(t, "spoke3", "Ethernet1", 2, func() {
			s.Reaches(t, "spoke3-host", "10.3.0.7", "10.4.0.7")
			s.Reaches(t, "spoke4-host", "10.4.0.7", "10.3.0.7")
		})
	})
}

// ospfToldOn: nave's EIGRP and BGP tell of the kernel's routes.
func ospfToldOn(t *testing.T, s *Scenario, bgp *HostFRR) {
	s.has(t, "spoke5", "", "10.3.0.0/24", "eigrp", 170, ospfHub)
	s.has(t, "spoke5", "", "10.4.0.0/24", "eigrp", 170, ospfHub)
	bgp.says(t, "bgpd", "show bgp ipv4 unicast", "10.3.0.0/24", "10.4.0.0/24")
	s.says(t, "hub", "ip eigrp topology", "10.3.0.0/24")
}

// toldToOSPF: what nave has by EIGRP and BGP is in the kernel, and ospfd tells of it.
func toldToOSPF(t *testing.T, s *Scenario) {
	s.has(t, "hub", "", "10.5.0.0/24", "eigrp", 90, ospfSpoke5)
	s.has(t, "hub", "", "10.40.0.0/24", "bgp", 200, "10.0.0.7")
	inKernel(t, s.NS("hub"), "10.5.0.0/24", byNave, "") // by the tunnel: who is behind it nave knows
	inKernel(t, s.NS("hub"), "10.40.0.0/24", byNave, "10.0.0.7")
	for _, r := range []string{"spoke3", "spoke4"} {
		for _, p := range []string{"10.5.0.0/24", "10.40.0.0/24"} {
			inKernel(t, s.NS(r), p, byOSPF, ospfHub)
			s.has(t, r, "", p, "kernel", 110, ospfHub)
		}
	}
	s.Reaches(t, "spoke3-host", "10.3.0.7", "10.40.0.1")
	s.Reaches(t, "spoke4-host", "10.4.0.7", "10.5.0.7")
	s.Reaches(t, "spoke5-host", "10.5.0.7", "10.3.0.7")
}

// ospfInVRF: the same in the namespace of a VRF.
func ospfInVRF(t *testing.T, s *Scenario) {
	s.has(t, "spoke3", "red", "172.16.34.1/32", "kernel", 110, "172.16.3.7") // of a loopback ospfd tells the address
	s.lacks(t, "spoke3", "", "172.16.34.1/32")
	inKernel(t, s.NS("spoke3-host2"), "172.16.33.1/32", byOSPF, "172.16.3.2")
	s.Reaches(t, "spoke3-host2", "172.16.34.1", "172.16.33.1")
}

// ospfKilled: spoke4's ospfd is killed; its routes go when its neighbours find it dead, and come back with it.
func ospfKilled(t *testing.T, s *Scenario, hub, spoke4 *HostFRR) {
	spoke4.Kill(t, "ospfd")
	killed := time.Now()
	hub.full(t, 1)
	s.lacks(t, "hub", "", "10.4.0.0/24")
	notInKernel(t, s.NS("hub"), "10.4.0.0/24")
	s.lacks(t, "spoke3", "", "10.4.0.0/24")
	s.lacks(t, "spoke5", "", "10.4.0.0/24")
	t.Logf("away everywhere %v after ospfd was killed; it is dead after 6 s", time.Since(killed).Round(100*time.Millisecond))
	spoke4.Run(t, "ospfd")
	hub.full(t, 2)
	s.has(t, "hub", "", "10.4.0.0/24", "kernel", 110, ospfSpoke4)
	s.has(t, "spoke5", "", "10.4.0.0/24", "eigrp", 170, ospfHub)
	s.Reaches(t, "spoke3-host", "10.3.0.7", "10.4.0.7")
}
