package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// FRR's bgpd as route reflector of nave spokes, over the tunnel of a naved beside it; see scenarios/twin-reflector.
func TestTwinReflector(t *testing.T) {
	t.Parallel()
	s := Start(t, "twin-reflector")
	f := s.StartFRR(t, "hub")
	labels := given{}
	ends := map[string]string{"spoke3": twinFRR, "spoke4": twinSpoke4}
	prefixes := map[string]string{"spoke3": "172.16.3.0/24", "spoke4": "172.16.4.0/24"}
	for spoke, far := range map[string]string{"spoke3": "spoke4", "spoke4": "spoke3"} {
		for rd, vrf := range map[string]string{rdRed: "red", rdBlue: "blue"} {
			p := f.learned(t, nil, rd, prefixes[far], ends[far])
			if got := s.routed(t, spoke, vrf, prefixes[far], ends[far]); got != p.Label {
				t.Errorf("%s has label %d for %s in %s, FRR has %d of %s", spoke, got, prefixes[far], vrf, p.Label, far)
			}
			if far == "spoke3" {
				labels.note(t, p.Label, rd+" "+prefixes[far])
			}
		}
	}
	start := time.Now()
	s.reachesVPN(t, "spoke3-host", "", "172.16.4.7", "172.16.4.101")
	s.reachesVPN(t, "spoke4-host2", "", "172.16.3.7", "172.16.3.102")
	s.strangers(t, "spoke3-host", "", "172.16.4.102")
	s.strangers(t, "spoke4-host2", "", "172.16.3.101")
	for _, leg := range [][3]string{{"192.0.2.13", "192.0.2.14", "172.16.4.101"}, {"192.0.2.14", "192.0.2.13", "172.16.3.102"}} {
		s.oneLabel(t, start, leg[0], leg[1], leg[2])
	}
	reflectorWithdrawals(t, s, f)
	reflectorClientRestart(t, s, f, labels)
	reflectorRestart(t, s, f)
	if bare := s.Wire.bare(start, vpnNet); len(bare) > 0 {
		t.Errorf("%d packets of a VPN without a label: %v", len(bare), bare[:min(3, len(bare))])
	}
	s.labelsWellFormed(t)
}

// reflectorWithdrawals: a route of FRR's own, and one of a spoke's, come and go.
func reflectorWithdrawals(t *testing.T, s *Scenario, f *HostFRR) {
	t.Helper()
	network := "network 172.16.9.0/24 rd 65000:9 label 900"
	f.Set(t, "bgpd", "router bgp 65000", "address-family ipv4 vpn", network+" route-map RED")
	for _, spoke := range []string{"spoke3", "spoke4"} {
		if got := s.routed(t, spoke, "red", "172.16.9.0/24", twinHub); got != 900 {
			t.Errorf("%s has label %d of FRR's own for 172.16.9.0/24", spoke, got)
		}
		if r, err := s.VRFRoute(spoke, "blue", "172.16.9.0/24"); r != nil || err != nil {
			t.Errorf("%s has red's 172.16.9.0/24 in blue: %+v, %v", spoke, r, err)
		}
	}
	f.Set(t, "bgpd", "router bgp 65000", "address-family ipv4 vpn", "no "+network)
	s.unrouted(t, "spoke3", "red", "172.16.9.0/24")
	s.unrouted(t, "spoke4", "red", "172.16.9.0/24")

	spoke4, _ := s.Topology.Node("spoke4")
	silent := strings.Replace(spoke4.Config, "ipv4 vrf blue\n  redistribute connected\n", "ipv4 vrf blue\n", 1)
	if silent == spoke4.Config {
		t.Fatal("the configuration of spoke4 is another one than this test knows")
	}
	if err := s.Configure("spoke4", silent); err != nil {
		t.Fatal(err)
	}
	f.forgotten(t, rdBlue, "172.16.4.0/24")
	s.unrouted(t, "spoke3", "blue", "172.16.4.0/24")
	s.routed(t, "spoke3", "red", "172.16.4.0/24", twinSpoke4)
	if err := s.Configure("spoke4", spoke4.Config); err != nil {
		t.Fatal(err)
	}
	s.routed(t, "spoke3", "blue", "172.16.4.0/24", twinSpoke4)
}

