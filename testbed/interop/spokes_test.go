package interop

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

var (
	lan1 = Site{"frr1", "10.1.0.1", "192.0.2.11"}
	lan2 = Site{"frr2", "10.2.0.1", "192.0.2.12"}
)

// FRR spokes behind a nave hub; see scenarios/frr-spokes.
func TestFRRSpokes(t *testing.T) {
	t.Parallel()
	s := Start(t, "frr-spokes")
	t.Run("registration", func(t *testing.T) {
		registered(t, s, "192.0.2.11", "10.255.0.11", 15, true)
		registered(t, s, "192.0.2.12", "10.255.0.12", 90, false)
		FRRHas(t, s.Guests["frr1"], "show ip nhrp", "nhs", "10.255.0.1", "192.0.2.1")
		FRRHas(t, s.Guests["frr2"], "show ip nhrp", "nhs", "10.255.0.1", "192.0.2.1")
	})
	t.Run("hub", func(t *testing.T) {
		s.Reaches(t, "frr1", lan1.Addr, "10.0.0.1")
		s.Reaches(t, "frr2", lan2.Addr, "10.0.0.7")
		s.Reaches(t, "hub-host", "10.0.0.7", lan1.Addr)
	})
	t.Run("shortcut", func(t *testing.T) {
		s.Reaches(t, "frr1", lan1.Addr, lan2.Addr)
		throughHub(t, s)
		redirected(t, s)
		FRRHas(t, s.Guests["frr1"], "show ip nhrp shortcut", "dynamic", "10.2.0.0/24", "10.255.0.12")
		FRRHas(t, s.Guests["frr2"], "show ip nhrp shortcut", "dynamic", "10.1.0.0/24", "10.255.0.11")
		FRRHas(t, s.Guests["frr1"], "show ip nhrp", "10.255.0.12", "192.0.2.12")
		FRRHas(t, s.Guests["frr2"], "show ip nhrp", "10.255.0.11", "192.0.2.11")
		s.Direct(t, lan1, lan2)
		s.Direct(t, lan2, lan1)
	})
	t.Run("renewal", func(t *testing.T) {
		s.renews(t, "a registration for 15 s", 4*time.Second, 7*time.Second, OfType(nhrpmsg.RegistrationRequest), Between("192.0.2.11", ""))
		var e *Entry
		Soon(t, func() error { // whenever it looks: FRR may be late
			e = s.Learned(t, "hub", "10.255.0.11/32", "192.0.2.11")
			if left := time.Until(*e.Expires); left < 7*time.Second || left > 15*time.Second {
				return fmt.Errorf("after a renewal %v are left of 15 s", left)
			}
			return nil
		})
		if first := s.Wire.Packets(OfType(nhrpmsg.RegistrationReply), Between("", "192.0.2.11"))[0].At; e.Created.After(first) {
			t.Errorf("a renewal made a new entry: created %v, first answered %v", e.Created, first)
		}
	})
	s.wellFormed(t)
}

// renews waits until packets follow one another in a time between two. At first they may be sent again sooner, by who is not answered at once.
func (s *Scenario) renews(t *testing.T, what string, least, most time.Duration, filters ...Filter) {
	t.Helper()
	Soon(t, func() error {
		all := s.Wire.Packets(filters...)
		var apart []time.Duration
		for k := 1; k < len(all); k++ {
			d := all[k].At.Sub(all[k-1].At)
			if d >= least && d <= most {
				return nil
			}
			apart = append(apart, d)
		}
		return fmt.Errorf("%s is renewed after %v", what, apart)
	})
}

// registered checks a registration of an FRR spoke on the wire and at the hub.
func registered(t *testing.T, s *Scenario, nbma, tunnel string, hold uint16, unique bool) {
	t.Helper()
	req := s.Wire.Wait(t, "registration request of "+nbma, OfType(nhrpmsg.RegistrationRequest), Between(nbma, "192.0.2.1")).NHRP
	if got := req.Flags&nhrpmsg.RegUnique != 0; got != unique || len(req.CIEs) != 1 || req.CIEs[0].HoldTime != hold {
		t.Fatalf("the request is another than this test is about: %+v", req)
	}
	id := func(p *Packet) bool { return p.NHRP.RequestID == req.RequestID }
	rep := s.Wire.Wait(t, "registration reply to "+nbma, OfType(nhrpmsg.RegistrationReply), Between("192.0.2.1", nbma), id).NHRP
	if rep.Flags != req.Flags || rep.SrcProto != req.SrcProto || rep.SrcNBMA != req.SrcNBMA || rep.DstProto != netip.MustParseAddr("10.255.0.1") {
		t.Errorf("the reply does not fit the request: %+v\n%+v", rep, req)
	}
	if len(rep.CIEs) != 1 || rep.CIEs[0].Code != nhrpmsg.Success || rep.CIEs[0].HoldTime != hold {
		t.Errorf("the reply's entries: %+v", rep.CIEs)
	}
	responder(t, &rep, "192.0.2.1", "10.255.0.1")
	flags := []string{"authoritative", "registered"}
	if unique {
		flags = append(flags, "unique")
	}
	e := s.Learned(t, "hub", tunnel+"/32", nbma, flags...)
	if !unique && e.Has("unique") {
		t.Errorf("%s has registered without the unique flag, and the hub has it: %+v", tunnel, e)
	}
	if e.Type != "dynamic" || e.Expires == nil || time.Until(*e.Expires) > time.Duration(hold)*time.Second {
		t.Errorf("the hub's entry: %+v", e)
	}
	s.Up(t, "hub", nbma, tunnel, "D")
}

