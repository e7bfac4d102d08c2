package crew

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath"
	"nave/fastpath/port/afxdp"
)

// server is a worker's process: its worker, and what naved asks of it.
type server struct {
	boot     Boot
	log      *slog.Logger
	stop     func() // ends the process
	engine   *fastpath.Engine
	worker   *fastpath.Worker
	umem     *afxdp.UMEM
	wakes    []int
	listener *net.UnixListener
	inode    uint64 // of the socket

	mu   sync.Mutex
	conn *conn // of the naved that is served
	idle time.Time

	ports map[portID]*attached // the goroutine that serves has it
}

// attached is a port that is open, or a relay.
type attached struct {
	Attach
	port *afxdp.Port // nil for a relay
	via  int
}

// answer carries a request out. The descriptors stay the worker's.
func (s *server) answer(r *request) (out reply, give []int) {
	var err error
	switch r.Op {
	case opHello:
		out.Boot = &s.boot
		out.Host = s.host()
		give = append([]int{s.engine.ArenaFD(), fdPunts}, s.wakes...)
	case opAttach:
		var p *afxdp.Port
		if p, err = s.attach(r.Attach); err == nil {
			out.Host = s.host()
			give = []int{p.FD()}
		}
	case opRelay:
		err = s.relay(r.Port, r.Via)
	case opDetach:
		err = s.detach(r.Port)
	case opPorts:
		out.Host = s.host()
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out, give
}

// The kernel frees a queue a moment after the socket of the process before is closed.
const (
	busyFor   = 3 * time.Second
	busyRetry = 5 * time.Millisecond
)

// attach opens a queue, unless it is open as it is wanted.
func (s *server) attach(a *Attach) (*afxdp.Port, error) {
	if a.Namespace {
		return nil, errors.New("ports in other network namespaces are not built yet")
	}
	if old := s.ports[a.Port]; old != nil {
		if old.port != nil && old.Attach == *a {
			return old.port, nil
		}
		if err := s.detach(a.Port); err != nil {
			return nil, err
		}
	}
	for id, other := range s.ports { // the queue under a number that it had before
		if other.port != nil && other.Ifindex == a.Ifindex && other.Queue == a.Queue {
			if err := s.detach(id); err != nil {
				return nil, err
			}
		}
	}
	cfg := a.Config()
	var p *afxdp.Port
	var err error
	for late := deadline(busyFor); ; time.Sleep(busyRetry) {
		s.worker.Between(func() { p, err = afxdp.Open(s.umem, cfg) })
		if err == nil || !errors.Is(err, unix.EBUSY) || time.Now().After(late) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if err := s.worker.Attach(a.Port, p); err != nil {
		s.worker.Between(func() { err = errors.Join(err, p.Close()) })
		return nil, err
	}
	s.ports[a.Port] = &attached{Attach: *a, port: p}
	return p, nil
}

// relay sends by a port through another worker, which has it. naved has made the ring.
func (s *server) relay(id portID, via int) error {
	if old := s.ports[id]; old != nil {
		if old.port == nil && old.via == via {
			return nil
		}
		if err := s.detach(id); err != nil {
			return err
		}
	}
	if err := s.engine.Relay(s.worker, id, via); err != nil {
		return err
	}
	s.ports[id] = &attached{Attach: Attach{Port: id}, via: via}
	return nil
}

// detach ends a port. That there is none is no error.
func (s *server) detach(id portID) (err error) {
	p := s.worker.Detach(id)
	delete(s.ports, id)
	if p == nil {
		return nil
	}
	s.worker.Between(func() { err = p.Close() })
	if err != nil {
		return fmt.Errorf("port %d: %w", id, err)
	}
	return nil
}

// host describes the ports.
func (s *server) host() *Host {
	h := DescribeMemory(s.umem)
	for id, a := range s.ports {
		h.All = append(h.All, id)
		if a.port != nil {
			h.Ports = append(h.Ports, DescribePort(a.Attach, a.port))
		}
	}
	return &h
}

// DescribeMemory says what the packet memory of a worker is like.
func DescribeMemory(u *afxdp.UMEM) (h Host) { return h }

// DescribePort says what a port is like.
func DescribePort(a Attach, p *afxdp.Port) PortState {
	return PortState{Attach: a, ZeroCopy: p.ZeroCopy(), Stats: p.Stats()}
}

// Config is how the port's socket is opened.
func (a *Attach) Config() afxdp.Config {
	return afxdp.Config{Ifindex: a.Ifindex, Queue: a.Queue, Ring: a.Ring, Copy: a.Copy}
}

// close ends what the process has. Nothing polls any more.
func (s *server) close() error {
	if s.listener != nil {
		s.listener.Close()
	}
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		c.Close() // what is being answered is not needed any more
	}
	// The ports go with the process, whose goroutine that serves may be at them still.
	return s.engine.Close()
}
