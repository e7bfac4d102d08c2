package crew

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"nave/fastpath"
)

// Config says what workers there are to be.
type Config struct {
	RunDir   string          // where their sockets are
	Engine   fastpath.Config // of the tables; Workers is how many processes
	Chunk    int             // bytes of a frame's chunk
	Frames   int             // chunks of each worker's packet memory
	CPUs     []int           // of the workers in turn; those beyond are tied to none
	Adaptive bool            // sleep while there is nothing to do
	NetAdmin bool            // workers keep CAP_NET_ADMIN: for busy polling
	Sockets  Sockets         // as those of all Attach are; a process that was taken over with others is replaced by Renew
	// Socket steers a queue's packets to the socket that a worker has opened for it. It keeps no copy of fd.
	Socket func(worker int, a Attach, fd int) error
	// Open makes an AF_XDP socket in the network namespace of a, which is not this process's (Attach.Space), for its worker to bind. The descriptor is the caller's. Needed for
	// such ports alone.
	Open func(a Attach) (fd int, err error)
	// Down and Up are told when a worker has died (planned: was replaced on purpose) and when it is back. Either may be nil.
	Down, Up func(worker int, planned bool)
	Log      *slog.Logger
	// Program runs Main; its own name comes in front of the arguments. Default: this program, with Command.
	Program []string
	// Patience is how long a process may take to start; default 20 s: it touches all of its packet memory.
	Patience time.Duration

	look time.Duration // how often a worker is looked at; default lookEvery
}

// Crew is the workers of an engine.
type Crew struct {
	cfg      Config
	engine   *fastpath.Engine
	members  []*member
	tookOver bool
	dir      *os.File // the run directory, which is this naved's until that is closed
	done     chan struct{}
	once     sync.Once
	running  sync.WaitGroup
}

// Status is what a worker is.
type Status struct {
	Worker   int
	PID      int // 0 while there is none
	CPU      int // -1: any
	Started  time.Time
	Restarts int
	Adopted  bool // it is a process of the naved before
}

// Open takes over the workers that a naved before has left in the run directory, or starts new ones. TookOver says which. Ports come by Attach. When ctx ends, nothing is
// started or waited for any more, in Open or later; Stop or Leave still have to follow. If it ends in Open, no worker is left.
func Open(ctx context.Context, cfg Config) (*Crew, error) {
	if cfg.Program == nil {
		cfg.Program = []string{self, Command}
	}
	if cfg.Patience == 0 {
		cfg.Patience = startPatience
	}
	if cfg.look == 0 {
		cfg.look = lookEvery
	}
	cfg.Engine.Processes = true
	dir, err := filepath.Abs(cfg.RunDir)
	if err != nil {
		return nil, fmt.Errorf("crew: %w", err)
	}
	cfg.RunDir = dir
	build, err := buildID()
	if err != nil {
		return nil, err
	}
	c := &Crew{cfg: cfg, done: make(chan struct{})}
	for i := range max(1, cfg.Engine.Workers) {
		boot := Boot{
			Worker: i, Chunk: cfg.Chunk, Frames: cfg.Frames, CPU: -1, Adaptive: cfg.Adaptive, NetAdmin: cfg.NetAdmin, Build: build,
			Socket: filepath.Join(dir, socketName(i)), Sockets: cfg.Sockets,
		}
		if i < len(cfg.CPUs) {
			boot.CPU = cfg.CPUs[i]
		}
		c.members = append(c.members, &member{
			crew: c, boot: boot, wanted: make(map[portID]wish), found: make(map[portID]bool), changed: make(chan struct{}),
		})
	}
	context.AfterFunc(ctx, c.halt)
	if c.dir, err = occupy(dir); err != nil {
		return nil, err
	}
	if err := c.assemble(); err != nil {
		c.dir.Close()
		return nil, err
	}
	for _, m := range c.members {
		c.running.Go(m.supervise)
	}
	return c, nil
}

// assemble finds or makes the engine and a process for each member.
func (c *Crew) assemble() error {
	found, err := c.find()
	if err != nil {
		return err
	}
	if len(found) > 0 {
		why := c.adopt(found)
		if why != nil {
			c.cfg.Log.Warn("the workers that were running are stopped, and forwarding starts afresh", "why", why)
			if err := c.dismiss(found); err != nil {
				return err
			}
		}
		c.tookOver = why == nil
	}
	if c.engine == nil {
		if c.engine, err = fastpath.New(c.cfg.Engine); err != nil {
			return err
		}
		for range c.members {
			if _, err := c.engine.NewRemote(c.cfg.Chunk); err != nil {
				return errors.Join(err, c.engine.Close())
			}
		}
	}
	failed := c.startMissing()
	if failed == nil && c.isDone() {
		failed = errors.New("crew: it was stopped while it started")
	}
	if failed == nil {
		return nil
	}
	if c.tookOver && !c.isDone() {
		c.Leave()
		return failed
	}
	return errors.Join(failed, c.Stop())
}

