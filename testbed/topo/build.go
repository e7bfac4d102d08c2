package topo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"nave/testbed/need"
)

var serial atomic.Int32

// binaries builds nave's programs once a test process.
var binaries = sync.OnceValues(func() (string, error) {
	built = true
	dir, err := os.MkdirTemp("", "nave-bin-")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-trimpath", "-o", dir}
	env := append(os.Environ(), "CGO_ENABLED=0")
	if raceEnabled { // the daemons of a test under the race detector are under it too, and end at the first race; with the tests' own flags, most of them is compiled already
		args = []string{"build", "-race", "-pgo=off", "-o", dir}
		env = append(os.Environ(), "CGO_ENABLED=1")
	}
	c := exec.Command("go", append(args, "nave/ctl/cmd/...")...)
	c.Env = env
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return dir, nil
})

var built bool

// Binaries is the folder of nave's programs as ForTest runs them: built once a test process, and removed by CleanUp.
func Binaries() (string, error) { return binaries() }

// ForTest brings a topology up for the length of a test, which needs root. The logs of its routers are printed if the
// test fails.
func ForTest(t *testing.T, top Topology) *Lab {
	t.Helper()
	need.Root(t)
	need.Command(t, "ip", "ethtool", "ping", "nsenter")
	var bin string
	if len(top.Routers()) > 0 {
		var err error
		if bin, err = binaries(); err != nil {
			t.Fatal(err)
		}
	}
	id := fmt.Sprintf("nt%d-%d", os.Getpid(), serial.Add(1))
	l, err := Up(top, Options{Prefix: id, Dir: filepath.Join("/run/nave-test", id), Bin: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, r := range top.Routers() {
				text, _ := os.ReadFile(l.LogFile(r))
				t.Logf("log of %s:\n%s", r, text)
			}
		}
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// CleanUp removes the binaries that ForTest built; for TestMain.
func CleanUp() {
	if !built {
		return
	}
	if dir, err := binaries(); err == nil {
		os.RemoveAll(dir)
	}
}
