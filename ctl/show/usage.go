package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"nave/fastpath"
)

// Usage is what the box takes of its machine, and how busy its interfaces are. It is sampled every few seconds.
type Usage struct {
	Sampled   time.Time // the zero Time: it was not yet
	CPUs      int
	All       Shares // of the time of all CPUs: naved and the workers
	Packets   Shares // the workers alone
	Processes []ProcessUsage
	Memory    MemoryUsage
	Links     map[string]LinkUsage // by interface
}

// Shares is how much was used lately, in percent of all there is.
type Shares struct {
	FiveSeconds float64 `json:"five_seconds"`
	OneMinute   float64 `json:"one_minute"`
	FiveMinutes float64 `json:"five_minutes"`
}

// ProcessUsage is a process of the box.
type ProcessUsage struct {
	PID     int
	Name    string        // "naved", "nave-worker-0"
	Runtime time.Duration // CPU time, since it was started
	Invoked uint64        // times that it was given a CPU
	Share   Shares        // of the time of all CPUs
	// Bytes. Of naved the Go heap's, since it was started; of a worker the most that it held, and what it holds less now.
	Allocated, Freed uint64
	Holding          uint64 // resident memory
}

// MemoryUsage is the machine's memory, in bytes.
type MemoryUsage struct{ Total, Used, Free uint64 }

// LinkUsage is how busy an interface was in the last five minutes, or since naved runs, and when it was last.
type LinkUsage struct {
	InBits, OutBits       uint64 // a second
	InPackets, OutPackets uint64 // a second
	LastIn, LastOut       time.Time
}

// ClearedCount is from where `clear counters` has an interface counted.
type ClearedCount struct {
	At   time.Time
	From fastpath.LinkCount
}

// SortBy is what `show processes cpu sorted` goes by.
type SortBy uint8

// What processes are sorted by.
const (
	ByPID SortBy = iota
	ByFiveSeconds
	ByOneMinute
	ByFiveMinutes
)

func (p *ProcessUsage) by(s SortBy) float64 {
	switch s {
	case ByFiveSeconds:
		return p.Share.FiveSeconds
	case ByOneMinute:
		return p.Share.OneMinute
	case ByFiveMinutes:
		return p.Share.FiveMinutes
	}
	return 0
}

// ProcessesCPU is `show processes cpu [sorted]`. The second number of the first line, which IOS has for interrupts, is what the workers take: in both, packets
// that are forwarded. Shares are of all CPUs of the machine together.
func ProcessesCPU(s *Status, order SortBy) string {
	u := &s.Usage
	var b strings.Builder
	fmt.Fprintf(&b, "CPU utilization for five seconds: %.0f%%/%.0f%%; one minute: %.0f%%; five minutes: %.0f%%\n",
		u.All.FiveSeconds, u.Packets.FiveSeconds, u.All.OneMinute, u.All.FiveMinutes)
	b.WriteString(" PID Runtime(ms)     Invoked      uSecs   5Sec   1Min   5Min TTY Process \n")
	list := slices.Clone(u.Processes)
	slices.SortStableFunc(list, func(a, b ProcessUsage) int {
		return cmp.Or(cmp.Compare(b.by(order), a.by(order)), cmp.Compare(a.PID, b.PID))
	})
	for _, p := range list {
		each := uint64(0)
		if p.Invoked > 0 {
			each = uint64(p.Runtime.Microseconds()) / p.Invoked
		}
		fmt.Fprintf(&b, "%4d %11d %11d %10d %5.2f%% %5.2f%% %5.2f%% %3d %s\n", p.PID, p.Runtime.Milliseconds(), p.Invoked, each,
			p.Share.FiveSeconds, p.Share.OneMinute, p.Share.FiveMinutes, 0, p.Name)
	}
	return b.String()
}

// ProcessesMemory is `show processes memory [sorted]`, sorted by what is held. The pool is the machine's memory.
func ProcessesMemory(s *Status, sel Select) string {
	u := &s.Usage
	var b strings.Builder
	if sel.Form == Modern {
		fmt.Fprintf(&b, "Processor Pool Total: %10d Used: %10d Free: %10d\n\n", u.Memory.Total, u.Memory.Used, u.Memory.Free)
	} else {
		fmt.Fprintf(&b, "Total: %d, Used: %d, Free: %d\n", u.Memory.Total, u.Memory.Used, u.Memory.Free)
	}
	b.WriteString(" PID TTY  Allocated      Freed    Holding    Getbufs    Retbufs Process\n")
	list := slices.Clone(u.Processes)
	slices.SortStableFunc(list, func(a, b ProcessUsage) int {
		if sel.Sorted && a.Holding != b.Holding {
			return cmp.Compare(b.Holding, a.Holding)
		}
		return cmp.Compare(a.PID, b.PID)
	})
	var total uint64
	for _, p := range list {
		fmt.Fprintf(&b, "%4d %3d %10d %10d %10d %10d %10d %s\n", p.PID, 0, p.Allocated, p.Freed, p.Holding, 0, 0, p.Name)
		total += p.Holding
	}
	fmt.Fprintf(&b, "%37d Total\n", total)
	return b.String()
}

func (s *Status) cpuJSON() any {
	u := &s.Usage
	list := make([]object, 0, len(u.Processes))
	for _, p := range u.Processes {
		list = append(list, object{"pid": p.PID, "name": p.Name, "runtime_ms": p.Runtime.Milliseconds(), "invoked": p.Invoked, "percent": p.Share})
	}
	return object{"cpus": u.CPUs, "sampled": orNull(u.Sampled), "percent": u.All, "packets_percent": u.Packets, "processes": list}
}

func (s *Status) memoryJSON() any {
	u := &s.Usage
	list := make([]object, 0, len(u.Processes))
	for _, p := range u.Processes {
		list = append(list, object{"pid": p.PID, "name": p.Name, "allocated": p.Allocated, "freed": p.Freed, "holding": p.Holding})
	}
	return object{
		"total": u.Memory.Total, "used": u.Memory.Used, "free": u.Memory.Free, "processes": list,
		"arena_used": s.Fastpath.ArenaUsed, "arena_size": s.Fastpath.ArenaSize,
	}
}
