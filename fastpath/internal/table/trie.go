package table

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
)

// The routes of a VRF are a trie of strides 16, 8 and 8. A node has a fringe, one entry for each value of its bits, which is
// all that lookups read: the low half is the hop of the longest prefix that ends in this node and covers the entry, the
// high half the Ref of the child node. And it has a heap that only the writer reads: all prefixes that end inside the node, numbered as
// in a binary heap (1 is the empty prefix, 2i and 2i+1 are i's halves), so that taking a prefix away finds what it hid.
// A hop in the trie carries the length of its prefix: an insertion overwrites only what is shorter, and a
// deletion only what is its own. The default route of the root is not spread over the fringe: lookups start from it.
const (
	rootBits  = 16
	childBits = 8
)

type rootNode struct {
	fringe [1 << rootBits]uint64
	heap   [1 << rootBits]uint32
}

type childNode struct {
	fringe [1 << childBits]uint64
	heap   [1 << childBits]uint32 // heap[0] counts what the node holds
}

// node is a rootNode or a childNode as the writer sees it.
type node struct {
	fringe []uint64
	heap   []uint32
	bits   uint
}

// Hop is where a route leads: an adjacency, or a set of paths. The zero Hop is no route.
type Hop uint32

// Bits of a hop in the trie: id, whether it is a set of paths, length of the prefix within the node plus one.
const (
	idBits   = 26
	idMask   = 1<<idBits - 1
	multiBit = 1 << idBits
	lenShift = idBits + 1
)

// MaxPaths is how many paths a set can have: a power of two, as Path masks by it, below 1 << (32 - lenShift), as their number is in a word with one of them.
const MaxPaths = fib.MaxPaths

const (
	_ = uint(-(MaxPaths & (MaxPaths - 1))) // it does not compile where that is not so
	_ = uint(1<<(32-lenShift) - 1 - MaxPaths)
)

// pathSet is the paths of a route that has several: one line of memory. The first word carries their number above lenShift.
type pathSet struct {
	word [MaxPaths]uint32
}

const pathSetSize = int(unsafe.Sizeof(pathSet{}))

// len is how many paths there are; of a set that nobody has filled in it may be 0, or more than MaxPaths.
func (s *pathSet) len() uint32 { return s.word[0] >> lenShift }

// fill makes these the paths, MaxPaths at most.
func (s *pathSet) fill(paths []uint32) {
	n := copy(s.word[:], paths)
	s.word[0] |= uint32(n) << lenShift
}

// paths are the adjacencies, one a path.
func (s *pathSet) paths() []uint32 {
	out := slices.Clone(s.word[:min(s.len(), MaxPaths)])
	for i := range out {
		out[i] &= idMask
	}
	return out
}

// Lookup finds the longest prefix of the VRF that covers dst.
func (t *Tables) Lookup(vrf uint16, dst uint32) Hop {
	if int(vrf) >= len(t.vrfs) {
		return 0
	}
	r := atomic.LoadUint32(&t.vrfs[vrf])
	if r == 0 {
		return 0
	}
	n := (*rootNode)(t.at(r))
	e := atomic.LoadUint64(&n.fringe[dst>>16])
	best := uint32(e)
	if e>>32 != 0 {
		c := (*childNode)(t.at(uint32(e >> 32)))
		e = atomic.LoadUint64(&c.fringe[uint8(dst>>8)])
		if v := uint32(e); v != 0 {
			best = v
		}
		if e>>32 != 0 {
			c = (*childNode)(t.at(uint32(e >> 32)))
			if v := uint32(atomic.LoadUint64(&c.fringe[uint8(dst)])); v != 0 {
				best = v
			}
		}
	}
	if best == 0 {
		best = atomic.LoadUint32(&n.heap[1])
	}
	return Hop(best)
}

// Look is an address to be looked up by LookupAll.
type Look struct {
	Dst  uint32
	Hop  Hop // what was found
	node uint32
	root uint32
	VRF  uint16
}

// LookupAll is Lookup for many addresses: level by level, so that the CPU waits for all of their entries at once.
func (t *Tables) LookupAll(looks []Look) {
	for i := range looks {
		l := &looks[i]
		l.Hop, l.node, l.root = 0, 0, 0
		if int(l.VRF) >= len(t.vrfs) {
			continue
		}
		if l.root = atomic.LoadUint32(&t.vrfs[l.VRF]); l.root != 0 {
			e := atomic.LoadUint64(&(*rootNode)(t.at(l.root)).fringe[l.Dst>>16])
			l.Hop, l.node = Hop(uint32(e)), uint32(e>>32)
		}
	}
	t.descend(looks, 8)
	t.descend(looks, 0)
	for i := range looks {
		if l := &looks[i]; l.Hop == 0 && l.root != 0 {
			l.Hop = Hop(atomic.LoadUint32(&(*rootNode)(t.at(l.root)).heap[1]))
		}
	}
}

