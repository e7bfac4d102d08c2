package eigrp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
	"nave/testbed/netns"
)

const frrFolder = "/usr/lib/frr/"

// patience is how long FRR may take for anything.
const patience = 90 * time.Second

// frr is zebra and eigrpd in a namespace of their own.
type frr struct {
	t     *testing.T
	ns    *netns.NS
	dir   string
	procs []*exec.Cmd
}

// startFRR starts both, and waits until they listen.
func startFRR(t *testing.T, ns *netns.NS, config string) *frr {
	t.Helper()
	f := &frr{t: t, ns: ns, dir: t.TempDir()}
	for d := f.dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) { // the daemons run as their own user
		os.Chmod(d, 0o777)
	}
	t.Cleanup(f.end)
	conf := filepath.Join(f.dir, "eigrpd.conf")
	text := "hostname frr\nlog file " + filepath.Join(f.dir, "log") + "\n" + config
	if err := os.WriteFile(conf, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"zebra", "eigrpd"} {
		args := []string{"-z", filepath.Join(f.dir, "zserv"), "-P", "0", "-i", filepath.Join(f.dir, d+".pid"), "--vty_socket", f.dir}
		if d == "eigrpd" {
			args = append(args, "-f", conf)
		}
		cmd := ns.Command(frrFolder+d, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		f.procs = append(f.procs, cmd)
		f.wait(d+" to listen", func() bool { _, err := os.Stat(filepath.Join(f.dir, d+".vty")); return err == nil })
	}
	return f
}

// end ends the daemons, and takes away what they keep outside of their folder.
func (f *frr) end() {
	if f.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(f.dir, "log"))
		f.t.Logf("%s\n%s\n%s", f.vty("show ip eigrp neighbors"), f.vty("show ip eigrp topology"), log)
	}
	for _, p := range f.procs {
		p.Process.Signal(unix.SIGTERM)
		kill := time.AfterFunc(10*time.Second, func() { p.Process.Kill() })
		p.Wait()
		kill.Stop()
		os.RemoveAll(fmt.Sprintf("/var/tmp/frr/%s.%d", filepath.Base(p.Args[3]), p.Process.Pid))
	}
}

func (f *frr) wait(what string, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

func (f *frr) vty(commands ...string) string {
	args := []string{"--vty_socket", f.dir, "-d", "eigrpd"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := exec.Command("vtysh", args...).CombinedOutput()
	if err != nil {
		f.t.Logf("%v: %v: %s", commands, err, out)
	}
	return string(out)
}

// wire drives a machine over a raw socket of a namespace, in real time.
type wire struct {
	mu     sync.Mutex
	m      *Machine
	fd     int
	iface  string
	routes map[netip.Prefix]Route
	logs   []Log
	quit   chan struct{}
	done   chan struct{}
}

func newWire(t *testing.T, ns *netns.NS, iface string, own netip.Addr) *wire {
	t.Helper()
	w := &wire{m: New(), iface: iface, routes: map[netip.Prefix]Route{}, quit: make(chan struct{}), done: make(chan struct{})}
	err := ns.Do(func() (err error) {
		if w.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 88); err != nil {
			return err
		}
		unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000})
		unix.SetsockoptInt(w.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0)
		unix.SetsockoptInt(w.fd, unix.IPPROTO_IP, unix.IP_TOS, 0xc0)
		mreq := &unix.IPMreqn{Multiaddr: Group.As4(), Address: own.As4()}
		if err = unix.SetsockoptIPMreqn(w.fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, mreq); err != nil {
			return err
		}
		return unix.SetsockoptIPMreqn(w.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, mreq)
	})
	if err != nil {
		t.Fatal(err)
	}
	go w.run()
	t.Cleanup(func() {
		close(w.quit)
		<-w.done
		unix.Close(w.fd)
	})
	return w
}

func (w *wire) run() {
	defer close(w.done)
	buf := make([]byte, 4096)
	for {
		select {
		case <-w.quit:
			return
		default:
		}
		n, _, err := unix.Recvfrom(w.fd, buf, 0)
		if err == nil && n > 20 {
			from, to := netip.AddrFrom4([4]byte(buf[12:16])), netip.AddrFrom4([4]byte(buf[16:20]))
			w.handle(PacketReceived{Iface: w.iface, From: from, Multicast: to == Group, Payload: buf[int(buf[0]&15)*4 : n]})
		}
		w.handle(Tick{})
	}
}

func (w *wire) handle(ev Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects(w.m.Handle(time.Now(), ev))
}

// restart takes another machine, which takes the place of one that was killed.
func (w *wire) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, states := w.m.cfg, []InterfaceState{w.m.ifaces["veth0"].state, w.m.ifaces["lo"].state}
	c.Restarting = true
	w.m = New()
	clear(w.routes)
	w.effects(w.m.Configure(time.Now(), c))
	for _, s := range states {
		w.effects(w.m.Handle(time.Now(), s))
	}
}

func (w *wire) configure(c Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects(w.m.Configure(time.Now(), c))
}

func (w *wire) effects(out []Effect) {
	for _, e := range out {
		switch e := e.(type) {
		case Send:
			unix.Sendto(w.fd, e.Payload, 0, &unix.SockaddrInet4{Addr: e.To.As4()})
		case Route:
			w.routes[e.Prefix] = e
		case RouteGone:
			delete(w.routes, e.Prefix)
		case Log:
			w.logs = append(w.logs, e)
		}
	}
}

