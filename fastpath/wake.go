package fastpath

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// wake is an eventfd that is made when somebody first sleeps on it, or that another process gave.
type wake struct {
	mu sync.RWMutex // held for writing while fd changes
	fd int          // -1 before

	waiter sync.Mutex // held by the one who sleeps
	count  [8]byte
	own    [1]unix.PollFd
}

func (k *wake) init() { k.fd = -1 }

func (k *wake) open() (int, error) {
	k.mu.RLock()
	fd := k.fd
	k.mu.RUnlock()
	if fd >= 0 {
		return fd, nil // and never the write lock, which a sleeper would hold up
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd >= 0 {
		return k.fd, nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fastpath: eventfd: %w", err)
	}
	k.fd = fd
	return fd, nil
}

// use takes an eventfd that another process made.
func (k *wake) use(fd int) error {
	k.kick() // who sleeps on the one before
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.fd
	k.fd = fd
	return closeFD(old)
}

// closeFD closes a descriptor, if it is one.
func closeFD(fd int) error {
	if fd < 0 {
		return nil
	}
	return unix.Close(fd)
}

var one = [8]byte{1}

// kick wakes whoever sleeps, or the next who wants to.
func (k *wake) kick() {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.fd >= 0 {
		// The only failure is a counter that is full: awake enough.
		_, _ = unix.Write(k.fd, one[:])
	}
}

// wait sleeps until a kick, until one of fds is readable, or for so long. fds has room for one descriptor in front, which is
// wait's own; nil is none.
func (k *wake) wait(fds []unix.PollFd, limit time.Duration) error {
	k.waiter.Lock()
	defer k.waiter.Unlock()
	if fds == nil {
		fds = k.own[:]
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.fd < 0 {
		return nil
	}
	fds[0] = unix.PollFd{Fd: int32(k.fd), Events: unix.POLLIN}
	_, err := unix.Poll(fds, int(limit.Milliseconds()))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("fastpath: poll: %w", err)
	}
	if fds[0].Revents&unix.POLLIN != 0 {
		_, _ = unix.Read(k.fd, k.count[:])
	}
	return nil
}

// close wakes who sleeps, waits until he is up, and closes the descriptor.
func (k *wake) close() error {
	k.kick()
	k.mu.Lock()
	defer k.mu.Unlock()
	fd := k.fd
	k.fd = -1
	return closeFD(fd)
}