// descend goes on by the 8 bits of the addresses from shift on.
func (t *Tables) descend(looks []Look, shift uint) {
	for i := range looks {
		l := &looks[i]
		if l.node == 0 {
			continue
		}
		e := atomic.LoadUint64(&(*childNode)(t.at(l.node)).fringe[uint8(l.Dst>>(shift&31))])
		l.node = uint32(e >> 32)
		if v := uint32(e); v != 0 {
			l.Hop = Hop(v)
		}
	}
}

// Multi tells whether the hop is a set of paths.
func (h Hop) Multi() bool { return h&multiBit != 0 }

// ID is the adjacency of a hop that is not a set.
func (h Hop) ID() uint32 { return uint32(h) & idMask }

// Path is the adjacency for a flow with this hash.
func (t *Tables) Path(h Hop, hash uint32) uint32 {
	if h&multiBit == 0 {
		return uint32(h) & idMask
	}
	s := (*pathSet)(t.at(uint32(h) & idMask))
	return s.word[uint64(hash)*uint64(s.len())>>32&(MaxPaths-1)] & idMask
}

func (t *Tables) rootOf(ref uint32) node {
	n := (*rootNode)(t.at(ref))
	return node{n.fringe[:], n.heap[:], rootBits}
}

func (t *Tables) childOf(ref uint32) node {
	n := (*childNode)(t.at(ref))
	return node{n.fringe[:], n.heap[:], childBits}
}

const (
	rootSize  = int(unsafe.Sizeof(rootNode{}))
	childSize = int(unsafe.Sizeof(childNode{}))
)

// place says which node a prefix ends in (0, 1 or 2), its bits there and its length there.
func place(addr uint32, plen int) (level int, bits uint32, rel uint) {
	switch {
	case plen <= 16:
		return 0, addr >> 16, uint(plen)
	case plen <= 24:
		return 1, addr >> 8 & 0xff, uint(plen - 16)
	}
	return 2, addr & 0xff, uint(plen - 24)
}

// get is the hop of exactly this prefix, 0 without one.
func (n *node) get(bits uint32, rel uint) uint32 {
	if rel == n.bits {
		if v := uint32(n.fringe[bits]); uint(v>>lenShift) == rel+1 {
			return v
		}
		return 0
	}
	return n.heap[1<<rel|bits>>(n.bits-rel)]
}

// spread writes v into the fringe under a prefix wherever keep says no.
func (n *node) spread(bits uint32, rel uint, v uint32, keep func(ownerLen uint32) bool) {
	first := bits >> (n.bits - rel) << (n.bits - rel)
	for i := first; i < first+1<<(n.bits-rel); i++ {
		if e := n.fringe[i]; !keep(uint32(e) >> lenShift) {
			atomic.StoreUint64(&n.fringe[i], e>>32<<32|uint64(v))
		}
	}
}

// set puts hop v (with its length) at a prefix.
func (n *node) set(bits uint32, rel uint, v uint32) {
	if rel < n.bits {
		atomic.StoreUint32(&n.heap[1<<rel|bits>>(n.bits-rel)], v)
		if rel == 0 {
			return
		}
	}
	n.spread(bits, rel, v, func(owner uint32) bool { return uint(owner) > rel+1 })
}

// remove takes a prefix away and uncovers what it hid in this node.
func (n *node) remove(bits uint32, rel uint) {
	i := 1<<rel | bits>>(n.bits-rel)
	if rel < n.bits {
		atomic.StoreUint32(&n.heap[i], 0)
		if rel == 0 {
			return
		}
	}
	var hidden uint32
	for i >>= 1; i > 1 && hidden == 0; i >>= 1 {
		hidden = n.heap[i]
	}
	n.spread(bits, rel, hidden, func(owner uint32) bool { return uint(owner) != rel+1 })
}

// path is the nodes from the root down to the one where a prefix ends, as far as they exist.
type path struct {
	ref [3]uint32
	n   int
}

func (t *Tables) walk(vrf uint16, addr uint32, level int) (p path) {
	ref := t.vrfs[vrf]
	for l := 0; ref != 0 && l <= level; l++ {
		p.ref[l], p.n = ref, l+1
		n := t.nodeAt(l, ref)
		ref = uint32(n.fringe[index(l, addr)] >> 32)
	}
	return p
}

func (t *Tables) nodeAt(level int, ref uint32) node {
	if level == 0 {
		return t.rootOf(ref)
	}
	return t.childOf(ref)
}

