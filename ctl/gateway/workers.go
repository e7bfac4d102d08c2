package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nave/ctl/config"
	"nave/ctl/crew"
	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	link "nave/fastpath/port"
	"nave/fastpath/port/afxdp"
)

// workers is what polls the queues of the ports: processes of their own (crew.Crew), or threads of this one.
type workers interface {
	Engine() *fastpath.Engine
	// Attach opens a queue in a worker and steers its packets there.
	Attach(worker int, a crew.Attach) error
	Detach(worker int, id fib.PortID) error
	// Relay makes a worker without a queue of a port send by it through another worker.
	Relay(worker int, id fib.PortID, via int) error
	// Host is what the ports of a worker are like.
	Host(worker int) (crew.Host, error)
	Status() []crew.Status
	// TookOver tells whether the tables are those of the naved before.
	TookOver() bool
	// Stop ends the workers and closes the engine. Nobody polls any more.
	Stop() error
}

// processes tells whether workers are processes: unless the configuration says thread.
func processes(tree *config.Config) bool { return tree.Fastpath.Workers != "thread" }

// Each VPN route has a label of its own, mostly, so that it needs an adjacency of its own at whoever sends by it, and a label and an adjacency at whoever swaps it: a hub
// with hundreds of thousands of them has to have room. Of the arena, what is not used takes no memory.
const (
	maxLabels  = 1 << 18
	arenaBytes = 256 << 20
	countBytes = 32 // of a worker, for a label and an adjacency
)

// openWorkers makes the workers, or finds those of the naved before.
func (g *Gateway) openWorkers(tree *config.Config, p plan) error {
	// A punt must hold a whole frame: the largest packet of any port.
	profile, err := g.opt.Profiles.Choose(tree)
	if err != nil {
		return err
	}
	engine := fastpath.Config{
		Workers: p.workers, SlotSize: p.chunk + 64, FlowCache: flowsOf(tree.Fastpath.Flows, p.workers, profile),
		MaxLabels: maxLabels, MaxAdjacencies: maxLabels, ArenaBytes: arenaBytes + p.workers*countBytes*maxLabels,
	}
	frames := framesOwn + framesPerPort*max(1, len(p.links))*queuesOf(p.links, p.workers)
	adaptive := tree.Fastpath.Poll != "strict"
	if !processes(tree) {
		release, err := crew.End(g.opt.RunDir, g.opt.Log) // they have the ports' queues
		if err != nil {
			return err
		}
		t, err := newThreads(g, engine, p.chunk, frames)
		if err != nil {
			release()
			return err
		}
		t.release = release
		for w := range p.workers {
			cfg := fastpath.RunConfig{Adaptive: adaptive}
			if w < len(tree.Fastpath.CPUs) {
				cfg.Pin, cfg.CPU = true, tree.Fastpath.CPUs[w]
			}
			t.configs = append(t.configs, cfg)
		}
		g.workers, g.threads = t, t
		return nil
	}
	c, err := crew.Open(g.ctx, crew.Config{
		RunDir: g.opt.RunDir, Engine: engine, Chunk: p.chunk, Frames: frames, CPUs: tree.Fastpath.CPUs, Adaptive: adaptive,
		NetAdmin: tree.Fastpath.BusyPoll > 0, Sockets: g.sockets,
		Log: g.opt.Log, Program: g.opt.Worker,
		Socket: func(_ int, a crew.Attach, fd int) error { return g.steering.SetSocket(g.slots.of(a.Port, a.Queue), fd) },
		Open:   g.openSocket,
		Down:   g.workerDown, Up: g.workerUp,
	})
	if err != nil {
		return err
	}
	g.workers, g.crew = c, c
	return nil
}

// workerDown and workerUp report what becomes of the workers' processes.
func (g *Gateway) workerDown(worker int, planned bool) {
	g.balancer.set(worker, true)
	if !planned {
		g.loop.Try(func(time.Time) { g.linux.Log(show.WorkerLog{Worker: worker}) })
	}
}

func (g *Gateway) workerUp(worker int, planned bool) {
	g.balancer.set(worker, false)
	if !planned {
		g.loop.Try(func(time.Time) { g.linux.Log(show.WorkerLog{Worker: worker, Up: true}) })
	}
}

// slot is the place of a queue's socket in the steering's map, by the port's number there.
func slot(number uint32, queue int) uint32 { return number*queuesPerPort + uint32(queue) }

// threads are workers of this process.
type threads struct {
	g       *Gateway
	engine  *fastpath.Engine
	workers []*thread
	configs []fastpath.RunConfig
	release func() // gives the run directory up
}

