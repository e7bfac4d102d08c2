package interop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	twinHub    = "10.255.0.1"
	twinHubLSR = "10.9.9.1"
	twinFRR    = "10.255.0.13"
	twinSpoke4 = "10.255.0.14"
	rdRed      = "65000:1"
	rdBlue     = "65000:2"
)

// FRR's bgpd and ldpd as spoke of a nave hub, over the tunnel of a naved beside them; see scenarios/twin-client.
func TestTwinClient(t *testing.T) {
	t.Parallel()
	s := Start(t, "twin-client")
	if _, err := s.Run("spoke3", "ip", "addr", "add", "10.13.0.1/24", "dev", "lo"); err != nil {
		t.Fatal(err)
	}
	f := s.StartFRR(t, "spoke3")
	twinPasswords(t, s, f)
	labels := given{}
	twinRoutes(t, s, f, labels)
	twinBindings(t, s, f, labels)
	twinWithdrawals(t, s, f)
	twinHubRestart(t, s, f, labels)
}

// twinPasswords: FRR has another password for both protocols, then the right one of BGP, then both.
func twinPasswords(t *testing.T, s *Scenario, f *HostFRR) {
	t.Helper()
	bgp := func() (bool, error) { return f.Established(twinHub) }
	ldp := func() (bool, error) { return f.Operational(twinHubLSR) }
	refused := func(what string, before int) {
		t.Helper()
		stands(t, "segments of "+what+" are refused", func() (bool, error) { return s.md5Failures(t, "hub", "spoke3") > before, nil })
	}
	never := func(what string, up func() (bool, error)) {
		t.Helper()
		if ok, err := up(); ok || err != nil {
			t.Fatalf("%s has a session in spite of another password (%v)", what, err)
		}
	}
	stands(t, "ldpd has heard a Hello", func() (bool, error) {
		out, err := f.VTY("ldpd", "show mpls ldp discovery")
		return strings.Contains(out, twinHubLSR), err
	})
	refused("BGP or LDP", 0)
	never("BGP", bgp)
	f.Set(t, "bgpd", "router bgp 65000", "neighbor "+twinHub+" password bgp-secret")
	stands(t, "BGP", bgp)
	before := s.md5Failures(t, "hub", "spoke3")                                     // BGP's are right from now on
	f.Set(t, "ldpd", "mpls ldp", "neighbor "+twinHubLSR+" password a-third-secret") // it tries again at once
	refused("LDP", before)
	never("LDP", ldp)
	f.Set(t, "ldpd", "mpls ldp", "neighbor "+twinHubLSR+" password ldp-secret")
	stands(t, "LDP", ldp)
	s.says(t, "hub", "mpls ldp neighbor", twinFRR+":0", "MD5 on")
}

// learned waits until FRR has a VPN prefix with a next hop and a label, and notes that.
func (f *HostFRR) learned(t *testing.T, labels given, rd, prefix, hop string) (p *VPNPath) {
	t.Helper()
	Soon(t, func() (err error) {
		if p, err = f.VPNPath(rd, prefix); err == nil && (p == nil || p.NextHop != hop || p.Label < 16) {
			err = fmt.Errorf("FRR has not got %s %s by %s, but %+v", rd, prefix, hop, p)
		}
		return err
	})
	if labels != nil {
		labels.note(t, p.Label, rd+" "+prefix)
	}
	return p
}

// forgotten waits until FRR has nothing for a VPN prefix.
func (f *HostFRR) forgotten(t *testing.T, rd, prefix string) {
	t.Helper()
	Soon(t, func() error {
		p, err := f.VPNPath(rd, prefix)
		if err == nil && p != nil {
			err = fmt.Errorf("FRR still has %s %s: %+v", rd, prefix, *p)
		}
		return err
	})
}

