package crew

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
)

// slowly is the test's own program, as a worker that takes a while before it does anything; see linger.
func slowly(while string) []string { return []string{self, Command, while} }

// halfStarted is a Crew whose naved dies while it brings worker 0 back. The process that it has started gets ready after a while.
func halfStarted(t *testing.T, cfg Config, while string) (straggler *process) {
	t.Helper()
	first, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := first.members[0]
	first.halt()
	first.running.Wait()
	m.proc.kill(unix.SIGKILL)
	<-m.proc.gone
	mine, err := claim(first.engine.ArenaFD(), 0, claimPatience, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	fds, err := first.descriptors(0, mine)
	if err != nil {
		t.Fatal(err)
	}
	if straggler, err = spawn(m.boot, slowly(while), fds); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { straggler.kill(unix.SIGKILL) })
	first.Leave()
	return straggler
}

// TestStraggler: a naved dies between a worker's start and its being ready. The next one waits for that process, which is the worker; there is never a second one.
func TestStraggler(t *testing.T) {
	cfg, _ := testConfig(t)
	straggler := halfStarted(t, cfg, "0.5s")
	c := open(t, cfg)
	s := c.Status()[0]
	if !c.TookOver() || s.PID != straggler.pid || !s.Adopted || c.Engine().Starts(0) != 2 {
		t.Errorf("worker 0 is %+v, want process %d; %d processes were it, want 2", s, straggler.pid, c.Engine().Starts(0))
	}
	polls(t, c)
}

// TestStragglerTooLate: where it does not get ready, there is no other one beside it; and it ends when it sees that it is not wanted any more.
func TestStragglerTooLate(t *testing.T) {
	cfg, _ := testConfig(t)
	straggler := halfStarted(t, cfg, "3s")
	straggler.kill(unix.SIGSTOP) // it does not get ready, however long this takes
	cfg.Patience = 300 * time.Millisecond
	_, err := Open(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "a process is that worker already") || !straggler.alive() {
		t.Errorf("worker 0 is started a second time: %v", err)
	}
	cfg.Patience = 0
	straggler.kill(unix.SIGCONT)
	select {
	case <-straggler.gone:
	case <-time.After(patience):
		t.Error("it is there still")
	}
	c := open(t, cfg)
	if !c.TookOver() || c.Status()[0].PID == straggler.pid {
		t.Error("the other workers were not taken over")
	}
	polls(t, c)
}

// TestLoneStraggler: where nobody tells of the process, its tables are not those that the next naved makes, and it ends.
func TestLoneStraggler(t *testing.T) {
	cfg, _ := testConfig(t)
	cfg.Engine.Workers = 1
	straggler := halfStarted(t, cfg, "3s")
	straggler.kill(unix.SIGSTOP) // it is not ready yet, however long this takes
	c := open(t, cfg)
	if c.TookOver() {
		t.Error("something was taken over")
	}
	straggler.kill(unix.SIGCONT)
	select {
	case <-straggler.gone:
	case <-time.After(patience):
		t.Error("it is there still")
	}
	polls(t, c)
	if !running(pids(c)[0]) {
		t.Error("the wrong one ended")
	}
}

// TestSecondMeanwhile: a second naved is refused also while the first one brings its only worker back.
func TestSecondMeanwhile(t *testing.T) {
	cfg, _ := testConfig(t)
	cfg.Engine.Workers = 1
	c := open(t, cfg)
	c.cfg.Program = slowly("1s")
	was := pids(c)[0]
	if err := unix.Kill(was, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker is away", func() bool { return pids(c)[0] != was })
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another naved has the run directory") {
		t.Errorf("a second one beside the first: %v", err)
	}
	eventually(t, "the worker is back", func() bool { return pids(c)[0] != 0 })
	if c.Status()[0].Restarts != 1 {
		t.Error("the second one was in the way")
	}
}

// TestRenewFails: where a new worker does not come back, the others are not taken down, too.
func TestRenewFails(t *testing.T) {
	cfg, log := testConfig(t)
	first, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	was := pids(first)
	first.Leave()
	cfg.Frames = 128
	cfg.Program, cfg.Patience = []string{"/bin/false"}, 500*time.Millisecond
	c := open(t, cfg)
	c.Renew(t.Context())
	if now := pids(c); now[0] == was[0] || now[1] != was[1] || !running(was[1]) {
		t.Errorf("workers %v, were %v: want the second one to be left", now, was)
	}
	if !log.has("the others stay as they are") {
		t.Error("nothing was said")
	}
}

