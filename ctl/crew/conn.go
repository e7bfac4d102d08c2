package crew

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// conn carries messages with descriptors, each a packet of its own (SOCK_SEQPACKET).
type conn struct {
	*net.UnixConn
	in  []byte
	oob []byte
}

func newConn(u *net.UnixConn) *conn {
	return &conn{UnixConn: u, in: make([]byte, maxMessage+1), oob: make([]byte, unix.CmsgSpace(4*maxFDs))}
}

// send sends v and copies of descriptors.
func (c *conn) send(v any, fds ...int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("crew: %w", err)
	}
	if len(b) > maxMessage {
		return fmt.Errorf("crew: message of %d bytes: at most %d", len(b), maxMessage)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if _, _, err := c.WriteMsgUnix(b, oob, nil); err != nil {
		return fmt.Errorf("crew: send: %w", err)
	}
	return nil
}

// receive waits for a message. The descriptors are the caller's. The bytes are valid until the next call.
func (c *conn) receive() (b []byte, fds []int, err error) {
	n, oobn, flags, _, err := c.ReadMsgUnix(c.in, c.oob)
	if err != nil {
		return nil, nil, fmt.Errorf("crew: receive: %w", err)
	}
	if fds, err = rights(c.oob[:oobn]); err != nil {
		return nil, nil, err
	}
	if n == 0 || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		closeAll(fds)
		if n == 0 {
			return nil, nil, fmt.Errorf("crew: receive: %w", net.ErrClosed)
		}
		return nil, nil, fmt.Errorf("crew: receive: %w: it was cut", errMessage)
	}
	return c.in[:n], fds, nil
}

// rights is the descriptors that came with a message.
func rights(oob []byte) (fds []int, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("crew: %w: %w", errMessage, err)
	}
	for i := range list {
		got, err := unix.ParseUnixRights(&list[i])
		if err != nil {
			continue // something else, which is not asked for
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd) // a copy that came with a message; there is nothing to be done
	}
}

// peer is the process and user at the other end: of a connection, who listens there.
func (c *conn) peer() (cred unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return cred, fmt.Errorf("crew: %w", err)
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var p *unix.Ucred
		if p, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); inner == nil {
			cred = *p
		}
	})
	if err := errors.Join(err, inner); err != nil {
		return cred, fmt.Errorf("crew: who is there: %w", err)
	}
	return cred, nil
}

// socketName is the socket of worker i below the run directory.
func socketName(i int) string { return fmt.Sprintf(socketPattern, i) }

const socketPattern = "worker-%d.sock"

// short calls f with a path of any length as one that fits into a socket's address.
func short(path string, f func(short string) error) error {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("crew: %s: %w", filepath.Dir(path), err)
	}
	defer unix.Close(dir)
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(path)))
}

// bind makes a worker's socket. It does not listen: the worker does, so that whoever connects learns the worker's process number, and until then is refused.
func bind(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("crew: %w", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("crew: socket: %w", err)
	}
	err = short(path, func(short string) error { return unix.Bind(fd, &unix.SockaddrUnix{Name: short}) })
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("crew: socket %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// dial connects to a worker's socket.
func dial(path string) (*conn, error) {
	var c *conn
	err := short(path, func(short string) error {
		u, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Net: "unixpacket", Name: short})
		if err != nil {
			return fmt.Errorf("crew: %w", err)
		}
		c = newConn(u)
		return nil
	})
	return c, err
}

// deadline is when something that may take d is late.
func deadline(d time.Duration) time.Time { return time.Now().Add(d) }
