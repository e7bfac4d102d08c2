package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// run gives a meter samples of n ticks, each made by f.
func run(m *Meter, n int, f func(k int) Sample) {
	for k := range n {
		s := f(k)
		s.At, s.CPUs = start.Add(time.Duration(k)*Every), 4
		m.Add(s)
	}
}

func near(a, b float64) bool { return a-b < 0.01 && b-a < 0.01 }

// Shares are those of the last five seconds, minute and five minutes; what was before does not count.
func TestShares(t *testing.T) {
	var m Meter
	if u := m.Usage(); !u.Sampled.IsZero() || len(u.Processes) != 0 {
		t.Errorf("without a sample: %+v", u)
	}
	// The worker takes one of four CPUs for ten minutes, and none in the last minute; naved a tenth of one all the time.
	const ticks = 133
	run(&m, ticks, func(k int) Sample {
		busy := min(k, ticks-1-12)
		return Sample{Processes: []Process{
			{PID: 1, Name: "naved", CPU: time.Duration(k) * Every / 10, Invoked: 7, Resident: 8, Allocated: 9, Freed: 10},
			{PID: 2, Name: "nave-worker-0", Worker: true, CPU: time.Duration(busy) * Every},
		}, Memory: show.MemoryUsage{Total: 3, Used: 2, Free: 1}}
	})
	u := m.Usage()
	p, w := u.Processes[0], u.Processes[1]
	if !near(p.Share.FiveSeconds, 2.5) || !near(p.Share.OneMinute, 2.5) || !near(p.Share.FiveMinutes, 2.5) {
		t.Errorf("naved: %+v", p.Share)
	}
	if !near(w.Share.FiveSeconds, 0) || !near(w.Share.OneMinute, 0) || !near(w.Share.FiveMinutes, 20) {
		t.Errorf("the worker: %+v", w.Share)
	}
	if !near(u.All.FiveMinutes, 22.5) || !near(u.Packets.FiveMinutes, 20) || !near(u.All.FiveSeconds, 2.5) {
		t.Errorf("together: %+v, packets %+v", u.All, u.Packets)
	}
	if p.Name != "naved" || p.Invoked != 7 || p.Holding != 8 || p.Allocated != 9 || p.Freed != 10 || u.Memory.Used != 2 || u.CPUs != 4 || !u.Sampled.Equal(start.Add((ticks-1)*Every)) {
		t.Errorf("%+v", u)
	}
	if len(m.samples) != kept {
		t.Errorf("%d samples are kept", len(m.samples))
	}
}

// A process that is another with the number of one before has all of its time since; the first sample has no shares.
func TestNewProcess(t *testing.T) {
	var m Meter
	run(&m, 1, func(int) Sample { return Sample{Processes: []Process{{PID: 2, CPU: time.Hour}}} })
	if s := m.Usage().Processes[0].Share; s != (show.Shares{}) {
		t.Errorf("after one sample: %+v", s)
	}
	m.Add(Sample{At: start.Add(Every), CPUs: 1, Processes: []Process{{PID: 2, Started: 99, CPU: time.Second}}})
	if s := m.Usage().Processes[0].Share; !near(s.FiveSeconds, 20) || !near(s.FiveMinutes, 20) {
		t.Errorf("another process: %+v", s)
	}
	m.Add(Sample{At: start, CPUs: 1}) // of before
	if n := len(m.Usage().Processes); n != 1 {
		t.Errorf("an older sample was taken: %d processes", n)
	}
}

