package interop

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/slowpath/nhrp/nhrpmsg"
)

// killed ends a guest's nhrpd without a chance to say goodbye; revived starts it again.
const (
	killed  = "kill -9 $(cat /run/frr/nhrpd.pid); rm /run/frr/nhrpd.pid"
	revived = "/usr/lib/frr/nhrpd -d -A 127.0.0.1 && vtysh -d nhrpd -b"
)

// A client that dies is forgotten when its holding time is over; see scenarios/expiry.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := Start(t, "expiry")
	s.Learned(t, "hub", "10.255.0.11/32", "192.0.2.11", "registered")
	other := s.Learned(t, "hub", "10.255.0.12/32", "192.0.2.12", "registered")
	s.Up(t, "hub", "192.0.2.11", "10.255.0.11", "D")
	if _, err := s.Guests["frr1"].Run(killed); err != nil {
		t.Fatal(err)
	}
	var there time.Time // for certain
	Soon(t, func() error {
		looks := time.Now()
		e, err := s.Entry("hub", "10.255.0.11/32")
		if err == nil && e != nil {
			there, err = looks, fmt.Errorf("hub still has %+v", *e)
		}
		return err
	})
	// The entry is made between the request and the reply, and went between two looks.
	requests := s.Wire.Packets(OfType(nhrpmsg.RegistrationRequest), Between("192.0.2.11", hubNBMA))
	asked, told := requests[len(requests)-1].At, lastRegistration(s, "192.0.2.11")
	if most, least := there.Sub(told), time.Since(asked); least < 8900*time.Millisecond || most > 12*time.Second {
		t.Errorf("the entry was there %v after the last registration, and gone after %v; 9 s would be right", most, least)
	}
	Soon(t, func() error {
		p, err := s.Peer("hub", "192.0.2.11")
		if err == nil && p != nil {
			err = fmt.Errorf("show dmvpn still has %+v", p)
		}
		return err
	})
	if e := s.Learned(t, "hub", "10.255.0.12/32", "192.0.2.12", "registered"); !e.Created.Equal(other.Created) || !e.Expires.After(*other.Expires) {
		t.Errorf("the other spoke was lost, too, or has not renewed: %+v, and before %+v", e, other)
	}
	if _, err := s.Guests["frr1"].Run(revived); err != nil {
		t.Fatal(err)
	}
	s.Learned(t, "hub", "10.255.0.11/32", "192.0.2.11", "registered")
	s.Up(t, "hub", "192.0.2.11", "10.255.0.11", "D")
	s.wellFormed(t)
}

// lastRegistration is when a client was last answered; the zero Time if it never was.
func lastRegistration(s *Scenario, nbma string) time.Time {
	all := s.Wire.Packets(OfType(nhrpmsg.RegistrationReply), Between(hubNBMA, nbma))
	if len(all) == 0 {
		return time.Time{}
	}
	return all[len(all)-1].At
}

// Two clients want one address; see scenarios/duplicate.
func TestDuplicate(t *testing.T) {
	t.Parallel()
	s := Start(t, "duplicate")
	s.Learned(t, "hub", "10.255.0.11/32", "192.0.2.11", "registered", "unique")
	twin := s.Guests["frr2"]
	s.Become(t, "frr2", "twin")
	refused := func(p *Packet) bool {
		return len(p.NHRP.CIEs) == 1 && p.NHRP.CIEs[0].Code == nhrpmsg.AlreadyRegistered && p.NHRP.CIEs[0].HoldTime == 0
	}
	s.Wire.Wait(t, "refusal", OfType(nhrpmsg.RegistrationReply), Between(hubNBMA, "192.0.2.12"), refused)
	s.Learned(t, "hub", "10.255.0.11/32", "192.0.2.11", "registered", "unique")
	s.Logs(t, "hub", "%NHRP-3-UNIQUE")
	FRRLacks(t, twin, "show ip nhrp", "nhs", "10.255.0.1")
	FRRLacks(t, twin, "show ip route", "10.255.0.1/32")
	s.Reaches(t, "hub-host", "10.0.0.7", lan1.Addr)
	if err := s.Ping("frr2", lan2.Addr, "10.0.0.7"); err == nil {
		t.Error("the one that was refused reaches the hub's network all the same")
	}
	naveRefused(t, s)
	was := lastRegistration(s, "192.0.2.11")
	Soon(t, func() error {
		if !lastRegistration(s, "192.0.2.11").After(was) {
			return fmt.Errorf("the first does not renew")
		}
		return nil
	})
	for _, p := range s.Wire.Packets(OfType(nhrpmsg.RegistrationReply)) {
		if refused(&p) != (p.To != lan1.nbma()) {
			t.Errorf("a registration reply to %s: %+v", p.To, p.NHRP.CIEs)
		}
	}
	s.Learned(t, "hub", "10.255.0.11/32", "192.0.2.11", "registered", "unique")
	if _, err := s.Guests["frr1"].Run(killed); err != nil {
		t.Fatal(err)
	}
	s.GoneFrom(t, "hub", "10.255.0.11/32", "192.0.2.11") // and the twin may ask in that very moment
	s.Become(t, "frr2", "twin")                          // or only in a minute by itself
	s.Learned(t, "hub", "10.255.0.11/32", "192.0.2.12", "registered", "unique")
	FRRHas(t, twin, "show ip nhrp", "nhs", "10.255.0.1")
	s.wellFormed(t)
}

// naveRefused opens the tunnel of the nave spoke that wants the same address, and closes it in the end.
func naveRefused(t *testing.T, s *Scenario) {
	t.Helper()
	s.edit(t, "spoke3", " shutdown\n", "")
	s.Wire.Wait(t, "refusal", OfType(nhrpmsg.RegistrationReply), Between(hubNBMA, lan3.NBMA))
	s.Logs(t, "spoke3", "%DMVPN-3-NHRP_ERROR: Registration Request failed for 10.255.0.1 on Tunnel0: unique address already registered")
	s.says(t, "spoke3", "ip nhrp nhs", "10.255.0.1  E")
	if err := s.StopRouter("spoke3", unix.SIGTERM); err != nil {
		t.Error(err)
	}
}
