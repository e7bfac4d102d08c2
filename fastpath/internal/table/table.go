// Package table holds the fast path's tables in an arena: routes, labels, adjacencies, tunnels, ports, groups and security associations.
//
// One writer changes them, entry by entry; any number of readers look without locks. An entry that is more than a word
// is a record that is never changed once readers can see it: the writer fills a new one, stores its Ref over the old one's
// in one atomic step and retires the old one to the arena. So a reader sees the old entry or the new one, and nothing between.
// What a change costs depends on the change, not on how much is installed.
package table

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
)

// ErrFull means that a table or the arena has no room left for the entry.
var ErrFull = errors.New("no room left in the forwarding tables")

// Sizes says how many entries there can be. Numbers of entries start at 0 and stay below the size.
type Sizes struct {
	VRFs, Ports, Tunnels, Adjacencies, Groups, Routes, SAs, Labels int

	Workers int // that count what comes with a label
}

// Tables is all of the tables.
type Tables struct {
	a    *arena.Arena
	base unsafe.Pointer
	root *root
	size Sizes

	vrfs, ports, tunnels, adjs, groups, buckets, sas, spis, labels, vlans []uint32

	routes int        // installed; the writer's
	nodes  int        // of the tries, below their roots
	pricer fib.Pricer // nil: nothing costs anything; the writer's
	dirty  bool
	moved  bool // routes
}

// root is the block from which everything is found: whoever maps the region starts here.
type root struct {
	generation                                        atomic.Uint64
	vrfs, ports, tunnels, adjs, groups, buckets       arena.Ref
	nVRFs, nPorts, nTunnels, nAdjs, nGroups, nBuckets uint32
	pointToPoint                                      atomic.Uint32 // tunnels with a Remote
	unlinked                                          atomic.Uint32 // counts records of tunnels taken out of their chains
	sas, spis                                         arena.Ref
	nSAs, nSPIs                                       uint32
	saGeneration                                      uint32 // of the last association installed; the writer's
	installedSAs, installedAdjs                       atomic.Uint32
	labels                                            arena.Ref
	nLabels                                           uint32 // of the directory
	labelCount                                        uint32 // installed; the writer's
	maxLabels                                         uint32
	routeGeneration                                   atomic.Uint64
	nodes                                             atomic.Uint32 // of the tries, below their roots
	vlans                                             arena.Ref
	nVLANs                                            uint32
	workers                                           uint32
}

// New lays empty tables out in a.
func New(a *arena.Arena, size Sizes) (*Tables, error) {
	if size.VRFs < 1 || size.Ports < 2 || size.Tunnels < 2 || size.Adjacencies < 17 || size.Adjacencies > Software || size.Groups < 2 || size.Routes < 1 || size.SAs < 2 || size.Labels < 1 || size.Workers < 0 || size.Workers > arena.MaxReaders {
		return nil, fmt.Errorf("table: sizes %+v: too small, or more than %d adjacencies", size, Software)
	}
	t := &Tables{a: a, size: size, base: a.Ptr(0)}
	r, err := a.AllocKept(int(unsafe.Sizeof(root{})))
	if err != nil {
		return nil, fmt.Errorf("table: root: %w", err)
	}
	t.root = (*root)(a.Ptr(r))
	for _, d := range t.directories() {
		if *d.ref, err = a.AllocKept(4 * d.n); err != nil {
			return nil, fmt.Errorf("table: directory of %d %s: %w", d.n, d.name, err)
		}
		*d.num, *d.dir = uint32(d.n), a.U32(*d.ref, d.n)
	}
	t.root.maxLabels, t.root.workers = uint32(size.Labels), uint32(size.Workers)
	a.SetRoot(r)
	return t, nil
}

// Open finds the tables that New laid out in a, for who reads them in another process.
func Open(a *arena.Arena) (*Tables, error) {
	r := a.Root()
	if r == 0 || !a.Kept(r, int(unsafe.Sizeof(root{}))) {
		return nil, errors.New("table: the region holds no tables")
	}
	t := &Tables{a: a, base: a.Ptr(0), root: (*root)(a.Ptr(r))}
	for _, d := range t.directories() {
		if *d.num == 0 || !a.Kept(*d.ref, 4*int(*d.num)) || d.hash && *d.num&(*d.num-1) != 0 || !d.hash && d.n > 0 && int(*d.num) != d.n {
			return nil, fmt.Errorf("table: the region holds no directory of %d %s", *d.num, d.name)
		}
		*d.dir = a.U32(*d.ref, int(*d.num))
	}
	t.size = Sizes{
		VRFs: len(t.vrfs), Ports: len(t.ports), Tunnels: len(t.tunnels), Adjacencies: len(t.adjs), Groups: len(t.groups), SAs: len(t.sas),
		Labels: int(t.root.maxLabels), Workers: int(t.root.workers),
	}
	if t.size.Workers > arena.MaxReaders {
		return nil, fmt.Errorf("table: the region has counters of %d workers", t.size.Workers)
	}
	return t, nil
}

