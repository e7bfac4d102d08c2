package table

import (
	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/packet"
)

// check is one look through tables that another process wrote, before anything in them is believed.
type check struct {
	t       *Tables
	block   func(r arena.Ref, n int) bool
	ok      bool
	chained map[uint32]int // records that were met, and named, with their size in bytes
}

// Check tells whether the tables are such that Recover may go through them, and lookups: every Ref leads to a block of its own, no chain or trie runs in a circle, lengths
// are within bounds. block is told every block that is in use, or may be, and says whether that can be. Nothing is changed; what a writer left halfway is no fault.
func (t *Tables) Check(block func(r arena.Ref, n int) bool) bool {
	c := &check{t: t, block: block, ok: true, chained: make(map[uint32]int)}
	for _, r := range t.vrfs {
		if r != 0 {
			c.node(0, r)
		}
	}
	for id, r := range t.ports {
		c.need(r == 0 || c.named(r, portSize) && int(t.Port(uint32(id)).ID) == id && t.Port(uint32(id)).fits())
	}
	for _, r := range t.vlans {
		c.need(r == 0 || c.named(r, vlanMapSize))
	}
	for id, r := range t.adjs {
		c.need(r == 0 || c.named(r, adjSize) && t.Adj(uint32(id)).fits())
	}
	for id, r := range t.groups {
		c.need(r == 0 || t.a.Holds(arena.Ref(r), groupBytes(0)) && c.group(uint32(id), r))
	}
	for id, r := range t.tunnels {
		c.need(r == 0 || c.tunnel(r) && int((*Tunnel)(t.at(r)).ID) == id)
	}
	for id, r := range t.sas {
		c.need(r == 0 || c.sa(r) && int64((*SA)(t.at(r)).ID) == int64(id))
	}
	c.chains(t.buckets, c.tunnel, func(r uint32) uint32 { return (*Tunnel)(t.at(r)).next })
	c.chains(t.spis, c.sa, func(r uint32) uint32 { return (*SA)(t.at(r)).next })
	for _, r := range t.labels {
		if r == 0 || !c.named(r, t.labelChunkSize()) {
			continue
		}
		for _, l := range (*labelChunk)(t.at(r)) {
			c.hop(uint32(Label(l).Hop()))
		}
	}
	return c.ok
}

func (c *check) need(ok bool) { c.ok = c.ok && ok }

// named tells block of a block, and whether it can be.
func (c *check) named(r uint32, n int) bool {
	ok := c.block(arena.Ref(r), n)
	c.need(ok)
	return ok
}

// once is named for a record that may be met again.
func (c *check) once(r uint32, n int) bool {
	if size, ok := c.chained[r]; ok {
		return size == n
	}
	c.chained[r] = n
	return c.named(r, n)
}

func (c *check) node(level int, r uint32) {
	size := childSize
	if level == 0 {
		size = rootSize
	}
	if level > 2 || !c.named(r, size) {
		c.ok = false
		return
	}
	n := c.t.nodeAt(level, r)
	for i := 1; i < len(n.heap); i++ {
		c.hop(n.heap[i])
	}
	for _, e := range n.fringe {
		if v := uint32(e); uint(v>>lenShift) == n.bits+1 {
			c.hop(v)
		}
		if child := uint32(e >> 32); child != 0 {
			c.node(level+1, child)
		}
	}
}

// hop looks at where a route or label leads, as its own entry says.
func (c *check) hop(v uint32) {
	if v&multiBit == 0 {
		return
	}
	if r := v & idMask; c.named(r, pathSetSize) {
		n := (*pathSet)(c.t.at(r)).len()
		c.need(n > 0 && n <= MaxPaths)
	}
}

func (c *check) group(id, r uint32) bool {
	members := *(*uint32)(c.t.at(r))
	return members < 1<<idBits && c.named(r, groupBytes(int(members)))
}

func (c *check) tunnel(r uint32) bool { return c.once(r, tunnelSize) }

func (c *check) sa(r uint32) bool {
	if !c.t.a.Holds(arena.Ref(r), saSize) {
		return false
	}
	s := (*SA)(c.t.at(r))
	return uint64(s.keys) == uint64(r)+uint64(keyAt(int(s.slots))/arena.Line) && c.once(r, s.size())
}

// chains follows the chains of a hash.
func (c *check) chains(heads []uint32, record func(r uint32) bool, next func(r uint32) uint32) {
	for _, r := range heads {
		seen := 0
		for r != 0 {
			if seen++; seen > len(c.chained)+1 || !record(r) {
				c.ok = false
				return
			}
			r = next(r)
		}
	}
}

// fits tells whether the lengths of an adjacency are such that its headers lie within the record.
func (a *Adj) fits() bool {
	if a.InnerLen > fib.MaxInner || int(a.Labels)*packet.LabelLen > int(a.InnerLen) || a.Labels > fib.MaxLabels {
		return false
	}
	if a.Kind != fib.AdjTunnel {
		return a.OuterLen <= OuterRoom
	}
	link, ip := int(a.LinkLen), int(a.OuterLen)-int(a.LinkLen)
	return link >= a.EthernetLen() && link <= fib.MaxOuter && (ip == packet.IPv4Len || a.UDP()) && len(a.Front())+int(a.InnerLen) <= fib.MaxInner
}
