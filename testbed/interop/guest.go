package interop

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/netns"
)

var (
	//go:embed uml/init.sh
	initScript string
	//go:embed uml/node.sh
	nodeScript string
	//go:embed uml/swan.sh
	swanScript string
	//go:embed uml/vpn.sh
	vpnScript string
	//go:embed uml/eigrp.sh
	eigrpScript string
)

const (
	kernel       = "/usr/bin/linux.uml"
	bootLimit    = 5 * time.Minute
	commandLimit = 5 * time.Minute // of a machine that is busy with others; a shell's commands are slow in a guest
)

// Guest is a Linux of its own as one process: a user-mode-linux kernel whose root is the host's, read-only.
type Guest struct {
	Name   string // also of its tap in the guests' namespace
	dir    string
	proc   *exec.Cmd
	ended  chan struct{} // closed when the process has ended
	serial atomic.Int64
}

// Guests are booted guests and the namespace that they run in.
type Guests struct {
	NS   *netns.NS
	dir  string
	list []*Guest
}

// Boot boots guests of these names, all at once. On an error nothing is left of them.
func Boot(prefix string, names ...string) (gs *Guests, err error) {
	gs = &Guests{}
	defer func() {
		if err != nil {
			err = errors.Join(err, gs.Close())
			gs = nil
		}
	}()
	// Not below /run or /dev, which a guest covers with its own before it is done with its first script.
	if gs.dir, err = os.MkdirTemp("/tmp", "nave-guests-"); err != nil {
		return gs, fmt.Errorf("interop: %w", err)
	}
	if gs.NS, err = netns.Add(prefix + "-guests"); err != nil {
		return gs, err
	}
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		g := &Guest{Name: name, dir: filepath.Join(gs.dir, name), ended: make(chan struct{})}
		if err := gs.plug(g); err != nil {
			return gs, err
		}
		if err := g.start(gs.NS); err != nil {
			return gs, err
		}
		gs.list = append(gs.list, g)
		all.Go(func() { errs[i] = g.waitReady() })
	}
	all.Wait()
	return gs, errors.Join(errs...)
}

// named finds a guest; nil if there is none.
func (gs *Guests) named(name string) *Guest {
	k := slices.IndexFunc(gs.list, func(g *Guest) bool { return g.Name == name })
	if k < 0 {
		return nil
	}
	return gs.list[k]
}

// plug makes the guest's tap, on a bridge of its own to which a cable is joined later.
func (gs *Guests) plug(g *Guest) error {
	for _, c := range []string{
		"ip tuntap add dev " + g.Name + " mode tap",
		"ip link add b-" + g.Name + " type bridge mcast_snooping 0 stp_state 0",
		"ip link set " + g.Name + " master b-" + g.Name,
		"ip link set b-" + g.Name + " up",
		"ip link set " + g.Name + " up",
	} {
		if _, err := gs.NS.Run(strings.Fields(c)...); err != nil {
			return err
		}
	}
	return nil
}

func (g *Guest) start(ns *netns.NS) error {
	for _, d := range []string{"in", "out", "uml"} {
		if err := os.MkdirAll(filepath.Join(g.dir, d), 0o755); err != nil {
			return fmt.Errorf("interop: %w", err)
		}
	}
	boot := filepath.Join(g.dir, "init.sh")
	err := os.WriteFile(boot, []byte(initScript), 0o755)
	for file, text := range map[string]string{"node.sh": nodeScript, "swan.sh": swanScript, "vpn.sh": vpnScript, "eigrp.sh": eigrpScript} {
		err = errors.Join(err, os.WriteFile(filepath.Join(g.dir, file), []byte(text), 0o644))
	}
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	console, err := os.Create(filepath.Join(g.dir, "console.log"))
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	defer console.Close()
	sum := sha256.Sum256([]byte(ns.Name + g.Name))
	// The vector network driver leaves checksums to do; the old one sends whole packets.
	nic := fmt.Sprintf("eth0=tuntap,%s,02:%02x:%02x:%02x:%02x:%02x", g.Name, sum[0], sum[1], sum[2], sum[3], sum[4])
	g.proc = ns.Command(kernel, "mem=192M", "umid="+g.Name, "uml_dir="+filepath.Join(g.dir, "uml"),
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "init="+boot, "quiet", "con=null", "con0=null,fd:1", "ssl=null", nic,
		"PEERNAME="+g.Name, "PEERRUN="+g.dir, "PEEROWNER="+strconv.Itoa(os.Getpid()))
	g.proc.Env = append(os.Environ(), "TMPDIR=/dev/shm") // its memory is a file there
	g.proc.Stdout, g.proc.Stderr = console, console
	g.proc.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := g.proc.Start(); err != nil {
		close(g.ended)
		return fmt.Errorf("interop: start guest %s: %w", g.Name, err)
	}
	go func() {
		_ = g.proc.Wait() // how it ended says nothing: a guest that powers off is no failure
		close(g.ended)
	}()
	return nil
}

