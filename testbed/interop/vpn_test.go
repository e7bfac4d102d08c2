package interop

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// vpnNet holds the networks of all VPNs in these scenarios.
var vpnNet = netip.MustParsePrefix("172.16.0.0/16")

// says waits until a show command of a router prints all of these.
func (s *Scenario) says(t *testing.T, router, command string, want ...string) {
	t.Helper()
	Soon(t, func() error {
		out, err := s.Nave(router, strings.Fields("show "+command)...)
		if err != nil {
			return err
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				return fmt.Errorf("%s: show %s has no %q:\n%s", router, command, w, out)
			}
		}
		return nil
	})
}

// guestSays waits until a command of FRR's prints all of these.
func (s *Scenario) guestSays(t *testing.T, guest, command string, want ...string) {
	t.Helper()
	Soon(t, func() error {
		out, err := s.Guests[guest].VTY(command)
		if err != nil {
			return err
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				return fmt.Errorf("%s: %s has no %q:\n%s", guest, command, w, out)
			}
		}
		return nil
	})
}

// vrfPing pings from a VRF of a guest, or from a node where vrf is "".
func (s *Scenario) vrfPing(node, vrf, to string) error {
	var err error
	if g := s.Guests[node]; g != nil {
		_, err = g.Run(fmt.Sprintf("ip vrf exec %s ping -n -c 1 -W 1 %s", vrf, to))
	} else {
		_, err = s.Run(node, "ping", "-n", "-c", "1", "-W", "1", to)
	}
	return err
}

// reachesVPN waits for an answer; strangers checks that there is none.
func (s *Scenario) reachesVPN(t *testing.T, node, vrf string, to ...string) {
	t.Helper()
	for _, a := range to {
		Soon(t, func() error { return s.vrfPing(node, vrf, a) })
	}
}

func (s *Scenario) strangers(t *testing.T, node, vrf string, to ...string) {
	t.Helper()
	for _, a := range to {
		for range 2 {
			if s.vrfPing(node, vrf, a) == nil {
				t.Errorf("%s, in %s, reaches %s, which is in another VPN only", node, vrf, a)
			}
		}
	}
}

// labelsWellFormed checks that tshark reads the same labelled packets, and finds nothing wrong with them.
func (s *Scenario) labelsWellFormed(t *testing.T) {
	t.Helper()
	rows, _, err := s.Wire.Tshark("mpls and ip", "mpls.label", "mpls.ttl", "_ws.malformed")
	if err != nil {
		t.Fatal(err)
	}
	ours := s.Wire.Labelled(time.Time{}) // some may have come since
	if len(rows) == 0 || len(rows) > len(ours) {
		t.Fatalf("tshark sees %d labelled packets, we %d", len(rows), len(ours))
	}
	for i, r := range rows {
		if want := fmt.Sprintf("%d\t%d\t", ours[i].Labels[0], ours[i].TTL); r != want {
			t.Fatalf("labelled packet %d: label, TTL, malformed are %q for tshark, %q for us", i, r, want)
		}
	}
}

// labelledTo are the stacks that packets to an address crossed the Ethernet with, between two nodes; "" for any.
func (s *Scenario) labelledTo(since time.Time, from, to, dst string) (out [][]uint32) {
	for _, p := range s.Wire.Labelled(since) {
		if p.Dst.String() != dst || from != "" && p.From.String() != from || to != "" && p.To.String() != to {
			continue
		}
		if !slices.ContainsFunc(out, func(o []uint32) bool { return slices.Equal(o, p.Labels) }) {
			out = append(out, p.Labels)
		}
	}
	return out
}

// oneLabel waits until packets to an address have crossed the Ethernet between two nodes, "" for any, all with the same single label. An answer may be there before what
// records the wire has read the packet.
func (s *Scenario) oneLabel(t *testing.T, since time.Time, from, to, dst string) {
	t.Helper()
	Soon(t, func() error {
		if got := s.labelledTo(since, from, to, dst); len(got) != 1 || len(got[0]) != 1 {
			return fmt.Errorf("packets from %q to %q for %s have the labels %v", from, to, dst, got)
		}
		return nil
	})
}

