package crew

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// member is a worker, whatever process it is just now.
type member struct {
	crew *Crew
	boot Boot // that its next process gets

	pause time.Duration // before its next process; who supervises has it

	asking sync.Mutex // held while a port is opened or closed, so that the process has what was wanted last; before mu

	mu       sync.Mutex
	proc     *process // nil while there is none
	link     *link    // to it
	restarts int
	adopted  bool            // the process is of the naved before
	lacking  string          // why the process is to be replaced by another; "" when it is not
	outdated *Sockets        // how its sockets are, if they are to be otherwise
	wanted   map[portID]wish // ports to have
	found    map[portID]bool // those of a process that was taken over, that nobody has asked for yet
	changed  chan struct{}   // closed when proc or link change
}

// link is a connection to a worker and the answers that are awaited on it. One request is under way at a time.
type link struct {
	c    *conn
	mu   sync.Mutex // held for a request
	next uint64
	got  chan answer
	down chan struct{}   // closed with the connection
	quit <-chan struct{} // closed when no answer is worth waiting for any more
}

// answer is a reply and the descriptors that came with it.
type answer struct {
	reply
	fds []int
}

func newLink(c *conn, quit <-chan struct{}) *link {
	l := &link{c: c, got: make(chan answer, 1), down: make(chan struct{}), quit: quit}
	go l.read()
	return l
}

func (l *link) read() {
	defer l.forget()
	for {
		b, fds, err := l.c.receive()
		if err != nil {
			return
		}
		r, err := parseReply(b)
		if err != nil {
			closeAll(fds)
			return
		}
		select {
		case l.got <- answer{r, fds}:
		default: // nobody has waited for the one before: that came too late, and so is older
			select {
			case old := <-l.got:
				closeAll(old.fds)
			default:
			}
			l.got <- answer{r, fds}
		}
	}
}

// forget ends the link. An answer that came too late for anybody to wait for it may have brought a socket: one that stays open here keeps its queue from every other.
func (l *link) forget() {
	l.c.Close()
	close(l.down)
	l.mu.Lock() // whoever asks just now sees to its answer
	defer l.mu.Unlock()
	select {
	case a := <-l.got:
		closeAll(a.fds)
		a.fds = nil
		l.got <- a // why no question was answered is still to be heard
	default:
	}
}

// errDown means that the worker is not there just now, errLate that it is and does not answer; errBusy, that a queue has a socket already.
var (
	errDown = errors.New("the worker's process is not there")
	errLate = errors.New("the worker's process does not answer")
	errBusy = errors.New("a queue is another's")
)

// refusal is what the worker said no with.
type refusal string

func (r refusal) Error() string { return string(r) }

// ask sends a request, with copies of descriptors, and waits for its answer, whose descriptors are the caller's. errDown: it has none, or the Crew ends meanwhile.
func (l *link) ask(r request, patience time.Duration, fds ...int) (answer, error) {
	return l.exchange(r, patience, l.quit, fds...)
}

// askStop asks the worker to end, which is the last thing that it is asked: also when the Crew ends.
func (l *link) askStop() error {
	_, err := l.exchange(request{Op: opStop}, closePatience, nil)
	return err
}

// host asks for all ports, page by page.
func (l *link) host(late time.Time) (h Host, err error) {
	for {
		a, err := l.ask(request{Op: opPorts, From: len(h.Ports)}, time.Until(late))
		if err != nil {
			return Host{}, err
		}
		closeAll(a.fds)
		if a.Host == nil || a.Host.Next != 0 && len(a.Host.Ports) == 0 {
			return Host{}, errMessage
		}
		a.Host.Ports = append(h.Ports, a.Host.Ports...)
		if h = *a.Host; h.Next == 0 {
			return h, nil
		}
	}
}

