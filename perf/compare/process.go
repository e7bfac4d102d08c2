package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/netns"
)

// process is a program that runs beside us until stop, or until we die ourselves.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   transcript
	done  chan struct{}
	err   error // of Wait, once done is closed
}

// transcript is what a program has printed.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// start runs a command line, on the CPUs of a list like "1" (empty: any), in a namespace or, where ns is nil, in ours.
func start(ns *netns.NS, cpus string, words ...string) (*process, error) {
	if cpus != "" {
		words = append([]string{"taskset", "-c", cpus}, words...)
	}
	p := &process{done: make(chan struct{})}
	if ns != nil {
		p.cmd = ns.Command(words[0], words[1:]...)
	} else {
		p.cmd = exec.Command(words[0], words[1:]...)
	}
	// It must not outlive us, whatever ends us; and ^C is for us to hand on.
	p.cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("compare: start %s: %w", strings.Join(words, " "), err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// say writes a line to the program.
func (p *process) say(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// expect waits until the program has printed text, from offset on, and returns where it ends.
func (p *process) expect(ctx context.Context, text string, from int, limit time.Duration) (int, error) {
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		all := p.out.String()
		if k := strings.Index(all[min(from, len(all)):], text); k >= 0 {
			return min(from, len(all)) + k + len(text), nil
		}
		select {
		case <-p.done:
			return 0, fmt.Errorf("compare: %s has ended (%v) without %q; it printed:\n%s", p.name(), p.err, text, tail(all))
		case <-ctx.Done():
			return 0, ctx.Err()
		default:
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("compare: %s has not printed %q within %v, but:\n%s", p.name(), text, limit, tail(all))
		}
	}
}

func (p *process) name() string { return filepath.Base(p.cmd.Args[0]) }

// tail is the last lines of a text.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// wait waits for the end of a program that ends by itself.
func (p *process) wait(ctx context.Context) (string, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), p.stop())
	}
	if p.err != nil {
		return "", fmt.Errorf("compare: %s: %w; it printed:\n%s", strings.Join(p.cmd.Args, " "), p.err, tail(p.out.String()))
	}
	return p.out.String(), nil
}

// stop ends the program: its input ends, then it gets a signal, then it is killed.
func (p *process) stop() error {
	p.stdin.Close()
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{0, 1500 * time.Millisecond}, {unix.SIGTERM, 4 * time.Second}, {unix.SIGKILL, 4 * time.Second}} {
		if step.signal != 0 {
			_ = p.cmd.Process.Signal(step.signal) // it may have ended by itself
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(step.wait):
		}
	}
	return fmt.Errorf("compare: %s (process %d) can't be killed", p.name(), p.cmd.Process.Pid)
}

// cpuTime is the CPU time of the threads of a process whose name starts with one of the prefixes; of all, where there are none.
func cpuTime(pid int, prefixes ...string) (time.Duration, error) {
	folder := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := os.ReadDir(folder)
	if err != nil {
		return 0, fmt.Errorf("compare: threads of process %d: %w", pid, err)
	}
	var sum time.Duration
	for _, t := range tasks {
		name, err := os.ReadFile(filepath.Join(folder, t.Name(), "comm"))
		if err != nil {
			continue // it has ended
		}
		if !hasPrefix(string(name), prefixes) {
			continue
		}
		d, err := schedstat(filepath.Join(folder, t.Name(), "schedstat"))
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// treeTime is the CPU time of a process and of those that it started, which a gateway's workers may be.
func treeTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, fmt.Errorf("compare: %w", err)
	}
	children := make(map[int][]int)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		if child, parent, ok := parseStat(string(text)); ok {
			children[parent] = append(children[parent], child)
		}
	}
	var sum time.Duration
	for list := []int{pid}; len(list) > 0; list = list[1:] {
		d, err := cpuTime(list[0])
		if err != nil && list[0] == pid {
			return 0, err
		}
		sum += d
		list = append(list, children[list[0]]...)
	}
	return sum, nil
}

// parseStat finds a process and its parent in the line of /proc/PID/stat. The name between them may have anything in it, brackets, too.
func parseStat(line string) (pid, parent int, ok bool) {
	first, _, found := strings.Cut(line, " (")
	end := strings.LastIndex(line, ") ")
	if !found || end < 0 {
		return 0, 0, false
	}
	fields := strings.Fields(line[end+2:])
	if len(fields) < 2 {
		return 0, 0, false
	}
	var err error
	if pid, err = strconv.Atoi(first); err != nil {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return pid, parent, err == nil
}

func hasPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return len(prefixes) == 0
}

// schedstat reads the time on a CPU, its first number.
func schedstat(file string) (time.Duration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		if errors.Is(err, unix.ESRCH) || os.IsNotExist(err) {
			return 0, nil
		}
		return 0, fmt.Errorf("compare: %w", err)
	}
	first, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("compare: %s: %w", file, err)
	}
	return time.Duration(n), nil
}

// softirqd is the CPU time of a CPU's ksoftirqd, which sends on veths when there is much to do.
func softirqd(cpu int) time.Duration {
	files, _ := filepath.Glob("/proc/[0-9]*/comm") // the pattern is right
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(text)) == fmt.Sprintf("ksoftirqd/%d", cpu) {
			if d, err := schedstat(filepath.Join(filepath.Dir(f), "schedstat")); err == nil {
				return d
			}
		}
	}
	return 0
}