// responder checks that the responder extension has exactly this node.
func responder(t *testing.T, m *nhrpmsg.Message, nbma, proto string) {
	t.Helper()
	if got := transit(t, m, nhrpmsg.ExtResponder); !slices.Equal(got, []string{nbma + " " + proto}) {
		t.Errorf("%s: the responder is %v", m.Type, got)
	}
}

// transit lists NBMA and protocol addresses of an extension's entries.
func transit(t *testing.T, m *nhrpmsg.Message, typ nhrpmsg.ExtType) (out []string) {
	t.Helper()
	e := m.Ext(typ)
	if e == nil {
		return nil
	}
	entries, err := m.Entries(e)
	if err != nil {
		t.Fatalf("%s: extension %d: %v", m.Type, typ, err)
	}
	for _, c := range entries {
		out = append(out, c.NBMA.String()+" "+c.Proto.String())
	}
	return out
}

// throughHub checks that the first packet from LAN 1 to LAN 2 took both legs, one TTL shorter on the second.
func throughHub(t *testing.T, s *Scenario) {
	t.Helper()
	in := s.Wire.Wait(t, "ping to the hub", Data(lan1.Addr, lan2.Addr), Between("192.0.2.11", "192.0.2.1"))
	out := s.Wire.Wait(t, "ping from the hub", Data(lan1.Addr, lan2.Addr), Between("192.0.2.1", "192.0.2.12"))
	if in.TTL != 64 || out.TTL != 63 || out.Key != in.Key {
		t.Errorf("through the hub: TTL %d and %d, key %d and %d", in.TTL, out.TTL, in.Key, out.Key)
	}
}

// redirected checks the hub's redirect and what frr1 makes of it.
func redirected(t *testing.T, s *Scenario) {
	t.Helper()
	ind := s.Wire.Wait(t, "traffic indication", OfType(nhrpmsg.TrafficIndication), Between("192.0.2.1", "192.0.2.11")).NHRP
	src, dst, ok := nhrpmsg.DataAddrs(ind.Packet)
	if !ok || src.String() != lan1.Addr || dst.String() != lan2.Addr || ind.DstProto != src || len(ind.Packet) != 28 || ind.Code != 0 {
		t.Errorf("the traffic indication is about %v > %v, %d bytes: %+v", src, dst, len(ind.Packet), ind)
	}
	req := s.Wire.Wait(t, "resolution request", OfType(nhrpmsg.ResolutionRequest), Between("192.0.2.11", "192.0.2.1")).NHRP
	id := func(p *Packet) bool { return p.NHRP.RequestID == req.RequestID && p.NHRP.SrcNBMA == req.SrcNBMA }
	fwd := s.Wire.Wait(t, "resolution request passed on", OfType(nhrpmsg.ResolutionRequest), Between("192.0.2.1", "192.0.2.12"), id).NHRP
	if fwd.HopCount != req.HopCount-1 || fwd.DstProto != req.DstProto {
		t.Errorf("passed on: %+v\nis not %+v", fwd, req)
	}
	if got := transit(t, &fwd, nhrpmsg.ExtForwardTransit); !slices.Equal(got, []string{"192.0.2.1 10.255.0.1"}) {
		t.Errorf("the request passed %v", got)
	}
	rep := s.Wire.Wait(t, "resolution reply", OfType(nhrpmsg.ResolutionReply), Between("", "192.0.2.11"), id).NHRP
	if len(rep.CIEs) != 1 || rep.CIEs[0].NBMA.String() != "192.0.2.12" || rep.CIEs[0].Bits(rep.DstProto) != 24 {
		t.Errorf("the reply: %+v", rep)
	}
}