// FRR and nave spokes with VPNs behind a nave hub that swaps their labels; see scenarios/vpn-spokes.
func TestVPNSpokes(t *testing.T) {
	t.Parallel()
	s := Start(t, "vpn-spokes")
	s.says(t, "hub", "ip bgp vpnv4 all", "172.16.1.0", "172.16.2.0", "172.16.3.0")
	for _, g := range []string{"frr1", "frr2"} {
		s.guestSays(t, g, "show bgp ipv4 vpn", "172.16.3.0/24", "172.16.9.0/24", "10.255.0.1 ")
	}
	start := time.Now()
	s.reachesVPN(t, "frr1", "red", "172.16.2.1", "172.16.2.101", "172.16.3.7", "172.16.3.101", "172.16.9.7")
	s.reachesVPN(t, "frr1", "blue", "172.16.2.1", "172.16.2.102", "172.16.3.7", "172.16.3.102")
	s.reachesVPN(t, "frr2", "red", "172.16.1.101")
	s.reachesVPN(t, "spoke3-host", "", "172.16.1.101", "172.16.2.101", "172.16.9.101")
	s.reachesVPN(t, "spoke3-host2", "", "172.16.1.102", "172.16.2.102")
	s.reachesVPN(t, "hub-host", "", "172.16.1.101", "172.16.2.101", "172.16.3.101")
	s.strangers(t, "frr1", "red", "172.16.2.102", "172.16.3.102")
	s.strangers(t, "frr1", "blue", "172.16.2.101", "172.16.3.101", "172.16.9.7")
	s.strangers(t, "spoke3-host", "", "172.16.1.102", "172.16.2.102")
	s.strangers(t, "spoke3-host2", "", "172.16.1.101", "172.16.9.7")
	s.strangers(t, "hub-host", "", "172.16.1.102", "172.16.3.102")
	// The hub swaps: one label on each leg, and another on the second. Blue's, of the packets that find nobody, are there too.
	var in, out [][]uint32
	Soon(t, func() error {
		in, out = s.labelledTo(start, "192.0.2.11", "192.0.2.1", "172.16.2.101"), s.labelledTo(start, "192.0.2.1", "192.0.2.12", "172.16.2.101")
		for _, leg := range [][][]uint32{in, out} {
			if len(leg) != 2 || len(leg[0]) != 1 || len(leg[1]) != 1 {
				return fmt.Errorf("packets to 172.16.2.101 reach the hub with labels %v and leave it with %v: want one deep, red's and blue's", in, out)
			}
		}
		return nil
	})
	for _, stack := range in {
		if slices.ContainsFunc(out, func(o []uint32) bool { return slices.Equal(o, stack) }) {
			t.Errorf("label %v comes to the hub and leaves it", stack)
		}
	}
	if bare := s.Wire.bare(start, vpnNet); len(bare) > 0 {
		t.Errorf("%d packets of a VPN without a label: %v", len(bare), bare[:min(3, len(bare))])
	}
	if _, err := s.Guests["frr2"].VTY("clear bgp 10.255.0.1"); err != nil {
		t.Error(err)
	}
	s.reachesVPN(t, "frr1", "red", "172.16.2.101")
	s.reachesVPN(t, "spoke3-host2", "", "172.16.2.102")
	s.strangers(t, "spoke3-host", "", "172.16.2.102")
	s.wellFormed(t)
	s.labelsWellFormed(t)
}

// nave spokes behind an FRR hub that reflects their routes as they are; see scenarios/vpn-reflector.
func TestVPNReflector(t *testing.T) {
	t.Parallel()
	s := Start(t, "vpn-reflector")
	for _, r := range []string{"spoke3", "spoke4"} {
		s.says(t, r, "ip bgp vpnv4 all", "172.16.9.0", "172.16.3.0", "172.16.4.0")
	}
	s.says(t, "spoke3", "ip route vrf red", "172.16.4.0/24", "10.255.0.14")
	start := time.Now()
	s.reachesVPN(t, "spoke3-host", "", "172.16.4.7", "172.16.4.101", "172.16.9.1", "172.16.9.101")
	s.reachesVPN(t, "spoke4-host2", "", "172.16.3.7", "172.16.3.102", "172.16.9.1", "172.16.9.102")
	s.strangers(t, "spoke3-host", "", "172.16.4.102", "172.16.9.102")
	s.strangers(t, "spoke4-host2", "", "172.16.3.101", "172.16.9.101")
	for _, leg := range [][3]string{{"192.0.2.13", "192.0.2.14", "172.16.4.101"}, {"192.0.2.14", "192.0.2.13", "172.16.3.102"}} {
		s.oneLabel(t, start, leg[0], leg[1], leg[2])
		if got := s.labelledTo(start, leg[0], "192.0.2.1", leg[2]); len(got) > 0 {
			t.Errorf("packets with the label of %s were sent to the hub: %v", leg[2], got)
		}
	}
	if err := s.KillRouter("spoke3"); err != nil {
		t.Fatal(err)
	}
	s.again(t, "spoke3")
	s.reachesVPN(t, "spoke4-host2", "", "172.16.3.102")
	s.reachesVPN(t, "spoke3-host", "", "172.16.4.101", "172.16.9.101")
	s.strangers(t, "spoke4-host2", "", "172.16.3.101")
	if bare := s.Wire.bare(start, vpnNet); len(bare) > 0 {
		t.Errorf("%d packets of a VPN without a label: %v", len(bare), bare[:min(3, len(bare))])
	}
	s.wellFormed(t)
	s.labelsWellFormed(t)
}

