package interop

import "testing"

// Nave spokes at an FRR hub; see scenarios/frr-hub.
func TestFRRHub(t *testing.T) {
	s := Start(t, "frr-hub")
	hub := s.Guests["frr1"]
	t.Run("registration", func(t *testing.T) {
		for _, sp := range []string{"spoke3", "spoke4"} {
			s.Learned(t, sp, "10.255.0.1/32", "192.0.2.1", "nhs")
		}
		FRRHas(t, hub, "show ip nhrp", "dynamic", "10.255.0.13", "192.0.2.13")
		FRRHas(t, hub, "show ip nhrp", "dynamic", "10.255.0.14", "192.0.2.14")
	})
	t.Run("nave to nave", func(t *testing.T) {
		s.Reaches(t, "spoke3-host", lan3.Addr, lan4.Addr)
		s.Direct(t, lan3, lan4)
	})
	t.Run("nave to FRR", func(t *testing.T) {
		s.Reaches(t, "spoke3-host", lan3.Addr, lan2.Addr)
		s.Direct(t, lan3, lan2)
	})
	t.Run("FRR to nave", func(t *testing.T) {
		s.Reaches(t, "frr2", lan2.Addr, lan4.Addr)
		s.Direct(t, lan2, lan4)
	})
	s.wellFormed(t)
}
