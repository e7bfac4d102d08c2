package crew

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath"
	"nave/fastpath/fib"
)

func TestMain(m *testing.M) {
	if len(os.Args) >= 2 && os.Args[1] == Command { // a worker of a test, which may take its time
		if len(os.Args) == 3 {
			linger(os.Args[2])
		}
		if err := Main(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// linger waits as a worker of a test is to wait before it does anything: for a while, or until two have left a file in a folder.
func linger(how string) {
	if d, err := time.ParseDuration(how); err == nil {
		time.Sleep(d)
		return
	}
	if err := os.WriteFile(filepath.Join(how, fmt.Sprint(os.Getpid())), nil, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		if list, err := os.ReadDir(how); err == nil && len(list) == 2 {
			return
		}
	}
	os.Exit(1)
}

// logged is a log that a test looks into.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), s)
}

// testConfig is of two small workers.
func testConfig(t *testing.T) (Config, *logged) {
	log := &logged{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.buf.String())
		}
	})
	return Config{
		RunDir: t.TempDir(), Chunk: 2048, Frames: 64, Adaptive: true, Log: slog.New(slog.NewTextHandler(log, nil)),
		Engine: fastpath.Config{
			Workers: 2, ArenaBytes: 16 << 20, MaxAdjacencies: 256, MaxTunnels: 16, MaxRoutes: 256, MaxSAs: 16, MaxPorts: 16, MaxLabels: 16,
			PuntSlots: 16, InjectSlots: 16, SlotSize: 2048, Flows: 64,
		},
		Socket: func(int, Attach, int) error { return nil },
	}, log
}

func open(t *testing.T, cfg Config) *Crew {
	t.Helper()
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		for _, s := range c.Status() {
			if s.PID != 0 {
				t.Errorf("worker %d is left", s.Worker)
			}
		}
	})
	return c
}

func pids(c *Crew) (list []int) {
	for _, s := range c.Status() {
		list = append(list, s.PID)
	}
	return list
}

// patience is how long a test waits for what another process does.
const patience = time.Minute

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("never: " + what)
		}
	}
}

func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

// polls waits until every worker polls.
func polls(t *testing.T, c *Crew) {
	t.Helper()
	for i := range c.Status() {
		before := c.Engine().Polls(i)
		eventually(t, "a worker polls", func() bool { return c.Engine().Polls(i) > before })
	}
}

// TestProcesses: a worker is a process of its own, with its name, with one processor for Go's scheduler, in a session of its own, and with hardly any rights.
func TestProcesses(t *testing.T) {
	cfg, _ := testConfig(t)
	cfg.CPUs = []int{0}
	for _, name := range []string{"LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET"} { // what systemd says to naved alone
		t.Setenv(name, "1")
	}
	c := open(t, cfg)
	polls(t, c)
	for i, s := range c.Status() {
		if s.Restarts != 0 || s.Adopted || time.Since(s.Started) > time.Minute || s.PID == os.Getpid() {
			t.Errorf("%+v", s)
		}
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.PID))
		if err != nil || strings.TrimSpace(string(comm)) != fmt.Sprintf("nave-worker-%d", i) {
			t.Errorf("its name is %q, %v", comm, err)
		}
		if sid, err := unix.Getsid(s.PID); err != nil || sid != s.PID {
			t.Errorf("its session is %d, %v", sid, err)
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
		if err != nil {
			t.Fatal(err)
		}
		caps := fmt.Sprintf("CapPrm:\t%016x\n", 1<<unix.CAP_NET_RAW|1<<unix.CAP_IPC_LOCK)
		if os.Geteuid() == 0 && !strings.Contains(string(text), caps) || !strings.Contains(string(text), "NoNewPrivs:\t1\n") {
			t.Errorf("its rights are %s, want %s", text, caps)
		}
	}
	if cpuOf(c.Status()[0].PID) != 0 {
		t.Error("worker 0 is not tied to CPU 0")
	}
	if cpuOf(c.Status()[1].PID) != -1 && cpuOf(os.Getpid()) == -1 {
		t.Error("worker 1 is tied to a CPU")
	}
	if text, err := os.ReadFile("/proc/self/status"); err != nil || os.Geteuid() == 0 && strings.Contains(string(text), "CapPrm:\t0000000000006000\n") {
		t.Errorf("who starts workers has lost rights: %s, %v", text, err)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.Status()[0].PID))
	if err != nil || !strings.Contains(string(env), "GOMAXPROCS=1\x00") || strings.Contains(string(env), "LISTEN_FD") || strings.Contains(string(env), "NOTIFY_SOCKET") {
		t.Errorf("environment %q, %v", env, err)
	}
	if err := c.Engine().Inject(fastpath.Inject{Kind: fastpath.InjectRoute, Worker: 1, Packet: make([]byte, 20)}); err != nil {
		t.Error(err)
	}
	eventually(t, "the other process handles what is injected", func() bool { return c.Engine().Counters().Workers[1].Injected == 1 })
	for w := range 2 {
		h, err := c.Host(w)
		if err != nil || len(h.All) != 0 {
			t.Errorf("%+v, %v", h, err)
		}
	}
	if err := c.Attach(0, Attach{Port: 1, Ifindex: 1 << 30}); err == nil {
		t.Error("a netdev that is not there was opened")
	}
}