// nave as provider edge of an MPLS core; see scenarios/vpn-core.
func TestVPNCore(t *testing.T) {
	t.Parallel()
	s := Start(t, "vpn-core")
	s.says(t, "pe", "mpls ldp neighbor", "10.9.9.1:0", "Oper")
	s.guestSays(t, "frr1", "show mpls ldp neighbor", "10.9.9.254", "OPERATIONAL")
	s.says(t, "pe", "ip bgp vpnv4 all", "172.16.1.0", "10.100.0.0")
	s.guestSays(t, "frr1", "show bgp ipv4 vpn", "172.16.9.0/24", "172.16.3.0/24", "10.77.0.1/32")
	start := time.Now()
	s.reachesVPN(t, "pe-host", "", "172.16.1.1", "172.16.1.101")
	s.reachesVPN(t, "frr1", "red", "172.16.9.7", "172.16.9.101")
	s.strangers(t, "pe-host", "", "172.16.1.102", "10.100.0.1")
	s.strangers(t, "frr1", "net", "172.16.9.7")
	s.oneLabel(t, start, "", "", "172.16.1.101") // the next hop is on the link and wants none of its own
	// data of a spoke, in red
	s.Learned(t, "pe", "10.255.0.13/32", "192.0.2.13", "registered")
	s.reachesVPN(t, "spoke3-host", "", "172.16.1.101", "172.16.9.7")
	// packets to a spoke, in net: sealed, and labelled
	s.Learned(t, "pe", "10.255.0.14/32", "10.100.0.4", "registered")
	sealed := time.Now()
	s.reachesVPN(t, "spoke4-host", "", "172.16.9.102")
	s.reachesVPN(t, "pe-host2", "", "172.16.4.7")
	Soon(t, func() error {
		var esp int
		for _, p := range s.Wire.Labelled(sealed) {
			if p.Dst.String() == "10.100.0.4" {
				if p.Proto != protoESP {
					t.Fatalf("to spoke4 and not ESP: %s", &p)
				}
				esp++
			}
		}
		if esp == 0 {
			return errors.New("no labelled ESP to spoke4 crossed the core")
		}
		return nil
	})
	s.strangers(t, "spoke4-host", "", "172.16.9.101", "172.16.1.101")
	if bare := s.Wire.bare(start, vpnNet); len(bare) > 0 {
		t.Errorf("%d packets of a VPN in clear and without a label: %v", len(bare), bare[:min(3, len(bare))])
	}
	wrongPasswords(t, s)
	s.labelsWellFormed(t)
}

// wrongPasswords: FRR has another password for LDP and BGP; nothing comes up. Then it has the right one.
func wrongPasswords(t *testing.T, s *Scenario) {
	t.Helper()
	set := func(password string) {
		t.Helper()
		script := fmt.Sprintf(`vtysh -c 'conf t' -c 'mpls ldp' -c 'neighbor 10.9.9.254 password %s' -c 'router bgp 65000' -c 'neighbor 10.9.9.254 password %s' -c end -c 'clear bgp *' -c 'clear mpls ldp neighbor 10.9.9.254'`,
			password, password)
		if _, err := s.Guests["frr1"].Run(script); err != nil {
			t.Fatal(err)
		}
	}
	set("another-secret")
	Soon(t, func() error {
		if err := s.vrfPing("pe-host", "", "172.16.1.101"); err == nil {
			return fmt.Errorf("the VPN stands though the sessions can't")
		}
		return nil
	})
	s.guestSays(t, "frr1", "show bgp ipv4 vpn summary", "10.9.9.254")
	Soon(t, func() error {
		out, err := s.Nave("pe", "show", "ip", "bgp", "vpnv4", "all")
		if err == nil && strings.Contains(out, "172.16.1.0") {
			err = fmt.Errorf("routes of a neighbour with another password:\n%s", out)
		}
		return err
	})
	set("core-secret")
	s.says(t, "pe", "mpls ldp neighbor", "10.9.9.1:0", "Oper")
	s.reachesVPN(t, "pe-host", "", "172.16.1.101")
}
