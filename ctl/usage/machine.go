package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"nave/ctl/show"
)

// ReadMemory reads the machine's memory below proc, which is /proc. What the kernel could give back at once counts as free.
func ReadMemory(proc string) (show.MemoryUsage, error) {
	text, err := os.ReadFile(filepath.Join(proc, "meminfo"))
	if err != nil {
		return show.MemoryUsage{}, fmt.Errorf("usage: memory: %w", err)
	}
	m := show.MemoryUsage{Total: kilobytes(text, "MemTotal:") << 10}
	m.Free = min(m.Total, kilobytes(text, "MemAvailable:")<<10)
	m.Used = m.Total - m.Free
	return m, nil
}

// ReadSystem reads what machine this is. What can't be read is left out.
func ReadSystem(proc string) show.System {
	s := show.System{CPUs: runtime.NumCPU(), Go: runtime.Version() + " for " + runtime.GOOS + "/" + runtime.GOARCH}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		s.Kernel, s.Machine = unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
	}
	if m, err := ReadMemory(proc); err == nil {
		s.Memory = m.Total
	}
	if text, err := os.ReadFile(filepath.Join(proc, "cpuinfo")); err == nil {
		n, model := countCPUs(string(text))
		s.CPUs, s.Model = max(s.CPUs, n), model
	}
	s.Image, _ = os.Executable()
	return s
}

// countCPUs counts the CPUs of /proc/cpuinfo, whichever of them this process may use, and names their model.
func countCPUs(text string) (n int, model string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "processor":
			n++
		case "model name":
			model = strings.TrimSpace(value)
		}
	}
	return n, model
}

// Synchronized tells whether something keeps the clock right.
func Synchronized() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
