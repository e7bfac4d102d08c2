package topo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nave/bpf"
	"nave/slowpath/host"
	"nave/testbed/netns"
)

// Lab is a topology that is up.
type Lab struct {
	Topology Topology
	Prefix   string         // of its namespaces' names
	Dir      string         // configurations, logs and run directories of its routers
	PIDs     map[string]int // of naved, by node
	Bin      string         // where naved and nave are
	// Before are words that a router's naved is started behind: setpriv, for example, which executes the rest.
	Before map[string][]string
	procs  map[string]*exec.Cmd
}

// Options say where a lab is built.
type Options struct {
	Prefix string    // of namespace names; they are PREFIX-NODE
	Dir    string    // made, and removed by Down
	Bin    string    // folder of the binaries
	Log    io.Writer // a line a step; nil for none
}

// Up builds a topology and starts its routers. They are ready when it returns. On an error everything is taken down.
func Up(t Topology, o Options) (lab *Lab, err error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	lab = &Lab{Topology: t, Prefix: o.Prefix, Dir: o.Dir, Bin: o.Bin, PIDs: make(map[string]int), procs: make(map[string]*exec.Cmd)}
	defer func() {
		if err != nil {
			err = errors.Join(err, lab.Down())
			lab = nil
		}
	}()
	say := func(format string, args ...any) {
		if o.Log != nil {
			fmt.Fprintf(o.Log, format+"\n", args...)
		}
	}
	if err := makeDir(o.Dir); err != nil {
		return lab, fmt.Errorf("topo: %w", err)
	}
	say("making %d namespaces and %d cables", len(t.Nodes), len(t.Links))
	if err := lab.build(); err != nil {
		return lab, err
	}
	for _, n := range t.Routers() {
		say("starting naved in %s", n)
		if err := lab.StartRouter(n); err != nil {
			return lab, err
		}
	}
	for _, n := range t.Routers() {
		if err := lab.WaitReady(n, readyLimit); err != nil {
			return lab, err
		}
	}
	return lab, lab.save()
}

// makeDir makes a lab's folder. That of all labs, in which it is, another lab may take away in the moment between, as the last one.
func makeDir(dir string) (err error) {
	for range 20 {
		if err = os.MkdirAll(dir, 0o755); !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return err
}

// NS is the namespace of a node.
func (l *Lab) NS(node string) *netns.NS { return &netns.NS{Name: l.Prefix + "-" + node} }

func (l *Lab) build() error {
	for _, n := range l.Topology.Nodes {
		if _, err := netns.Add(l.NS(n.Name).Name); err != nil {
			return err
		}
		if n.Kind == Core {
			if err := l.NS(n.Name).Sysctl("ipv4/ip_forward", "1"); err != nil {
				return err
			}
		}
	}
	for _, k := range l.Topology.Links {
		mtu := k.MTU
		if mtu == 0 {
			mtu = 1500
		}
		if err := netns.Veth(l.end(k.A), l.end(k.B), mtu); err != nil {
			return err
		}
	}
	for _, n := range l.Topology.Nodes {
		if n.Gateway != "" {
			if _, err := l.Run(n.Name, "ip", "route", "add", "default", "via", n.Gateway); err != nil {
				return err
			}
		}
		for _, c := range n.Setup {
			if _, err := l.Run(n.Name, strings.Fields(c)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Lab) end(p Port) netns.End {
	return netns.End{NS: l.NS(p.Node), Name: p.Dev, Addrs: p.Addrs, Queues: p.Queues}
}

// Run runs a command in a node and returns what it printed.
func (l *Lab) Run(node string, words ...string) (string, error) { return l.NS(node).Run(words...) }

// RunDir is the run directory of a router's naved.
func (l *Lab) RunDir(node string) string { return filepath.Join(l.Dir, node+".run") }

// Socket is where a router's naved answers.
func (l *Lab) Socket(node string) string { return filepath.Join(l.RunDir(node), "nave.sock") }

// LogFile is what a router's naved wrote.
func (l *Lab) LogFile(node string) string { return filepath.Join(l.Dir, node+".log") }

// ConfigFile is a router's configuration.
func (l *Lab) ConfigFile(node string) string { return filepath.Join(l.Dir, node+".cfg") }

// StartRouter starts the naved of a node.
func (l *Lab) StartRouter(node string) error {
	n, ok := l.Topology.Node(node)
	if !ok || n.Kind != Router {
		return fmt.Errorf("topo: %s is no router of %s", node, l.Topology.Name)
	}
	if err := os.WriteFile(l.ConfigFile(node), []byte(n.Config), 0o600); err != nil {
		return fmt.Errorf("topo: %w", err)
	}
	log, err := os.OpenFile(l.LogFile(node), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("topo: %w", err)
	}
	defer log.Close()
	args := []string{"-c", l.ConfigFile(node), "--run-dir", l.RunDir(node)}
	if len(n.Profiles) > 0 {
		if err := l.writeProfiles(node, n.Profiles); err != nil {
			return err
		}
		args = append(args, "--profile-dir", l.ProfileDir(node))
	}
	for _, p := range l.ports(node) {
		args = append(args, "--port", p.Iface+"="+p.Dev)
	}
	words := slices.Concat(l.Before[node], []string{filepath.Join(l.Bin, "naved")}, args)
	c := l.NS(node).Command(words[0], words[1:]...)
	c.Stdout, c.Stderr = log, log
	c.Env = environment()
	c.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		return fmt.Errorf("topo: start naved in %s: %w", node, err)
	}
	l.PIDs[node], l.procs[node] = c.Process.Pid, c
	return nil
}

// ProfileDir is where a router's hardware profiles of its own are.
func (l *Lab) ProfileDir(node string) string { return filepath.Join(l.Dir, node+".profiles") }

func (l *Lab) writeProfiles(node string, texts map[string]string) error {
	dir := l.ProfileDir(node)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("topo: %w", err)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("topo: %w", err)
		}
	}
	return nil
}

func (l *Lab) ports(node string) []Port {
	var out []Port
	for _, k := range l.Topology.Links {
		for _, p := range []Port{k.A, k.B} {
			if p.Node == node {
				out = append(out, p)
			}
		}
	}
	return out
}

// readyLimit is how long a naved may take until it answers, on a machine that is busy with others. One that ends is not waited for.
const readyLimit = 3 * time.Minute

// Begin starts the naved of a node and waits until it answers.
func (l *Lab) Begin(node string) error {
	if err := l.StartRouter(node); err != nil {
		return err
	}
	return l.WaitReady(node, readyLimit)
}

// WaitReady waits until a router's naved answers on its socket.
func (l *Lab) WaitReady(node string, limit time.Duration) error {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(l.Socket(node)); err == nil {
			if _, err := l.Nave(node, "show", "version"); err == nil {
				return nil
			}
		}
		if !alive(l.PIDs[node], l.procs[node]) || time.Now().After(end) {
			text, _ := os.ReadFile(l.LogFile(node))
			return fmt.Errorf("topo: naved in %s does not come up; its log:\n%s", node, text)
		}
	}
}

