package table

import (
	"sync/atomic"

	"nave/fastpath/internal/arena"
)

// A writer can die between any two stores. What readers meet then is whole, but the writer's own notes about it may not be: a route half taken away, a record that
// its chain has and its directory lacks, a count that is one off. The next writer looks through everything once.

// Recover makes the tables whole that a writer left at some point of a change, and hands block every block that belongs to them, with its length in bytes. Readers
// may look meanwhile. Check has to have found nothing wrong.
func (t *Tables) Recover(block func(r arena.Ref, n int)) {
	t.routes, t.nodes = 0, 0
	for _, ref := range t.vrfs {
		if ref != 0 {
			t.recoverNode(0, ref, block)
		}
	}
	for id := range t.ports {
		if t.Port(uint32(id)) != nil {
			block(arena.Ref(t.ports[id]), portSize)
		}
	}
	t.recoverVLANs(block)
	adjs := uint32(0)
	for id := range t.adjs {
		if t.Adj(uint32(id)) != nil {
			adjs++
			block(arena.Ref(t.adjs[id]), adjSize)
		}
	}
	t.root.installedAdjs.Store(adjs)
	for id := range t.groups {
		if t.HasGroup(uint32(id)) {
			block(arena.Ref(t.groups[id]), groupBytes(len(t.Group(uint32(id)))))
		}
	}
	t.recoverTunnels(block)
	t.recoverSAs(block)
	t.recoverLabels(block)
	t.dirty, t.moved = true, true // the generation moves, so that readers that keep what they found look anew
	t.root.generation.Add(1)
}

// recoverNode spreads the prefixes of a node over its fringe anew, and returns how many entries of its own it holds: prefixes and children.
func (t *Tables) recoverNode(level int, ref uint32, block func(arena.Ref, int)) (entries uint32) {
	n := t.nodeAt(level, ref)
	size := childSize
	if level == 0 {
		size = rootSize
	}
	hop := func(v uint32) {
		entries++
		t.routes++
		if v&multiBit != 0 {
			block(arena.Ref(v&idMask), pathSetSize)
		}
	}
	covers := make([]uint32, len(n.heap)) // what the longest prefix that covers a heap entry says
	for i := 1; i < len(n.heap); i++ {
		v := n.heap[i]
		if v != 0 {
			hop(v)
		}
		switch {
		case i == 1: // the default route is not spread
		case v != 0:
			covers[i] = v
		default:
			covers[i] = covers[i/2]
		}
	}
	for i := range n.fringe {
		e := n.fringe[i]
		v, child := uint32(e), uint32(e>>32)
		if uint(v>>lenShift) == n.bits+1 {
			hop(v)
		} else {
			v = covers[(len(n.heap)+i)/2]
		}
		if child != 0 {
			if t.recoverNode(level+1, child, block) == 0 {
				child = 0
			} else {
				entries++
				t.nodes++
			}
		}
		if now := uint64(child)<<32 | uint64(v); now != e {
			atomic.StoreUint64(&n.fringe[i], now)
		}
	}
	if level > 0 {
		n.heap[0] = entries
	}
	if level == 0 || entries > 0 { // else the caller takes it out
		block(arena.Ref(ref), size)
	}
	return entries
}

// recoverTunnels makes each chain hold the records that the directory names, and nothing else.
func (t *Tables) recoverTunnels(block func(arena.Ref, int)) {
	named := func(r uint32) bool {
		n := (*Tunnel)(t.at(r))
		return int(n.ID) < len(t.tunnels) && t.tunnels[n.ID] == r
	}
	t.root.unlinked.Add(1)
	chained := make(map[uint32]bool)
	for b := range t.buckets {
		for p := &t.buckets[b]; *p != 0; {
			n := (*Tunnel)(t.at(*p))
			if named(*p) && t.bucketOf(n) == &t.buckets[b] {
				chained[*p] = true
				p = &n.next
			} else {
				atomic.StoreUint32(p, n.next)
			}
		}
	}
	pointToPoint := uint32(0)
	for id, r := range t.tunnels {
		n := t.Tunnel(uint32(id))
		if n == nil {
			continue
		}
		block(arena.Ref(r), tunnelSize)
		if n.Remote != 0 {
			pointToPoint++
		}
		if !chained[r] {
			b := t.bucketOf(n)
			n.next = *b
			atomic.StoreUint32(b, r)
		}
	}
	t.root.pointToPoint.Store(pointToPoint)
	t.root.unlinked.Add(1)
}

// recoverSAs does the same for inbound security associations.
func (t *Tables) recoverSAs(block func(arena.Ref, int)) {
	chained := make(map[uint32]bool)
	for b := range t.spis {
		for p := &t.spis[b]; *p != 0; {
			s := (*SA)(t.at(*p))
			if s.ID < uint32(len(t.sas)) && t.sas[s.ID] == *p && s.Is(SAInbound) && t.chainOf(s) == &t.spis[b] {
				chained[*p] = true
				p = &s.next
			} else {
				atomic.StoreUint32(p, s.next)
			}
		}
	}
	installed := uint32(0)
	for id, r := range t.sas {
		s := t.SA(uint32(id))
		if s == nil {
			continue
		}
		installed++
		block(arena.Ref(r), s.size())
		t.root.saGeneration = max(t.root.saGeneration, s.Generation)
		if s.Is(SAInbound) && !chained[r] {
			b := t.chainOf(s)
			s.next = *b
			atomic.StoreUint32(b, r)
		}
	}
	t.root.installedSAs.Store(installed)
}

// bucketOf is the chain that a tunnel belongs into, chainOf that of an inbound association.
func (t *Tables) bucketOf(n *Tunnel) *uint32 {
	return &t.buckets[hash(n.OuterVRF, n.Local, n.Remote, n.Key)&uint32(len(t.buckets)-1)]
}

func (t *Tables) chainOf(s *SA) *uint32 {
	return &t.spis[spiHash(s.VRF, s.Local, s.SPI, s.Flags)&uint32(len(t.spis)-1)]
}

// recoverLabels counts the labels, and takes away chunks that have none.
func (t *Tables) recoverLabels(block func(arena.Ref, int)) {
	t.root.labelCount = 0
	for i, r := range t.labels {
		if r == 0 {
			continue
		}
		labels := uint32(0)
		for _, l := range (*labelChunk)(t.at(r)) {
			if l == 0 {
				continue
			}
			labels++
			if h := Label(l).Hop(); h.Multi() {
				block(arena.Ref(h.ID()), pathSetSize)
			}
		}
		if labels == 0 {
			atomic.StoreUint32(&t.labels[i], 0)
			continue
		}
		block(arena.Ref(r), t.labelChunkSize())
		t.root.labelCount += labels
	}
}
