// Package netns makes network namespaces and the cables between them, for tests and labs.
//
// A namespace has a name below /run/netns, so that `ip netns` sees it. Whoever makes one takes it away again: with
// New at the end of the test, with Add by Delete.
package netns

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nave/testbed/need"
)

const folder = "/run/netns"

// NS is a network namespace.
type NS struct{ Name string }

var serial atomic.Int32

// New makes a namespace for the length of a test. Its loopback is up. It needs root.
func New(t testing.TB, name string) *NS {
	t.Helper()
	need.Root(t)
	ns, err := Add(fmt.Sprintf("nt%d-%d-%s", os.Getpid(), serial.Add(1), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Delete(); err != nil {
			t.Error(err)
		}
	})
	return ns
}

// Add makes a namespace with exactly this name. Its loopback is up, and it forwards nothing by itself.
func Add(name string) (*NS, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("netns: %w", err)
	}
	ns := &NS{Name: name}
	f, err := os.OpenFile(ns.Path(), os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return nil, fmt.Errorf("netns: add %s (`ip netns del %s` if it is a left-over): %w", name, name, err)
	}
	f.Close()
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		return unix.Mount(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), ns.Path(), "", unix.MS_BIND, "")
	})
	if err != nil {
		os.Remove(ns.Path())
		return nil, fmt.Errorf("netns: add %s: %w", name, err)
	}
	return ns, ns.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
}

// Path is the file that stands for the namespace.
func (n *NS) Path() string { return filepath.Join(folder, n.Name) }

// Delete takes the namespace away, with every veth in it. One that does not exist is no error.
func (n *NS) Delete() error {
	err := unix.Unmount(n.Path(), unix.MNT_DETACH)
	if err != nil && err != unix.EINVAL && err != unix.ENOENT {
		return fmt.Errorf("netns: unmount %s: %w", n.Name, err)
	}
	if err := os.Remove(n.Path()); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("netns: delete %s: %w", n.Name, err)
	}
	return nil
}

// Do runs f on a thread in the namespace and waits for it. Goroutines that f starts are not in it; sockets that f
// opens stay in it.
func (n *NS) Do(f func() error) error {
	return onThread(func() error {
		h, err := os.Open(n.Path())
		if err != nil {
			return fmt.Errorf("netns: %w", err)
		}
		defer h.Close()
		if err := unix.Setns(int(h.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netns: enter %s: %w", n.Name, err)
		}
		return f()
	})
}

// onThread runs f on a thread of its own, which ends with it: nothing else ever runs in a changed namespace.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // the first thread can't end, and stands for the process in /proc: another one
			done <- onThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f()
	}()
	return <-done
}

// Command is a command that will run in the namespace, and in the caller's mount namespace.
func (n *NS) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + n.Path(), "--", name}, args...)...)
}

// Run runs a command line of words in the namespace and returns what it printed, trimmed.
func (n *NS) Run(words ...string) (string, error) {
	out, err := n.Command(words[0], words[1:]...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s: %s: %w: %s", n.Name, strings.Join(words, " "), err, text)
	}
	return text, nil
}

// Sysctl sets a kernel parameter of the namespace, named with slashes below net: "ipv4/ip_forward".
func (n *NS) Sysctl(name, value string) error {
	return n.Do(func() error {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
			return fmt.Errorf("netns: %s: %w", n.Name, err)
		}
		return nil
	})
}

// End is one end of a cable: a name for the interface, and its addresses ("10.0.0.1/24").
type End struct {
	NS     *NS
	Name   string
	Addrs  []string
	Queues int // RX and TX queues; 0 means one
}

// Veth lays a cable with both ends up. Offloads are off, or a raw reader at one end would see packets whose checksums, VLAN tags
// and segments the other end has left unfinished.
func Veth(a, b End, mtu int) error {
	err := a.NS.Do(func() error {
		peer, err := os.Open(b.NS.Path())
		if err != nil {
			return err
		}
		defer peer.Close()
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = a.Name, mtu
		attrs.NumTxQueues, attrs.NumRxQueues = max(1, a.Queues), max(1, a.Queues)
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: attrs, PeerName: b.Name, PeerMTU: uint32(mtu), PeerNamespace: netlink.NsFd(int(peer.Fd())),
			PeerNumTxQueues: uint32(max(1, b.Queues)), PeerNumRxQueues: uint32(max(1, b.Queues)),
		})
	})
	if err != nil {
		return fmt.Errorf("netns: veth %s in %s to %s in %s: %w", a.Name, a.NS.Name, b.Name, b.NS.Name, err)
	}
	for _, e := range []End{a, b} {
		if err := e.bringUp(); err != nil {
			return fmt.Errorf("netns: %s in %s: %w", e.Name, e.NS.Name, err)
		}
	}
	return nil
}

func (e End) bringUp() error {
	if err := Offloads(e.NS, e.Name, false); err != nil {
		return err
	}
	if err := e.NS.Sysctl("ipv6/conf/"+e.Name+"/disable_ipv6", "1"); err != nil && !os.IsNotExist(err) {
		return err
	}
	return e.NS.Do(func() error {
		l, err := netlink.LinkByName(e.Name)
		if err != nil {
			return err
		}
		for _, text := range e.Addrs {
			addr, err := netlink.ParseAddr(text)
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(l, addr); err != nil {
				return fmt.Errorf("address %s: %w", text, err)
			}
		}
		return netlink.LinkSetUp(l)
	})
}

// Offloads turns checksum and segmentation offload of an interface on or off.
func Offloads(ns *NS, name string, on bool) error {
	state := "off"
	if on {
		state = "on"
	}
	_, err := ns.Run("ethtool", "-K", name, "tx", state, "tso", state, "gso", state, "gro", state, "sg", state, "txvlan", state, "rxvlan", state)
	return err
}

// Namespaces lists the names of namespaces that start with prefix.
func Namespaces(prefix string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("netns: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// PIDs lists the processes that run in the namespace.
func (n *NS) PIDs() ([]int, error) {
	var want unix.Stat_t
	if err := unix.Stat(n.Path(), &want); err != nil {
		return nil, fmt.Errorf("netns: %s: %w", n.Name, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("netns: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(filepath.Join("/proc", e.Name(), "ns/net"), &st) == nil && st.Ino == want.Ino && st.Dev == want.Dev {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