// Nave runs the nave tool against a router's naved.
func (l *Lab) Nave(node string, words ...string) (string, error) {
	c := exec.Command(filepath.Join(l.Bin, "nave"), append([]string{"--socket", l.Socket(node)}, words...)...)
	c.Env = environment()
	out, err := c.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("nave %s on %s: %w: %s", strings.Join(words, " "), node, err, out)
	}
	return string(out), nil
}

// environment is that of nave's programs: built under the race detector they end at the first race, and need no second
// of waiting at their end for others.
func environment() []string {
	return append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=0"+raceOptions())
}

// Signal sends a signal to a router's naved.
func (l *Lab) Signal(node string, s unix.Signal) error {
	if err := unix.Kill(l.PIDs[node], s); err != nil {
		return fmt.Errorf("topo: signal %v to naved in %s: %w", s, node, err)
	}
	return nil
}

// stopLimit is how long a naved may take to end.
const stopLimit = 10 * time.Second

// StopRouter ends a router's naved with a signal and waits for it; after stopLimit it is killed.
func (l *Lab) StopRouter(node string, s unix.Signal) error {
	pid := l.PIDs[node]
	if pid == 0 {
		return nil
	}
	delete(l.PIDs, node)
	c := l.procs[node]
	delete(l.procs, node)
	if c == nil { // started by an earlier process
		return endOther(pid, s)
	}
	_ = c.Process.Signal(s) // it may have ended by itself
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-done:
		return nil
	case <-time.After(stopLimit):
		_ = c.Process.Kill()
		<-done
		return fmt.Errorf("topo: naved in %s did not end within %v of %v and was killed", node, stopLimit, s)
	}
}

func endOther(pid int, s unix.Signal) error {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || strings.TrimSpace(string(name)) != "naved" {
		return nil // ended, and the number may be somebody else's by now
	}
	_ = unix.Kill(pid, s)
	for end := time.Now().Add(stopLimit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if unix.Kill(pid, 0) != nil {
			return nil
		}
	}
	return fmt.Errorf("topo: naved %d did not end", pid)
}

func alive(pid int, c *exec.Cmd) bool {
	if c == nil {
		return pid != 0 && unix.Kill(pid, 0) == nil
	}
	var st unix.Siginfo
	// WNOWAIT leaves an ended process to be collected by StopRouter.
	err := unix.Waitid(unix.P_PID, pid, &st, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && st.Signo == 0
}

// Down stops the routers and takes everything away: namespaces with their cables, pins, files.
func (l *Lab) Down() error {
	var failed error
	for node := range l.PIDs {
		failed = errors.Join(failed, l.StopRouter(node, unix.SIGTERM))
	}
	for _, n := range l.Topology.Nodes {
		failed = errors.Join(failed, bpf.RemovePins(l.RunDir(n.Name)), l.endOthers(n.Name), host.Destroy(l.RunDir(n.Name)), l.NS(n.Name).Delete())
	}
	failed = errors.Join(failed, os.RemoveAll(l.Dir))
	_ = os.Remove(filepath.Dir(l.Dir)) // the folder of all labs, if this was the last
	return failed
}

// endOthers ends what still runs in a node: servers that a story left behind. The namespace is the lab's own.
func (l *Lab) endOthers(node string) error {
	ns := l.NS(node)
	if _, err := os.Stat(ns.Path()); err != nil {
		return nil
	}
	pids, err := ns.PIDs()
	if err != nil {
		return err
	}
	for _, p := range slices.DeleteFunc(pids, func(p int) bool { return p == os.Getpid() }) {
		_ = unix.Kill(p, unix.SIGKILL) // it may have ended by itself
	}
	return nil
}

// save notes the lab, for Load.
func (l *Lab) save() error {
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("topo: %w", err)
	}
	if err := os.WriteFile(filepath.Join(l.Dir, "lab.json"), text, 0o600); err != nil {
		return fmt.Errorf("topo: %w", err)
	}
	return nil
}

// Load finds a lab that another process left up in dir.
func Load(dir string) (*Lab, error) {
	text, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		return nil, fmt.Errorf("topo: no lab is up in %s: %w", dir, err)
	}
	l := &Lab{procs: make(map[string]*exec.Cmd)}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("topo: %s: %w", dir, err)
	}
	return l, nil
}

// Eventually calls f until it returns nil, and returns its last error after the limit.
func Eventually(limit time.Duration, f func() error) error {
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
