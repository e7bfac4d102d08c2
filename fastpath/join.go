package fastpath

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/port"
)

// Workers can be processes of their own, that map the arena and find everything in it. The process that has the Engine made by New or Adopt writes the tables and has a
// handle for each worker (NewRemote); the worker's process opens the same memory by Join. What they share besides are two eventfds for each worker.

// open maps an arena of another process and finds what is in it. memfd belongs to the engine from then on, also on an error.
func open(memfd int) (*Engine, error) {
	a, err := arena.Open(memfd)
	if err != nil {
		err = fmt.Errorf("fastpath: %w", err)
		if errors.Is(err, arena.ErrLayout) {
			err = fmt.Errorf("%w: %w", ErrLayout, err)
		}
		return nil, errors.Join(err, closeFD(memfd))
	}
	e := &Engine{arena: a, start: time.Now()}
	if err := e.openBlock(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if e.tables, err = table.Open(a); err != nil {
		return nil, errors.Join(fmt.Errorf("fastpath: %w: %w", ErrLayout, err), a.Close())
	}
	if n := e.tables.Size().Workers; n != e.cfg.Workers {
		return nil, errors.Join(fmt.Errorf("fastpath: %w: counters of %d workers, and there are %d", ErrLayout, n, e.cfg.Workers), a.Close())
	}
	if e.ivs, err = sa.NewIVs(); err != nil {
		return nil, errors.Join(fmt.Errorf("fastpath: %w", err), a.Close())
	}
	e.transforms = make([]atomic.Pointer[sa.Transform], e.cfg.MaxSAs)
	return e, nil
}

// Join maps the tables of another process, to forward by them. The engine that it returns reads only: it has the one worker that JoinWorker makes, and Apply refuses.
// memfd is the other engine's ArenaFD; it belongs to this one from then on, also on an error. ErrLayout: the process was built otherwise.
func Join(memfd int) (*Engine, error) {
	e, err := open(memfd)
	if err != nil {
		return nil, err
	}
	e.late = lateTransforms{joined: true, next: -1}
	return e, nil
}

// ChunkSize is how large the chunks of worker i's pool must be, in bytes; 0 when there is no such worker.
func (e *Engine) ChunkSize(i int) int {
	if i < 0 || i >= e.cfg.Workers {
		return 0
	}
	return int(e.ofWorker(i)[wkrChunk])
}

// JoinWorker makes worker i of a joined engine. No other process may be that worker. wakes are the eventfds that wake each worker, of index i its own, and punts the
// one that wakes who reads its punts; they belong to the engine from then on, if there is no error.
func (e *Engine) JoinWorker(i int, pool *port.Pool, wakes []int, punts int) (*Worker, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !e.late.joined || e.closed || len(e.workers) > 0:
		return nil, fmt.Errorf("fastpath: join as worker %d: the engine did not join, is closed, or has its worker", i)
	case i < 0 || i >= e.cfg.Workers || len(wakes) != e.cfg.Workers:
		return nil, fmt.Errorf("fastpath: join as worker %d with %d descriptors: there are %d workers", i, len(wakes), e.cfg.Workers)
	case pool.ChunkSize() != e.ChunkSize(i):
		return nil, fmt.Errorf("fastpath: join as worker %d: chunks of %d bytes: want %d", i, pool.ChunkSize(), e.ChunkSize(i))
	}
	w, err := e.newWorker(i)
	if err != nil {
		return nil, err
	}
	if err := w.equip(pool); err != nil {
		return nil, err
	}
	w.wake.fd, w.puntWake.fd = wakes[i], punts
	w.punts, w.injects = nil, nil // the writer's ends
	for k, fd := range wakes {
		if k != i {
			other := &wake{fd: fd}
			e.wakes[k].Store(other)
			e.others = append(e.others, other)
		}
	}
	if starts := &e.ofWorker(i)[wkrStarts]; atomic.AddUint64(starts, 1) > 1 {
		w.skipLeft()
	}
	e.workers = append(e.workers, w)
	return w, nil
}