// twinRoutes: VPN routes both ways, and what they make of packets.
func twinRoutes(t *testing.T, s *Scenario, f *HostFRR, labels given) {
	t.Helper()
	f.learned(t, labels, rdRed, "172.16.9.0/24", twinHub) // the hub's own: a label for the VRF, or for the prefix
	for rd, vrf := range map[string]string{rdRed: "red", rdBlue: "blue"} {
		theirs := s.routed(t, "hub", vrf, "172.16.4.0/24", twinSpoke4)
		p := f.learned(t, labels, rd, "172.16.4.0/24", twinHub)
		if p.Originator == "" {
			t.Errorf("%s's route is reflected without an originator: %+v", vrf, *p)
		}
		s.swaps(t, "hub", p.Label, twinSpoke4, theirs)
	}
	start := time.Now()
	for _, c := range []struct {
		vrf, from string
		label     uint32 // FRR's
	}{{"red", "spoke4-host", 1001}, {"blue", "spoke4-host2", 1002}} {
		if got := s.routed(t, "hub", c.vrf, "172.16.3.0/24", twinFRR); got != c.label {
			t.Errorf("the hub has label %d for %s's 172.16.3.0/24, FRR gave it %d", got, c.vrf, c.label)
		}
		ours := s.routed(t, "spoke4", c.vrf, "172.16.3.0/24", twinHub)
		s.swaps(t, "hub", ours, twinFRR, c.label)
		stands(t, "packets with the hub's label and then with FRR's", func() (bool, error) {
			_ = s.vrfPing(c.from, "", "172.16.3.1") // there is no answer: the machine's kernel knows no labels
			in, out := s.labelledTo(start, "192.0.2.14", "192.0.2.1", "172.16.3.1"), s.labelledTo(start, "192.0.2.1", "192.0.2.13", "172.16.3.1")
			has := func(stacks [][]uint32, label uint32) bool {
				return slices.ContainsFunc(stacks, func(o []uint32) bool { return slices.Equal(o, []uint32{label}) })
			}
			return has(in, ours) && has(out, c.label), nil
		})
	}
	if bare := s.Wire.bare(start, vpnNet); len(bare) > 0 {
		t.Errorf("%d packets of a VPN without a label: %v", len(bare), bare[:min(3, len(bare))])
	}
}

// bound waits until FRR has a binding of the hub's for a prefix, notes it, and returns it.
func (f *HostFRR) bound(t *testing.T, labels given, prefix string) (label string) {
	t.Helper()
	Soon(t, func() error {
		all, err := f.LDPBindings(twinHubLSR)
		if label = all[prefix].Remote; err == nil && (label == "" || label == "-") {
			err = fmt.Errorf("FRR has no label of the hub's for %s: %+v", prefix, all)
		}
		return err
	})
	if label == "imp-null" {
		return label
	}
	n, err := strconv.ParseUint(label, 10, 20)
	if err != nil {
		t.Fatalf("FRR's label for %s: %v", prefix, err)
	}
	labels.note(t, uint32(n), prefix)
	return label
}

// twinBindings: LDP's labels both ways.
func twinBindings(t *testing.T, s *Scenario, f *HostFRR, labels given) {
	t.Helper()
	for prefix, null := range map[string]bool{"10.9.9.1/32": true, "10.255.0.0/24": true, "10.13.0.0/24": false, "10.14.0.0/24": false} {
		if got := f.bound(t, labels, prefix); (got == "imp-null") != null {
			t.Errorf("FRR has the hub's label %s for %s", got, prefix)
		}
	}
	for prefix, null := range map[string]bool{"10.13.0.0/24": true, "10.255.0.0/24": true, "10.33.0.0/24": false} {
		stands(t, "the hub has FRR's label for "+prefix, func() (bool, error) {
			_, remote, inUse, ok, err := s.LDPBinding("hub", twinFRR, prefix)
			if ok && (remote == implicitNull) != null {
				t.Fatalf("the hub has FRR's label %d for %s", remote, prefix)
			}
			// used where it is the next hop of a route
			return ok && inUse == (prefix == "10.13.0.0/24"), err
		})
	}
	local, _, _, _, err := s.LDPBinding("hub", twinFRR, "10.13.0.0/24")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.bound(t, labels, "10.13.0.0/24"); got != fmt.Sprint(local) {
		t.Errorf("FRR has label %s of the hub's for 10.13.0.0/24, the hub says %d", got, local)
	}
	s.swaps(t, "hub", local, twinFRR)
}

