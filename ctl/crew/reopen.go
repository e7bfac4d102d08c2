package crew

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

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
		return fmt.Errorf("crew: worker %d: %w", m.boot.Worker, err)
	}
	defer closeAll(got.fds)
	if len(got.fds) != a.More+1 {
		return fmt.Errorf("crew: worker %d: %d descriptors came for %d queues of port %d", m.boot.Worker, len(got.fds), a.More+1, a.Port)
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
func (m *member) reopen() (left []Attach, err error) {
	m.mu.Lock()
	l := m.link
	var list []Attach
	for _, a := range m.wanted {
		list = append(list, a)
	}
	relays := make(map[portID]int, len(m.relays))
	for id, via := range m.relays {
		relays[id] = via
	}
	m.mu.Unlock()
	if l == nil {
		return nil, errDown
	}
	slices.SortFunc(list, func(a, b Attach) int { return int(a.Port) - int(b.Port) }) // the first decides about zero-copy
	for _, a := range list {
		if err := m.open(l, a); isOfProcess(err) {
			return nil, err
		} else if err != nil {
			m.crew.cfg.Log.Error("a port of a worker does not come back; it is tried again", "worker", m.boot.Worker, "port", a.Port, "error", err)
			left = append(left, a)
		}
	}
	for id, via := range relays {
		if _, err := l.ask(request{Op: opRelay, Port: id, Via: via}, askPatience); isOfProcess(err) {
			return nil, err
		} else if err != nil {
			m.crew.cfg.Log.Error("a worker can't send by a port", "worker", m.boot.Worker, "port", id, "through", via, "error", err)
		}
	}
	return left, nil
}

// isOfProcess tells whether an error means that the process is of no use.
func isOfProcess(err error) bool { return errors.Is(err, errDown) || errors.Is(err, errLate) }

// retryEvery is how often a port that did not come back is tried again.
const retryEvery = 2 * time.Second

// retry tries ports again until they are open, are not wanted any more, or the process ends.
func (m *member) retry(left []Attach) {
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
			left = slices.DeleteFunc(left, func(a Attach) bool {
				m.mu.Lock()
				wanted := m.wanted[a.Port] == a
				m.mu.Unlock()
				if !wanted {
					return true
				}
				if err := m.open(l, a); err != nil {
					return false
				}
				m.crew.cfg.Log.Info("a port of a worker is back", "worker", m.boot.Worker, "port", a.Port)
				return true
			})
		}
	})
}
