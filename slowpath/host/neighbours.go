package host

import (
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// Entry is a neighbour with what else the kernel's table says of it.
type Entry struct {
	Neighbour
	Kept bool          // Keep was asked for it
	Age  time.Duration // since it was last confirmed
}

// clockTick is the kernel's unit of ages in messages to programs (USER_HZ).
const clockTick = time.Second / 100

// Neighbours lists the kernel's table: hosts on links, resolved or being so.
func (h *Host) Neighbours() ([]Entry, error) {
	list, err := h.nl.NeighList(0, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("host: neighbours: %w", err)
	}
	out := make([]Entry, 0, len(list))
	for k := range list {
		n := &list[k]
		d, ok := describeNeighbour(n, false)
		if !ok || !d.OK && n.State&(netlink.NUD_INCOMPLETE|netlink.NUD_FAILED) == 0 {
			continue // groups and broadcasts
		}
		out = append(out, Entry{Neighbour: d, Kept: n.FlagsExt&netlink.NTF_EXT_MANAGED != 0, Age: time.Duration(n.Confirmed) * clockTick})
	}
	return out, nil
}
