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

// grant gives a process a port that is wanted.
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
	got, err := l.ask(request{Op: opAttach, Attach: &a}, askPatience)
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
		if err := m.grant(l, w); isOfProcess(err) {
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
				m.mu.Lock()
				wanted := m.wanted[w.Port] == w
				m.mu.Unlock()
				if !wanted {
					return true
				}
				if err := m.grant(l, w); err != nil {
					return false
				}
				m.crew.cfg.Log.Info("a port of a worker is back", "worker", m.boot.Worker, "port", w.Port)
				return true
			})
		}
	})
}
