package crew

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// wish is a port that a worker is to have: by queues of its own, or to send by through another worker.
type wish struct {
	Attach
	via int // worker; own: none
}

const own = -1

// want has a process open a port, and those that follow it. What can't be opened is not wanted.
func (m *member) want(w wish) error {
	m.asking.Lock()
	defer m.asking.Unlock()
	m.mu.Lock()
	l := m.link
	was, had := m.wanted[w.Port]
	found := m.found[w.Port]
	m.wanted[w.Port] = w // before it is opened: a process that begins meanwhile has it, too
	delete(m.found, w.Port)
	m.mu.Unlock()
	err := errDown
	if l != nil {
		err = m.grant(l, w)
	}
	if errors.Is(err, errDown) && !m.crew.isDone() {
		return nil // it is the next one's
	}
	if err == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if delete(m.wanted, w.Port); had {
		m.wanted[w.Port] = was
	}
	if found {
		m.found[w.Port] = true
	}
	return fmt.Errorf("crew: worker %d: %w", m.boot.Worker, err)
}

// renew is grant of a port that was wanted a moment ago. false: it is not, or otherwise, and then the process has been told so.
func (m *member) renew(l *link, w wish) (wanted bool, err error) {
	m.asking.Lock()
	defer m.asking.Unlock()
	m.mu.Lock()
	now, had := m.wanted[w.Port]
	m.mu.Unlock()
	if !had || now != w {
		return false, nil
	}
	return true, m.grant(l, w)
}

// grant gives a process a port that is wanted. The caller holds m.asking.
func (m *member) grant(l *link, w wish) error {
	if w.via == own {
		return m.open(l, w.Attach)
	}
	_, err := l.ask(request{Op: opRelay, Port: w.Port, Via: w.via}, askPatience)
	return err
}

// open opens a port in the process that is there, and hands its socket to the steering. A process whose sockets are to be otherwise opens it as it has the others,
// until it is replaced.
func (m *member) open(l *link, a Attach) error {
	m.mu.Lock()
	if m.outdated != nil {
		a.Sockets = *m.outdated
	}
	m.mu.Unlock()
	got, err := m.askSockets(l, &a)
	if err != nil {
		return err
	}
	defer closeAll(got.fds)
	if len(got.fds) != a.More+1 {
		return fmt.Errorf("%d descriptors came for %d queues of port %d", len(got.fds), a.More+1, a.Port)
	}
	for k, fd := range got.fds {
		if err := m.crew.cfg.Socket(m.boot.Worker, a.Single(k), fd); err != nil {
			return err
		}
	}
	return nil
}

// askSockets has a process open the queues of a port. Where it can't make the sockets itself it gets them; those that could not be bound, as the kernel frees a queue a
// moment after the socket before is closed, are of no use any more: then it gets others.
func (m *member) askSockets(l *link, a *Attach) (answer, error) {
	if a.Space == 0 {
		return l.ask(request{Op: opAttach, Attach: a}, askPatience)
	}
	for late := deadline(busyFor); ; time.Sleep(busyRetry) {
		fds, err := m.makeSockets(a)
		if err != nil {
			return answer{}, err
		}
		got, err := l.ask(request{Op: opTake, Attach: a}, askPatience, fds...)
		closeAll(fds)
		if !errors.Is(err, errBusy) || time.Now().After(late) || m.crew.isDone() {
			return got, err
		}
	}
}

// makeSockets makes a socket for each queue, in the network namespace of the port.
func (m *member) makeSockets(a *Attach) (fds []int, err error) {
	if m.crew.cfg.Open == nil {
		return nil, fmt.Errorf("port %d is in another network namespace, and there is nobody to make sockets there", a.Port)
	}
	for k := range a.More + 1 {
		fd, err := m.crew.cfg.Open(a.Single(k))
		if err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("port %d: %w", a.Port, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// reopen gives a new process the ports of the one before. What can't be opened, its netdev being gone perhaps, is left: the other ports need their worker all the same. The
// error is of the process.
func (m *member) reopen() (left []wish, err error) {
	m.mu.Lock()
	l := m.link
	list := slices.Collect(maps.Values(m.wanted))
	m.mu.Unlock()
	if l == nil {
		return nil, errDown
	}
	slices.SortFunc(list, func(a, b wish) int { return int(a.Port) - int(b.Port) }) // the first decides about zero-copy
	for _, w := range list {
		if _, err := m.renew(l, w); isOfProcess(err) {
			return nil, err
		} else if err != nil {
			m.crew.cfg.Log.Error("a port of a worker does not come back; it is tried again", "worker", m.boot.Worker, "port", w.Port, "error", err)
			left = append(left, w)
		}
	}
	return left, nil
}

// isOfProcess tells whether an error means that the process is of no use.
func isOfProcess(err error) bool { return errors.Is(err, errDown) || errors.Is(err, errLate) }

// retryEvery is how often a port that did not come back is tried again.
const retryEvery = 2 * time.Second

// retry tries ports again until they are open, are not wanted any more, or the process ends.
func (m *member) retry(left []wish) {
	l, err := m.now()
	if len(left) == 0 || err != nil {
		return
	}
	m.crew.running.Go(func() {
		for len(left) > 0 {
			select {
			case <-l.down:
				return
			case <-m.crew.done:
				return
			case <-time.After(retryEvery):
			}
			left = slices.DeleteFunc(left, func(w wish) bool {
				wanted, err := m.renew(l, w)
				if !wanted || err != nil {
					return !wanted
				}
				m.crew.cfg.Log.Info("a port of a worker is back", "worker", m.boot.Worker, "port", w.Port)
				return true
			})
		}
	})
}
