//go:build race

package topo

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
)

const raceEnabled = true

// raceOptions has the daemons' detector look away from one race of GoBGP's: it marks paths of a neighbour that restarts as stale while it may tell others of them.
var raceOptions = sync.OnceValue(func() string {
	file := filepath.Join(os.TempDir(), "nave-race-suppressions-daemons")
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // whole at once: the daemons of another test may be about to read it
	if err != nil {
		return ""
	}
	_, err = f.WriteString("race:StaleAll\n")
	if err = errors.Join(err, f.Chmod(0o644), f.Close(), os.Rename(f.Name(), file)); err != nil {
		_ = os.Remove(f.Name())
		return ""
	}
	return " suppressions=" + file
})
