package host

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// NTF_USE (linux/neighbour.h): resolve the entry as if a packet had been sent to it.
const neighbourUse = 0x01

// valid are the states in which an entry's MAC address can be used. Entries without ARP are the kernel's for groups and
// broadcasts.
const valid = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE | netlink.NUD_PERMANENT

// Keep has the kernel resolve a neighbour and keep it resolved, though nave's frames bypass the kernel and never
// confirm it (NTF_EXT_MANAGED, Linux 5.16; before that the entry is used once, and ages until traffic of the
// box itself, or a packet without a next hop, uses it again).
func (h *Host) Keep(name string, addr netip.Addr) error {
	err := h.neighbour(name, addr, 0, netlink.NTF_EXT_MANAGED)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return h.Resolve(name, addr)
	}
	return err
}

// Unkeep ends Keep: the entry ages as any other.
func (h *Host) Unkeep(name string, addr netip.Addr) error {
	err := h.neighbour(name, addr, neighbourUse, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// Resolve has the kernel look for a neighbour once.
func (h *Host) Resolve(name string, addr netip.Addr) error {
	return h.neighbour(name, addr, neighbourUse, 0)
}

func (h *Host) neighbour(name string, addr netip.Addr, flags, ext int) error {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("host: interface %s: %w", name, err)
	}
	n := &netlink.Neigh{LinkIndex: l.Attrs().Index, Family: netlink.FAMILY_V4, IP: addr.AsSlice(), Flags: flags, FlagsExt: ext, State: netlink.NUD_NONE}
	if err := h.nl.NeighSet(n); err != nil {
		return fmt.Errorf("host: %s: resolve %s: %w", name, addr, err)
	}
	return nil
}

// Neighbour is an entry of the kernel's table: the MAC address of a host on a link, or (OK false) none.
type Neighbour struct {
	Link int // index
	Addr netip.Addr
	MAC  [6]byte
	OK   bool
}

func describeNeighbour(n *netlink.Neigh, deleted bool) (Neighbour, bool) {
	addr, ok := netip.AddrFromSlice(n.IP.To4())
	if !ok || n.Family != netlink.FAMILY_V4 {
		return Neighbour{}, false
	}
	out := Neighbour{Link: n.LinkIndex, Addr: addr}
	if !deleted && n.State&valid != 0 && len(n.HardwareAddr) == 6 {
		copy(out.MAC[:], n.HardwareAddr)
		out.OK = true
	}
	return out, true
}
