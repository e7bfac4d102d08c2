package interop

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// sessionsAt are the sessions of a router with all peers at an address.
func (s *Scenario) sessionsAt(router, peer string) (out []NaveSession, err error) {
	var all []NaveSession
	if err := s.show(router, "crypto session", &all); err != nil {
		return nil, err
	}
	for k := range all {
		if all[k].Peer == netip.MustParseAddr(peer) {
			out = append(out, all[k])
		}
	}
	return out, nil
}

// sharePorts waits until the hub has a session with each of two spokes at one address, by ports that differ, and returns those.
func (s *Scenario) sharePorts(t *testing.T) (ports [2]int) {
	t.Helper()
	Soon(t, func() error {
		list, err := s.sessionsAt("hub", natOutside)
		if err != nil {
			return err
		}
		if len(list) != 2 || list[0].Port == list[1].Port {
			return fmt.Errorf("the hub's sessions with %s: %+v", natOutside, list)
		}
		for k := range list {
			if n := &list[k]; n.Status != "UP-ACTIVE" || n.Active() == nil || !n.Active().Encap {
				return fmt.Errorf("a session of the hub with %s: %+v", natOutside, n)
			}
			ports[k] = list[k].Port
		}
		return nil
	})
	return ports
}

// Two FRR spokes behind one address; see scenarios/secure-pat.
func TestSecurePAT(t *testing.T) {
	t.Parallel()
	s := Start(t, "secure-pat")
	s.Learned(t, "hub", "10.255.0.11/32", natOutside, "registered")
	s.Learned(t, "hub", "10.255.0.12/32", natOutside, "registered")
	ports := s.sharePorts(t)
	start := time.Now()
	for guest, site := range map[string]Site{"frr1": lan1, "frr2": lan2} {
		s.Reaches(t, "hub-host", "10.0.0.7", site.Addr)
		s.Reaches(t, guest, site.Addr, "10.0.0.7")
	}
	s.Reaches(t, "frr1", lan1.Addr, lan2.Addr)
	s.Reaches(t, "frr2", lan2.Addr, lan1.Addr)
	Soon(t, func() error {
		if err := s.inUDP(start, hubNBMA, natOutside); err != nil {
			return err
		}
		to := make(map[uint16]int)
		for _, p := range s.Wire.Outers(start, hubNBMA, natOutside) {
			if p.ESP() && p.From.String() == hubNBMA {
				to[p.DstPort]++
			}
		}
		if len(to) != 2 || to[uint16(ports[0])] == 0 || to[uint16(ports[1])] == 0 {
			return fmt.Errorf("the hub sent ESP to the ports %v, and has sessions with %v", to, ports)
		}
		return nil
	})
	// One of them begins anew: nothing happens to the other.
	before, err := s.sessionsAt("hub", natOutside)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Guests["frr1"].Run(swan + "swanctl --terminate --ike peer"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Reaches(t, "frr1", lan1.Addr, "10.0.0.7")
	s.sharePorts(t)
	after, err := s.sessionsAt("hub", natOutside)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, b := range before {
		for _, a := range after {
			if a.Port == b.Port && a.Active() != nil && b.Active() != nil && a.Active().In == b.Active().In {
				kept++
			}
		}
	}
	if kept != 1 {
		t.Errorf("one of two spokes began anew: %d sessions stayed as they were; before %+v, after %+v", kept, before, after)
	}
	s.Reaches(t, "hub-host", "10.0.0.7", lan2.Addr)
	s.noneInClear(t)
}

// A hub behind static NAT; see scenarios/secure-nat-hub.
func TestSecureNATHub(t *testing.T) {
	t.Parallel()
	s := Start(t, "secure-nat-hub")
	s.Learned(t, "hub", "10.255.0.11/32", lan1.NBMA, "registered")
	s.Learned(t, "hub", "10.255.0.13/32", lan3.NBMA, "registered")
	s.says(t, "spoke3", "ip nhrp nhs", "10.255.0.1  R")
	s.natted(t, "hub", lan1.NBMA, func(i NaveIKE) bool { return i.NATLocal })
	s.natted(t, "spoke3", natOutside, func(i NaveIKE) bool { return i.NATRemote })
	start := time.Now()
	s.Reaches(t, "hub-host", "10.0.0.7", lan1.Addr)
	s.Reaches(t, "frr1", lan1.Addr, "10.0.0.7")
	s.Reaches(t, lan3.Node, lan3.Addr, "10.0.0.7")
	Soon(t, func() error { return s.inUDP(start, natOutside, lan1.NBMA) })
	Soon(t, func() error { return s.inUDP(start, natOutside, lan3.NBMA) })
	s.Reaches(t, lan3.Node, lan3.Addr, lan1.Addr)
	s.sealedDirect(t, lan3, lan1, 1)
	for _, p := range s.Wire.Outers(start, lan1.NBMA, lan3.NBMA) {
		if p.ESP() && p.Proto == protoUDP {
			t.Errorf("ESP in UDP between %s and %s, where there is no NAT", p.From, p.To)
			break
		}
	}
	s.noneInClear(t)
}
