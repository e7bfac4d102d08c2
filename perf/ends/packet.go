package ends

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// raw is a port on an AF_PACKET socket: a system call a packet, which every netdev takes. The kernel sees what arrives, too.
type raw struct {
	fd   int
	pool *port.Pool
}

func openPacket(index int, rx bool) (end, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return end{}, fmt.Errorf("ends: AF_PACKET socket (root?): %w", err)
	}
	addr := &unix.SockaddrLinklayer{Ifindex: index}
	if rx {
		addr.Protocol = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		// More than the limit of the machine needs a privilege, which root in a container may lack: less room, nothing else.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20)
	} else {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	}
	if err == nil {
		err = unix.Bind(fd, addr)
	}
	if err != nil {
		return end{}, errors.Join(fmt.Errorf("ends: AF_PACKET socket on interface %d: %w", index, err), unix.Close(fd))
	}
	pool := newPool()
	return end{port: &raw{fd, pool}, pool: pool, close: func() error { return nil }}, nil
}

// Recv implements port.Port.
func (r *raw) Recv(fs []port.Frame) int {
	for k := range fs {
		chunk, ok := r.pool.Get()
		if !ok {
			return k
		}
		f := port.Frame{Chunk: chunk, Start: port.Headroom, Len: uint16(r.pool.ChunkSize() - port.Headroom)}
		n, err := unix.Read(r.fd, r.pool.Bytes(f))
		if err != nil || n == 0 {
			r.pool.Put(chunk)
			return k
		}
		f.Len = uint16(n)
		fs[k] = f
	}
	return len(fs)
}

// Send implements port.Port.
func (r *raw) Send(fs []port.Frame) int {
	for k, f := range fs {
		if _, err := unix.Write(r.fd, r.pool.Bytes(f)); err != nil {
			return k // the link's queue is full, or it is down
		}
		r.pool.Put(f.Chunk)
	}
	return len(fs)
}

// Flush implements port.Port.
func (r *raw) Flush() {}

// FD implements port.Port.
func (r *raw) FD() int { return r.fd }

// Close implements port.Port.
func (r *raw) Close() error { return unix.Close(r.fd) }