// TestDiesYoung: a worker that starts well and dies at once, each time, is started again at growing intervals.
func TestDiesYoung(t *testing.T) {
	cfg, _ := testConfig(t)
	c := open(t, cfg)
	const deaths = 5
	begin := time.Now()
	eventually(t, "it is started again and again", func() bool {
		s := c.Status()[0]
		if s.PID != 0 {
			_ = unix.Kill(s.PID, unix.SIGKILL)
		}
		return s.Restarts >= deaths
	})
	// 50, 100, 200, 400, 800 ms
	if took, least := time.Since(begin), firstPause*(1<<deaths-1); took < least {
		t.Errorf("%d restarts in %v, which take %v at least", deaths, took, least)
	}
	eventually(t, "it comes back when it does not die any more", func() bool { return pids(c)[0] != 0 })
	if c.members[0].longer(); c.members[0].pause > longPause {
		t.Errorf("a pause of %v", c.members[0].pause)
	}
}

// deaf listens at a worker's socket, and says nothing.
const deaf = "import socket, time\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=3)\ns.listen()\ntime.sleep(60)"

// stopped says whether all threads of a process are stopped by a signal.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		t.Fatalf("process %d has no threads: %v", pid, err)
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			return false // a thread has just ended
		}
		// the state comes after the command, which may have brackets
		if _, state, ok := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')'):]), " "); !ok || state[0] != 'T' {
			return false
		}
	}
	return true
}

// TestStopMeanwhile: what a worker that is being started does not say holds up no stop, nor does one that is asked to open a port.
func TestStopMeanwhile(t *testing.T) {
	cfg, _ := testConfig(t)
	cfg.Patience = 30 * time.Second
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.cfg.Program = []string{"/usr/bin/env", "python3", "-c", deaf}
	was := pids(c)
	if err := unix.Kill(was[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(was[1], unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// A signal to stop is there at once, and the process stops when the scheduler comes to it.
	eventually(t, "all threads of the worker have stopped", func() bool { return stopped(t, was[1]) })
	asked := make(chan error, 1)
	go func() { asked <- c.Attach(1, Attach{Port: 1, Ifindex: 1}) }()
	time.Sleep(500 * time.Millisecond) // so that it listens
	at := time.Now()
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(at); took > 2*closePatience+time.Second {
		t.Errorf("it took %v", took)
	}
	select {
	case err := <-asked:
		if !errors.Is(err, errDown) { // and not by the time that a worker has for that
			t.Errorf("a worker that is stopped was asked to open a port: %v", err)
		}
	case <-time.After(patience):
		t.Error("a port is being waited for still")
	}
}

// TestOpenEnds: a start can be stopped, and leaves nothing then, nor what it would have taken over; workers are started at once and not in turn.
func TestOpenEnds(t *testing.T) {
	for _, left := range []string{"none", "one", "both"} {
		cfg, _ := testConfig(t)
		var was []int
		if left != "none" {
			first, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			was = pids(first)
			first.Leave()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		switch left {
		case "one":
			if err := unix.Kill(was[1], unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
		case "both":
			cancel()
		}
		cfg.Program, cfg.Patience = slowly("5m"), 5*time.Minute
		at := time.Now()
		if _, err := Open(ctx, cfg); err == nil || time.Since(at) > patience {
			t.Errorf("after %v: %v", time.Since(at), err)
		}
		for _, pid := range was {
			eventually(t, fmt.Sprintf("process %d ends", pid), func() bool { return !running(pid) })
		}
		if list, err := filepath.Glob(filepath.Join(cfg.RunDir, "*")); err != nil || len(list) > 0 {
			t.Errorf("%v are left, %v", list, err)
		}
	}
	cfg, _ := testConfig(t)
	cfg.Program, cfg.Patience = slowly(t.TempDir()), patience // each waits for the other one
	open(t, cfg)
}

// TestTidy: garbage is collected when there is much, and not before.
func TestTidy(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	s := &server{}
	keep := make([]byte, garbageLimit+1)
	s.tidy()
	collections := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumGC
	}
	before := collections()
	for range 36 {
		s.tidy()
		keep = make([]byte, 1<<20)
	}
	runtime.KeepAlive(keep)
	if n := collections() - before; n != 1 {
		t.Errorf("%d collections for 36 MiB of garbage", n)
	}
}

// TestAcceptGoesOn: a worker that can't accept a connection for a while is there for the next one.
func TestAcceptGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), socketName(0))
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: l, log: slog.New(slog.DiscardHandler), stop: func() {}}
	if err := l.SetDeadline(time.Now()); err != nil { // an error of accept(2) as any other
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { s.accept(); close(ended) }()
	time.Sleep(50 * time.Millisecond)
	if err := l.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	c, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "the connection is served", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.conn != nil })
	l.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("it accepts on when its socket is closed")
	}
}

