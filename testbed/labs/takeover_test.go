package labs

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
	"nave/testbed/topo"
)

// A naved that is killed leaves workers that forward on; the next one takes over what they forward by. Between the hosts nothing is lost, whoever is
// killed, while IKE and NHRP find each other again.
func TestTakeover(t *testing.T) {
	t.Parallel()
	need.Command(t, "dnsmasq")
	for _, lab := range []Lab{protected(), guide()} {
		t.Run(lab.Name, func(t *testing.T) {
			t.Parallel()
			l := topo.ForTest(t, lab.Topology)
			check(t, l, lab.Checks...)
			for _, router := range []string{"hub", "spoke1"} {
				const count = 800 // 20 ms apart
				row := startPings(t, l, "host1", "10.2.0.7", count)
				time.Sleep(500 * time.Millisecond)
				must(t, l.StopRouter(router, unix.SIGKILL))
				time.Sleep(2 * time.Second)
				start(t, l, router)
				if text, err := l.Nave(router, "show", "dmvpn"); err == nil {
					t.Logf("%s:\n%s", router, text)
				}
				if text, err := l.Nave(router, "show", "crypto", "session"); err == nil {
					t.Logf("%s:\n%s", router, text)
				}
				n := row.lost(t)
				t.Logf("%s killed: %d of %d lost", router, n, count)
				if n > 0 {
					t.Errorf("%s killed: %d of %d lost", router, n, count)
				}
				lines(t, l, router, []string{"show", "crypto", "session"}, nil, "nherited")
			}
		})
	}
}
