package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
	"nave/testbed/netns"
)

const frrDaemons = "/usr/lib/frr/"

// HostFRR are daemons of FRR's that run on this machine's kernel in a router's namespace, beside its naved: its tunnels are
// interfaces of the kernel to them. The kernel need not know MPLS: they are control plane only.
type HostFRR struct {
	Node    string
	ns      *netns.NS
	dir     string              // configurations, sockets, logs
	later   map[string][]string // lines of a daemon's configuration that it takes only once it runs
	daemons map[string]*exec.Cmd
}

// StartFRR starts zebra and the daemons that a scenario has configurations for (NODE.bgpd and so on), for the length of the test.
func (s *Scenario) StartFRR(t *testing.T, node string) *HostFRR {
	t.Helper()
	return s.startFRRIn(t, node, s.NS(node))
}

// StartVRF is StartFRR in the namespace of a router's VRF, with configurations NODE-VRF.ospfd and so on.
func (s *Scenario) StartVRF(t *testing.T, node, vrf string) *HostFRR {
	t.Helper()
	var name string
	Soon(t, func() error {
		text, _, err := s.LogSince(node, 0)
		if err != nil {
			return err
		}
		m := regexp.MustCompile(` vrf=` + vrf + ` netns=(\S+)`).FindStringSubmatch(text)
		if m == nil {
			return fmt.Errorf("%s has not said which namespace is that of VRF %s", node, vrf)
		}
		name = m[1]
		return nil
	})
	return s.startFRRIn(t, node+"-"+vrf, &netns.NS{Name: name})
}

func (s *Scenario) startFRRIn(t *testing.T, node string, ns *netns.NS) *HostFRR {
	t.Helper()
	f := &HostFRR{Node: node, ns: ns, dir: t.TempDir(), later: make(map[string][]string), daemons: make(map[string]*exec.Cmd)}
	for dir := f.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // the daemons give up root
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	configs := map[string]string{"zebra": "hostname " + node + "\n"}
	for _, daemon := range []string{"zebra", "staticd", "bgpd", "ldpd", "eigrpd", "ospfd"} {
		if text, err := scenarios.ReadFile("scenarios/" + s.Topology.Name + "/" + node + "." + daemon); err == nil {
			configs[daemon] = string(text)
		}
		if text, ok := configs[daemon]; ok {
			if daemon == "eigrpd" { // version 8.4 has no settings of an interface that EIGRP does not run on yet
				var interfaces string
				if text, interfaces, ok = strings.Cut(text, "interface "); ok {
					f.later[daemon] = strings.Split(strings.TrimSpace("interface "+interfaces), "\n")
				}
			}
			if err := os.WriteFile(f.file(daemon, ".conf"), []byte("log file "+f.file(daemon, ".log")+"\n"+text), 0o666); err != nil {
				t.Fatal(err)
			}
			f.Run(t, daemon)
		}
	}
	return f
}

func (f *HostFRR) file(daemon, suffix string) string { return filepath.Join(f.dir, daemon+suffix) }

