//go:build race

package topo

import (
	"os"
	"path/filepath"
	"sync"
)

const raceEnabled = true

// raceOptions has the daemons' detector look away from one race of GoBGP's: it marks paths of a neighbour that restarts as stale while it may tell others of them.
var raceOptions = sync.OnceValue(func() string {
	file := filepath.Join(os.TempDir(), "nave-race-suppressions-daemons")
	if os.WriteFile(file, []byte("race:StaleAll\n"), 0o644) != nil {
		return ""
	}
	return " suppressions=" + file
})
