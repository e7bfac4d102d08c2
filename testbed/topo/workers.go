package topo

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Workers are the processes of a router's workers, by their number.
func (l *Lab) Workers(node string) ([]int, error) {
	pids, err := l.NS(node).PIDs()
	if err != nil {
		return nil, err
	}
	byName := make(map[string]int)
	var names []string
	for _, pid := range pids {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if name := strings.TrimSpace(string(comm)); err == nil && strings.HasPrefix(name, "nave-worker-") {
			byName[name] = pid
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var list []int
	for _, n := range names {
		list = append(list, byName[n])
	}
	return list, nil
}

// KillRouter kills a router's naved and its workers: nothing of nave runs in the node then.
func (l *Lab) KillRouter(node string) error {
	if err := l.StopRouter(node, unix.SIGKILL); err != nil {
		return err
	}
	workers, err := l.Workers(node)
	for _, pid := range workers {
		err = errors.Join(err, unix.Kill(pid, unix.SIGKILL))
	}
	if err != nil {
		return fmt.Errorf("topo: kill the workers of %s: %w", node, err)
	}
	for end := time.Now().Add(stopLimit); ; time.Sleep(10 * time.Millisecond) {
		left, err := l.Workers(node)
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("topo: workers %v of %s do not end", left, node)
		}
	}
}