func (l *link) exchange(r request, patience time.Duration, quit <-chan struct{}, fds ...int) (answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	r.ID = l.next
	late := time.NewTimer(patience)
	defer late.Stop()
	_ = l.c.SetWriteDeadline(deadline(patience))
	if err := l.c.send(r, fds...); err != nil {
		select {
		case <-l.down:
			return l.lastWords(r.ID)
		case <-late.C:
			return answer{}, fmt.Errorf("%w: %w", errLate, err)
		}
	}
	for {
		select {
		case a := <-l.got:
			if a.ID == r.ID || a.ID == 0 {
				return a.yes()
			}
			closeAll(a.fds) // to a question that was given up
		case <-l.down:
			return l.lastWords(r.ID)
		case <-quit:
			return answer{}, errDown
		case <-late.C:
			return answer{}, fmt.Errorf("%w within %v", errLate, patience)
		}
	}
}

// yes is the answer, or the error that it is.
func (a answer) yes() (answer, error) {
	if a.Error == "" && a.ID != 0 {
		return a, nil
	}
	closeAll(a.fds)
	if a.Busy {
		return answer{}, fmt.Errorf("%w: %s", errBusy, a.Error)
	}
	return answer{}, refusal(a.Error)
}

// lastWords is what came before the connection ended: the answer to the question id, why it was refused, or nothing.
func (l *link) lastWords(id uint64) (answer, error) {
	select {
	case a := <-l.got:
		if a.ID == id || a.ID == 0 {
			return a.yes()
		}
		closeAll(a.fds)
	default:
	}
	return answer{}, errDown
}

