// Package host is nave's side of Linux: netdevs and their addresses, neighbours, routes, the TUN twins of tunnel
// interfaces, the DHCP client, and what ICMP tells of paths.
//
// Linux is the host stack and nave the forwarder, so both must agree on who has which address and where things
// are. A Host is one network namespace; that of a VRF has the ports, twins and loopbacks of the VRF (Namespaces).
package host

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nave/slowpath/host/nic"
)

// Host is one network namespace. All that it does is done there, whichever namespace its caller is in.
type Host struct {
	nl   *netlink.Handle
	dir  string // where it remembers what it added
	ns   *os.File
	id   nsID
	name string // "" of the one that naved runs in
}

// Open takes hold of the caller's network namespace. What it adds is remembered below dir, so that a later run
// knows what was its own.
func Open(dir string) (*Host, error) { return take(ownNamespace, "", dir) }

// OpenIn takes hold of the network namespace that a file stands for, such as those of `ip netns` below /run/netns.
func OpenIn(file, dir string) (*Host, error) { return take(file, filepath.Base(file), dir) }

func take(file, name, dir string) (*Host, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("host: network namespace: %w", err)
	}
	h := &Host{dir: dir, ns: f, name: name}
	err = h.open()
	if err != nil {
		f.Close()
		return nil, err
	}
	return h, nil
}

func (h *Host) open() (err error) {
	if h.id, err = identify(fmt.Sprintf("/proc/self/fd/%d", h.ns.Fd())); err != nil {
		return fmt.Errorf("host: network namespace: %w", err)
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	return h.Within(func() (err error) {
		if h.nl, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return fmt.Errorf("host: netlink: %w", err)
		}
		return nil
	})
}

// Close lets go of the namespace. Addresses stay, so that the box still answers.
func (h *Host) Close() {
	h.nl.Close()
	h.ns.Close()
}

// Name is what `ip netns` calls the namespace; "" of the one that naved runs in.
func (h *Host) Name() string { return h.name }

// Inode tells namespaces apart as long as they exist.
func (h *Host) Inode() uint64 { return h.id.ino }

// Link is a netdev.
type Link struct {
	Name   string
	Index  int // in its namespace
	MAC    [6]byte
	MTU    int
	Up     bool // administratively up, with carrier
	Queues int  // RX queues; of Link alone, and not of a Watcher's
}

// Link finds a netdev by name.
func (h *Host) Link(name string) (Link, error) {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return Link{}, fmt.Errorf("host: interface %s: %w (`ip link` lists those that there are)", name, err)
	}
	out := describe(l)
	out.Queues = h.queues(l)
	return out, nil
}

func describe(l netlink.Link) Link {
	a := l.Attrs()
	out := Link{Name: a.Name, Index: a.Index, MTU: a.MTU, Queues: 1}
	copy(out.MAC[:], a.HardwareAddr)
	const running = net.FlagUp | net.FlagRunning
	out.Up = a.Flags&net.FlagUp != 0 && (a.RawFlags&unix.IFF_RUNNING != 0 || a.Flags&running == running)
	return out
}

// queues counts the RX queues that a netdev uses, of those that it has. The driver knows; where it has no such function, /sys, which shows the namespace that it was
// mounted in and no other; else all that were made are taken.
func (h *Host) queues(l netlink.Link) int {
	n := 0
	_ = h.Within(func() error {
		dev, err := nic.Open(l.Attrs().Name)
		if err != nil {
			return err
		}
		defer dev.Close()
		c, err := dev.Channels()
		n = c.RX + c.Combined
		return err
	})
	if n > 0 {
		return n
	}
	sys := filepath.Join("/sys/class/net", l.Attrs().Name)
	if index, err := os.ReadFile(filepath.Join(sys, "ifindex")); err != nil || strings.TrimSpace(string(index)) != strconv.Itoa(l.Attrs().Index) {
		return max(1, l.Attrs().NumRxQueues)
	}
	entries, err := os.ReadDir(filepath.Join(sys, "queues"))
	if err != nil {
		return max(1, l.Attrs().NumRxQueues)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "rx-") {
			n++
		}
	}
	return max(1, n)
}

// SetUp brings a netdev up or takes it down, and sets its MTU where mtu is not 0.
func (h *Host) SetUp(name string, up bool, mtu int) error {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("host: interface %s: %w", name, err)
	}
	if mtu != 0 && l.Attrs().MTU != mtu {
		if err := h.nl.LinkSetMTU(l, mtu); err != nil {
			return fmt.Errorf("host: %s: MTU %d: %w", name, mtu, err)
		}
	}
	if up {
		err = h.nl.LinkSetUp(l)
	} else {
		err = h.nl.LinkSetDown(l)
	}
	if err != nil {
		return fmt.Errorf("host: %s: up %v: %w", name, up, err)
	}
	return nil
}

// Prepare sets what nave needs of a netdev's IPv4: reverse path filtering is loose, because answers may take another
// way than the question came; and when the first address of a subnet goes, the others stay, which the kernel would take
// away with it.
func (h *Host) Prepare(name string) error {
	return h.Within(func() error {
		if err := setConf(name, "rp_filter", "2"); err != nil {
			return err
		}
		return setConf(name, "promote_secondaries", "1")
	})
}

// setConf sets an IPv4 parameter of a netdev in the caller's network namespace.
func setConf(name, parameter, value string) error {
	// Dots in a netdev's name stand as they are in the path.
	p := filepath.Join("/proc/sys/net/ipv4/conf", name, parameter)
	if err := os.WriteFile(p, []byte(value), 0o644); err != nil {
		return fmt.Errorf("host: %s: set %s: %w", name, parameter, err)
	}
	return nil
}
