package fastpath

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/port"
)

// Errors that callers tell apart.
var (
	// ErrFull means that there is no room left for an entry; what is installed stays.
	ErrFull = table.ErrFull
	// ErrNoAdjacency means that a route or a group leads to an adjacency that is not installed: it never was, or was refused.
	ErrNoAdjacency = errors.New("no such adjacency is installed")
	// ErrRingFull means that a worker has not taken earlier injects yet: try again later, or drop the packet.
	ErrRingFull = errors.New("the worker's inject ring is full")
	// ErrTooLong means that a packet does not fit into a slot or a frame.
	ErrTooLong = errors.New("packet is too long to inject")
)

// Config sizes an engine. What is zero takes the default.
type Config struct {
	Workers    int // how many workers there can be; default 1
	ArenaBytes int // of the region for tables, rings and counters, whole pages; sparse: what is not used takes no memory. Rings for captures come on top. Default 256 MiB

	MaxVRFs        int // default 256
	MaxPorts       int // default 256
	MaxTunnels     int // default 4096
	MaxAdjacencies int // default 65536
	MaxGroups      int // default 4096
	MaxRoutes      int // default 1 Mi
	MaxSAs         int // security associations, both directions counted; default 32768
	MaxLabels      int // incoming MPLS labels; default 65536

	PuntSlots   int // of a worker's punt ring, a power of two; default 1024
	InjectSlots int // of a worker's inject ring, a power of two; default 1024
	SlotSize    int // bytes of a slot, a multiple of 64: the longest packet punted or injected and 48 bytes. Default 2048

	Burst int // frames taken from a port at once, 1 to 256; default 256
	Flows int // flows whose punts are held back, a worker; default 16384

	// FlowCache is how many flows a worker remembers, to find their adjacency without the routes and to count them (Flows); 0: none. It takes about 115 bytes a
	// flow and worker of the arena, beside ArenaBytes.
	FlowCache int

	RedirectInterval time.Duration // between two Redirect punts of one source and destination; default 8 s
	ResolveInterval  time.Duration // between two Resolve or Glean punts for one next hop; default 1 s

	// Processes: workers are processes of their own, that Join. Nothing of the keys stays in this one.
	Processes bool

	// Private maps memory that no other process can share and takes no file descriptor: for many engines in one process.
	Private bool

	library bool // no kernel of ours seals or opens: for tests
	heap    bool // ordinary memory, which the race detector watches: for tests
}

func (c *Config) setDefaults() {
	for _, d := range []struct {
		v   *int
		def int
	}{
		{&c.Workers, 1}, {&c.ArenaBytes, 256 << 20},
		{&c.MaxVRFs, 256}, {&c.MaxPorts, 256}, {&c.MaxTunnels, 4096}, {&c.MaxAdjacencies, 1 << 16}, {&c.MaxGroups, 4096}, {&c.MaxRoutes, 1 << 20}, {&c.MaxSAs, 1 << 15}, {&c.MaxLabels, 1 << 16},
		{&c.PuntSlots, 1024}, {&c.InjectSlots, 1024}, {&c.SlotSize, 2048}, {&c.Burst, maxBurst}, {&c.Flows, 1 << 14},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	c.ArenaBytes += c.flowBytes() + c.Workers*captureBytes
	if c.RedirectInterval == 0 {
		c.RedirectInterval = 8 * time.Second
	}
	if c.ResolveInterval == 0 {
		c.ResolveInterval = time.Second
	}
}

func (c *Config) check() error {
	switch {
	case c.Workers < 1 || c.Workers > arena.MaxReaders:
		return fmt.Errorf("fastpath: %d workers: want 1 to %d", c.Workers, arena.MaxReaders)
	case c.Burst < 1 || c.Burst > maxBurst:
		return fmt.Errorf("fastpath: burst of %d: want 1 to %d", c.Burst, maxBurst)
	case c.MaxVRFs > 1<<16 || c.MaxPorts > 1<<16 || c.MaxTunnels > 1<<16:
		return fmt.Errorf("fastpath: %d VRFs, %d ports, %d tunnels: each at most %d", c.MaxVRFs, c.MaxPorts, c.MaxTunnels, 1<<16)
	case c.SlotSize < 256 || c.SlotSize > 1<<17:
		return fmt.Errorf("fastpath: slots of %d bytes: want 256 to %d", c.SlotSize, 1<<17)
	case c.MaxSAs < 2 || c.MaxSAs > 1<<24:
		return fmt.Errorf("fastpath: %d security associations: want 2 to %d", c.MaxSAs, 1<<24)
	case c.FlowCache < 0 || c.FlowCache > MaxFlowCache:
		return fmt.Errorf("fastpath: %d remembered flows: want 0 to %d", c.FlowCache, MaxFlowCache)
	case c.ArenaBytes > arena.MaxSize:
		return fmt.Errorf("fastpath: %d workers with %d remembered flows each, and all the rest, take %d bytes: at most %d; remember fewer flows", c.Workers, c.FlowCache, c.ArenaBytes, arena.MaxSize)
	case c.RedirectInterval < 0 || c.ResolveInterval < 0 || c.Flows < 0:
		return errors.New("fastpath: negative interval or number of flows")
	}
	return nil
}

// Engine is the tables and the workers that forward by them.
//
// Apply, Inject, Counters and Drain may be called by any goroutine.
type Engine struct {
	cfg    Config
	arena  *arena.Arena
	block  []uint64 // block.go
	tables *table.Tables
	start  time.Time
	ivs    *sa.IVs

	// What the workers share to hand packets over (handover.go): a block of the arena, and how to wake each, of those that this process can.
	handRef arena.Ref
	hand    []uint32
	credit  []uint64 // credit.go
	capture []uint64 // capture.go
	wakes   []atomic.Pointer[wake]
	others  []*wake // of other processes

	// transforms is what the keys of the associations became, by number: what cannot be in the arena. A worker takes one only for the association of the same
	// generation. Written under mu.
	transforms []atomic.Pointer[sa.Transform]
	late       lateTransforms

	mu      sync.Mutex // guards what follows, and writing to the tables
	workers []*Worker
	base    bases
	pricer  fib.Pricer       // nil: nothing costs anything
	spent   []spentTransform // taken away, and maybe still in use
	closed  bool
	// capturing is the capture that runs; nil: none.
	capturing *Capture
}

// New makes an engine with empty tables and no workers.
func New(cfg Config) (*Engine, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.ArenaBytes = wholePages(cfg.ArenaBytes)
	mk := arena.New
	if cfg.Private {
		mk = arena.NewPrivate
	}
	if cfg.heap {
		mk = arena.NewHeap
	}
	a, err := mk(cfg.ArenaBytes)
	if err != nil {
		return nil, fmt.Errorf("fastpath: %w", err)
	}
	t, err := table.New(a, table.Sizes{
		VRFs: cfg.MaxVRFs, Ports: cfg.MaxPorts, Tunnels: cfg.MaxTunnels,
		Adjacencies: cfg.MaxAdjacencies, Groups: cfg.MaxGroups, Routes: cfg.MaxRoutes, SAs: cfg.MaxSAs, Labels: cfg.MaxLabels, Workers: cfg.Workers,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fastpath: %w", err), a.Close())
	}
	ivs, err := sa.NewIVs()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fastpath: %w", err), a.Close())
	}
	e := &Engine{
		cfg: cfg, arena: a, tables: t, start: time.Now(), ivs: ivs, transforms: make([]atomic.Pointer[sa.Transform], cfg.MaxSAs),
	}
	if err := errors.Join(e.newHand(), e.newBlock()); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return e, nil
}

// Close unmaps the tables. No worker may be polled any more, and nothing of the engine used.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	var err error
	for _, w := range e.workers {
		w.mu.Lock()
		w.closed.Store(true)
		w.mu.Unlock()
		w.puntMu.Lock()
		w.punts = nil
		w.puntMu.Unlock()
		w.injectMu.Lock()
		w.injects = nil
		w.injectMu.Unlock()
		err = errors.Join(err, w.wake.close(), w.puntWake.close())
	}
	for _, k := range e.others {
		err = errors.Join(err, k.close())
	}
	e.clearTransforms()
	if e.capturing != nil {
		writeCapture(e.capture, &CaptureRequest{}) // workers in other processes go on, without it
		e.capturing.end()
		e.capturing = nil
	}
	return errors.Join(err, e.arena.Close())
}