func (w *wire) route(p string) (Route, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.routes[pfx(p)]
	return r, ok
}

// TestFRR speaks with FRR's eigrpd: adjacency, routes both ways, goodbyes; and reads what it signs. FRR 8.4 takes no metric that grows, an unreachable one
// among them, tells of no subnet that it loses, and finds no digest right, its own neither: so there is no more to try with it.
func TestFRR(t *testing.T) {
	t.Parallel()
	need.Root(t)
	need.File(t, frrFolder+"eigrpd", frrFolder+"zebra")
	need.Command(t, "vtysh", "ip")
	t.Run("plain", func(t *testing.T) { t.Parallel(); withFRR(t, AuthNone) })
	t.Run("md5", func(t *testing.T) { t.Parallel(); withFRR(t, AuthMD5) })
}

func withFRR(t *testing.T, mode AuthMode) {
	us, them := netns.New(t, "us"), netns.New(t, "frr")
	for _, cable := range [][2]netns.End{
		{{NS: us, Name: "veth0", Addrs: []string{"10.50.0.1/24"}}, {NS: them, Name: "veth0", Addrs: []string{"10.50.0.2/24"}}},
		{{NS: them, Name: "lan", Addrs: []string{"10.62.0.1/24"}}, {NS: them, Name: "lanx"}},
	} {
		if err := netns.Veth(cable[0], cable[1], 1500); err != nil {
			t.Fatal(err)
		}
	}
	config := "router eigrp 100\n eigrp router-id 10.50.0.2\n network 10.50.0.0/24\n network 10.62.0.0/24\nexit\n"
	auth := Auth{Mode: mode}
	if mode != AuthNone {
		auth.Keys = []Key{{ID: 1, Secret: Secret("sesame")}}
		config = "key chain KC\n key 1\n  key-string sesame\nexit\n" + config
	}
	f := startFRR(t, them, config)
	if mode != AuthNone { // in its file it would not take these
		f.vty("configure terminal", "interface veth0", "ip authentication mode eigrp 100 md5", "ip authentication key-chain eigrp 100 KC")
	}
	w := newWire(t, us, "veth0", adr("10.50.0.1"))
	w.configure(Config{AS: 100, RouterID: adr("10.50.0.1"), Interfaces: []Interface{{Name: "veth0", Auth: auth}, {Name: "lo", Passive: true}}})
	w.handle(InterfaceState{Name: "veth0", Up: true, Addrs: []netip.Prefix{pfx("10.50.0.1/24")}, Bandwidth: 100000, Delay: 10})
	w.handle(InterfaceState{Name: "lo", Up: true, Addrs: []netip.Prefix{pfx("10.61.0.1/24")}, Bandwidth: 100000, Delay: 10})
	defer func() {
		if t.Failed() {
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Logf("%+v\n%+v\n%+v", w.m.Neighbors(), w.m.traffic, w.logs)
		}
	}()
	if mode != AuthNone {
		signedByFRR(f, w, auth)
		return
	}
	f.wait("FRR's route here", func() bool { _, ok := w.route("10.62.0.0/24"); return ok })
	if r, ok := w.route("10.62.0.0/24"); !ok || r.Hops[0].Addr != adr("10.50.0.2") || r.Kind != Internal || r.Distance != 90 || r.Metric != 30720 {
		t.Errorf("route %+v", r)
	}
	there := func(command, what string) func() bool {
		return func() bool { return strings.Contains(f.vty(command), what) }
	}
	f.wait("our route there", there("show ip eigrp topology", "P  10.61.0.0/24"))
	if !there("show ip eigrp topology", "via 10.50.0.1 (30720/28160), veth0")() {
		t.Error("our route has another metric there")
	}
	w.handle(Clear{})
	f.wait("FRR's route here after clearing", func() bool { _, ok := w.route("10.62.0.0/24"); return ok })
	// We come back after a kill. FRR is told of no restart, as it would fall over that, and begins anew.
	w.restart()
	f.wait("FRR's route here after our restart", func() bool { _, ok := w.route("10.62.0.0/24"); return ok })
	f.wait("our route there after our restart", there("show ip eigrp topology", "P  10.61.0.0/24"))
	w.handle(Shutdown{})
	f.wait("us to go there", func() bool { return !there("show ip eigrp neighbors", "10.50.0.1")() })
	if _, ok := w.route("10.62.0.0/24"); ok {
		t.Error("a route outlives EIGRP")
	}
}

// signedByFRR takes Hellos that FRR signs, with its key and with another one.
func signedByFRR(f *frr, w *wire, auth Auth) {
	counts := func() (hellos, failures uint64) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.m.Traffic().Received.Hellos, w.m.Traffic().AuthFailures
	}
	f.wait("signed Hellos", func() bool { n, _ := counts(); return n > 0 })
	before, early := counts() // before it had its key, it signed nothing
	if early > 3 {
		f.t.Errorf("%d packets of FRR are not taken as genuine", early)
	}
	auth.Keys = []Key{{ID: 1, Secret: Secret("sesamo")}}
	w.mu.Lock()
	c := w.m.cfg
	w.mu.Unlock()
	c.Interfaces[0].Auth = auth
	w.configure(c)
	f.wait("failures", func() bool { _, n := counts(); return n > early })
	if after, _ := counts(); after > before+1 {
		f.t.Errorf("%d Hellos are taken with the wrong key", after-before)
	}
}