// directory is an array of Refs that the root names.
type directory struct {
	name string
	n    int // entries; 0 where those are not known yet
	hash bool
	ref  *arena.Ref
	num  *uint32
	dir  *[]uint32
}

func (t *Tables) directories() []directory {
	r, size := t.root, &t.size
	return []directory{
		{"VRFs", size.VRFs, false, &r.vrfs, &r.nVRFs, &t.vrfs},
		{"ports", size.Ports, false, &r.ports, &r.nPorts, &t.ports},
		{"tunnels", size.Tunnels, false, &r.tunnels, &r.nTunnels, &t.tunnels},
		{"adjacencies", size.Adjacencies, false, &r.adjs, &r.nAdjs, &t.adjs},
		{"groups", size.Groups, false, &r.groups, &r.nGroups, &t.groups},
		{"tunnel hash", powerOfTwo(size.Tunnels), true, &r.buckets, &r.nBuckets, &t.buckets},
		{"security associations", size.SAs, false, &r.sas, &r.nSAs, &t.sas},
		{"SPI hash", powerOfTwo(size.SAs), true, &r.spis, &r.nSPIs, &t.spis},
		{"labels", labelChunks, false, &r.labels, &r.nLabels, &t.labels},
		{"VLANs", size.Ports, false, &r.vlans, &r.nVLANs, &t.vlans},
	}
}

// powerOfTwo is the smallest power of two that is n or more, and 16 at least.
func powerOfTwo(n int) int {
	p := 16
	for p < n {
		p *= 2
	}
	return p
}

// SetLimit says how many routes there can be, to tables that Open found.
func (t *Tables) SetLimit(routes int) { t.size.Routes = routes }

// Size says how large the tables are.
func (t *Tables) Size() Sizes { return t.size }

// Routes is how many routes are installed.
func (t *Tables) Routes() int { return t.routes }

// Generation counts the batches that changed something.
func (t *Tables) Generation() uint64 { return t.root.generation.Load() }

// RouteGeneration counts changes of the routes, from 1. What Lookup and Path say after it was read is right as long as it stays; what adjacencies, tunnels and associations
// are is another matter.
func (t *Tables) RouteGeneration() uint64 { return t.root.routeGeneration.Load() + 1 }

// MoveRoutes tells readers that keep what Lookup says of changes of routes, if there were any. The writer calls it before it takes adjacencies away that they may
// have led to; Commit does so at last.
func (t *Tables) MoveRoutes() {
	if t.moved {
		t.moved = false
		t.root.routeGeneration.Add(1)
	}
}

// Commit ends a batch: what it took away is reclaimed once no reader can hold it any more.
func (t *Tables) Commit() {
	if n := uint32(t.nodes); n != t.root.nodes.Load() {
		t.root.nodes.Store(n)
	}
	t.MoveRoutes()
	if t.dirty {
		t.dirty = false
		t.root.generation.Add(1)
		t.a.Advance()
	}
	t.a.Reclaim()
}

// at is where block r starts. Refs come from the tables themselves.
func (t *Tables) at(r uint32) unsafe.Pointer { return unsafe.Add(t.base, uintptr(r)*arena.Line) }

// record is the record that entry i of a directory names, nil without one.
func (t *Tables) record(dir []uint32, i uint32) unsafe.Pointer {
	if i >= uint32(len(dir)) {
		return nil
	}
	r := atomic.LoadUint32(&dir[i])
	if r == 0 {
		return nil
	}
	return t.at(r)
}

// replace puts block r (0: nothing) into entry i of a directory and retires the n bytes that were there.
func (t *Tables) replace(dir []uint32, i uint32, r arena.Ref, n int) {
	old := atomic.SwapUint32(&dir[i], uint32(r))
	if old != 0 {
		t.retire(old, n)
	}
	t.dirty = true
}

func (t *Tables) retire(r uint32, n int) { t.a.Retire(arena.Ref(r), n) }

func (t *Tables) alloc(n int) (arena.Ref, error) {
	r, err := t.a.Alloc(n)
	if err != nil {
		return 0, ErrFull
	}
	return r, nil
}
