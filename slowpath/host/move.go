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

// away is what a netdev had when it left home and that others than nave had given it: put back when it returns.
type away struct {
	Up        bool
	Addresses []awayAddress
}

type awayAddress struct {
	Prefix netip.Prefix
	Scope  int
}

func (n *Namespaces) awayFile(netdev string) string {
	return filepath.Join(n.dir, "away-"+filepath.Base(netdev)+".json")
}

// Find tells in which of some namespaces a netdev is; nil: in none.
func (n *Namespaces) Find(netdev string, among ...*Host) *Host {
	for _, h := range among {
		if _, err := h.nl.LinkByName(netdev); err == nil {
			return h
		}
	}
	return nil
}

// Move takes a netdev from one namespace to another. It is down afterwards, unless it was up and comes home, and its AF_XDP sockets are dead: close them before. It loses its
// addresses; those that others than nave had given it at home, and its state, come back with it. Its XDP program stays. It may have moved though there is an error: then
// something did not come back.
func (n *Namespaces) Move(netdev string, from, to *Host) (moved bool, err error) {
	l, err := from.nl.LinkByName(netdev)
	if err != nil {
		return false, fmt.Errorf("host: move %s: %w", netdev, err)
	}
	if _, err := to.nl.LinkByName(netdev); err == nil {
		return false, fmt.Errorf("host: move %s to the network namespace %s: a netdev of that name is there already; rename or remove that one", netdev, to.describe())
	}
	if from == n.home {
		if err := n.noteAway(netdev, l); err != nil {
			return false, err
		}
	}
	if err := from.nl.LinkSetNsFd(l, int(to.ns.Fd())); err != nil {
		why := ""
		if errors.Is(err, unix.EINVAL) {
			why = " (its driver binds it to its namespace, or it is part of a bridge or bond: it can't be a VRF's port)"
		}
		return false, fmt.Errorf("host: move %s to the network namespace %s: %w%s", netdev, to.describe(), err, why)
	}
	if err := from.remember(netdev, nil); err != nil { // they went with the move
		return true, err
	}
	if to == n.home {
		return true, n.comeHome(netdev)
	}
	return true, nil
}

func (h *Host) describe() string {
	if h.name == "" {
		return "of naved"
	}
	return h.name
}

// noteAway writes down what comes back with a netdev, before it leaves.
func (n *Namespaces) noteAway(netdev string, l netlink.Link) error {
	list, err := n.home.nl.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("host: move %s: list addresses: %w", netdev, err)
	}
	ours := n.home.remembered(netdev)
	a := away{Up: l.Attrs().Flags&net.FlagUp != 0}
	for _, have := range list {
		ip, ok := netip.AddrFromSlice(have.IP)
		if !ok || have.Flags&unix.IFA_F_PERMANENT == 0 { // what has an end is renewed by who added it
			continue
		}
		bits, _ := have.Mask.Size()
		p := netip.PrefixFrom(ip.Unmap(), bits)
		if p.Addr().IsLinkLocalUnicast() && p.Addr().Is6() || slices.Contains(ours, p) {
			continue
		}
		a.Addresses = append(a.Addresses, awayAddress{p, have.Scope})
	}
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	return writeNew(n.awayFile(netdev), text)
}

// comeHome gives a netdev back what it had. What can't be given back is told, and does not keep it from being home.
func (n *Namespaces) comeHome(netdev string) error {
	file := n.awayFile(netdev)
	text, err := os.ReadFile(file)
	if err != nil {
		return nil // it had nothing, or it is not known
	}
	var a away
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("host: %s: what it had before it was a VRF's: %w", netdev, err)
	}
	l, err := n.home.nl.LinkByName(netdev)
	if err != nil {
		return fmt.Errorf("host: %s: %w", netdev, err)
	}
	var failed error
	if a.Up {
		if err := n.home.nl.LinkSetUp(l); err != nil {
			failed = fmt.Errorf("host: %s: up: %w", netdev, err)
		}
	}
	for _, have := range a.Addresses {
		err := n.home.nl.AddrAdd(l, &netlink.Addr{IPNet: ipNet(have.Prefix), Scope: have.Scope})
		if err != nil && !errors.Is(err, unix.EEXIST) {
			failed = errors.Join(failed, fmt.Errorf("host: %s: give back address %s: %w", netdev, have.Prefix, err))
		}
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		failed = errors.Join(failed, fmt.Errorf("host: %w", err))
	}
	return failed
}

// writeNew replaces a file in one step.
func writeNew(file string, text []byte) error {
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	return nil
}
