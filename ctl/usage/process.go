package usage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is what a process has used since it was started.
type Process struct {
	PID     int
	Name    string
	Worker  bool // it forwards packets
	Started uint64
	CPU     time.Duration
	Invoked uint64 // times that a thread of it was given a CPU
	// Bytes.
	Resident         uint64
	Allocated, Freed uint64
}

// tick is the unit of CPU times in /proc on all of Linux' architectures that nave is built for.
const tick = 10 * time.Millisecond

// ReadProcess reads what Linux tells of a process below proc, which is /proc. Allocated is the most memory that it ever held, and Freed what it holds less of now.
func ReadProcess(proc string, pid int) (Process, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	p := Process{PID: pid}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, fmt.Errorf("usage: process %d: %w", pid, err)
	}
	if err := p.readStat(stat); err != nil {
		return p, err
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return p, fmt.Errorf("usage: process %d: %w", pid, err)
	}
	p.Resident = kilobytes(status, "VmRSS:") << 10
	p.Allocated = max(p.Resident, kilobytes(status, "VmHWM:")<<10)
	p.Freed = p.Allocated - p.Resident
	tasks, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		return p, fmt.Errorf("usage: process %d: %w", pid, err)
	}
	for _, t := range tasks {
		// The third number: how often it ran. A thread that has ended meanwhile has none, as one of a kernel that does not count has.
		text, _ := os.ReadFile(filepath.Join(dir, "task", t.Name(), "schedstat"))
		if f := bytes.Fields(text); len(f) >= 3 {
			n, _ := strconv.ParseUint(string(f[2]), 10, 64)
			p.Invoked += n
		}
	}
	return p, nil
}

// readStat reads /proc/PID/stat. The name, the second field, may have blanks and parentheses in it.
func (p *Process) readStat(text []byte) error {
	end := bytes.LastIndexByte(text, ')')
	fields := bytes.Fields(text[end+1:])
	const utime, stime, start = 11, 12, 19 // after the name
	if end < 0 || len(fields) <= start {
		return fmt.Errorf("usage: process %d: what /proc says of it is too short: %q", p.PID, text)
	}
	var n [3]uint64
	for k, at := range []int{utime, stime, start} {
		v, err := strconv.ParseUint(string(fields[at]), 10, 64)
		if err != nil {
			return fmt.Errorf("usage: process %d: field %d of /proc/PID/stat: %w", p.PID, at+3, err)
		}
		n[k] = v
	}
	p.CPU, p.Started = time.Duration(n[0]+n[1])*tick, n[2]
	return nil
}

// kilobytes is the number of a line "NAME   123 kB"; 0 where there is none.
func kilobytes(text []byte, name string) uint64 {
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			n, _ := strconv.ParseUint(f[1], 10, 64)
			return n
		}
	}
	return 0
}