// index is the fringe entry of addr in a node of the level.
func index(level int, addr uint32) uint32 {
	switch level {
	case 0:
		return addr >> 16
	case 1:
		return addr >> 8 & 0xff
	}
	return addr & 0xff
}

// Route gives the paths of exactly this prefix.
func (t *Tables) Route(vrf uint16, addr uint32, plen int) ([]uint32, bool) {
	level, bits, rel := place(addr, plen)
	p := t.walk(vrf, addr, level)
	if p.n <= level {
		return nil, false
	}
	n := t.nodeAt(level, p.ref[level])
	v := n.get(bits, rel)
	if v == 0 {
		return nil, false
	}
	if v&multiBit == 0 {
		return []uint32{v & idMask}, true
	}
	return (*pathSet)(t.at(v & idMask)).paths(), true
}

// Insert installs a route or replaces its paths. vrf is below the size of the table, plen at most 32, paths 1 to MaxPaths.
func (t *Tables) Insert(vrf uint16, addr uint32, plen int, paths []uint32) error {
	old, have := t.Route(vrf, addr, plen)
	if have && slices.Equal(old, paths) {
		return nil
	}
	if !have && t.routes >= t.size.Routes {
		return ErrFull
	}
	v := paths[0]
	if len(paths) > 1 {
		r, err := t.alloc(pathSetSize)
		if err != nil {
			return err
		}
		(*pathSet)(t.a.Ptr(r)).fill(paths)
		v = uint32(r) | multiBit
	}
	if err := t.insert(vrf, addr, plen, v, have); err != nil {
		if v&multiBit != 0 {
			t.a.Free(arena.Ref(v&idMask), pathSetSize)
		}
		return err
	}
	if !have {
		t.routes++
	}
	t.dirty, t.moved = true, true
	return nil
}

func (t *Tables) insert(vrf uint16, addr uint32, plen int, v uint32, have bool) error {
	level, bits, rel := place(addr, plen)
	p := t.walk(vrf, addr, level)
	made := p.n // nodes from here down are new
	for l := made; l <= level; l++ {
		size := childSize
		if l == 0 {
			size = rootSize
		}
		r, err := t.alloc(size)
		if err != nil {
			t.unmake(&p, made)
			return err
		}
		p.ref[l], p.n = uint32(r), l+1
	}
	t.nodes += max(level+1-max(made, 1), 0)
	n := t.nodeAt(level, p.ref[level])
	old := n.get(bits, rel)
	n.set(bits, rel, v|uint32(rel+1)<<lenShift)
	if level > 0 && !have {
		n.heap[0]++
	}
	for l := level; l >= made; l-- { // from the bottom, so that readers see whole nodes
		if l == 0 {
			atomic.StoreUint32(&t.vrfs[vrf], p.ref[0])
			continue
		}
		up := t.nodeAt(l-1, p.ref[l-1])
		i := index(l-1, addr)
		atomic.StoreUint64(&up.fringe[i], uint64(p.ref[l])<<32|uint64(uint32(up.fringe[i])))
		if l > 1 {
			up.heap[0]++
		}
	}
	t.retireHop(old)
	return nil
}

// unmake frees the nodes that an insertion made before it ran out of room.
func (t *Tables) unmake(p *path, from int) {
	for l := from; l < p.n; l++ {
		size := childSize
		if l == 0 {
			size = rootSize
		}
		t.a.Free(arena.Ref(p.ref[l]), size)
	}
}

func (t *Tables) retireHop(v uint32) {
	if v&multiBit != 0 {
		t.a.Retire(arena.Ref(v&idMask), pathSetSize)
	}
}

// Delete takes a route away, and with it the nodes that only it needed; false when there is none.
func (t *Tables) Delete(vrf uint16, addr uint32, plen int) bool {
	level, bits, rel := place(addr, plen)
	p := t.walk(vrf, addr, level)
	if p.n <= level {
		return false
	}
	n := t.nodeAt(level, p.ref[level])
	old := n.get(bits, rel)
	if old == 0 {
		return false
	}
	n.remove(bits, rel)
	for l := level; l > 0; l-- {
		c := t.childOf(p.ref[l])
		if c.heap[0]--; c.heap[0] > 0 {
			break
		}
		up := t.nodeAt(l-1, p.ref[l-1])
		i := index(l-1, addr)
		atomic.StoreUint64(&up.fringe[i], uint64(uint32(up.fringe[i])))
		t.a.Retire(arena.Ref(p.ref[l]), childSize)
		t.nodes--
	}
	t.retireHop(old)
	t.routes--
	t.dirty, t.moved = true, true
	return true
}