// startMissing starts a process for each member that has none, all at once: most of the time they touch their packet memory.
func (c *Crew) startMissing() error {
	var wg sync.WaitGroup
	errs := make([]error, len(c.members))
	for i, m := range c.members {
		if m.proc == nil {
			wg.Go(func() { errs[i] = m.start() })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// descriptors are those that a process of a worker starts with, behind its socket. claim is what makes it that worker.
func (c *Crew) descriptors(i int, claim *os.File) ([]int, error) {
	_, punts, err := c.engine.Worker(i).WakeFDs()
	if err != nil {
		return nil, err
	}
	fds := []int{c.engine.ArenaFD(), punts, int(claim.Fd())}
	for k := range c.members {
		wake, _, err := c.engine.Worker(k).WakeFDs()
		if err != nil {
			return nil, err
		}
		fds = append(fds, wake)
	}
	return fds, nil
}

// Engine is the tables that the workers forward by. It is closed by Stop and Leave.
func (c *Crew) Engine() *fastpath.Engine { return c.engine }

// TookOver tells whether the tables are those of the naved before, with what was installed.
func (c *Crew) TookOver() bool { return c.tookOver }

// Attach opens a queue in a worker, and again in each process that follows it: in that alone if there is none just now. A queue that is open as it is wanted stays open, and its
// socket is steered to anew.
func (c *Crew) Attach(worker int, a Attach) error {
	return c.members[worker].want(wish{Attach: a, via: own})
}

// Prune detaches what workers that were taken over have, and nobody has asked for by Attach or Relay since.
func (c *Crew) Prune() error {
	var failed error
	for i, m := range c.members {
		m.mu.Lock()
		var left []portID
		for id := range m.found {
			left = append(left, id)
		}
		clear(m.found)
		m.mu.Unlock()
		for _, id := range left {
			c.cfg.Log.Info("a port of the naved before is given up", "worker", i, "port", id)
			failed = errors.Join(failed, c.Detach(i, id))
		}
	}
	return failed
}

// Relay makes a worker without a queue of a port send by it through another worker, and each process that follows it.
func (c *Crew) Relay(worker int, id portID, via int) error {
	if err := c.engine.RelayRing(worker, via); err != nil {
		return err
	}
	return c.members[worker].want(wish{Attach: Attach{Port: id}, via: via})
}

// Detach closes a queue of a worker, or ends a relay. Take its socket out of the steering first.
func (c *Crew) Detach(worker int, id portID) error {
	m := c.members[worker]
	m.asking.Lock()
	defer m.asking.Unlock()
	m.mu.Lock()
	delete(m.wanted, id)
	l := m.link
	m.mu.Unlock()
	if l == nil {
		return nil // it died with the process
	}
	if _, err := l.ask(request{Op: opDetach, Port: id}, askPatience); err != nil && !errors.Is(err, errDown) {
		return fmt.Errorf("crew: worker %d: %w", worker, err)
	}
	return nil
}

// Host describes the ports of a worker. It waits for at most a second.
func (c *Crew) Host(worker int) (Host, error) {
	l, err := c.members[worker].now()
	if err != nil {
		return Host{}, err
	}
	h, err := l.host(deadline(time.Second))
	if err != nil {
		return Host{}, fmt.Errorf("crew: worker %d: %w", worker, err)
	}
	return h, nil
}

// Status says what the workers are.
func (c *Crew) Status() []Status {
	var list []Status
	for i, m := range c.members {
		m.mu.Lock()
		s := Status{Worker: i, CPU: m.boot.CPU, Restarts: m.restarts, Adopted: m.adopted}
		if m.proc != nil {
			s.PID, s.Started = m.proc.pid, m.boot.Started
		}
		m.mu.Unlock()
		list = append(list, s)
	}
	return list
}

func (c *Crew) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// halt ends what is under way.
func (c *Crew) halt() { c.once.Do(func() { close(c.done) }) }

// Stop ends the workers, and the engine with them.
func (c *Crew) Stop() error {
	c.halt()
	c.running.Wait()
	var wg sync.WaitGroup
	errs := make([]error, len(c.members))
	for i, m := range c.members {
		wg.Go(func() {
			if errs[i] = m.finish(); errs[i] != nil {
				return // the next start has to see its socket
			}
			if err := os.Remove(m.boot.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs[i] = fmt.Errorf("crew: %w", err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), c.close())
}

// Leave lets the workers go on without a naved: the next one finds them.
func (c *Crew) Leave() {
	c.halt()
	c.running.Wait()
	for _, m := range c.members {
		m.mu.Lock()
		if m.link != nil {
			m.link.c.Close()
			m.proc.close()
		}
		m.mu.Unlock()
	}
	_ = c.close() // the tables stay, in the workers
}

// close gives up what is this process's.
func (c *Crew) close() error {
	defer c.dir.Close()
	if c.engine == nil {
		return nil
	}
	return c.engine.Close()
}
