package labs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/bpf"
	"nave/testbed/need"
	"nave/testbed/topo"
)

// unitCapabilities are those that a unit file gives naved, as setpriv has them.
func unitCapabilities(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../ctl/cmd/naved", name))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if list, ok := strings.CutPrefix(line, "AmbientCapabilities="); ok {
			return strings.Fields(strings.ReplaceAll(strings.ToLower(list), "cap_", ""))
		}
	}
	t.Fatalf("%s gives no capabilities", name)
	return nil
}

// nobodyInParticular is a user and group that has nothing.
const nobodyInParticular = 4000

// own gives a user what is there, as the unit does.
func own(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		must(t, os.Chown(path, nobodyInParticular, nobodyInParticular))
	}
}

// asUser has a router's naved started as a user with some capabilities and no others.
func asUser(caps []string) []string {
	set := "-all,+" + strings.Join(caps, ",+")
	const id = "4000"
	return []string{"setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--no-new-privs", "--bounding-set", set, "--inh-caps", set, "--ambient-caps", set}
}

// With the capabilities of the unit and nothing else naved starts as a user, forwards, is taken over from when it is killed, and stops. Those for VRFs are needed for VRFs only.
func TestPrivileges(t *testing.T) {
	need.Command(t, "setpriv", "unshare", "mount")
	t.Parallel()
	t.Run("unit", func(t *testing.T) {
		t.Parallel()
		unprivileged(t, protected(), unitCapabilities(t, "naved.service"), pingsThroughTunnel)
	})
	t.Run("VRFs", func(t *testing.T) {
		t.Parallel()
		must(t, os.MkdirAll("/run/netns", 0o755)) // as vrf.conf has it; who runs as root here does not mind
		own(t, "/run/netns")
		t.Cleanup(func() { must(t, os.Chown("/run/netns", 0, 0)) })
		unprivileged(t, vrfAware(), slices.Concat(unitCapabilities(t, "naved.service"), unitCapabilities(t, "vrf.conf")), pingsInVRF)
	})
}

// unprivileged starts the hub of a lab as a user with some capabilities, kills it, and has the next one take over.
func unprivileged(t *testing.T, lab Lab, caps []string, then func(*testing.T, *topo.Lab)) {
	t.Helper()
	l := topo.ForTest(t, lab.Topology)
	must(t, l.StopRouter("hub", unix.SIGTERM)) // root's, which leaves nothing behind
	must(t, bpf.RemovePins(l.RunDir("hub")))
	must(t, os.RemoveAll(l.RunDir("hub")))
	must(t, os.Mkdir(l.RunDir("hub"), 0o700))
	// A bpffs that is the user's stands where the system's is, for the hub alone: of that there may be none here.
	pins := filepath.Join(l.Dir, "bpffs")
	must(t, os.Mkdir(pins, 0o700))
	must(t, unix.Mount("bpf", pins, "bpf", 0, "mode=0700"))
	t.Cleanup(func() { must(t, unix.Unmount(pins, unix.MNT_DETACH)) })
	own(t, pins, l.RunDir("hub"), l.ConfigFile("hub"))
	l.Before = map[string][]string{"hub": slices.Concat(
		[]string{"unshare", "--mount", "--propagation", "unchanged", "sh", "-c", `mount --make-rprivate /sys && mount --bind "$0" /sys/fs/bpf && exec "$@"`, pins}, asUser(caps),
	)}
	must(t, l.Begin("hub"))
	check(t, l, lab.Checks...)
	before := workers(t, l, "hub")
	for _, pid := range before { // who forwards has less still
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		must(t, err)
		const want = 1<<unix.CAP_NET_RAW | 1<<unix.CAP_IPC_LOCK
		for _, line := range []string{fmt.Sprintf("CapPrm:\t%016x\n", want), fmt.Sprintf("CapAmb:\t%016x\n", want), "Uid:\t4000\t4000\t4000\t4000\n", "NoNewPrivs:\t1\n"} {
			if !strings.Contains(string(text), line) {
				t.Errorf("worker %d: want %q in\n%s", pid, line, text)
			}
		}
	}
	must(t, l.StopRouter("hub", unix.SIGKILL))
	must(t, l.Begin("hub"))
	check(t, l, lab.Checks...)
	if after := workers(t, l, "hub"); !slices.Equal(before, after) {
		t.Errorf("workers %v are others than before: %v", after, before)
	}
	then(t, l)
	must(t, l.StopRouter("hub", unix.SIGTERM))
}

