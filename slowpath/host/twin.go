package host

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Twin is a device by which the programs of the box reach an interface of nave's with ordinary sockets: a TUN device for a tunnel, with IPv4 packets and no header in front; a
// TAP device for a subinterface, with Ethernet frames. It goes away with Close. A process that is killed leaves it, with
// its addresses and routes: what the box itself sends to the interface is dropped there, and does not take the default route in clear.
type Twin struct {
	file *os.File
	name string
}

// LastResort is the device by which a VRF's namespace reaches what its kernel knows no way to.
const LastResort = "nave0"

// twinMark is in the alias of twins, so that those of a process that was killed are found again.
const twinMark = "nave twin of "

// OpenTwin makes the TUN device name and brings it up.
func (h *Host) OpenTwin(name string, mtu int) (*Twin, error) {
	return h.openTwin(name, unix.IFF_TUN, nil, mtu)
}

// OpenTap makes the TAP device name with a MAC address and brings it up.
func (h *Host) OpenTap(name string, mac [6]byte, mtu int) (*Twin, error) {
	return h.openTwin(name, unix.IFF_TAP, mac[:], mtu)
}

func (h *Host) openTwin(name string, kind uint16, mac net.HardwareAddr, mtu int) (*Twin, error) {
	if len(name) >= unix.IFNAMSIZ {
		return nil, fmt.Errorf("host: twin %s: Linux takes names of at most %d characters", name, unix.IFNAMSIZ-1)
	}
	var fd int
	if err := h.Within(func() (err error) { fd, err = openTun(name, kind); return err }); err != nil {
		return nil, err
	}
	t := &Twin{file: os.NewFile(uintptr(fd), name), name: name}
	if err := t.persist(true); err != nil {
		t.file.Close()
		return nil, err
	}
	if err := h.equip(name, mac, mtu); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// openTun makes or takes over a TUN or TAP device in the caller's network namespace.
func openTun(name string, kind uint16) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("host: twin %s: open /dev/net/tun: %w", name, err)
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("host: twin %s: %w", name, err)
	}
	req.SetUint16(kind | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EINVAL) {
			return -1, fmt.Errorf("host: twin %s: a device of that name is in use; is another naved running in this network namespace? %w", name, err)
		}
		return -1, fmt.Errorf("host: twin %s: %w", name, err)
	}
	return fd, nil
}

// equip marks a twin as this daemon's, and brings it up with a MAC address, if it has any, and MTU.
func (h *Host) equip(name string, mac net.HardwareAddr, mtu int) error {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("host: twin %s: %w", name, err)
	}
	if err := h.nl.LinkSetAlias(l, shortMark(twinMark+h.dir)); err != nil {
		return fmt.Errorf("host: twin %s: alias: %w", name, err)
	}
	if mac != nil && l.Attrs().HardwareAddr.String() != mac.String() {
		if err := h.nl.LinkSetHardwareAddr(l, mac); err != nil {
			return fmt.Errorf("host: twin %s: MAC address %s: %w", name, mac, err)
		}
	}
	if err := h.SetUp(name, true, mtu); err != nil {
		return err
	}
	return h.Prepare(name)
}

// SetMAC gives a netdev a MAC address.
func (h *Host) SetMAC(name string, mac [6]byte) error {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("host: interface %s: %w", name, err)
	}
	if err := h.nl.LinkSetHardwareAddr(l, mac[:]); err != nil {
		return fmt.Errorf("host: %s: MAC address: %w", name, err)
	}
	return nil
}

// DropTwins takes away the twins that a process of this run directory has left in the namespace, but for those that keep names.
func (h *Host) DropTwins(keep func(name string) bool) error {
	links, err := h.nl.LinkList()
	if err != nil {
		return fmt.Errorf("host: list interfaces: %w", err)
	}
	var failed error
	for _, l := range links {
		a := l.Attrs()
		if a.Alias != shortMark(twinMark+h.dir) || keep(a.Name) {
			continue
		}
		if err := h.nl.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
			failed = errors.Join(failed, fmt.Errorf("host: twin %s that is not needed any more: %w", a.Name, err))
		}
	}
	return failed
}

// Read waits for what the host sends by the twin.
func (t *Twin) Read(b []byte) (int, error) {
	n, err := t.file.Read(b)
	if err != nil {
		return 0, fmt.Errorf("host: twin %s: %w", t.name, err)
	}
	return n, nil
}

// Write gives the host what came by the interface.
func (t *Twin) Write(b []byte) error {
	if _, err := t.file.Write(b); err != nil {
		return fmt.Errorf("host: twin %s: %w", t.name, err)
	}
	return nil
}

// Name is the device's.
func (t *Twin) Name() string { return t.name }

// persist says whether the device outlives the process.
func (t *Twin) persist(on bool) error {
	arg := 0
	if on {
		arg = 1
	}
	raw, err := t.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("host: twin %s: %w", t.name, err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.IoctlSetInt(int(fd), unix.TUNSETPERSIST, arg) }); err != nil {
		return fmt.Errorf("host: twin %s: %w", t.name, err)
	}
	if failed != nil {
		return fmt.Errorf("host: twin %s: keep it: %w", t.name, failed)
	}
	return nil
}

// Close takes the device away.
func (t *Twin) Close() error {
	err := t.persist(false)
	if e := t.file.Close(); e != nil {
		err = errors.Join(err, fmt.Errorf("host: twin %s: %w", t.name, e))
	}
	return err
}

// ifAliasMax is what Linux takes of an alias (IFALIASZ, with the zero byte).
const ifAliasMax = 255

// shortMark makes a text fit into an alias. Two that differ only far behind are told apart by their end.
func shortMark(s string) string {
	if len(s) <= ifAliasMax {
		return s
	}
	return s[:80] + "..." + s[len(s)-(ifAliasMax-83):]
}
