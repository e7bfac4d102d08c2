package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
)

const frrDaemons = "/usr/lib/frr/"

// HostFRR are daemons of FRR's that run on this machine's kernel in a router's namespace, beside its naved: its tunnels are
// interfaces of the kernel to them. The kernel need not know MPLS: they are control plane only.
type HostFRR struct {
	Node    string
	dir     string // configurations, sockets, logs
	daemons map[string]*exec.Cmd
}

// StartFRR starts zebra and the daemons that a scenario has configurations for (NODE.bgpd and so on), for the length of the test.
func (s *Scenario) StartFRR(t *testing.T, node string) *HostFRR {
	t.Helper()
	f := &HostFRR{Node: node, dir: t.TempDir(), daemons: make(map[string]*exec.Cmd)}
	for dir := f.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // the daemons give up root
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	configs := map[string]string{"zebra": "hostname " + node + "\n"}
	for _, daemon := range []string{"zebra", "staticd", "bgpd", "ldpd"} {
		if text, err := scenarios.ReadFile("scenarios/" + s.Topology.Name + "/" + node + "." + daemon); err == nil {
			configs[daemon] = string(text)
		}
		if text, ok := configs[daemon]; ok {
			if err := os.WriteFile(f.file(daemon, ".conf"), []byte("log file "+f.file(daemon, ".log")+"\n"+text), 0o666); err != nil {
				t.Fatal(err)
			}
			f.Run(t, s, daemon)
		}
	}
	return f
}

func (f *HostFRR) file(daemon, suffix string) string { return filepath.Join(f.dir, daemon+suffix) }

// Run starts a daemon with the configuration that it had at first, and waits until it takes commands.
func (f *HostFRR) Run(t *testing.T, s *Scenario, daemon string) {
	t.Helper()
	need.File(t, frrDaemons+daemon)
	file := func(suffix string) string { return f.file(daemon, suffix) }
	args := []string{"-f", file(".conf"), "-i", file(".pid"), "-z", filepath.Join(f.dir, "zserv.api"), "--vty_socket", f.dir, "-P", "0"}
	if daemon == "ldpd" {
		args = append(args, "--ctl_socket", f.dir)
	}
	cmd := s.NS(f.Node).Command(frrDaemons+daemon, args...)
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
		if t.Failed() && daemon == "bgpd" {
			said, err := f.VTY(daemon, "show bgp ipv4 vpn", "show bgp ipv4 vpn 172.16.3.0/24", "show bgp neighbors", "show bgp neighbors graceful-restart")
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
	out, err := f.VTY(daemon, slices.Concat([]string{"configure terminal"}, lines, []string{"end"})...)
	if err != nil || strings.Contains(out, "%") {
		t.Fatalf("%s of %s does not take %q: %v: %s", daemon, f.Node, lines, err, out)
	}
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
