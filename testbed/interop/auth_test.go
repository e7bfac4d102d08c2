package interop

import (
	"os"
	"slices"
	"strings"
	"testing"

	"nave/slowpath/nhrp/nhrpmsg"
)

// Authentication between nave nodes; see scenarios/auth.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := Start(t, "auth")
	s.Learned(t, "hub", "10.255.0.13/32", "192.0.2.13", "registered")
	s.Learned(t, "hub", "10.255.0.14/32", "192.0.2.14", "registered")
	s.Reaches(t, lan3.Node, lan3.Addr, lan4.Addr)
	s.Direct(t, lan3, lan4)
	s.Wire.Wait(t, "traffic indication", OfType(nhrpmsg.TrafficIndication))
	if _, err := s.Nave("spoke3", "clear", "dmvpn", "session"); err != nil {
		t.Fatal(err)
	}
	s.Wire.Wait(t, "purge reply", OfType(nhrpmsg.PurgeReply))

	e := s.Wire.Wait(t, "error for the wrong password", OfType(nhrpmsg.ErrorIndication), Between(hubNBMA, "192.0.2.15"))
	if nhrpmsg.ErrorCode(e.NHRP.Code) != nhrpmsg.AuthenticationFailure {
		t.Errorf("the error is %v", nhrpmsg.ErrorCode(e.NHRP.Code))
	}
	s.Unknown(t, "hub", "10.255.0.15/32")
	if p, err := s.Peer("hub", "192.0.2.15"); err != nil || p != nil {
		t.Errorf("the hub has %+v (%v)", p, err)
	}
	s.says(t, "spoke5", "ip nhrp nhs", "10.255.0.1  E")
	passwordsEverywhere(t, s)
	asked := s.Wire.Packets(OfType(nhrpmsg.RegistrationRequest), Between("192.0.2.15", ""))
	for i := 2; i < len(asked); i++ {
		if a, b := asked[i-1].At.Sub(asked[i-2].At), asked[i].At.Sub(asked[i-1].At); b < a {
			t.Errorf("refused, spoke5 asks after %v, then after %v", a, b)
		}
	}
	s.Logs(t, "hub", "%NHRP-3-AUTH")
	log, err := os.ReadFile(s.LogFile("hub"))
	if err != nil || strings.Contains(string(log), "navetest") || strings.Contains(string(log), "wrongone") {
		t.Errorf("the hub's log (%v):\n%s", err, log)
	}
	s.wellFormed(t)
}

// passwordsEverywhere checks the authentication of every packet that was seen.
func passwordsEverywhere(t *testing.T, s *Scenario) {
	t.Helper()
	seen := make(map[nhrpmsg.Type]bool)
	for _, p := range s.Wire.Packets(AnyNHRP) {
		want := []string{"navetest"}
		switch {
		case p.NHRP.Type == nhrpmsg.ErrorIndication:
			if len(p.NHRP.Exts) > 0 {
				t.Errorf("an error with extensions: %+v", p.NHRP)
			}
			continue
		case p.From.String() == "192.0.2.15":
			want[0] = "wrongone"
		case p.To.String() == "192.0.2.15":
			t.Errorf("spoke5 got a %s", p.NHRP.Type)
		}
		seen[p.NHRP.Type] = true
		if got := passwords(&p.NHRP); !slices.Equal(got, want) {
			t.Errorf("%s > %s: %s has the passwords %q", p.From, p.To, p.NHRP.Type, got)
		}
	}
	for _, typ := range []nhrpmsg.Type{
		nhrpmsg.RegistrationRequest, nhrpmsg.RegistrationReply, nhrpmsg.ResolutionRequest, nhrpmsg.ResolutionReply,
		nhrpmsg.PurgeRequest, nhrpmsg.PurgeReply, nhrpmsg.TrafficIndication,
	} {
		if !seen[typ] {
			t.Errorf("no %s was seen: this test says nothing about it", typ)
		}
	}
}
