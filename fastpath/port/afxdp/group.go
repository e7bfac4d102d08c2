package afxdp

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// Group is several queues of one netdev as one port of one worker: where a netdev has more queues than there are workers. What is sent leaves by the
// first. It implements port.Port and port.Pender.
type Group struct {
	ports []*Port
	next  int // the queue that Recv looks at first, so that none starves
	epoll int // readable when a socket of any is
}

// NewGroup joins ports of one UMEM, two at least, which belong to it from then on.
func NewGroup(ports []*Port) (*Group, error) {
	if len(ports) < 2 {
		return nil, fmt.Errorf("afxdp: a group of %d queues: want 2 at least", len(ports))
	}
	for _, p := range ports {
		if p.umem != ports[0].umem {
			return nil, errors.New("afxdp: the queues of a group must share their memory")
		}
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("afxdp: epoll: %w", err)
	}
	for _, p := range ports {
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, p.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.fd)}); err != nil {
			return nil, errors.Join(fmt.Errorf("afxdp: epoll of queue %d: %w", p.config.Queue, err), unix.Close(fd))
		}
	}
	return &Group{ports: ports, epoll: fd}, nil
}

// Recv implements port.Port. A burst comes from as many queues as it takes to fill it.
func (g *Group) Recv(fs []port.Frame) int {
	n := 0
	for range g.ports {
		n += g.ports[g.next].Recv(fs[n:])
		if n == len(fs) {
			break // and the next burst goes on with this queue
		}
		if g.next++; g.next == len(g.ports) {
			g.next = 0
		}
	}
	return n
}

// Send implements port.Port.
func (g *Group) Send(fs []port.Frame) int { return g.ports[0].Send(fs) }

// Flush implements port.Port.
func (g *Group) Flush() { g.ports[0].Flush() }

// Pending implements port.Pender.
func (g *Group) Pending() bool { return g.ports[0].Pending() }

// FD implements port.Port: readable when packets wait on any queue.
func (g *Group) FD() int { return g.epoll }

// Close implements port.Port: it closes every queue.
func (g *Group) Close() error {
	if g.epoll < 0 {
		return nil
	}
	err := unix.Close(g.epoll)
	g.epoll = -1
	for _, p := range g.ports {
		err = errors.Join(err, p.Close())
	}
	return err
}