// TestKilled: a worker that is killed is back at the first try, each time, and the other one is left alone.
func TestKilled(t *testing.T) {
	cfg, log := testConfig(t)
	var mu sync.Mutex
	var events []string
	note := func(what string) func(int, bool) {
		return func(w int, planned bool) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, fmt.Sprint(what, w, planned))
		}
	}
	cfg.Down, cfg.Up = note("down"), note("up")
	c := open(t, cfg)
	if err := c.Relay(0, 3, 1); err != nil {
		t.Fatal(err)
	}
	was := pids(c)
	for round := range 3 {
		victim := pids(c)[0]
		if err := unix.Kill(victim, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is back", func() bool { s := c.Status()[0]; return s.Restarts == round+1 && s.PID != 0 })
		eventually(t, "both are told", func() bool { mu.Lock(); defer mu.Unlock(); return len(events) >= 2*(round+1) })
		if log.has("a worker does not come back") {
			t.Error("it took several tries")
		}
	}
	polls(t, c)
	if now := pids(c); now[1] != was[1] || now[0] == was[0] {
		t.Errorf("processes %v, were %v", now, was)
	}
	eventually(t, "its ports are back", func() bool { h, err := c.Host(0); return err == nil && slices.Equal(h.All, []portID{3}) })
	if err := c.Detach(0, 3); err != nil {
		t.Error(err)
	}
	eventually(t, "all is told", func() bool { mu.Lock(); defer mu.Unlock(); return len(events) == 6 })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"down0 false", "up0 false"}; !slices.Equal(events, slices.Concat(want, want, want)) || !log.has("a worker died") {
		t.Error(events)
	}
}

// TestTakeOver: workers outlive their naved, and the next one goes on with them and with what is installed.
func TestTakeOver(t *testing.T) {
	cfg, _ := testConfig(t)
	first, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Relay(0, 3, 1); err != nil {
		t.Fatal(err)
	}
	b := &fib.Batch{Ports: []fib.Port{{ID: 3, MTU: 1500}}}
	if _, err := first.Engine().Apply(b); err != nil {
		t.Fatal(err)
	}
	was := pids(first)
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another naved has the run directory") {
		t.Errorf("a second one beside the first: %v", err)
	}
	first.Leave()
	if err := unix.Kill(was[1], unix.SIGKILL); err != nil { // while nobody looks
		t.Fatal(err)
	}
	next := open(t, cfg)
	if !next.TookOver() || len(next.Engine().Inherited().Ports) != 1 {
		t.Error("the tables are empty")
	}
	now := next.Status()
	if now[0].PID != was[0] || !now[0].Adopted || now[1].PID == was[1] || now[1].Adopted {
		t.Errorf("workers %+v, were %v", now, was)
	}
	polls(t, next)
	for w := range 2 {
		if err := next.Engine().Inject(fastpath.Inject{Kind: fastpath.InjectRoute, Worker: w, Packet: make([]byte, 20)}); err != nil {
			t.Error(err)
		}
		eventually(t, "a worker is woken by the new naved", func() bool { return next.Engine().Counters().Workers[w].Injected == 1 })
	}
	if h, err := next.Host(0); err != nil || len(h.All) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	if err := next.Prune(); err != nil {
		t.Error(err)
	}
	if h, err := next.Host(0); err != nil || len(h.All) != 0 {
		t.Errorf("what nobody wants any more is there: %+v, %v", h, err)
	}
	if err := unix.Kill(now[0].PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a worker that was taken over comes back, too", func() bool { s := next.Status()[0]; return s.Restarts == 1 && s.PID != 0 && !s.Adopted })
}