// TestWantedMeanwhile: a port that is asked for while the worker's process is away is the next one's. One that was refused is not wanted after that.
func TestWantedMeanwhile(t *testing.T) {
	cfg, log := testConfig(t)
	c := open(t, cfg)
	if err := c.Relay(0, 4, 1); err != nil {
		t.Fatal(err)
	}
	for id := portID(4); id <= 5; id++ {
		if err := c.Attach(0, Attach{Port: id, Ifindex: 1 << 30}); err == nil {
			t.Fatal("a netdev that is not there was opened")
		}
	}
	c.cfg.Program = slowly("1s")
	was := pids(c)[0]
	if err := unix.Kill(was, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker is away", func() bool { return pids(c)[0] != was })
	if err := c.Relay(0, 3, 1); err != nil {
		t.Error(err)
	}
	eventually(t, "it is back, with all that is wanted", func() bool {
		h, err := c.Host(0)
		slices.Sort(h.All)
		return err == nil && slices.Equal(h.All, []portID{3, 4})
	})
	if log.has("does not come back") {
		t.Error("what was refused is tried again")
	}
}

// TestRelayRetried: a port that can't be sent by at first is tried again.
func TestRelayRetried(t *testing.T) {
	cfg, log := testConfig(t)
	c := open(t, cfg)
	m := c.members[0]
	m.mu.Lock()
	m.wanted[3] = wish{Attach: Attach{Port: 3}, via: 1} // and nobody has made the ring
	m.mu.Unlock()
	if err := unix.Kill(pids(c)[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is refused", func() bool { return log.has("does not come back") })
	if err := c.Engine().RelayRing(0, 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is there", func() bool {
		h, err := c.Host(0)
		return err == nil && slices.Equal(h.All, []portID{3})
	})
}

// TestLifetimes: workers that nobody serves end what has outlived its lifetime; as long as a naved is there, that is its business.
func TestLifetimes(t *testing.T) {
	cfg, _ := testConfig(t)
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if c != nil {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		}
	}()
	var b fib.Batch
	for i, until := range []time.Duration{-2 * expireGrace, -expireGrace / 6, expireGrace} {
		b.SAs = append(b.SAs, fib.SA{
			ID: fib.SAID(i + 1), SPI: uint32(1000 + i), Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr("192.0.2.2"),
			Cipher: fib.CipherAESGCM, CipherKey: make(fib.Key, 20), Expires: time.Now().Add(until).Unix(),
		})
	}
	if refused, err := c.Engine().Apply(&b); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	limits := func() (list []uint64) {
		for _, f := range c.Engine().Inherited().SAs {
			list = append(list, f.HardBytes)
		}
		return list
	}
	time.Sleep(watchEvery + watchEvery/2)
	if got := limits(); !slices.Equal(got, []uint64{0, 0, 0}) {
		t.Errorf("limits %v though a naved is there", got)
	}
	want, late := []uint64{1, 0, 0}, time.Now().Add(expireGrace/2)
	for !slices.Equal(limits(), want) && time.Now().Before(late) {
		c.Leave()
		time.Sleep(watchEvery + watchEvery/2) // nobody can look meanwhile; a worker may be late
		if c, err = Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if !c.TookOver() {
			t.Fatal("the tables are empty")
		}
	}
	if got := limits(); !slices.Equal(got, want) {
		t.Errorf("limits %v, want that of the first one at its least", got)
	}
}
