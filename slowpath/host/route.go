package host

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// protocol is nave's number in the kernel's routing tables: what carries it is ours, and is cleaned up by the next run.
const protocol = 206

// metric of nave's routes: those of others, which have none as a rule, are preferred and never replaced.
const metric = 206

// lastResort is the metric of the default route by which a VRF's namespace reaches what its kernel knows no other way to: every other route is preferred.
const lastResort = 1<<32 - 1

// Route is a route of nave's in the kernel's table, by which the box's own programs reach what nave reaches.
type Route struct {
	Prefix  netip.Prefix
	Link    string
	Gateway netip.Addr // the zero Addr: the destination is on the link
}

// SetRoutes makes these nave's routes in the kernel's main table: others of nave's number go, those of anybody else
// stay, and win where they are for the same prefix.
func (h *Host) SetRoutes(want []Route) error {
	have, err := h.nl.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Protocol: protocol, Table: unix.RT_TABLE_MAIN},
		netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
	if err != nil {
		return fmt.Errorf("host: list routes: %w", err)
	}
	next := make(map[Route]netlink.Route, len(want))
	var failed error
	for _, r := range want {
		l, err := h.nl.LinkByName(r.Link)
		if err != nil {
			failed = fmt.Errorf("host: route %s: interface %s: %w", r.Prefix, r.Link, err)
			continue
		}
		k := netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(r.Prefix), Protocol: protocol, Priority: metric, Scope: netlink.SCOPE_LINK}
		if r.Gateway.IsValid() {
			k.Gw, k.Scope = r.Gateway.AsSlice(), netlink.SCOPE_UNIVERSE
		}
		next[r] = k
	}
	for _, old := range have {
		if old.Priority == lastResort {
			continue
		}
		r := h.describeRoute(&old)
		if _, keep := next[r]; keep {
			delete(next, r)
			continue
		}
		if err := h.nl.RouteDel(&old); err != nil && !errors.Is(err, unix.ESRCH) {
			failed = fmt.Errorf("host: remove route %s: %w", r.Prefix, err)
		}
	}
	for r, k := range next {
		if err := h.nl.RouteReplace(&k); err != nil {
			failed = fmt.Errorf("host: route %s by %s: %w", r.Prefix, r.Link, err)
		}
	}
	return failed
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

func (h *Host) describeRoute(k *netlink.Route) Route {
	var r Route
	if k.Dst == nil {
		r.Prefix = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	} else if a, ok := netip.AddrFromSlice(k.Dst.IP.To4()); ok {
		bits, _ := k.Dst.Mask.Size()
		r.Prefix = netip.PrefixFrom(a, bits)
	}
	if l, err := h.nl.LinkByIndex(k.LinkIndex); err == nil {
		r.Link = l.Attrs().Name
	}
	if a, ok := netip.AddrFromSlice(k.Gw.To4()); ok {
		r.Gateway = a
	}
	return r
}