// TestAfresh: what does not fit is stopped, and told.
func TestAfresh(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"slots":   func(c *Config) { c.Engine.SlotSize = 4096 },
		"workers": func(c *Config) { c.Engine.Workers = 1 },
		"more":    func(c *Config) { c.Engine.Workers = 3 },
		"chunks":  func(c *Config) { c.Chunk = 4096 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg, log := testConfig(t)
			first, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			was := pids(first)
			first.Leave()
			change(&cfg)
			c := open(t, cfg)
			if c.TookOver() || !log.has("starts afresh") {
				t.Error("it was taken over")
			}
			for _, pid := range was {
				if running(pid) {
					t.Errorf("process %d is left", pid)
				}
			}
			polls(t, c)
		})
	}
}

// TestRenew: workers that are as before but for what they were started with give way one after the other, and the tables stay.
func TestRenew(t *testing.T) {
	cfg, log := testConfig(t)
	first, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	was := pids(first)
	first.Leave()
	cfg.Frames, cfg.Adaptive = 128, false
	c := open(t, cfg)
	if !c.TookOver() || !slices.Equal(pids(c), was) {
		t.Fatal("they were not taken over")
	}
	c.Renew(t.Context())
	now := pids(c)
	for i := range now {
		if now[i] == was[i] || now[i] == 0 || c.Status()[i].Restarts != 1 {
			t.Errorf("worker %d is process %d, was %d", i, now[i], was[i])
		}
	}
	polls(t, c)
	if log.has("a worker died") || !log.has("other packet memory") {
		t.Error("a planned change is told as a fault, or its reason is not told")
	}
}

// TestDoesNotStart: a program that hangs, ends, or is not there is an error that says so, and leaves nothing.
func TestDoesNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		program []string
		given   time.Duration
		want    string
	}{
		"hangs":        {[]string{"/bin/sleep", "987"}, 300 * time.Millisecond, "did not answer within 300ms"},
		"ends":         {[]string{"/bin/true"}, patience, "ended at once"},
		"is not there": {[]string{"/nonexistent/nave"}, patience, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := testConfig(t)
			cfg.Program, cfg.Patience = c.program, c.given
			if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v", err)
			}
			left, err := filepath.Glob(filepath.Join(cfg.RunDir, "*"))
			if err != nil || len(left) != 0 {
				t.Errorf("%v are left, %v", left, err)
			}
		})
	}
}

// TestHungRelic: a worker that was left and does not answer is killed, and forwarding starts afresh.
func TestHungRelic(t *testing.T) {
	cfg, log := testConfig(t)
	first, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	was := pids(first)
	first.Leave()
	for _, pid := range was {
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all threads of a worker have stopped", func() bool { return stopped(t, pid) })
	}
	c := open(t, cfg)
	if c.TookOver() || !log.has("does not answer") {
		t.Error("workers that hang were taken over")
	}
	for _, pid := range was {
		eventually(t, fmt.Sprintf("process %d ends", pid), func() bool { return !running(pid) })
	}
	polls(t, c)
}