// Run starts a daemon with the configuration that it had at first, and waits until it takes commands.
func (f *HostFRR) Run(t *testing.T, daemon string) {
	t.Helper()
	need.File(t, frrDaemons+daemon)
	file := func(suffix string) string { return f.file(daemon, suffix) }
	args := []string{"-f", file(".conf"), "-i", file(".pid"), "-z", filepath.Join(f.dir, "zserv.api"), "--vty_socket", f.dir, "-P", "0"}
	if daemon == "ldpd" {
		args = append(args, "--ctl_socket", f.dir)
	}
	cmd := f.ns.Command(frrDaemons+daemon, args...)
	out, err := os.Create(file(".out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.daemons[daemon] = cmd
	t.Cleanup(func() {
		if t.Failed() && explained[daemon] != nil {
			said, err := f.VTY(daemon, explained[daemon]...)
			t.Logf("%s of %s (%v)\n%s", daemon, f.Node, err, said)
		}
		f.end(cmd, daemon)
		log, err := os.ReadFile(file(".log"))
		if err != nil || strings.Contains(string(log), "on config line") {
			t.Errorf("%s of %s did not take its configuration (%v)", daemon, f.Node, err)
		}
		if t.Failed() {
			said, _ := os.ReadFile(file(".out"))
			t.Logf("%s of %s: %s\n%s", daemon, f.Node, said, log)
		}
	})
	Soon(t, func() error {
		_, err := os.Stat(file(".vty"))
		if err == nil {
			_, err = os.Stat(file(".log"))
		}
		return err
	})
	if lines := f.later[daemon]; lines != nil {
		Soon(t, func() error { return f.set(daemon, lines) })
	}
}

// explained are commands whose output helps when a test has failed.
var explained = map[string][]string{
	"bgpd":   {"show bgp ipv4 vpn", "show bgp ipv4 vpn 172.16.3.0/24", "show bgp neighbors", "show bgp neighbors graceful-restart"},
	"eigrpd": {"show ip eigrp neighbors", "show ip eigrp topology"},
	"ospfd":  {"show ip ospf interface", "show ip ospf neighbor", "show ip ospf database", "show ip ospf route"},
	"zebra":  {"show interface brief", "show ip route"},
}

// end ends a daemon: asked to, it takes away what it left outside of its folder.
func (f *HostFRR) end(cmd *exec.Cmd, daemon string) {
	_ = cmd.Process.Signal(unix.SIGTERM)
	kill := time.AfterFunc(3*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // its status says how it was ended
	kill.Stop()
	_ = os.RemoveAll(fmt.Sprintf("/var/tmp/frr/%s.%d", daemon, cmd.Process.Pid)) // what FRR would say of a crash
}

// Kill kills a daemon: it says nothing to anybody.
func (f *HostFRR) Kill(t *testing.T, daemon string) {
	t.Helper()
	cmd := f.daemons[daemon]
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status says how it was ended
	if err := os.Remove(f.file(daemon, ".vty")); err != nil {
		t.Fatal(err)
	}
}

// VTY gives commands to a daemon, one after the other in one session, and returns what it printed.
func (f *HostFRR) VTY(daemon string, commands ...string) (string, error) {
	args := []string{"--vty_socket", f.dir, "-d", daemon}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := exec.Command("vtysh", args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s of %s: %s: %w: %s", daemon, f.Node, strings.Join(commands, "; "), err, out)
	}
	return string(out), nil
}

// Set changes the configuration of a daemon.
func (f *HostFRR) Set(t *testing.T, daemon string, lines ...string) {
	t.Helper()
	if err := f.set(daemon, lines); err != nil {
		t.Fatal(err)
	}
}

func (f *HostFRR) set(daemon string, lines []string) error {
	out, err := f.VTY(daemon, slices.Concat([]string{"configure terminal"}, lines, []string{"end"})...)
	if err == nil && strings.Contains(out, "%") {
		err = fmt.Errorf("%s of %s does not take %q: %s", daemon, f.Node, lines, out)
	}
	return err
}

// show reads the JSON of a command into v.
func (f *HostFRR) show(daemon, command string, v any) error {
	out, err := f.VTY(daemon, command+" json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		return fmt.Errorf("%s of %s: %s: %w: %s", daemon, f.Node, command, err, out)
	}
	return nil
}

// VPNPath is a VPN route as bgpd has it.
type VPNPath struct {
	NextHop, Originator string
	Label               uint32
	Stale               bool
}

// VPNPath finds the first path to a prefix; nil if there is none.
func (f *HostFRR) VPNPath(rd, prefix string) (*VPNPath, error) {
	var all map[string]struct {
		Paths []struct {
			Label      uint32                `json:"remoteLabel"`
			Originator string                `json:"originatorId"`
			Stale      bool                  `json:"stale"`
			Nexthops   []struct{ IP string } `json:"nexthops"`
		}
	}
	if err := f.show("bgpd", "show bgp ipv4 vpn "+prefix, &all); err != nil {
		return nil, err
	}
	paths := all[rd].Paths
	if len(paths) == 0 || len(paths[0].Nexthops) == 0 {
		return nil, nil
	}
	return &VPNPath{paths[0].Nexthops[0].IP, paths[0].Originator, paths[0].Label, paths[0].Stale}, nil
}

// Established tells whether a BGP session stands.
func (f *HostFRR) Established(peer string) (bool, error) {
	var all map[string]struct {
		State string `json:"bgpState"`
	}
	err := f.show("bgpd", "show bgp neighbors "+peer, &all)
	return all[peer].State == "Established", err
}

// Sessions is how many BGP sessions there have been with a peer.
func (f *HostFRR) Sessions(peer string) (int, error) {
	var all map[string]struct {
		Established int `json:"connectionsEstablished"`
	}
	err := f.show("bgpd", "show bgp neighbors "+peer, &all)
	return all[peer].Established, err
}

// kept tells how often bgpd has kept the routes of a peer whose session ended, since it was started: it says when it begins to wait for the peer. Paths are stale then, but not for long
// where the peer is back at once.
func (f *HostFRR) kept(t *testing.T, peer string) int {
	t.Helper()
	log, err := os.ReadFile(f.file("bgpd", ".log"))
	if err != nil {
		t.Fatal(err)
	}
	return len(regexp.MustCompile(regexp.QuoteMeta(peer)+`\S* graceful restart stalepath timer started`).FindAll(log, -1))
}

// LDPBinding is what ldpd has of a prefix with one neighbour; labels are numbers, or "imp-null" and "-".
type LDPBinding struct {
	Prefix   string
	Neighbor string `json:"neighborId"`
	Local    string `json:"localLabel"`
	Remote   string `json:"remoteLabel"`
	InUse    int    `json:"inUse"`
}

// LDPBindings are the bindings of a neighbour, by prefix.
func (f *HostFRR) LDPBindings(neighbor string) (map[string]LDPBinding, error) {
	var all struct{ Bindings []LDPBinding }
	if err := f.show("ldpd", "show mpls ldp binding", &all); err != nil {
		return nil, err
	}
	out := make(map[string]LDPBinding)
	for _, b := range all.Bindings {
		if b.Neighbor == neighbor {
			out[b.Prefix] = b
		}
	}
	return out, nil
}

// Operational tells whether an LDP session stands.
func (f *HostFRR) Operational(neighbor string) (bool, error) {
	var all struct {
		Neighbors []struct {
			ID    string `json:"neighborId"`
			State string
		}
	}
	err := f.show("ldpd", "show mpls ldp neighbor", &all)
	for _, n := range all.Neighbors {
		if n.ID == neighbor && n.State == "OPERATIONAL" {
			return true, err
		}
	}
	return false, err
}
