package host

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Twin is the TUN device of a tunnel interface, by which the programs of the box reach the tunnel with ordinary
// sockets. Packets are IPv4, without any header in front. It goes away with Close. A process that is killed leaves it, with
// its addresses and routes: what the box itself sends to the tunnel is dropped there, and does not take the default route in clear.
type Twin struct {
	file *os.File
	name string
}

// OpenTwin makes the TUN device name in the caller's network namespace and brings it up.
func (h *Host) OpenTwin(name string, mtu int) (*Twin, error) {
	if len(name) >= unix.IFNAMSIZ {
		return nil, fmt.Errorf("host: twin %s: Linux takes names of at most %d characters", name, unix.IFNAMSIZ-1)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("host: twin %s: open /dev/net/tun: %w", name, err)
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("host: twin %s: %w", name, err)
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EINVAL) {
			return nil, fmt.Errorf("host: twin %s: a device of that name is in use; is another naved running in this network namespace? %w", name, err)
		}
		return nil, fmt.Errorf("host: twin %s: %w", name, err)
	}
	t := &Twin{file: os.NewFile(uintptr(fd), name), name: name}
	if err := t.persist(true); err != nil {
		t.file.Close()
		return nil, err
	}
	if err := h.SetUp(name, true, mtu); err != nil {
		t.Close()
		return nil, err
	}
	if err := h.Prepare(name); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Read waits for a packet that the host sends through the tunnel.
func (t *Twin) Read(b []byte) (int, error) {
	n, err := t.file.Read(b)
	if err != nil {
		return 0, fmt.Errorf("host: twin %s: %w", t.name, err)
	}
	return n, nil
}

// Write gives the host a packet that came by the tunnel.
func (t *Twin) Write(b []byte) error {
	if _, err := t.file.Write(b); err != nil {
		return fmt.Errorf("host: twin %s: %w", t.name, err)
	}
	return nil
}

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
