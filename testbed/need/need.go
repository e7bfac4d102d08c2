// Package need says what a test needs of the machine: it skips the test, with the reason, where that is missing,
// and fails it instead where NAVE_REQUIRE is set, so that no skip hides on a machine that should have everything.
package need

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Root needs the test to run as root: network namespaces, XDP programs, raw sockets.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root")
	}
}

// Command needs programs on the PATH; testbed/deps.sh installs them.
func Command(t testing.TB, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			missing(t, "the program "+n+" (testbed/deps.sh test installs it)")
		}
	}
}

// File needs files or folders to be there.
func File(t testing.TB, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			missing(t, "the file "+p)
		}
	}
}

// That needs something to be so that only trying tells: a feature of the kernel, for example.
func That(t testing.TB, ok bool, what string) {
	t.Helper()
	if !ok {
		missing(t, what)
	}
}

// Optional skips where path is absent, also under NAVE_REQUIRE: for reference material that does not travel with the repository.
func Optional(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs %s, which is not part of this repository", path)
	}
}

func missing(t testing.TB, what string) {
	t.Helper()
	if v := os.Getenv("NAVE_REQUIRE"); v != "" && !strings.EqualFold(v, "0") {
		t.Fatalf("needs %s, and NAVE_REQUIRE=%s allows no skip", what, v)
	}
	t.Skipf("needs %s", what)
}
