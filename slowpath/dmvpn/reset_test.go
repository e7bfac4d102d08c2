package dmvpn

import (
	"testing"

	"nave/slowpath/nbma"
)

// Of several peers behind an address, the one begins again that was said.
func TestResetInside(t *testing.T) {
	first, second := nbma.Behind(ip(peerA), ip("172.16.0.1")), nbma.Behind(ip(peerA), ip("172.16.0.2"))
	for inside, want := range map[string]int{"172.16.0.1": 1, "172.16.0.2": 1, "172.16.0.3": 0, "": 2} {
		r := newRig(t)
		r.event(Wanted{"Tunnel0", first}, Wanted{"Tunnel0", second})
		ev := Reset{NBMA: ip(peerA)}
		if inside != "" {
			ev.Inside = ip(inside)
		}
		r.event(ev)
		n := 0
		for _, s := range r.m.Status(r.now).Sessions {
			if s.NextTry.IsZero() {
				continue
			}
			if n++; inside != "" && s.Inside != ip(inside) {
				t.Errorf("reset of %q: the one with %s begins again", inside, s.Inside)
			}
		}
		if n != want || len(r.m.Status(r.now).Sessions) != 2 {
			t.Errorf("reset of %q: %d begin again, want %d", inside, n, want)
		}
	}
}
