package fastpath

import (
	"errors"
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"time"

	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/flow"
	"nave/fastpath/internal/ring"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/port"
)

// The engine block is what a process finds in the arena beside the tables: how large everything is, and where the rings and counters of each worker are. It is an
// array of double words, written by the writer before others look.
const (
	blkKind     = iota // blockKind
	blkCounters        // words of a worker's own counters: differs when a build knows other reasons
	blkShape           // of records and expanded keys, by the build and CPU that made them
	blkWorkers
	blkPuntSlots
	blkInjectSlots
	blkSlotSize
	blkBurst
	blkFlows
	blkMaxVRFs
	blkMaxPorts
	blkMaxTunnels
	blkMaxAdjacencies
	blkMaxGroups
	blkMaxRoutes
	blkMaxSAs
	blkMaxLabels
	blkRedirect // nanoseconds
	blkResolve  // nanoseconds
	blkFlowCache
	blkHand // Ref of what handover.go shares
	blkTunnelBase
	blkAdjBase // Refs of what counters stood at when their entry was installed
	blkCredit  // Ref of the budgets
	blkCapture // Ref of the request of a capture
	blkClock   // CLOCK_MONOTONIC when the engine's clock began, nanoseconds
	blkHeader
)

// Words of each worker in the block.
const (
	wkrReady = iota // 1 once the rest is there
	wkrChunk        // bytes of a chunk
	wkrStarts
	wkrPunts
	wkrInjects
	wkrWords
	wkrPorts
	wkrTunnels
	wkrAdjs
	wkrFlows
	wkrCapture
	wkrWordsPerWorker
)

// blockKind changes with the meaning of the words, where arena.LayoutVersion does not.
const blockKind = 5

// ErrLayout means that an arena was laid out by a build that this one does not understand, or in other sizes than asked for. Nothing in it may be used or changed.
var ErrLayout = errors.New("the arena is laid out otherwise")

// sizes are the numbers of a configuration that the block holds.
func (c *Config) sizes() []struct {
	at   int
	name string
	v    *int
} {
	return []struct {
		at   int
		name string
		v    *int
	}{
		{blkWorkers, "workers", &c.Workers}, {blkPuntSlots, "punt slots", &c.PuntSlots}, {blkInjectSlots, "inject slots", &c.InjectSlots},
		{blkSlotSize, "bytes a slot", &c.SlotSize}, {blkBurst, "frames a burst", &c.Burst}, {blkFlows, "flows", &c.Flows},
		{blkMaxVRFs, "VRFs", &c.MaxVRFs}, {blkMaxPorts, "ports", &c.MaxPorts}, {blkMaxTunnels, "tunnels", &c.MaxTunnels},
		{blkMaxAdjacencies, "adjacencies", &c.MaxAdjacencies}, {blkMaxGroups, "groups", &c.MaxGroups}, {blkMaxRoutes, "routes", &c.MaxRoutes},
		{blkMaxSAs, "security associations", &c.MaxSAs}, {blkMaxLabels, "labels", &c.MaxLabels}, {blkFlowCache, "remembered flows", &c.FlowCache},
	}
}

// shape tells builds apart whose records differ, or whose cipher kernels make something else of a key.
func shape() uint64 {
	h := fnv.New64a()
	var key [20]byte
	for i := range key {
		key[i] = byte(i + 1)
	}
	if expanded, _, err := sa.Expand(key[:]); err == nil && sa.HasKernel() {
		_, _ = h.Write(expanded) // a hash takes all
	}
	return h.Sum64() ^ table.Shape()
}

