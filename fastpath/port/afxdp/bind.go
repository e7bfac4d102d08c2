package afxdp

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Socket options of busy polling (asm-generic/socket.h), and XDP_MAX_TX_SKB_BUDGET (linux/if_xdp.h): packets sent by one wake-up.
const (
	optionTxBudget = 9
	busyBudget     = 64 // packets that the driver may deliver a call, where nothing is configured: NAPI's own
)

// bind joins the socket to its queue. The first socket of a UMEM says how the others work, too: zero-copy where the driver has it, or else
// by copies, and then why is why not.
func (p *Port) bind(c Config, first bool) (why error, err error) {
	addr := &unix.SockaddrXDP{Ifindex: uint32(c.Ifindex), QueueID: uint32(c.Queue)}
	if !first {
		return p.umem.copied, bindError(p.share(addr), p.umem)
	}
	if c.Copy {
		why = ErrCopyWanted
	} else {
		addr.Flags = unix.XDP_USE_NEED_WAKEUP | unix.XDP_ZEROCOPY
		if why = unix.Bind(p.fd, addr); why == nil || why == unix.EBUSY {
			return nil, bindError(why, p.umem)
		}
	}
	addr.Flags = unix.XDP_USE_NEED_WAKEUP | unix.XDP_COPY
	return why, bindError(unix.Bind(p.fd, addr), p.umem)
}

// share binds the socket with the memory of another one: any that is bound will do. One whose netdev is gone, or in another network namespace by now, is not bound any more.
func (p *Port) share(addr *unix.SockaddrXDP) (err error) {
	for _, other := range p.umem.ports {
		addr.Flags, addr.SharedUmemFD = unix.XDP_SHARED_UMEM, uint32(other.fd) // no other flag is allowed beside this one
		if err = unix.Bind(p.fd, addr); err != unix.EBADF {
			return err
		}
	}
	return err
}

// ErrCopyWanted is why a port copies that was told to (Config.Copy).
var ErrCopyWanted = errors.New("asked for")

// ErrMixed means that a port has no zero-copy while the first one of its UMEM has, and all must be alike: open all of them with Config.Copy.
var ErrMixed = errors.New("the driver has no zero-copy, and the first port of this memory has: all must copy then (naved --copy)")

func bindError(err error, u *UMEM) error {
	switch {
	case err == nil:
		return nil
	case err == unix.EBADF:
		return fmt.Errorf("bind: the netdevs of all other ports of this memory are gone: close those first: %w", err)
	case err == unix.EBUSY:
		return fmt.Errorf("bind: another program has this queue: %w", err)
	case len(u.ports) > 0 && u.copied == nil && (err == unix.EOPNOTSUPP || err == enotsupp):
		return fmt.Errorf("bind: %w (%w)", ErrMixed, err)
	}
	return fmt.Errorf("bind: %w", err)
}

// enotsupp is ENOTSUPP, which some drivers let out of the kernel though programs should not see it.
const enotsupp = unix.Errno(524)

// busyPoll makes the socket drive its queue itself instead of waiting for interrupts. The kernel does it from the first packet on, where the driver
// has NAPI. What is refused is no fault: the port works by interrupts.
func (p *Port) busyPoll(c Config) error {
	if c.BusyPoll <= 0 {
		return nil
	}
	budget := c.Budget
	if budget <= 0 {
		budget = busyBudget
	}
	for _, o := range []struct {
		name          string
		option, value int
	}{
		{"SO_PREFER_BUSY_POLL", unix.SO_PREFER_BUSY_POLL, 1},
		{"SO_BUSY_POLL", unix.SO_BUSY_POLL, c.BusyPoll},
		{"SO_BUSY_POLL_BUDGET", unix.SO_BUSY_POLL_BUDGET, budget},
	} {
		if err := unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, o.option, o.value); err != nil {
			_ = unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_PREFER_BUSY_POLL, 0)
			return fmt.Errorf("%s %d: %w", o.name, o.value, err)
		}
	}
	p.busy = true
	return nil
}

// Mode is how a port works, as the kernel and the driver allowed.
type Mode struct {
	ZeroCopy  bool
	WhyCopy   string // why there is no zero-copy
	BusyPoll  bool
	WhyNoBusy string // why there is no busy polling, where it was asked for
	// NAPI is the kernel's number of the queue's polling, once a packet came; 0: none yet, or the driver has none and busy polling no effect.
	NAPI int
	Ring int // entries of each ring
}

// Mode tells how the port works. Any goroutine may call it.
func (p *Port) Mode() Mode {
	m := Mode{ZeroCopy: p.ZeroCopy(), BusyPoll: p.busy, Ring: p.config.Ring}
	if !m.ZeroCopy {
		m.WhyCopy = "the driver chose so"
		if p.whyCopy != nil {
			m.WhyCopy = p.whyCopy.Error()
		}
	}
	if p.whyNoBusy != nil {
		m.WhyNoBusy = p.whyNoBusy.Error()
	}
	if id, err := unix.GetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID); err == nil {
		m.NAPI = id
	}
	return m
}
