package interop

import (
	"fmt"
	"os"
	"testing"

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
