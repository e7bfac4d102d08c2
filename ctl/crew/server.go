package crew

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath"
	"nave/fastpath/port"
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

	mu   sync.Mutex
	conn *conn // of the naved that is served
	idle time.Time

	tidied uint64 // bytes allocated until garbage was collected last; the goroutine that watches has it

	ports map[portID]*attached // the goroutine that serves has it
}

// attached is a port that is open, or a relay.
type attached struct {
	Attach
	queues []*afxdp.Port // none for a relay
	via    int
}

// answer carries a request out, with the sockets that came with it. The descriptors that it gives stay the worker's.
func (s *server) answer(r *request, sockets []int) (out reply, give []int) {
	var err error
	if r.Op != opTake {
		closeAll(sockets) // none is asked for
	}
	switch r.Op {
	case opHello:
		out.Boot = &s.boot
		out.Host = s.host()
		give = append([]int{s.engine.ArenaFD(), fdPunts}, s.wakes...)
	case opAttach, opTake:
		var queues []*afxdp.Port
		if queues, err = s.attach(r.Attach, sockets); err == nil {
			for _, q := range queues {
				give = append(give, q.FD())
			}
		}
	case opRelay:
		err = s.relay(r.Port, r.Via)
	case opDetach:
		err = s.detach(r.Port)
	case opPorts:
		out.Host = s.host()
		out.Host.describe(s.states(), r.From)
	}
	if err != nil {
		out.Error, out.Busy = err.Error(), errors.Is(err, unix.EBUSY)
	}
	return out, give
}

// The kernel frees a queue a moment after the socket of the process before is closed.
const (
	busyFor   = 3 * time.Second
	busyRetry = 5 * time.Millisecond
)

// attach opens the queues of a port, unless they are open as they are wanted, by the sockets that it gets: they are the ports' or closed then.
func (s *server) attach(a *Attach, sockets []int) ([]*afxdp.Port, error) {
	if a.Space != 0 && len(sockets) != a.More+1 {
		closeAll(sockets)
		return nil, fmt.Errorf("%w: %d sockets for %d queues", errMessage, len(sockets), a.More+1)
	}
	queues, p, err := s.openQueues(a, &sockets)
	closeAll(sockets)
	if err != nil || p == nil {
		return queues, err
	}
	if err := s.worker.Attach(a.Port, p); err != nil {
		s.worker.Between(func() { err = errors.Join(err, p.Close()) })
		return nil, err
	}
	s.ports[a.Port] = &attached{Attach: *a, queues: queues}
	return queues, nil
}

// openQueues opens the queues of a port. No port: they are open. Of the sockets those are left that it has not taken.
func (s *server) openQueues(a *Attach, sockets *[]int) ([]*afxdp.Port, port.Port, error) {
	if old := s.ports[a.Port]; old != nil {
		if len(old.queues) > 0 && old.Attach == *a {
			return old.queues, nil, nil
		}
		if err := s.detach(a.Port); err != nil {
			return nil, nil, err
		}
	}
	for id, other := range s.ports { // the queues under a number that they had before
		if len(other.queues) > 0 && other.Ifindex == a.Ifindex && other.Space == a.Space {
			if err := s.detach(id); err != nil {
				return nil, nil, err
			}
		}
	}
	for late := deadline(busyFor); ; time.Sleep(busyRetry) {
		var p port.Port
		var queues []*afxdp.Port
		var err error
		s.worker.Between(func() { p, queues, err = OpenQueues(s.umem, a, *sockets...) })
		*sockets = nil
		if err == nil || !errors.Is(err, unix.EBUSY) || a.Space != 0 || time.Now().After(late) {
			return queues, p, err
		}
	}
}

// OpenQueues opens the queues that a asks for as one port, by sockets that were made in its network namespace, one a queue, unless that is the caller's. On an error none is
// left open.
func OpenQueues(u *afxdp.UMEM, a *Attach, sockets ...int) (port.Port, []*afxdp.Port, error) {
	var queues []*afxdp.Port
	undo := func(err error) (port.Port, []*afxdp.Port, error) {
		closeAll(sockets)
		for _, q := range queues {
			err = errors.Join(err, q.Close())
		}
		return nil, nil, err
	}
	for k := range a.More + 1 {
		c := afxdp.Config{Ifindex: a.Ifindex, Queue: a.queue(k), Ring: a.Ring, Copy: a.Copy, BusyPoll: a.BusyPoll, Budget: a.Budget}
		if a.Space != 0 {
			if len(sockets) == 0 {
				return undo(fmt.Errorf("crew: port %d is in another network namespace: there is no socket for its queue %d", a.Port, c.Queue))
			}
			c.Socket, sockets = sockets[0], sockets[1:]
		}
		q, err := afxdp.Open(u, c)
		if err != nil {
			return undo(err)
		}
		queues = append(queues, q)
	}
	if len(queues) == 1 {
		return queues[0], queues, nil
	}
	g, err := afxdp.NewGroup(queues)
	if err != nil {
		return undo(err)
	}
	return g, queues, nil
}

// queue is the k-th queue.
func (a *Attach) queue(k int) int { return a.Queue + k*a.Step }

// Single is what asks for the k-th queue alone.
func (a Attach) Single(k int) Attach {
	a.Queue, a.More, a.Step = a.queue(k), 0, 0
	return a
}

// relay sends by a port through another worker, which has it. naved has made the ring.
func (s *server) relay(id portID, via int) error {
	if old := s.ports[id]; old != nil {
		if len(old.queues) == 0 && old.via == via {
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

// host describes the worker's memory, and names the ports.
func (s *server) host() *Host {
	h := DescribeMemory(s.umem)
	h.All = slices.Sorted(maps.Keys(s.ports))
	return &h
}

// states describes all queues.
func (s *server) states() (list []PortState) {
	for _, id := range slices.Sorted(maps.Keys(s.ports)) {
		a := s.ports[id]
		list = append(list, DescribeQueues(a.Attach, a.queues)...)
	}
	return list
}

// describe puts a page of the queues into an answer, from one on.
func (h *Host) describe(all []PortState, from int) {
	from = min(from, len(all))
	h.Ports = all[from:min(from+pageQueues, len(all))]
	if end := from + len(h.Ports); end < len(all) {
		h.Next = end
	}
}

// DescribeMemory says what the packet memory of a worker is like.
func DescribeMemory(u *afxdp.UMEM) (h Host) {
	huge, why := u.Huge()
	h.Huge, h.HugePages = huge, u.HugePages()
	if why != nil {
		h.HugeWhy = why.Error()
	}
	return h
}

// DescribeQueues says what the queues of a port are like.
func DescribeQueues(a Attach, queues []*afxdp.Port) (list []PortState) {
	for k, q := range queues {
		m := q.Mode()
		s := PortState{Attach: a.Single(k), ZeroCopy: m.ZeroCopy, CopyWhy: m.WhyCopy, BusyWhy: m.WhyNoBusy, Stats: q.Stats()}
		s.Ring = m.Ring
		if !m.BusyPoll {
			s.BusyPoll = 0
		}
		list = append(list, s)
	}
	return list
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