// Now is the engine's clock, nanoseconds: what Run passes to Poll. It is the same in all processes that share the tables.
func (e *Engine) Now() int64 { return int64(time.Since(e.start)) }

// monotonic is the clock that Now counts by, the same for all processes.
func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // never fails
	return t.Nano()
}

// NewWorker makes the next worker, of this process. Its frames live in pool, which its ports share and nobody else uses.
func (e *Engine) NewWorker(pool *port.Pool) (*Worker, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := len(e.workers)
	if e.closed || i >= e.cfg.Workers || e.cfg.Processes {
		return nil, fmt.Errorf("fastpath: worker %d: the engine has room for %d, in processes of their own: %v", i, e.cfg.Workers, e.cfg.Processes)
	}
	if err := checkChunk(i, pool.ChunkSize()); err != nil {
		return nil, err
	}
	if err := e.layWorker(i, pool.ChunkSize()); err != nil {
		return nil, err
	}
	w, err := e.newWorker(i)
	if err != nil {
		return nil, err
	}
	if err := w.equip(pool); err != nil {
		return nil, err
	}
	e.workers = append(e.workers, w)
	return w, nil
}

func checkChunk(worker, size int) error {
	if size < 2048 || size > 1<<15 {
		return fmt.Errorf("fastpath: worker %d: chunks of %d bytes: want 2048 to 32768", worker, size)
	}
	return nil
}

// equip gives a worker what it needs to poll.
func (w *Worker) equip(pool *port.Pool) (err error) {
	e := w.e
	w.pool = pool
	w.redirectEvery, w.resolveEvery = int64(e.cfg.RedirectInterval), int64(e.cfg.ResolveInterval)
	w.limit = table.NewLimiter(e.cfg.Flows, uint64(e.start.UnixNano())*uint64(2*w.index+1))
	w.ipID = uint16(w.index * 0x4000)
	w.ours = w.local
	w.labelsAt = w.t.CountsAt(w.index)
	w.tokens.fill()
	w.tap = &tap{words: e.capture}
	w.scratch = sa.NewScratch(pool.ChunkSize(), e.ivs)
	w.lane.init(pool.Free())
	w.initHand()
	if w.flowTable != nil {
		w.flowTable.Resume()
		w.flows = &flowCache{t: w.flowTable}
	}
	if w.reader, err = e.arena.Reader(w.index); err != nil {
		return fmt.Errorf("fastpath: worker %d: %w", w.index, err)
	}
	return nil
}

// Worker is worker i, counted from 0; nil when there is none.
func (e *Engine) Worker(i int) *Worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i < 0 || i >= len(e.workers) {
		return nil
	}
	return e.workers[i]
}

// Generation counts the batches that changed the tables.
func (e *Engine) Generation() uint64 { return e.tables.Generation() }
