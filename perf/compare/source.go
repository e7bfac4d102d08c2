package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// errNoSource means that the kernel's own benchmark is not at hand.
var errNoSource = errors.New("nave's source and Go are not at hand: the kernel alone is measured by its benchmark, from the folder of the source")

// benchmark runs a benchmark of nave's source and returns what it printed.
func (m *machine) benchmark(ctx context.Context, pattern, length, pkg string) (string, error) {
	root, err := source()
	if err != nil {
		return "", err
	}
	p, err := start(nil, "", "env", "-C", root, "CGO_ENABLED=0", "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", length, "-count", fmt.Sprint(m.runs), pkg)
	if err != nil {
		return "", err
	}
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute) // the first time it is compiled
	defer stop()
	return p.wait(ctx)
}

// source is the folder of nave's source around the working directory.
func source() (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", errNoSource
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("compare: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module nave\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errNoSource
		}
	}
}
