package crew

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slowly is the test's own program, as a worker that takes a while before it does anything.
func slowly(t *testing.T, seconds string) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"/bin/sh", "-c", "sleep " + seconds + "; exec " + exe + " " + Command}
}

// halfStarted is a Crew whose naved dies while it brings worker 0 back. The process that it has started gets ready after so many seconds.
func halfStarted(t *testing.T, cfg Config, seconds string) (straggler *process) {
	t.Helper()
	first, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := first.members[0]
	first.once.Do(func() { close(first.done) })
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
	if straggler, err = spawn(m.boot, slowly(t, seconds), fds); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { straggler.kill(unix.SIGKILL) })
	first.Leave()
	return straggler
}

// TestStraggler: a naved dies between a worker's start and its being ready. The next one waits for that process, which is the worker; there is never a second one.
func TestStraggler(t *testing.T) {
	cfg, _ := testConfig(t)
	straggler := halfStarted(t, cfg, "0.5")
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
	cfg.Patience = 300 * time.Millisecond
	straggler := halfStarted(t, cfg, "3")
	_, err := Open(cfg)
	if err == nil || !strings.Contains(err.Error(), "a process is that worker already") || !straggler.alive() {
		t.Errorf("worker 0 is started a second time: %v", err)
	}
	cfg.Patience = 0
	select {
	case <-straggler.gone:
	case <-time.After(10 * time.Second):
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
	straggler := halfStarted(t, cfg, "0.5")
	c := open(t, cfg)
	if c.TookOver() {
		t.Error("something was taken over")
	}
	select {
	case <-straggler.gone:
	case <-time.After(5 * time.Second):
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
	c.cfg.Program = slowly(t, "1")
	if err := unix.Kill(pids(c)[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker is away", func() bool { return pids(c)[0] == 0 })
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "another naved has the run directory") {
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
	first, err := Open(cfg)
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
	for late := time.Now().Add(3 * time.Second); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		if pid := pids(c)[0]; pid != 0 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	// 50, 100, 200, 400, 800, 1600 ms
	if n := c.Status()[0].Restarts; n < 2 || n > 6 {
		t.Errorf("%d restarts in 3 s", n)
	}
	eventually(t, "it comes back when it does not die any more", func() bool { return pids(c)[0] != 0 })
	if c.members[0].longer(); c.members[0].pause > longPause {
		t.Errorf("a pause of %v", c.members[0].pause)
	}
}