// reach connects to a worker that was just started and says hello. It returns early if the process dies.
func (c *Crew) reach(path string, p *process, patience time.Duration) (*link, answer, error) {
	late := deadline(patience)
	for {
		conn, err := dial(path)
		if err == nil {
			l := newLink(conn, c.done)
			a, err := l.ask(request{Op: opHello}, time.Until(late))
			if err != nil {
				conn.Close()
			}
			return l, a, err
		}
		switch {
		case !p.alive():
			return nil, answer{}, errors.New("its process ended at once: its log says why")
		case c.isDone():
			return nil, answer{}, errDown
		case time.Now().After(late):
			return nil, answer{}, fmt.Errorf("it did not answer within %v of its start", patience)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// start gives the member a new process and waits until that is ready. Its ports are not open yet.
func (m *member) start() error {
	mine, err := claim(m.crew.engine.ArenaFD(), m.boot.Worker, claimPatience, m.crew.done)
	if err != nil {
		return err
	}
	defer mine.Close()                      // then the process alone has it
	m.crew.engine.WorkerDied(m.boot.Worker) // one that the naved before had, maybe
	fds, err := m.crew.descriptors(m.boot.Worker, mine)
	if err != nil {
		return err
	}
	boot := m.boot
	boot.Started = time.Now()
	p, err := spawn(boot, m.crew.cfg.Program, fds)
	if err != nil {
		return err
	}
	l, a, err := m.crew.reach(boot.Socket, p, m.crew.cfg.Patience)
	if err != nil {
		if l != nil {
			l.c.Close()
		}
		m.bury(p, 0)
		return fmt.Errorf("crew: worker %d: %w", boot.Worker, err)
	}
	closeAll(a.fds)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(p, l)
	m.adopted, m.lacking, m.outdated, m.boot.Started = false, "", nil, boot.Started
	return nil
}

// set changes the process. m.mu is held.
func (m *member) set(p *process, l *link) {
	m.proc, m.link = p, l
	close(m.changed)
	m.changed = make(chan struct{})
}

// now is the link to the process that is there.
func (m *member) now() (*link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.link == nil {
		return nil, fmt.Errorf("crew: worker %d: %w", m.boot.Worker, errDown)
	}
	return m.link, nil
}

// supervise brings the worker back whenever it dies, until it is to end.
func (m *member) supervise() {
	for {
		m.mu.Lock()
		p, l, changed := m.proc, m.link, m.changed
		m.mu.Unlock()
		if p == nil {
			select {
			case <-changed:
				continue
			case <-m.crew.done:
				return
			}
		}
		hung := m.crew.watchPolls(m.boot.Worker, l.down)
		select {
		case <-l.down:
		case <-p.gone:
		case <-hung:
			m.crew.cfg.Log.Error("a worker polls no more: it is killed", "worker", m.boot.Worker, "pid", p.pid)
			p.kill(unix.SIGKILL)
		case <-m.crew.done:
			return
		}
		if m.crew.isDone() {
			return
		}
		m.replace(p, l)
	}
}

// Time between two tries to bring a worker back: doubled while it dies young, or does not come at all.
const (
	firstPause = 50 * time.Millisecond
	longPause  = 10 * time.Second
	adultAge   = longPause
)

// longer makes the pause longer, which no death before has.
func (m *member) longer() { m.pause = min(max(2*m.pause, firstPause), longPause) }

// replace gets rid of a process that has failed and starts another.
func (m *member) replace(p *process, l *link) {
	log := m.crew.cfg.Log
	l.c.Close()
	m.mu.Lock()
	planned, young := m.lacking != "", time.Since(m.boot.Started) < adultAge
	m.set(nil, nil)
	m.mu.Unlock()
	if young && !planned {
		m.longer()
	} else {
		m.pause = 0
	}
	if !planned {
		log.Error("a worker died; the others go on", "worker", m.boot.Worker, "pid", p.pid)
	}
	if !m.bury(p, closePatience) {
		return
	}
	if m.crew.cfg.Down != nil {
		m.crew.cfg.Down(m.boot.Worker, planned)
	}
	for {
		select {
		case <-m.crew.done:
			return
		case <-time.After(m.pause):
		}
		began := time.Now()
		err := m.start()
		if err == nil {
			var left []wish
			if left, err = m.reopen(); err == nil {
				m.up(planned, time.Since(began))
				m.retry(left)
				return
			}
			m.abandon()
		}
		log.Error("a worker does not come back; it is tried again", "worker", m.boot.Worker, "error", err)
		m.longer()
	}
}

func (m *member) up(planned bool, took time.Duration) {
	m.mu.Lock()
	m.restarts++
	pid := m.proc.pid
	m.mu.Unlock()
	m.crew.cfg.Log.Info("a worker is back", "worker", m.boot.Worker, "pid", pid, "after", took.Round(time.Millisecond))
	if m.crew.cfg.Up != nil {
		m.crew.cfg.Up(m.boot.Worker, planned)
	}
}

// abandon ends a process that came up and is of no use.
func (m *member) abandon() {
	m.mu.Lock()
	p, l := m.proc, m.link
	m.set(nil, nil)
	m.mu.Unlock()
	if p == nil {
		return
	}
	l.c.Close()
	m.bury(p, 0)
}

// bury makes sure that a process is dead, for which it is given some patience, and takes back what it held of the tables. One that can't be killed is waited for, since
// another beside it would be the same worker twice. False: the Crew ends meanwhile.
func (m *member) bury(p *process, patience time.Duration) bool {
	if !p.end(patience) {
		m.crew.cfg.Log.Error("a worker's process can't be killed; it is not replaced while it may still hold the tables", "worker", m.boot.Worker, "pid", p.pid)
		select {
		case <-p.gone:
		case <-m.crew.done:
			return false
		}
	}
	p.close()
	m.crew.engine.WorkerDied(m.boot.Worker)
	return true
}

// finish ends the process, if there is one.
func (m *member) finish() error {
	m.mu.Lock()
	p, l := m.proc, m.link
	m.set(nil, nil)
	m.mu.Unlock()
	if p == nil {
		return nil
	}
	err := l.askStop()
	l.c.Close()
	if err != nil && !errors.Is(err, io.EOF) {
		p.kill(unix.SIGTERM)
	}
	if !p.end(closePatience) {
		return fmt.Errorf("crew: worker %d (process %d) can't be killed", m.boot.Worker, p.pid)
	}
	p.close()
	return nil
}

// Times that a worker is given.
const (
	startPatience = 20 * time.Second // to start
	askPatience   = 10 * time.Second // to open a port
	closePatience = 2 * time.Second  // to end
)