func (g *Guest) waitReady() error {
	return g.await("ready", bootLimit, "boot")
}

// await waits for a file in the run directory.
func (g *Guest) await(file string, limit time.Duration, what string) error {
	for end := time.Now().Add(limit); ; {
		if _, err := os.Stat(filepath.Join(g.dir, file)); err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("interop: guest %s: %w: %s takes more than %v; its console:\n%s", g.Name, errLate, what, limit, g.console())
		}
		select {
		case <-g.ended:
			return fmt.Errorf("interop: guest %s ended during %s; its console:\n%s", g.Name, what, g.console())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (g *Guest) console() string {
	text, err := os.ReadFile(filepath.Join(g.dir, "console.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// Run runs a shell script in the guest and returns what it printed. A status other than 0 is an error.
func (g *Guest) Run(script string) (string, error) {
	out, err := g.run(script, commandLimit)
	if errors.Is(err, errLate) {
		list, _ := g.run("ps -eo pid,ppid,etime,stat,wchan:24,args", commandLimit/4)
		err = fmt.Errorf("%w\nwhat runs there:\n%s\nwhat it has printed:\n%s", err, list, out)
	}
	return out, err
}

var errLate = errors.New("not in time")

func (g *Guest) run(script string, limit time.Duration) (string, error) {
	id := strconv.FormatInt(g.serial.Add(1), 10)
	in := filepath.Join(g.dir, "in", id)
	if err := os.WriteFile(in+".tmp", []byte(script+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("interop: %w", err)
	}
	if err := os.Rename(in+".tmp", in+".cmd"); err != nil {
		return "", fmt.Errorf("interop: %w", err)
	}
	err := g.await("out/"+id+".rc", limit, script)
	out, _ := os.ReadFile(filepath.Join(g.dir, "out", id+".out")) // what there is
	if err != nil {
		return string(out), err
	}
	status, err := os.ReadFile(filepath.Join(g.dir, "out", id+".rc"))
	if err != nil {
		return string(out), fmt.Errorf("interop: %w", err)
	}
	if s := strings.TrimSpace(string(status)); s != "0" {
		return string(out), fmt.Errorf("interop: guest %s: %s: status %s: %s", g.Name, script, s, out)
	}
	return string(out), nil
}

// VTY runs a command of FRR's.
func (g *Guest) VTY(command string) (string, error) { return g.Run("vtysh -c '" + command + "'") }

// Configure makes the guest a DMVPN node: lines of NAME=VALUE, as uml/node.sh has them.
func (g *Guest) Configure(settings string) error {
	_, err := g.Run("set -a\n" + settings + "\nset +a\nsh /run/peer/node.sh")
	return err
}

// Close ends the guests and removes what they left.
func (gs *Guests) Close() error {
	for _, g := range gs.list {
		_ = os.WriteFile(filepath.Join(g.dir, "stop"), nil, 0o644) // one that does not see it is killed
	}
	limit := time.After(10 * time.Second)
	for _, g := range gs.list {
		select {
		case <-g.ended:
		case <-limit:
			limit = time.After(0)
		}
	}
	var failed error
	if gs.NS != nil {
		failed = errors.Join(gs.killRest(), gs.NS.Delete())
	}
	if gs.dir != "" {
		failed = errors.Join(failed, os.RemoveAll(gs.dir))
	}
	return failed
}

// killRest kills what still runs in the guests' namespace, which is our own.
func (gs *Guests) killRest() error {
	pids, err := gs.NS.PIDs()
	if err != nil {
		return err
	}
	for _, p := range pids {
		if p != os.Getpid() {
			_ = unix.Kill(p, unix.SIGKILL) // it may have ended by itself
		}
	}
	return nil
}

// Give puts copies of a folder's files where the guest sees them as /run/peer/pki.
func (g *Guest) Give(dir string) error {
	to := filepath.Join(g.dir, "pki")
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return nil
}