// twinWithdrawals: routes and bindings go, at either end, and others stay.
func twinWithdrawals(t *testing.T, s *Scenario, f *HostFRR) {
	t.Helper()
	network := "network 172.16.3.0/24 rd " + rdBlue + " label 1002"
	f.Set(t, "bgpd", "router bgp 65000", "address-family ipv4 vpn", "no "+network)
	s.unrouted(t, "hub", "blue", "172.16.3.0/24")
	s.unrouted(t, "spoke4", "blue", "172.16.3.0/24")
	s.routed(t, "spoke4", "red", "172.16.3.0/24", twinHub)
	f.Set(t, "bgpd", "router bgp 65000", "address-family ipv4 vpn", network+" route-map BLUE")
	s.routed(t, "spoke4", "blue", "172.16.3.0/24", twinHub)

	spoke4, _ := s.Topology.Node("spoke4")
	silent := strings.Replace(spoke4.Config, "ipv4 vrf blue\n  redistribute connected\n", "ipv4 vrf blue\n", 1)
	if silent == spoke4.Config {
		t.Fatal("the configuration of spoke4 is another one than this test knows")
	}
	if err := s.Configure("spoke4", silent); err != nil {
		t.Fatal(err)
	}
	f.forgotten(t, rdBlue, "172.16.4.0/24")
	f.learned(t, nil, rdRed, "172.16.4.0/24", twinHub)
	if err := s.Configure("spoke4", spoke4.Config); err != nil {
		t.Fatal(err)
	}
	f.learned(t, nil, rdBlue, "172.16.4.0/24", twinHub)

	if _, err := s.Run("spoke3", "ip", "addr", "del", "10.13.0.1/24", "dev", "lo"); err != nil {
		t.Fatal(err)
	}
	stands(t, "the hub has no label of FRR's for 10.13.0.0/24", func() (bool, error) {
		_, _, _, ok, err := s.LDPBinding("hub", twinFRR, "10.13.0.0/24")
		return !ok, err
	})
	if _, _, _, ok, err := s.LDPBinding("hub", twinFRR, "10.33.0.0/24"); !ok || err != nil {
		t.Errorf("the label for 10.33.0.0/24 went, too (%v)", err)
	}
	if _, err := s.Run("spoke3", "ip", "addr", "add", "10.13.0.1/24", "dev", "lo"); err != nil {
		t.Fatal(err)
	}
}

// twinHubRestart: the hub's naved is killed, and another one takes over; then there are new prefixes.
func twinHubRestart(t *testing.T, s *Scenario, f *HostFRR, labels given) {
	t.Helper()
	sessions, err := f.Sessions(twinHub)
	if err != nil {
		t.Fatal(err)
	}
	kept := f.kept(t, twinHub)
	holds := func() error {
		for rd, prefix := range map[string]string{rdRed: "172.16.9.0/24", rdBlue: "172.16.4.0/24"} {
			p, err := f.VPNPath(rd, prefix)
			if err != nil {
				return err
			}
			if p == nil {
				return fmt.Errorf("FRR has given up %s %s", rd, prefix)
			}
			labels.note(t, p.Label, rd+" "+prefix)
		}
		return nil
	}
	s.restart(t, "hub", holds, f.back(twinHub, sessions))
	stands(t, "FRR has kept routes of the hub's when the session broke", func() (bool, error) { return f.kept(t, twinHub) > kept, nil })
	stands(t, "LDP is back", func() (bool, error) {
		var all []struct{ Peer, State string }
		err := s.show("hub", "mpls ldp neighbor", &all)
		return slices.Contains(all, struct{ Peer, State string }{twinFRR + ":0", "operational"}), err
	})
	stands(t, "ldpd is back", func() (bool, error) { return f.Operational(twinHubLSR) })
	for _, prefix := range []string{"10.13.0.0/24", "10.14.0.0/24"} {
		f.bound(t, labels, prefix)
	}
	// Prefixes that were not there before have labels that were not, either.
	for router, lines := range map[string]string{
		"hub":    "ip route 10.15.0.0 255.255.255.0 10.255.0.14\n",
		"spoke4": "interface Loopback5\n ip vrf forwarding red\n ip address 172.16.44.1 255.255.255.0\n!\n",
	} {
		n, _ := s.Topology.Node(router)
		if err := s.Configure(router, strings.Replace(n.Config, "\nend\n", "\n"+lines+"end\n", 1)); err != nil {
			t.Fatal(err)
		}
	}
	f.learned(t, labels, rdRed, "172.16.44.0/24", twinHub)
	f.bound(t, labels, "10.15.0.0/24")
	for rd, prefixes := range map[string][]string{rdRed: {"172.16.9.0/24", "172.16.4.0/24"}, rdBlue: {"172.16.4.0/24"}} {
		for _, prefix := range prefixes {
			stands(t, prefix+" is not stale", func() (bool, error) {
				p, err := f.VPNPath(rd, prefix)
				return p != nil && !p.Stale, err
			})
			f.learned(t, labels, rd, prefix, twinHub)
		}
	}
	s.routed(t, "spoke4", "blue", "172.16.3.0/24", twinHub)
}
