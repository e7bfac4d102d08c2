package show

import (
	"strings"
	"testing"
	"time"

	"nave/slowpath"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// What goes on from before a restart is said to, and looks like the rest otherwise.
func TestInherited(t *testing.T) {
	s := cryptoSample()
	texts := func() map[string]string {
		return map[string]string{
			"show fastpath": Fastpath(s),
			"show dmvpn":    DMVPN(s, Select{}), "show dmvpn detail": DMVPNDetail(s, Select{}), "show ip nhrp": NHRP(s, Select{}),
			"show crypto session": CryptoSession(s, Select{}), "show crypto session detail": CryptoSession(s, Select{Detail: true}), "show crypto ipsec sa": IPsecSA(s, modern),
		}
	}
	for what, text := range texts() {
		if strings.Contains(text, "nherited") {
			t.Errorf("%s says that something is inherited, and nothing is:\n%s", what, text)
		}
	}
	sessions := s.Router.Sessions.Sessions
	c := &sessions[0].Children[0]
	c.Inherited, c.Until, c.Child, c.IKE = true, now.Add(20*time.Minute), 1<<31+1, 0
	c.Was = &ike.ChildStatus{ID: c.Child, Transform: gcm256, Window: 64, ESP: ike.SPIs{In: c.InSPI, Out: c.OutSPI}, Created: now, Lifetime: 20 * time.Minute}
	sessions[0].Inherited = true
	s.Router.NHRP.Interfaces[0].Peers[0].Inherited = true
	s.Router.NHRP.Entries[0].Flags |= nhrp.FlagInherited
	s.Router.Inherited = slowpath.Inherited{Adjacencies: 3, Routes: 2, Until: now.Add(90 * time.Second)}
	want := map[string]string{
		"show fastpath": "\nInherited from before the restart: 3 adjacencies and 2 routes that nothing has taken over, for another 00:01:30\n",
		"show dmvpn":    " 1 of them inherited from before the restart\n", "show dmvpn detail": " 1 of them inherited from before the restart\n",
		"show ip nhrp": " inherited\n", "show crypto session": "\nInherited: from before the restart, for 00:20:00 at most\n",
		"show crypto session detail": "\nInherited: from before the restart, for 00:20:00 at most\n",
		"show crypto ipsec sa":       "replay detection support: Y  replay window size: 64\n        extended sequence number: Y\n        inherited from before the restart\n        Status: ACTIVE(ACTIVE)\n",
	}
	for what, text := range texts() {
		if !strings.Contains(text, want[what]) {
			t.Errorf("%s:\n%s", what, text)
		}
	}
	if text := IPsecSA(s, Select{}); !strings.Contains(text, "remaining key lifetime (sec): (1200)") || strings.Count(text, "inherited from") != 2 {
		t.Errorf("show crypto ipsec sa:\n%s", text)
	}
}