func TestRates(t *testing.T) {
	var m Meter
	run(&m, 20, func(k int) Sample {
		n := uint64(k)
		links := map[string]fastpath.LinkCount{
			"Ethernet0": {Rx: fastpath.Count{Packets: 500 * n, Bytes: 50000 * n}, Tx: fastpath.Count{Packets: min(n, 3), Bytes: 100 * min(n, 3)}},
			"Tunnel0":   {Rx: fastpath.Count{Packets: 7, Bytes: 700}},
			"Tunnel1":   {},
		}
		if k >= 10 { // its number is another's now
			links["Tunnel2"] = fastpath.LinkCount{Rx: fastpath.Count{Packets: 1}}
		} else {
			links["Tunnel2"] = fastpath.LinkCount{Rx: fastpath.Count{Packets: 1000}}
		}
		return Sample{Links: links}
	})
	end := start.Add(19 * Every)
	for name, want := range map[string]show.LinkUsage{
		"Ethernet0": {InBits: 80000, InPackets: 100, OutBits: 25, LastIn: end, LastOut: start.Add(3 * Every)},
		"Tunnel0":   {LastIn: start}, "Tunnel1": {}, "Tunnel2": {LastIn: start.Add(10 * Every)},
	} {
		if got := m.Usage().Links[name]; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// write makes a /proc with one process.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const stat = "42 (nave) worker (1)) S 1 42 42 0 -1 4194560 1000 0 0 0 1234 66 0 0 20 0 9 0 5555 1000000 300 18446744073709551615 0 0 0\n"

func TestReadProcess(t *testing.T) {
	dir := write(t, map[string]string{
		"42/stat": stat, "42/status": "Name:\tnave\nVmHWM:\t    300 kB\nVmRSS:\t    200 kB\n", "42/task/42/schedstat": "100 200 30\n", "42/task/43/schedstat": "1 2 12\n", "42/task/44/comm": "x\n",
	})
	p, err := ReadProcess(dir, 42)
	want := Process{PID: 42, Started: 5555, CPU: 13 * time.Second, Invoked: 42, Resident: 200 << 10, Allocated: 300 << 10, Freed: 100 << 10}
	if err != nil || p != want {
		t.Errorf("%+v, %v; want %+v", p, err, want)
	}
	if _, err := ReadProcess(dir, 43); err == nil {
		t.Error("a process that is not there")
	}
	for n := range len(stat) - len(" 1000000 300 18446744073709551615 0 0 0\n") {
		q := Process{PID: 42}
		if err := q.readStat([]byte(stat[:n])); err == nil && n < strings.Index(stat, "5555") {
			t.Errorf("%q is read as %+v", stat[:n], q)
		}
	}
	if err := (&Process{}).readStat([]byte(strings.Replace(stat, "1234", "x", 1))); err == nil {
		t.Error("a time that is no number")
	}
}

// What Linux says of this very test makes sense.
func TestOwnProcess(t *testing.T) {
	p, err := ReadProcess("/proc", os.Getpid())
	if err != nil || p.Resident == 0 || p.Allocated < p.Resident || p.Started == 0 || p.Allocated-p.Freed != p.Resident {
		t.Errorf("%+v, %v", p, err)
	}
	m, err := ReadMemory("/proc")
	if err != nil || m.Total == 0 || m.Used+m.Free != m.Total {
		t.Errorf("%+v, %v", m, err)
	}
	s := ReadSystem("/proc")
	if s.Kernel == "" || s.Machine == "" || s.CPUs < 1 || s.Memory != m.Total || s.Image == "" || !strings.HasPrefix(s.Go, "go") {
		t.Errorf("%+v", s)
	}
	if _, err := ReadMemory(t.TempDir()); err == nil {
		t.Error("no meminfo")
	}
}

func TestCountCPUs(t *testing.T) {
	text := ""
	for k := range 3 {
		text += fmt.Sprintf("processor\t: %d\nmodel name\t: A CPU: of 3 GHz\nflags\t\t: fpu\n\n", k)
	}
	if n, model := countCPUs(text); n != 3 || model != "A CPU: of 3 GHz" {
		t.Errorf("%d, %q", n, model)
	}
	if n, model := countCPUs(""); n != 0 || model != "" {
		t.Errorf("%d, %q", n, model)
	}
}

func FuzzReadStat(f *testing.F) {
	f.Add([]byte(stat))
	f.Add([]byte("1 (x) S"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		p := Process{}
		_ = p.readStat(b)
		_ = kilobytes(b, "VmRSS:")
	})
}
