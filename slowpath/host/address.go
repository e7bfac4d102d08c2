package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// SetAddresses gives a netdev the IPv4 addresses that it lacks, and takes away those that nave once added and that
// are not wanted any more. An address that somebody else added is never removed.
func (h *Host) SetAddresses(name string, want []netip.Prefix) error {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("host: interface %s: %w", name, err)
	}
	have, err := h.addresses(l)
	if err != nil {
		return err
	}
	ours := h.remembered(name)
	for _, p := range want {
		if slices.Contains(have, p) {
			continue
		}
		if err := h.nl.AddrAdd(l, &netlink.Addr{IPNet: ipNet(p)}); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("host: %s: add address %s: %w", name, p, err)
		}
		if !slices.Contains(ours, p) {
			ours = append(ours, p)
		}
		if err := h.remember(name, ours); err != nil {
			return err
		}
	}
	var kept []netip.Prefix
	for _, p := range ours {
		if slices.Contains(want, p) {
			kept = append(kept, p)
			continue
		}
		err := h.nl.AddrDel(l, &netlink.Addr{IPNet: ipNet(p)})
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("host: %s: remove address %s: %w", name, p, err)
		}
	}
	return h.remember(name, kept)
}

// Addresses lists the IPv4 addresses of a netdev.
func (h *Host) Addresses(name string) ([]netip.Prefix, error) {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("host: interface %s: %w", name, err)
	}
	return h.addresses(l)
}

// AllAddresses lists every IPv4 address of the namespace, and the broadcast addresses of its subnets: what the kernel
// takes for its own.
func (h *Host) AllAddresses() ([]netip.Addr, error) {
	list, err := h.nl.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("host: list addresses: %w", err)
	}
	var out []netip.Addr
	for _, a := range list {
		for _, ip := range []net.IP{a.IP, a.Broadcast} {
			if addr, ok := netip.AddrFromSlice(ip.To4()); ok {
				out = append(out, addr)
			}
		}
	}
	return out, nil
}

func (h *Host) addresses(l netlink.Link) ([]netip.Prefix, error) {
	list, err := h.nl.AddrList(l, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("host: %s: list addresses: %w", l.Attrs().Name, err)
	}
	var out []netip.Prefix
	for _, a := range list {
		if addr, ok := netip.AddrFromSlice(a.IP.To4()); ok {
			bits, _ := a.Mask.Size()
			out = append(out, netip.PrefixFrom(addr, bits))
		}
	}
	return out, nil
}

func (h *Host) memory(name string) string {
	return filepath.Join(h.dir, "addresses-"+filepath.Base(name)+".json")
}

// remembered lists what nave added to a netdev, in this run or an earlier one.
func (h *Host) remembered(name string) []netip.Prefix {
	text, err := os.ReadFile(h.memory(name))
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	if json.Unmarshal(text, &out) != nil {
		return nil // better to leave an address behind than to remove somebody's
	}
	return out
}

func (h *Host) remember(name string, ours []netip.Prefix) error {
	text, err := json.Marshal(ours)
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	return writeNew(h.memory(name), text)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