// newBlock lays the block out in an empty arena.
func (e *Engine) newBlock() error {
	n := blkHeader + e.cfg.Workers*wkrWordsPerWorker
	block, err := e.arena.AllocKept(8 * n)
	if err != nil {
		return fmt.Errorf("fastpath: engine block: %w", err)
	}
	b := e.arena.U64(block, n)
	b[blkKind], b[blkCounters], b[blkShape], b[blkHand] = blockKind, cntWords, shape(), uint64(e.handRef)
	for _, s := range e.cfg.sizes() {
		b[s.at] = uint64(*s.v)
	}
	b[blkRedirect], b[blkResolve] = uint64(e.cfg.RedirectInterval), uint64(e.cfg.ResolveInterval)
	for _, d := range []struct{ at, words int }{{blkTunnelBase, linkWords * e.cfg.MaxTunnels}, {blkAdjBase, 2 * e.cfg.MaxAdjacencies}} {
		ref, err := e.arena.AllocKept(8 * d.words)
		if err != nil {
			return fmt.Errorf("fastpath: engine block: %w", err)
		}
		b[d.at] = uint64(ref)
	}
	credit, err := e.newCredit()
	if err != nil {
		return fmt.Errorf("fastpath: engine block: %w", err)
	}
	capture, err := e.arena.AllocKept(8 * capWords)
	if err != nil {
		return fmt.Errorf("fastpath: engine block: %w", err)
	}
	b[blkCredit], b[blkCapture], b[blkClock] = uint64(credit), uint64(capture), uint64(monotonic()-e.Now())
	e.block = b
	for i := range e.cfg.Workers {
		r, err := e.arena.AllocKept(captureBytes)
		if err != nil {
			return fmt.Errorf("fastpath: capture ring of worker %d: %w", i, err)
		}
		e.ofWorker(i)[wkrCapture] = uint64(r)
	}
	e.openBases()
	e.openCredit(credit)
	e.capture = e.arena.U64(capture, capWords)
	e.arena.SetEngine(block)
	return nil
}

// openBlock finds the block in an arena that another process laid out, and with it the engine's sizes.
func (e *Engine) openBlock() error {
	r := e.arena.Engine()
	if r == 0 || !e.arena.Kept(r, 8*blkHeader) {
		return fmt.Errorf("fastpath: %w: there is no engine in it", ErrLayout)
	}
	head := e.arena.U64(r, blkHeader)
	if head[blkShape] != shape() {
		return fmt.Errorf("fastpath: %w: its records or keys are those of another build", ErrLayout)
	}
	if head[blkKind] != blockKind || head[blkCounters] != cntWords || head[blkWorkers] < 1 || head[blkWorkers] > arena.MaxReaders {
		return fmt.Errorf("fastpath: %w: an engine of kind %d with %d counters, want kind %d with %d", ErrLayout, head[blkKind], head[blkCounters], blockKind, cntWords)
	}
	for _, s := range e.cfg.sizes() {
		*s.v = int(head[s.at])
	}
	e.cfg.RedirectInterval, e.cfg.ResolveInterval = time.Duration(head[blkRedirect]), time.Duration(head[blkResolve])
	e.cfg.ArenaBytes = e.arena.Size()
	if err := e.cfg.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrLayout, err)
	}
	if !e.arena.Kept(r, 8*(blkHeader+e.cfg.Workers*wkrWordsPerWorker)) || !e.holdsAll(head) {
		return fmt.Errorf("fastpath: %w: what the engine block names lies outside", ErrLayout)
	}
	e.block = e.arena.U64(r, blkHeader+e.cfg.Workers*wkrWordsPerWorker)
	e.openBases()
	e.openCredit(arena.Ref(head[blkCredit]))
	e.capture = e.arena.U64(arena.Ref(head[blkCapture]), capWords)
	e.start = time.Now().Add(time.Duration(int64(head[blkClock]) - monotonic()))
	e.openHand(arena.Ref(head[blkHand]))
	for i := range e.cfg.Workers {
		if !e.holdsWorker(i) {
			return fmt.Errorf("fastpath: %w: rings or counters of worker %d lie outside", ErrLayout, i)
		}
	}
	return nil
}

// holdsAll tells whether what the block's head names, in the sizes that it says, lies in the arena, in blocks of its own.
func (e *Engine) holdsAll(head []uint64) bool {
	return e.holds(head[blkHand], 4*e.cfg.handWords()) && e.holds(head[blkTunnelBase], 8*linkWords*e.cfg.MaxTunnels) && e.holds(head[blkAdjBase], 16*e.cfg.MaxAdjacencies) &&
		e.holds(head[blkCredit], 8*creditSize) && e.holds(head[blkCapture], 8*capWords)
}