// TestHung: a worker that stops polling is replaced.
func TestHung(t *testing.T) {
	cfg, log := testConfig(t)
	cfg.look = lookEvery / 5
	cfg.Adaptive = false // else it polls once a second only
	c := open(t, cfg)
	victim := pids(c)[0]
	if err := unix.Kill(victim, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a worker that hangs is told of", func() bool { return log.has("polls no more") })
	eventually(t, "a worker that hangs ends", func() bool { return !running(victim) })
	eventually(t, "it is back", func() bool { return c.Status()[0].PID != 0 })
	polls(t, c)
}

// TestOrphan: a worker that nobody can reach any more knows it.
func TestOrphan(t *testing.T) {
	path := filepath.Join(t.TempDir(), socketName(0))
	f, err := bind(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	s := &server{boot: Boot{Socket: path}}
	if s.boot.Inode, err = inode(path); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * orphanAge)
	for _, c := range []struct {
		name string
		conn *conn
		idle time.Time
		gone bool
		want bool
	}{
		{"its socket is there", nil, old, false, false},
		{"its socket is gone", nil, old, true, true},
		{"since a moment", nil, time.Now(), true, false},
		{"and somebody is connected", &conn{}, old, true, false},
	} {
		if c.gone {
			_ = os.Remove(path)
		}
		s.conn, s.idle = c.conn, c.idle
		if s.orphaned() != c.want {
			t.Errorf("%s: %v", c.name, !c.want)
		}
	}
	g, err := bind(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if s.conn, s.idle = nil, old; !s.orphaned() {
		t.Error("another's socket in its place is taken for its own")
	}
}

// TestEnd: a naved whose workers are threads stops those that were left, and nobody else's.
func TestEnd(t *testing.T) {
	cfg, log := testConfig(t)
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	was := pids(c)
	if _, err := End(cfg.RunDir, cfg.Log); err == nil || !running(was[0]) {
		t.Errorf("the workers of a naved that runs were stopped: %v", err)
	}
	c.Leave()
	release, err := End(cfg.RunDir, cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range was {
		if running(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	if !log.has("is stopped") {
		t.Error("nothing was said")
	}
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another naved has the run directory") {
		t.Errorf("beside a naved whose workers are threads: %v", err)
	}
	release()
	if release, err = End(cfg.RunDir, cfg.Log); err != nil {
		t.Fatalf("where there is nothing to stop: %v", err)
	}
	release()
}

// TestHailing: waiting for workers that another naved has takes no thread and no descriptor a try.
func TestHailing(t *testing.T) {
	cfg, _ := testConfig(t)
	first := open(t, cfg)
	threads, fds := entries(t, "task"), entries(t, "fd")
	c := &Crew{cfg: cfg}
	for range 50 {
		if _, err := c.greet(first.members[0].boot.Socket); err == nil || !strings.Contains(err.Error(), "another naved controls") {
			t.Fatalf("another naved's worker was greeted: %v", err)
		}
	}
	eventually(t, "all descriptors are given back", func() bool { return entries(t, "fd") <= fds })
	if now := entries(t, "task"); now > threads+10 {
		t.Errorf("%d threads, were %d", now, threads)
	}
}

// entries counts what this process has in a folder of /proc/self.
func entries(t *testing.T, folder string) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/" + folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestProcessWatched: a process that is watched takes no thread, and what is closed under the watch ends it.
func TestProcessWatched(t *testing.T) {
	threads := entries(t, "task")
	var list []*process
	for range 40 {
		p, err := openProcess(os.Getppid())
		if err != nil {
			t.Fatal(err)
		}
		go p.watch()
		list = append(list, p)
	}
	time.Sleep(50 * time.Millisecond)
	if now := entries(t, "task"); now > threads+20 {
		t.Errorf("%d threads, were %d", now, threads)
	}
	for _, p := range list {
		p.close()
		p.kill(unix.SIGKILL) // nobody
		if !p.alive() {
			t.Error("what is not watched any more is taken for dead")
		}
	}
	if _, err := openProcess(0); err == nil {
		t.Error("a process of another PID namespace was opened")
	}
}
