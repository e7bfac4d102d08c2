package labs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
	"nave/testbed/topo"
)

var pingLoss = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

// A naved that is killed leaves workers that forward on; the next one takes over what they forward by. Between the hosts nothing is lost, whoever is
// killed, while IKE and NHRP find each other again.
func TestTakeover(t *testing.T) {
	need.Command(t, "dnsmasq")
	for _, lab := range []Lab{protected(), guide()} {
		t.Run(lab.Name, func(t *testing.T) {
			l := topo.ForTest(t, lab.Topology)
			check(t, l, lab.Checks...)
			for _, router := range []string{"hub", "spoke1"} {
				const count = 800 // 20 ms apart
				ping := l.NS("host1").Command("ping", "-n", "-q", "-i", "0.02", "-W", "2", "-c", fmt.Sprint(count), "10.2.0.7")
				var out strings.Builder
				ping.Stdout = &out
				must(t, ping.Start())
				time.Sleep(500 * time.Millisecond)
				must(t, l.StopRouter(router, unix.SIGKILL))
				time.Sleep(2 * time.Second)
				must(t, l.StartRouter(router))
				must(t, l.WaitReady(router, 15*time.Second))
				if text, err := l.Nave(router, "show", "dmvpn"); err == nil {
					t.Logf("%s:\n%s", router, text)
				}
				if text, err := l.Nave(router, "show", "crypto", "session"); err == nil {
					t.Logf("%s:\n%s", router, text)
				}
				_ = ping.Wait()
				m := pingLoss.FindStringSubmatch(out.String())
				if m == nil {
					t.Fatalf("ping says %q", out.String())
				}
				sent, _ := strconv.Atoi(m[1])
				got, _ := strconv.Atoi(m[2])
				t.Logf("%s killed: %d of %d lost", router, sent-got, sent)
				if sent-got > 0 {
					t.Errorf("%s killed: %d of %d lost", router, sent-got, sent)
				}
				if text, err := l.Nave(router, "show", "crypto", "session"); err != nil || strings.Contains(text, "nherited") {
					t.Errorf("%s: %v\n%s", router, err, text)
				}
			}
		})
	}
}
