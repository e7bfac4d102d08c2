package labs

import (
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
		for end := time.Now().Add(within); !holds(); time.Sleep(200 * time.Millisecond) {
			if time.Now().After(end) {
				out, _ := l.Nave("hub", "show", "mpls", "ldp", "discovery")
				t.Fatalf("not within %v: %s\n%s", within, what, out)
			}
		}
	}
	began := time.Now()
	until(time.Minute, "sessions", func() bool { return neighbors("hub") >= 2 })
	t.Logf("sessions after %v", time.Since(began))
	must(t, l.StopRouter("spoke3", unix.SIGTERM))
	began = time.Now()
	until(10*time.Second, "a clean stop ends the session", func() bool { return neighbors("hub") == 1 })
	t.Logf("ended after %v", time.Since(began))
	start(t, l, "spoke3")
	until(time.Minute, "it is back", func() bool { return neighbors("hub") >= 2 })
	must(t, l.StopRouter("hub", unix.SIGKILL))
	start(t, l, "hub")
	until(time.Minute, "sessions after a crash", func() bool { return neighbors("hub") >= 2 && neighbors("spoke2") == 1 })
}
