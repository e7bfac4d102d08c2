package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nave/testbed/netns"
	"nave/testbed/topo"
)

// labFolder has a folder for each lab that is up, by its prefix.
const labFolder = "/run/naveperf"

// Sweep takes away what processes that were killed have left behind: labs with their gateways, and benches. What belongs to a process that lives stays.
func Sweep() error {
	var err error
	folders, _ := filepath.Glob(filepath.Join(labFolder, "np*")) // the pattern is right
	for _, dir := range folders {
		if !orphan(filepath.Base(dir)) {
			continue
		}
		l, e := topo.Load(dir)
		if e == nil {
			e = l.Down()
		} else {
			e = os.RemoveAll(dir) // it was never up
		}
		err = errors.Join(err, e)
	}
	for _, prefix := range []string{"np", "nb"} {
		names, e := netns.Namespaces(prefix)
		err = errors.Join(err, e)
		for _, name := range names {
			if orphan(name) {
				ns := netns.NS{Name: name}
				err = errors.Join(err, ns.Delete())
			}
		}
	}
	if err != nil {
		return fmt.Errorf("rig: what an earlier run left behind: %w", err)
	}
	return nil
}

// orphan tells whether a name like np1234-gen is of a process that does not exist.
func orphan(name string) bool {
	digits, _, _ := strings.Cut(strings.TrimLeft(name, "npb"), "-")
	pid, err := strconv.Atoi(digits)
	return err == nil && pid > 0 && pid != os.Getpid() && errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}
