package host

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// protocol is nave's number in the kernel's routing tables: what carries it is ours, and is cleaned up by the next run.
const protocol = 206

// metric of nave's routes: those of others, which have none as a rule, are preferred and never replaced. FRR's zebra reads a distance out of the highest byte of the metric of a
// route that it did not put there: so it installs what its own daemons know of the same prefix, and nave can choose by the distances that it knows itself.
const metric = zebraDistance<<24 | protocol

// zebraDistance is the greatest that zebra uses at all.
const zebraDistance = 254

// lastResort is the metric of the default route by which a VRF's namespace reaches what its kernel knows no other way to: every other route is preferred.
const lastResort = 1<<32 - 1

// Way is how the box's own programs get to the destinations of some routes. It is a value that does not change once it was given to Routes.
type Way struct {
	Hops   []Hop      // several share the load; none: packets are dropped
	Source netip.Addr // of packets that have none yet; the zero Addr: what the kernel takes
	// Stays says that the routes are of use without nave, as the addresses of ports are: End leaves them.
	Stays bool
}

// Hop is a next hop of a Way.
type Hop struct {
	Netdev  string
	Gateway netip.Addr // the zero Addr: the destination is on the link
	OnLink  bool       // the gateway is there, though in no subnet of the netdev's
	Weight  uint8      // its share of the load, in proportion to the others'; 0 counts as 1
}

// Equal tells whether two ways are the same.
func (w *Way) Equal(o *Way) bool {
	return w == o || w != nil && o != nil && w.Source == o.Source && w.Stays == o.Stays && slices.Equal(w.Hops, o.Hops)
}

func (h *Hop) weight() int { return max(1, int(h.Weight)) }

// put appends the message that gives the kernel a route, or replaces it; index finds netdevs.
func (w *Way) put(b []byte, k routeKey, flags uint16, seq uint32, index func(string) (int, error)) ([]byte, error) {
	links := make([]int, len(w.Hops), 8)
	for i := range w.Hops {
		n, err := index(w.Hops[i].Netdev)
		if err != nil {
			return b, err
		}
		links[i] = n
	}
	kind, scope, hopFlags := byte(unix.RTN_UNICAST), byte(unix.RT_SCOPE_UNIVERSE), byte(0)
	switch {
	case len(w.Hops) == 0:
		kind = unix.RTN_BLACKHOLE
	case len(w.Hops) == 1 && !w.Hops[0].Gateway.IsValid():
		scope = unix.RT_SCOPE_LINK
	case len(w.Hops) == 1:
		hopFlags = w.Hops[0].flags()
	}
	return message(b, unix.RTM_NEWROUTE, flags, seq, func(b []byte) []byte {
		b = routeHeader(b, k, scope, kind, hopFlags)
		if w.Source.IsValid() {
			b = attributeAddr(b, unix.RTA_PREFSRC, w.Source)
		}
		if len(w.Hops) == 1 {
			b = attribute32(b, unix.RTA_OIF, uint32(links[0]))
			if g := w.Hops[0].Gateway; g.IsValid() {
				b = attributeAddr(b, unix.RTA_GATEWAY, g)
			}
		}
		if len(w.Hops) < 2 {
			return b
		}
		return attribute(b, unix.RTA_MULTIPATH, func(b []byte) []byte {
			for i := range w.Hops {
				b = w.Hops[i].nextHop(b, links[i])
			}
			return b
		})
	}), nil
}

func (h *Hop) flags() byte {
	if h.OnLink && h.Gateway.IsValid() {
		return unix.RTNH_F_ONLINK
	}
	return 0
}

// nextHop appends a struct rtnexthop with its attributes.
func (h *Hop) nextHop(b []byte, link int) []byte {
	at := len(b)
	b = append(b, 0, 0, h.flags(), byte(h.weight()-1))
	b = native.AppendUint32(b, uint32(link))
	if h.Gateway.IsValid() {
		b = attributeAddr(b, unix.RTA_GATEWAY, h.Gateway)
	}
	native.PutUint16(b[at:], uint16(len(b)-at))
	return b
}

// routeHeader appends the fixed part of a message about a route of nave's, and what tells it from other routes.
func routeHeader(b []byte, k routeKey, scope, kind, flags byte) []byte {
	p := k.prefix()
	b = append(b, unix.AF_INET, byte(p.Bits()), 0, 0, unix.RT_TABLE_MAIN, protocol, scope, kind)
	b = native.AppendUint32(b, uint32(flags))
	b = attributeAddr(b, unix.RTA_DST, p.Addr())
	return attribute32(b, unix.RTA_PRIORITY, metric)
}

// remove appends the message that takes a route of nave's away, wherever it leads.
func remove(b []byte, k routeKey, seq uint32) []byte {
	return message(b, unix.RTM_DELROUTE, 0, seq, func(b []byte) []byte {
		return routeHeader(b, k, unix.RT_SCOPE_NOWHERE, unix.RTN_UNSPEC, 0)
	})
}

func attributeAddr(b []byte, kind uint16, a netip.Addr) []byte {
	return attribute(b, kind, func(b []byte) []byte { v := a.As4(); return append(b, v[:]...) })
}

// matches tells whether the kernel's route is this way; index finds netdevs.
func (w *Way) matches(m *routeMessage, index func(string) (int, error)) bool {
	kind := uint8(unix.RTN_UNICAST)
	if len(w.Hops) == 0 {
		kind = unix.RTN_BLACKHOLE
	}
	if m.kind != kind || m.source != w.Source || len(m.hops) != len(w.Hops) {
		return false
	}
	for i := range w.Hops {
		h, have := &w.Hops[i], &m.hops[i]
		link, err := index(h.Netdev)
		if err != nil || have.strange || have.link != link || have.gateway != h.Gateway || have.onLink != (h.flags() != 0) || len(w.Hops) > 1 && have.weight != h.weight() {
			return false
		}
	}
	return true
}

// SetLastResort makes a netdev the way to everything that the kernel knows no other way to.
func (h *Host) SetLastResort(name string) error {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("host: interface %s: %w", name, err)
	}
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	k := netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(all), Protocol: protocol, Priority: lastResort, Scope: netlink.SCOPE_LINK}
	if err := h.nl.RouteReplace(&k); err != nil {
		return fmt.Errorf("host: default route of last resort by %s: %w", name, err)
	}
	return nil
}
