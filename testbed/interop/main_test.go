package interop

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"nave/testbed/topo"
)

func TestMain(m *testing.M) {
	// Programs built with the race detector linger for a second at their end otherwise: nave, hundreds of times.
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	// What runs side by side here waits for others, most of the time: four tunnels with strongSwan, and then two scenarios.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
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