// reflectorClientRestart: spoke3's naved is killed and taken over; FRR and spoke4 never are without its routes.
func reflectorClientRestart(t *testing.T, s *Scenario, f *HostFRR, labels given) {
	t.Helper()
	sessions, err := f.Sessions(twinFRR)
	if err != nil {
		t.Fatal(err)
	}
	kept := f.kept(t, twinFRR)
	holds := func() error {
		for rd, vrf := range map[string]string{rdRed: "red", rdBlue: "blue"} {
			p, err := f.VPNPath(rd, "172.16.3.0/24")
			if err != nil {
				return err
			}
			if p == nil {
				return fmt.Errorf("FRR has given up %s 172.16.3.0/24", rd)
			}
			labels.note(t, p.Label, rd+" 172.16.3.0/24")
			if r, err := s.VRFRoute("spoke4", vrf, "172.16.3.0/24"); err != nil || r == nil {
				return fmt.Errorf("spoke4 is without 172.16.3.0/24 in %s (%w)", vrf, err)
			}
		}
		return nil
	}
	s.restart(t, "spoke3", holds, f.back(twinFRR, sessions))
	stands(t, "FRR has kept routes of spoke3's when the session broke", func() (bool, error) { return f.kept(t, twinFRR) > kept, nil })
	// A network that was not there before has a label that was not, either.
	spoke3, _ := s.Topology.Node("spoke3")
	more := "interface Loopback5\n ip vrf forwarding red\n ip address 172.16.33.1 255.255.255.0\n!\n"
	if err := s.Configure("spoke3", strings.Replace(spoke3.Config, "\nend\n", "\n"+more+"end\n", 1)); err != nil {
		t.Fatal(err)
	}
	f.learned(t, labels, rdRed, "172.16.33.0/24", twinFRR)
	for _, rd := range []string{rdRed, rdBlue} {
		stands(t, "172.16.3.0/24 is not stale", func() (bool, error) {
			p, err := f.VPNPath(rd, "172.16.3.0/24")
			return p != nil && !p.Stale, err
		})
		f.learned(t, labels, rd, "172.16.3.0/24", twinFRR)
	}
	s.reachesVPN(t, "spoke4-host2", "", "172.16.3.102")
	s.reachesVPN(t, "spoke3-host", "", "172.16.4.101")
	s.strangers(t, "spoke4-host2", "", "172.16.3.101")
}

// stalePaths is how many of a router's VPN paths are stale.
func (s *Scenario) stalePaths(router string) (stale int, err error) {
	var all struct{ Paths []struct{ Stale bool } }
	err = s.show(router, "ip bgp vpnv4 all", &all)
	for _, p := range all.Paths {
		if p.Stale {
			stale++
		}
	}
	return stale, err
}

// reflectorRestart: bgpd is killed and started again; the spokes go on by what they have.
func reflectorRestart(t *testing.T, s *Scenario, f *HostFRR) {
	t.Helper()
	far := map[string]string{"spoke3": "172.16.4.0/24", "spoke4": "172.16.3.0/24"}
	holds := func() {
		t.Helper()
		for spoke, prefix := range far {
			for _, vrf := range []string{"red", "blue"} {
				if r, err := s.VRFRoute(spoke, vrf, prefix); err != nil || r == nil {
					t.Fatalf("%s has given up %s in %s (%v)", spoke, prefix, vrf, err)
				}
			}
		}
		if _, err := s.Run("spoke3-host", "ping", "-n", "-c", "1", "-W", "30", "172.16.4.101"); err != nil {
			t.Fatalf("while there is no reflector: %v", err)
		}
	}
	f.Kill(t, "bgpd")
	for spoke := range far {
		stands(t, spoke+" has stale paths", func() (bool, error) {
			holds()
			n, err := s.stalePaths(spoke)
			return n >= 2, err
		})
	}
	f.Run(t, "bgpd")
	for spoke := range far {
		stands(t, spoke+" has no stale paths", func() (bool, error) {
			holds()
			n, err := s.stalePaths(spoke)
			return n == 0, err
		})
	}
	for spoke, prefix := range map[string]string{twinFRR: "172.16.3.0/24", twinSpoke4: "172.16.4.0/24"} {
		stands(t, spoke+" is back", func() (bool, error) { return f.Established(spoke) })
		f.learned(t, nil, rdBlue, prefix, spoke)
	}
	holds()
}
