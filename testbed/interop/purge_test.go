package interop

import (
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

// cleared: clearing a spoke purges what it has answered, at nave's spoke and at FRR's.
func cleared(t *testing.T, s *Scenario) {
	s.Learned(t, "spoke4", "10.3.0.0/24", lan3.NBMA, "rib")
	start := time.Now()
	if _, err := s.Nave("spoke3", "clear", "dmvpn", "session"); err != nil {
		t.Fatal(err)
	}
	purged(t, s, start, "10.255.0.14", lan4.NBMA)
	s.Gone(t, "spoke4", "10.3.0.0/24")
	purged(t, s, start, "10.255.0.11", lan1.NBMA)
	// FRR does not answer: the request is given up after a few.
	time.Sleep(8 * time.Second)
	if got := s.Wire.Packets(Since(start), OfType(nhrpmsg.PurgeRequest), Between("", lan1.NBMA)); len(got) < 2 || len(got) > 3 {
		t.Errorf("FRR was sent %d purge requests", len(got))
	}
	if got := s.Wire.Packets(Since(start), OfType(nhrpmsg.PurgeReply), Between(lan1.NBMA, "")); len(got) > 0 {
		t.Errorf("FRR answers purges now: this test can ask for more")
	}
	// Nothing is broken for long.
	s.Reaches(t, lan4.Node, lan4.Addr, lan3.Addr)
	s.Direct(t, lan4, lan3)
	s.Reaches(t, lan1.Node, lan1.Addr, lan3.Addr)
	s.Direct(t, lan1, lan3)
}

// purged checks the purge of 10.3.0.0/24 at one node, and that a nave node answers it.
func purged(t *testing.T, s *Scenario, start time.Time, node, nbma string) {
	t.Helper()
	about := func(p *Packet) bool {
		return len(p.NHRP.CIEs) == 1 && p.NHRP.CIEs[0].Proto.String() == "10.3.0.0" && p.NHRP.CIEs[0].Bits(p.NHRP.SrcProto) == 24 &&
			p.NHRP.DstProto.String() == node && p.NHRP.SrcProto.String() == "10.255.0.13"
	}
	req := s.Wire.Wait(t, "purge request to "+node, Since(start), OfType(nhrpmsg.PurgeRequest), Between("", nbma), about)
	if req.NHRP.Flags&nhrpmsg.PurgeNoReply != 0 {
		t.Errorf("the purge request wants no reply: %+v", req.NHRP)
	}
	if node != "10.255.0.11" {
		same := func(p *Packet) bool { return p.NHRP.RequestID == req.NHRP.RequestID }
		s.Wire.Wait(t, "purge reply from "+node, Since(start), OfType(nhrpmsg.PurgeReply), Between(nbma, ""), same)
		s.Wire.Wait(t, "purge reply to spoke3", Since(start), OfType(nhrpmsg.PurgeReply), Between("", lan3.NBMA), same)
	}
}

// networkGone: a network that goes away is purged, and comes back. FRR, deaf to the last purge, has not asked again: it
// is told nothing.
func networkGone(t *testing.T, s *Scenario) {
	s.Learned(t, "spoke4", "10.3.0.0/24", lan3.NBMA, "rib")
	start := time.Now()
	if _, err := s.Run(lan3.Node, "ip", "link", "set", "eth0", "down"); err != nil {
		t.Fatal(err)
	}
	purged(t, s, start, "10.255.0.14", lan4.NBMA)
	s.Gone(t, "spoke4", "10.3.0.0/24")
	if err := s.Ping(lan4.Node, lan4.Addr, lan3.Addr); err == nil {
		t.Error("a network that is gone answers")
	}
	for _, c := range [][]string{{"ip", "link", "set", "eth0", "up"}, {"ip", "route", "replace", "default", "via", "10.3.0.1"}} {
		if _, err := s.Run(lan3.Node, c...); err != nil {
			t.Fatal(err)
		}
	}
	s.Reaches(t, lan4.Node, lan4.Addr, lan3.Addr)
	s.Direct(t, lan4, lan3)
}