// skipLeft passes over what the worker's process before had in hand when it ended: should a packet have killed it, it does not kill every next one, too.
func (w *Worker) skipLeft() {
	if w.down.Peek() != nil {
		w.down.Release()
	}
	for o := range w.e.cfg.Workers {
		r := w.incoming(o)
		if r == nil {
			continue
		}
		for r.Peek() != nil {
			r.Pass()
		}
		r.Return()
	}
}

// Starts is how often a process has joined as worker i; 0 for a worker of this process.
func (e *Engine) Starts(i int) int {
	if i < 0 || i >= e.cfg.Workers {
		return 0
	}
	return int(atomic.LoadUint64(&e.ofWorker(i)[wkrStarts]))
}

// NewRemote makes the next worker, to be run by another process with chunks of so many bytes. The worker that it returns is a handle for that process: Inject, Drain,
// Counters work as with any other, but it can't be polled, and has no ports.
func (e *Engine) NewRemote(chunkSize int) (*Worker, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := len(e.workers)
	if e.closed || i >= e.cfg.Workers || !e.cfg.Processes {
		return nil, fmt.Errorf("fastpath: worker %d: the engine has room for %d, in processes of their own: %v", i, e.cfg.Workers, e.cfg.Processes)
	}
	if err := checkChunk(i, chunkSize); err != nil {
		return nil, err
	}
	if err := e.layWorker(i, chunkSize); err != nil {
		return nil, err
	}
	return e.newHandle(i)
}

// newHandle is worker i of another process.
func (e *Engine) newHandle(i int) (*Worker, error) {
	w, err := e.newWorker(i)
	if err != nil {
		return nil, err
	}
	w.closed.Store(true) // for polling, not for its rings
	w.up, w.down = nil, nil
	e.workers = append(e.workers, w)
	return w, nil
}

// WakeFDs are the eventfds of a worker: what wakes it, and what wakes who reads its punts. They are made if they were not there, and stay the engine's.
func (w *Worker) WakeFDs() (wake, punts int, err error) {
	if wake, err = w.wake.open(); err != nil {
		return -1, -1, err
	}
	punts, err = w.puntWake.open()
	return wake, punts, err
}

// UseWakeFDs gives the handle of a worker the eventfds that its process has: after Adopt. They belong to the engine from then on.
func (w *Worker) UseWakeFDs(wake, punts int) error {
	return errors.Join(w.wake.use(wake), w.puntWake.use(punts))
}

// ArenaFD is the memfd of the tables, for processes that Join or Adopt; -1 for an engine whose memory is private.
func (e *Engine) ArenaFD() int { return e.arena.Fd() }

// WorkerDied takes back what the process of worker i held: what it was reading may be reclaimed. Only when it is surely dead.
func (e *Engine) WorkerDied(i int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed && i >= 0 && i < e.cfg.Workers {
		e.arena.ClearReader(i)
	}
}

// Workers is how many workers the engine has room for.
func (e *Engine) Workers() int { return e.cfg.Workers }

// Between runs f between two bursts: for what touches the memory that the worker's ports share. f must not call the worker.
func (w *Worker) Between(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// Polls is how often worker i has polled: a worker that runs polls once a second at least.
func (e *Engine) Polls(i int) uint64 {
	w := e.Worker(i)
	if w == nil {
		return 0
	}
	return atomic.LoadUint64(&w.c.words[cntPolls])
}

// RelayRing makes what worker from needs to send through worker via, which Relay in its process does not.
func (e *Engine) RelayRing(from, via int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errors.New("fastpath: relay: the engine is closed")
	}
	if err := e.needRing(from, via); err != nil {
		return err
	}
	atomic.AddUint32(&e.hand[handGeneration], 1)
	return nil
}
