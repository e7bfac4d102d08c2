package labs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

func logText(t *testing.T, l *topo.Lab, node string) string {
	t.Helper()
	text, err := os.ReadFile(l.LogFile(node))
	must(t, err)
	return string(text)
}

func workers(t *testing.T, l *topo.Lab, node string) []int {
	t.Helper()
	list, err := l.Workers(node)
	must(t, err)
	return list
}

// configure changes the configuration that a router starts with next.
func configure(l *topo.Lab, node string, line string) {
	for k := range l.Topology.Nodes {
		if n := &l.Topology.Nodes[k]; n.Name == node {
			n.Config = strings.Replace(n.Config, "\nend\n", "\n"+line+"\nend\n", 1)
			if !strings.Contains(n.Config, line) {
				n.Config += "\n" + line + "\n"
			}
		}
	}
}

// What becomes of sealed traffic between two spokes when parts of nave die, and are there again.
func TestProcesses(t *testing.T) {
	lab := protected()
	l := topo.ForTest(t, lab.Topology)
	w := watch(t, l)
	check(t, l, lab.Checks...)
	for _, state := range []struct {
		name string
		run  func(*testing.T, *topo.Lab)
	}{{"explains", explains}, {"captures", captures}, {"naved dies", navedDies}, {"a worker dies", workerDies}, {"other sizes", otherSizes}, {"threads", asThreads}, {"clean stop", cleanStop}} {
		t.Run(state.name, func(t *testing.T) {
			state.run(t, l)
			if seen := w.Seen(); seen.Clear != 0 {
				t.Errorf("%d packets in clear; the first: %s", seen.Clear, seen.First)
			}
		})
	}
}

// navedDies: forwarding goes on without a gap, and the next naved takes over without one.
func navedDies(t *testing.T, l *topo.Lab) {
	for _, node := range []string{"spoke1", "hub", "spoke2"} {
		was := workers(t, l, node)
		s := startStream(t, l)
		before := counters(t, l)
		killed := time.Now()
		must(t, l.StopRouter(node, unix.SIGKILL))
		time.Sleep(1500 * time.Millisecond)
		began := time.Now()
		start(t, l, node)
		ready := time.Now()
		time.Sleep(3 * time.Second) // sessions are made anew beside those that were found
		s.sends(t, 500)
		if lost, sent, which := s.lost(t); lost != 0 {
			t.Errorf("%s: %d of %d packets were lost: %s\nkilled %s, started %s, ready %s\nbefore: %s\nafter: %s", node, lost, sent, which,
				killed.UTC().Format(clock), began.UTC().Format(clock), ready.UTC().Format(clock), before, counters(t, l))
		}
		if now := workers(t, l, node); len(was) != 1 || !slices.Equal(now, was) {
			t.Errorf("%s: workers %v, were %v", node, now, was)
		}
		lines(t, l, node, []string{"show", "processes"}, []string{fmt.Sprint(was[0]), "daemon before"})
	}
	recovered(t, l)
}

// counters says what became of packets in all routers.
func counters(t *testing.T, l *topo.Lab) string {
	t.Helper()
	var b strings.Builder
	for _, node := range []string{"spoke1", "hub", "spoke2"} {
		out, err := l.Nave(node, "show", "fastpath")
		fmt.Fprintf(&b, "%s (%v):\n%s\n", node, err, out)
	}
	return b.String()
}

// workerDies: it is back within a second, and the sessions do not notice.
func workerDies(t *testing.T, l *topo.Lab) {
	before := strings.Count(logText(t, l, "spoke1"), "SA_UP")
	s := startStream(t, l)
	for range 3 {
		was := workers(t, l, "spoke1")
		must(t, unix.Kill(was[0], unix.SIGKILL))
		haveWorkers(t, l, "spoke1", "a new one comes", func(now []int) bool { return len(now) == 1 && now[0] != was[0] })
		time.Sleep(time.Second)
	}
	s.sends(t, 500)
	lost, sent, _ := s.lost(t)
	if lost > 3*200 || lost == 0 {
		t.Errorf("%d of %d packets were lost: want some, of one second each at most", lost, sent)
	}
	t.Logf("%d of %d packets were lost, 5 ms apart, in three deaths", lost, sent)
	comes(t, func() error {
		text := logText(t, l, "spoke1")
		if strings.Count(text, "-WORKER_DOWN: worker 0") != 3 || strings.Count(text, "-WORKER_UP: worker 0") != 3 {
			return fmt.Errorf("the log does not tell:\n%s", text)
		}
		return nil
	})
	if n := strings.Count(logText(t, l, "spoke1"), "SA_UP"); n != before {
		t.Errorf("%d SAs were set up for it", n-before)
	}
	lines(t, l, "spoke1", strings.Fields("show processes --json"), []string{`"restarts": 3`})
}

// otherSizes: what the workers have does not fit what the next naved wants. It says so and starts afresh.
func otherSizes(t *testing.T, l *topo.Lab) {
	was := workers(t, l, "spoke1")
	must(t, l.StopRouter("spoke1", unix.SIGKILL))
	configure(l, "spoke1", "fastpath count 2")
	start(t, l, "spoke1")
	haveWorkers(t, l, "spoke1", "two others come", func(now []int) bool { return len(now) == 2 && !slices.Contains(now, was[0]) })
	logs(t, l, "spoke1", "forwarding starts afresh")
	recovered(t, l)
}

// asThreads: a naved whose workers are threads stops the processes that were left, which have its queues.
func asThreads(t *testing.T, l *topo.Lab) {
	must(t, l.StopRouter("spoke1", unix.SIGKILL))
	configure(l, "spoke1", "fastpath workers thread")
	start(t, l, "spoke1")
	haveWorkers(t, l, "spoke1", "threads are in their place", func(now []int) bool { return len(now) == 0 })
	recovered(t, l)
}

// cleanStop ends the workers, too.
func cleanStop(t *testing.T, l *topo.Lab) {
	must(t, l.StopRouter("spoke2", unix.SIGTERM))
	haveWorkers(t, l, "spoke2", "they end, too", func(now []int) bool { return len(now) == 0 })
	start(t, l, "spoke2")
	recovered(t, l)
}