// thread is a worker and the memory of its packets.
type thread struct {
	*fastpath.Worker
	umem  *afxdp.UMEM
	mu    sync.Mutex // of ports
	ports map[fib.PortID]*threadPort
}

type threadPort struct {
	crew.Attach
	port   link.Port
	queues []*afxdp.Port // none for a relay
}

func newThreads(g *Gateway, cfg fastpath.Config, chunk, frames int) (*threads, error) {
	e, err := fastpath.New(cfg)
	if err != nil {
		return nil, err
	}
	t := &threads{g: g, engine: e}
	for range e.Workers() {
		umem, err := afxdp.NewUMEM(frames, chunk)
		if err != nil {
			return nil, errors.Join(err, t.Stop())
		}
		w, err := e.NewWorker(umem.Pool())
		if err != nil {
			return nil, errors.Join(err, umem.Close(), t.Stop())
		}
		t.workers = append(t.workers, &thread{Worker: w, umem: umem, ports: make(map[fib.PortID]*threadPort)})
	}
	return t, nil
}

// run polls by worker i until ctx ends.
func (t *threads) run(ctx context.Context, i int) error {
	if err := t.workers[i].Run(ctx, t.configs[i]); err != nil {
		return fmt.Errorf("worker %d: %w", i, err)
	}
	return nil
}

func (t *threads) Engine() *fastpath.Engine { return t.engine }

func (t *threads) TookOver() bool { return false }

func (t *threads) Status() []crew.Status { return nil }

// Attach implements workers.
func (t *threads) Attach(worker int, a crew.Attach) error {
	if err := t.Detach(worker, a.Port); err != nil {
		return err
	}
	w := t.workers[worker]
	p, queues, err := t.open(w, &a)
	if err != nil {
		return err
	}
	if err := w.Worker.Attach(a.Port, p); err != nil {
		w.Between(func() { err = errors.Join(err, p.Close()) })
		return err
	}
	w.mu.Lock()
	w.ports[a.Port] = &threadPort{a, p, queues}
	w.mu.Unlock()
	for k, q := range queues {
		if err := t.g.steering.SetSocket(t.g.slots.of(a.Port, a.Single(k).Queue), q.FD()); err != nil {
			return err
		}
	}
	return nil
}

// The kernel frees a queue a moment after the socket before is closed.
const (
	busyFor   = 3 * time.Second
	busyRetry = 5 * time.Millisecond
)

// open opens the queues of a port, whose sockets are made in its network namespace.
func (t *threads) open(w *thread, a *crew.Attach) (p link.Port, queues []*afxdp.Port, err error) {
	for late := time.Now().Add(busyFor); ; time.Sleep(busyRetry) {
		var sockets []int
		for k := 0; a.Space != 0 && k < a.More+1; k++ {
			fd, err := t.g.openSocket(a.Single(k))
			if err != nil {
				for _, fd := range sockets {
					_ = unix.Close(fd) // new, and never used
				}
				return nil, nil, err
			}
			sockets = append(sockets, fd)
		}
		w.Between(func() { p, queues, err = crew.OpenQueues(w.umem, a, sockets...) })
		if !errors.Is(err, unix.EBUSY) || time.Now().After(late) {
			return p, queues, err
		}
	}
}

// Relay implements workers.
func (t *threads) Relay(worker int, id fib.PortID, via int) error {
	return t.engine.Relay(t.workers[worker].Worker, id, via)
}

// Detach implements workers.
func (t *threads) Detach(worker int, id fib.PortID) (err error) {
	w := t.workers[worker]
	w.mu.Lock()
	p := w.ports[id]
	delete(w.ports, id)
	w.mu.Unlock()
	if p == nil {
		return nil
	}
	w.Worker.Detach(id)
	w.Between(func() { err = p.port.Close() })
	return err
}

func (t *threads) Host(worker int) (crew.Host, error) {
	w := t.workers[worker]
	h := crew.DescribeMemory(w.umem)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.ports {
		h.Ports = append(h.Ports, crew.DescribeQueues(p.Attach, p.queues)...)
	}
	return h, nil
}

func (t *threads) Stop() error {
	var err error
	for i, w := range t.workers {
		for id := range w.ports {
			err = errors.Join(err, t.Detach(i, id))
		}
	}
	err = errors.Join(err, t.engine.Close())
	for _, w := range t.workers {
		err = errors.Join(err, w.umem.Close())
	}
	if t.release != nil {
		t.release()
	}
	return err
}
