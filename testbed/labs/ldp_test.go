package labs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

// Sessions of LDP come up over tunnels with the kernel's sockets, go with a clean stop at once, and come back after a crash.
func TestLDPSessions(t *testing.T) {
	t.Parallel()
	l := topo.ForTest(t, enterprise2547().Topology)
	neighbors := func(router string) int {
		out, _ := l.Nave(router, "show", "mpls", "ldp", "neighbor")
		return strings.Count(out, "State: Oper")
	}
	until := func(within time.Duration, what string, holds func() bool) {
		t.Helper()
		must(t, topo.Eventually(within, func() error {
			if holds() {
				return nil
			}
			out, err := l.Nave("hub", "show", "mpls", "ldp", "discovery")
			return fmt.Errorf("not within %v: %s (%v)\n%s", within, what, err, out)
		}))
	}
	began := time.Now()
	until(soon, "sessions", func() bool { return neighbors("hub") >= 2 })
	t.Logf("sessions after %v", time.Since(began))
	must(t, l.StopRouter("spoke3", unix.SIGTERM))
	began = time.Now()
	until(10*time.Second, "a clean stop ends the session", func() bool { return neighbors("hub") == 1 })
	t.Logf("ended after %v", time.Since(began))
	start(t, l, "spoke3")
	until(soon, "it is back", func() bool { return neighbors("hub") >= 2 })
	must(t, l.StopRouter("hub", unix.SIGKILL))
	start(t, l, "hub")
	until(soon, "sessions after a crash", func() bool { return neighbors("hub") >= 2 && neighbors("spoke2") == 1 })
}