// pingsThroughTunnel: ping and traceroute of the box itself.
func pingsThroughTunnel(t *testing.T, l *topo.Lab) {
	t.Helper()
	lines(t, l, "spoke1", strings.Fields("show ip nhrp"), []string{"10.255.0.1"})
	for command, want := range map[string][]string{
		"ping 10.1.0.7": {"Sending 5, 100-byte ICMP Echos to 10.1.0.7, timeout is 2 seconds:\n!!!!!\n", "Success rate is 100 percent (5/5), round-trip min/avg/max = "},
		"ping 10.255.0.11 source Tunnel0 size 1400 repeat 2 df-bit": {"Packet sent with a source address of 10.255.0.1\nPacket sent with the DF bit set\n!!\n", "100 percent (2/2)"},
		"ping 10.255.0.11 size 1401 repeat 2 df-bit":                {"\nMM\nSuccess rate is 0 percent (0/2)\n"},
		"ping 192.0.2.99 repeat 1 timeout 1":                        {"Success rate is 0 percent (0/1)\n"},
		"traceroute 10.1.0.7 timeout 1":                             {"Tracing the route to 10.1.0.7\n", "  1 10.255.0.11 ", "\n  2 10.1.0.7 "},
	} {
		says(t, command, func() (string, error) {
			out, err := l.Nave("hub", strings.Fields(command)...)
			if unanswered := strings.Contains(out, "Success rate is 0 percent"); unanswered == (err != nil) {
				return out, nil // the exit status says so
			}
			return out, fmt.Errorf("exit status: %v", err)
		}, want)
	}
	examined(t, l)
	for command, want := range map[string]string{
		"ping vrf NONE 10.1.0.7": "No VRF named NONE", "ping 10.1.0.7 source Loopback9": "there is no interface Loopback9", "ping 10.1.0.7 source 10.9.9.9": "", "ping 224.0.0.1": "",
	} {
		if out, err := l.Nave("hub", strings.Fields(command)...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %s", command, out)
		}
	}
}

// examined: the doctor finds the naved that runs, its ports and sockets, and nothing that keeps it from running.
func examined(t *testing.T, l *topo.Lab) {
	t.Helper()
	out, _ := l.Run("hub", filepath.Join(l.Bin, "nave"), "--socket", l.Socket("hub"), "doctor", "-c", l.ConfigFile("hub"), "--environment", "/nonexistent") // its exit status is of this machine
	for _, want := range []string{fmt.Sprintf(" runs, process %d\n", l.PIDs["hub"]), "Port Ethernet0 (eth0)\n", "driver veth: native XDP", "packets of Tunnel0 are up to ", "\n0 failures, "} {
		if !strings.Contains(out, want) {
			t.Errorf("the doctor does not say %q:\n%s", want, out)
		}
	}
	for _, wrong := range []string{"UDP port 500", "UDP port 4500", "is down", "another XDP program"} {
		if strings.Contains(out, wrong) {
			t.Errorf("the doctor says %q:\n%s", wrong, out)
		}
	}
}

// pingsInVRF: each VRF has its own hosts behind the same addresses, and the global table has none.
func pingsInVRF(t *testing.T, l *topo.Lab) {
	t.Helper()
	for _, vrf := range []string{"RED", "BLUE"} {
		command := "ping vrf " + vrf + " 10.0.0.2 repeat 3"
		says(t, command, func() (string, error) { return l.Nave("hub", strings.Fields(command)...) }, []string{"\n!!!\n"})
	}
	const wrong = "ping 10.0.0.2 source Tunnel0"
	if out, err := l.Nave("hub", strings.Fields(wrong)...); err == nil || !strings.Contains(out, "VRF BLUE") {
		t.Errorf("%s: %v: %s", wrong, err, out)
	}
}