// holdsWorker tells the same of what there is of worker i.
func (e *Engine) holdsWorker(i int) bool {
	b := e.ofWorker(i)
	if !e.holds(b[wkrCapture], captureBytes) {
		return false
	}
	if atomic.LoadUint64(&b[wkrReady]) != 0 {
		ok := e.holds(b[wkrPunts], ring.Bytes(e.cfg.PuntSlots, e.cfg.SlotSize)) && e.holds(b[wkrInjects], ring.Bytes(e.cfg.InjectSlots, e.cfg.SlotSize)) &&
			b[wkrChunk] <= 1<<15 && checkChunk(i, int(b[wkrChunk])) == nil
		for _, d := range counterWords(&e.cfg) {
			ok = ok && e.holds(b[d.at], 8*d.n)
		}
		if !ok || e.cfg.FlowCache > 0 && b[wkrFlows] != 0 && !e.holds(b[wkrFlows], 8*flow.Words(e.cfg.FlowCache)) {
			return false
		}
	}
	for to := range e.cfg.Workers {
		if r := atomic.LoadUint32(e.handRing(i, to)); r != 0 && !e.holds(uint64(r), ring.Bytes(e.cfg.handSlots(), e.cfg.SlotSize)) {
			return false
		}
	}
	return true
}

func (e *Engine) holds(ref uint64, n int) bool {
	return ref < 1<<32 && e.arena.Kept(arena.Ref(ref), n)
}

func (e *Engine) openBases() {
	e.base = bases{
		tunnels: e.arena.U64(arena.Ref(e.block[blkTunnelBase]), linkWords*e.cfg.MaxTunnels),
		adjs:    e.arena.U64(arena.Ref(e.block[blkAdjBase]), 2*e.cfg.MaxAdjacencies),
	}
}

// ofWorker is the words of worker i.
func (e *Engine) ofWorker(i int) []uint64 {
	at := blkHeader + i*wkrWordsPerWorker
	return e.block[at : at+wkrWordsPerWorker]
}

// layWorker makes the rings and counters of worker i in the arena, if they are not there.
func (e *Engine) layWorker(i, chunk int) error {
	b := e.ofWorker(i)
	if atomic.LoadUint64(&b[wkrReady]) != 0 {
		return nil
	}
	for _, d := range []struct {
		what      string
		at, slots int
	}{{"punt", wkrPunts, e.cfg.PuntSlots}, {"inject", wkrInjects, e.cfg.InjectSlots}} {
		n := ring.Bytes(d.slots, e.cfg.SlotSize)
		r, err := e.arena.AllocKept(n)
		if err == nil {
			_, err = ring.New(e.arena.Bytes(r, n), d.slots, e.cfg.SlotSize)
		}
		if err != nil {
			return fmt.Errorf("fastpath: %s ring of worker %d: %w", d.what, i, err)
		}
		b[d.at] = uint64(r)
	}
	for _, d := range counterWords(&e.cfg) {
		r, err := e.arena.AllocKept(8 * d.n)
		if err != nil {
			return fmt.Errorf("fastpath: counters of worker %d: %w", i, err)
		}
		b[d.at] = uint64(r)
	}
	if err := e.layFlows(i, b); err != nil {
		return err
	}
	b[wkrChunk] = uint64(chunk)
	atomic.StoreUint64(&b[wkrReady], 1)
	return nil
}

// newWorker is worker i as this process sees it: with both ends of its rings, which the caller makes use of one of.
func (e *Engine) newWorker(i int) (*Worker, error) {
	b := e.ofWorker(i)
	if atomic.LoadUint64(&b[wkrReady]) == 0 {
		return nil, fmt.Errorf("fastpath: worker %d: %w: the arena has no rings for it", i, ErrLayout)
	}
	w := &Worker{e: e, t: e.tables, credit: e.credit, index: i, burst: e.cfg.Burst, ports: make([]*queue, e.cfg.MaxPorts)}
	w.byID = w.ports
	w.room = int(b[wkrChunk]) - port.Headroom
	for _, d := range []struct {
		at, slots      int
		reader, writer **ring.Ring
	}{{wkrPunts, e.cfg.PuntSlots, &w.punts, &w.up}, {wkrInjects, e.cfg.InjectSlots, &w.down, &w.injects}} {
		mem := e.arena.Bytes(arena.Ref(b[d.at]), ring.Bytes(d.slots, e.cfg.SlotSize))
		for _, end := range []**ring.Ring{d.reader, d.writer} {
			var err error
			if *end, err = ring.Open(mem); err != nil {
				return nil, fmt.Errorf("fastpath: rings of worker %d: %w: %w", i, ErrLayout, err)
			}
		}
	}
	w.c = openCounters(e.arena, &e.cfg, b)
	var err error
	if w.flowTable, err = e.openFlows(i); err != nil {
		return nil, err
	}
	w.wake.init()
	w.puntWake.init()
	return w, nil
}
