// Package host is nave's side of Linux: netdevs and their addresses, neighbours, routes, the TUN twins of tunnel
// interfaces, the DHCP client, and what ICMP tells of paths.
//
// Linux is the host stack and nave the forwarder, so both must agree on who has which address and where things
// are. A Host belongs to the network namespace that it was opened in.
package host

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Host is one network namespace.
type Host struct {
	nl  *netlink.Handle
	dir string // where it remembers what it added
}

// Open takes hold of the caller's network namespace. What it adds is remembered below dir, so that a later run
// knows what was its own.
func Open(dir string) (*Host, error) {
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("host: netlink: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	return &Host{nl: nl, dir: dir}, nil
}

// Close lets go of the namespace. Addresses stay, so that the box still answers.
func (h *Host) Close() { h.nl.Close() }

// Link is a netdev.
type Link struct {
	Name   string
	Index  int
	MAC    [6]byte
	MTU    int
	Up     bool // administratively up, with carrier
	Queues int  // RX queues
}

// Link finds a netdev by name.
func (h *Host) Link(name string) (Link, error) {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return Link{}, fmt.Errorf("host: interface %s: %w (`ip link` lists those that there are)", name, err)
	}
	return describe(l), nil
}

func describe(l netlink.Link) Link {
	a := l.Attrs()
	out := Link{Name: a.Name, Index: a.Index, MTU: a.MTU, Queues: max(1, a.NumRxQueues)}
	copy(out.MAC[:], a.HardwareAddr)
	const running = net.FlagUp | net.FlagRunning
	out.Up = a.Flags&net.FlagUp != 0 && (a.RawFlags&unix.IFF_RUNNING != 0 || a.Flags&running == running)
	if entries, err := os.ReadDir(filepath.Join("/sys/class/net", a.Name, "queues")); err == nil {
		n := 0
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "rx-") {
				n++
			}
		}
		out.Queues = max(1, n)
	}
	return out
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
// away with it. The caller is in the netdev's network namespace.
func (h *Host) Prepare(name string) error {
	if err := setConf(name, "rp_filter", "2"); err != nil {
		return err
	}
	return setConf(name, "promote_secondaries", "1")
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
