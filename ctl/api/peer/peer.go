// Package peer says who is at the other end of a UNIX socket, by the kernel's word alone: user, groups and process as they were when the socket was connected. What a user
// database says of the user's groups may be more than the process has (it gave groups up), or less (it got one by newgrp); permissions of files go by what the process has, so
// does this.
package peer

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Credentials are those of a process.
type Credentials struct {
	UID, GID uint32
	PID      int32
	Groups   []uint32 // GID first, then the supplementary ones
}

// In tells whether the process is in a group.
func (c *Credentials) In(group uint32) bool {
	for _, g := range c.Groups {
		if g == group {
			return true
		}
	}
	return false
}

// maxGroups is what Linux lets a process have (NGROUPS_MAX).
const maxGroups = 65536

// Of asks the kernel about a connected UNIX socket.
func Of(c syscall.Conn) (who *Credentials, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { who, inner = of(int(fd)) }); err != nil || inner != nil {
		return nil, fmt.Errorf("peer: the kernel does not say who asks: %w", errors.Join(err, inner))
	}
	return who, nil
}

func of(fd int) (*Credentials, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, fmt.Errorf("SO_PEERCRED: %w", err)
	}
	more, err := groups(fd)
	if err != nil {
		return nil, fmt.Errorf("SO_PEERGROUPS: %w", err)
	}
	return &Credentials{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid, Groups: append([]uint32{cred.Gid}, more...)}, nil
}

// groups are the supplementary groups. The kernel refuses a buffer that is too small, and says how large it has to be.
func groups(fd int) ([]uint32, error) {
	for size := 32; size <= maxGroups; {
		list := make([]uint32, size)
		n := uint32(size) * 4
		_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS, uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&n)), 0)
		switch {
		case e == 0:
			return list[:n/4], nil
		case e != unix.ERANGE:
			return nil, e
		}
		size = max(2*size, int(n/4))
	}
	return nil, unix.ERANGE
}
