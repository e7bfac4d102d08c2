package interop

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"nave/testbed/topo"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Geteuid() == 0 {
		if err := shutDown(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		topo.CleanUp()
	}
	os.Exit(code)
}

func TestFRRSpokes(t *testing.T) {
	s := Start(t, "frr-spokes")
	err := topo.Eventually(20*time.Second, func() error {
		out, err := s.Nave("hub", "show", "ip", "nhrp")
		if err == nil && (!strings.Contains(out, "10.255.0.11/32") || !strings.Contains(out, "10.255.0.12/32")) {
			err = fmt.Errorf("%s", out)
		}
		return err
	})
	s.explain(t)
	if err != nil {
		t.Fatal(err)
	}
}
