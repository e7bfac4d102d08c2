package interop

import (
	"strings"
	"testing"
)

var (
	lan3 = Site{"spoke3-host", "10.3.0.7", "192.0.2.13"}
	lan4 = Site{"spoke4-host", "10.4.0.7", "192.0.2.14"}
)

// An FRR spoke and nave spokes behind a nave hub; see scenarios/mixed.
func TestMixed(t *testing.T) {
	t.Parallel()
	s := Start(t, "mixed")
	for n, nbma := range map[string]string{"10.255.0.11": "192.0.2.11", "10.255.0.13": "192.0.2.13", "10.255.0.14": "192.0.2.14"} {
		s.Learned(t, "hub", n+"/32", nbma, "unique", "registered")
		s.Up(t, "hub", nbma, n, "D")
	}
	t.Run("FRR starts", func(t *testing.T) {
		s.Reaches(t, lan1.Node, lan1.Addr, lan3.Addr)
		s.Direct(t, lan1, lan3)
		s.Learned(t, "spoke3", "10.1.0.0/24", lan1.NBMA, "rib")
		FRRHas(t, s.Guests["frr1"], "show ip nhrp shortcut", "dynamic", "10.3.0.0/24", "10.255.0.13")
	})
	t.Run("nave starts", func(t *testing.T) {
		s.Reaches(t, lan4.Node, lan4.Addr, lan1.Addr)
		s.Direct(t, lan4, lan1)
		s.Learned(t, "spoke4", "10.1.0.0/24", lan1.NBMA, "rib")
		FRRHas(t, s.Guests["frr1"], "show ip nhrp shortcut", "dynamic", "10.4.0.0/24", "10.255.0.14")
	})
	t.Run("nave to nave", func(t *testing.T) {
		s.Unknown(t, "spoke3", "10.4.0.0/24")
		out, err := s.Run(lan3.Node, "ping", "-n", "-q", "-c", "30", "-i", "0.05", "-W", "2", lan4.Addr)
		if err != nil || !strings.Contains(out, " 0% packet loss") {
			t.Errorf("while the direct path is being found, packets are lost: %v: %s", err, out)
		}
		s.Direct(t, lan3, lan4)
		s.Direct(t, lan4, lan3)
	})
	t.Run("clear", func(t *testing.T) { cleared(t, s) })
	t.Run("network gone", func(t *testing.T) { networkGone(t, s) })
	s.wellFormed(t)
}
