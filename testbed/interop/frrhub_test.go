package interop

import (
	"fmt"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

// Nave spokes at an FRR hub; see scenarios/frr-hub.
func TestFRRHub(t *testing.T) {
	t.Parallel()
	s := Start(t, "frr-hub")
	hub := s.Guests["frr1"]
	t.Run("registration", func(t *testing.T) {
		for _, sp := range []Site{lan3, lan4} {
			router := sp.Node[:len("spoke0")]
			s.Learned(t, router, "10.255.0.1/32", hubNBMA, "nhs")
			s.Up(t, router, hubNBMA, "10.255.0.1", "S")
			FRRHas(t, hub, "show ip nhrp", "dynamic", "10.255.0.1"+router[5:], sp.NBMA)
			s.says(t, router, "ip nhrp nhs", "10.255.0.1  R")
		}
	})
	t.Run("nave to nave", func(t *testing.T) {
		s.Reaches(t, lan3.Node, lan3.Addr, lan4.Addr)
		s.Direct(t, lan3, lan4)
		s.Learned(t, "spoke3", "10.4.0.0/24", lan4.NBMA, "rib")
		s.Learned(t, "spoke4", "10.3.0.0/24", lan3.NBMA, "rib")
		ind := s.Wire.Wait(t, "redirect", OfType(nhrpmsg.TrafficIndication), Between(hubNBMA, lan3.NBMA)).NHRP
		if ind.HopCount != 1 || len(ind.Packet) <= 28 {
			t.Errorf("FRR's redirect is another than this test is about: hop count %d, %d bytes", ind.HopCount, len(ind.Packet))
		}
	})
	t.Run("nave to FRR", func(t *testing.T) {
		s.Reaches(t, lan3.Node, lan3.Addr, lan2.Addr)
		s.Direct(t, lan3, lan2)
		s.Learned(t, "spoke3", "10.2.0.0/24", lan2.NBMA, "rib")
		FRRHas(t, s.Guests["frr2"], "show ip nhrp shortcut", "dynamic", "10.3.0.0/24", "10.255.0.13")
	})
	t.Run("FRR to nave", func(t *testing.T) {
		s.Reaches(t, lan2.Node, lan2.Addr, lan4.Addr)
		s.Direct(t, lan2, lan4)
		s.Learned(t, "spoke4", "10.2.0.0/24", lan2.NBMA, "rib")
		FRRHas(t, s.Guests["frr2"], "show ip nhrp shortcut", "dynamic", "10.4.0.0/24", "10.255.0.14")
	})
	t.Run("renewal", func(t *testing.T) {
		s.renews(t, "a registration for 30 s", 7*time.Second, 12*time.Second, OfType(nhrpmsg.RegistrationReply), Between(hubNBMA, lan3.NBMA))
		Soon(t, func() error { // it crosses before spoke3 counts it
			if got := s.Traffic(t, "spoke3"); got.Received["Registration Reply"] < 2 || got.Sent["Registration Request"] < got.Received["Registration Reply"] {
				return fmt.Errorf("show ip nhrp traffic: %+v", got)
			}
			return nil
		})
	})
	t.Run("hub dies", func(t *testing.T) { hubDies(t, s) })
	s.wellFormed(t)
}

// hubDies: spoke3 notices a renewal after the death, and registers again when the hub is back.
func hubDies(t *testing.T, s *Scenario) {
	hub := s.Guests["frr1"]
	if _, err := hub.Run(killed); err != nil {
		t.Fatal(err)
	}
	s.says(t, "spoke3", "ip nhrp nhs", "10.255.0.1  E") // it notices that the hub is dead
	if err := s.Answered(lan3.Node, lan3.Addr, lan4.Addr); err != nil {
		t.Errorf("the direct path needs no hub: %v", err)
	}
	if _, err := hub.Run(revived); err != nil {
		t.Fatal(err)
	}
	s.says(t, "spoke3", "ip nhrp nhs", "10.255.0.1  R")
	FRRHas(t, hub, "show ip nhrp", "dynamic", "10.255.0.13", lan3.NBMA)
}
