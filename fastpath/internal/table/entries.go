package table

import (
	"iter"
	"net/netip"
	"slices"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// What is installed, as the values that were applied. The writer's only: nothing changes meanwhile.

// PortEntries are the ports.
func (t *Tables) PortEntries() iter.Seq[fib.Port] {
	return func(yield func(fib.Port) bool) {
		for id := range t.ports {
			p := t.Port(uint32(id))
			if p == nil {
				continue
			}
			f := fib.Port{
				ID: fib.PortID(p.ID), VRF: fib.VRF(p.VRF), MAC: packet.WordMAC(p.MAC), Addr: optionalAddr(p.Addr), MTU: p.MTU, MSS: p.MSS, Group: fib.GroupID(p.Group),
				MPLS: p.MPLS, Parent: fib.PortID(p.Parent), VLAN: p.VLAN,
			}
			if !yield(f) {
				return
			}
		}
	}
}

// TunnelEntries are the tunnels.
func (t *Tables) TunnelEntries() iter.Seq[fib.Tunnel] {
	return func(yield func(fib.Tunnel) bool) {
		for id := range t.tunnels {
			n := t.Tunnel(uint32(id))
			if n == nil {
				continue
			}
			f := fib.Tunnel{
				ID: fib.TunnelID(n.ID), VRF: fib.VRF(n.VRF), OuterVRF: fib.VRF(n.OuterVRF), Local: optionalAddr(n.Local), Remote: optionalAddr(n.Remote),
				Key: n.Key, HasKey: n.Flags&TunnelHasKey != 0, Addr: optionalAddr(n.Addr), MTU: n.MTU, MSS: n.MSS, Network: n.Network,
				Redirect: n.Flags&TunnelRedirect != 0, Group: fib.GroupID(n.Group), Protected: n.Flags&TunnelProtected != 0, Protection: fib.ProtectionID(n.Protection),
				MPLS: n.Flags&TunnelMPLS != 0,
			}
			if !yield(f) {
				return
			}
		}
	}
}

// AdjEntries are the adjacencies. What the table fills in of an outer header by itself (protocol, zeros) is in Outer.
func (t *Tables) AdjEntries() iter.Seq[fib.Adjacency] {
	return func(yield func(fib.Adjacency) bool) {
		for id := range t.adjs {
			if a := t.Adj(uint32(id)); a != nil && !yield(adjEntry(uint32(id), a)) {
				return
			}
		}
	}
}

func adjEntry(id uint32, a *Adj) fib.Adjacency {
	labels := int(a.Labels) * packet.LabelLen
	var pushed []uint32
	if list := a.Pushes(); a.Labels > 0 {
		pushed = list[:a.Labels]
	}
	inner := slices.Clone(a.Inner[fib.MaxInner-int(a.InnerLen) : fib.MaxInner-labels])
	outer := slices.Concat(a.Front(), a.Outer[max(OuterRoom-int(a.OuterLen), 0):])
	linkMTU := a.LinkMTU
	if linkMTU != 0 {
		linkMTU += uint16(a.outerStack())
	}
	if a.Kind == fib.AdjLink {
		inner, outer = nil, inner
	}
	return fib.Adjacency{
		ID: fib.AdjID(id), Kind: a.Kind, Port: fib.PortID(a.Out()), Tunnel: fib.TunnelID(a.Tunnel), VRF: fib.VRF(a.VRF),
		Inner: inner, Labels: pushed, Pipe: a.Flags&AdjPipe != 0, SA: fib.SAID(a.SA), AH: fib.SAID(a.AH),
		Outer: outer, MTU: a.MTU + uint16(labels), LinkMTU: linkMTU, MSS: a.MSS,
		CopyDF: a.Flags&AdjCopyDF != 0, Network: a.Network, Resolve: a.Flags&AdjResolve != 0, NextHop: optionalAddr(a.NextHop),
		Expires: int64(a.Expires), Unique: a.Flags&AdjUnique != 0,
	}
}

// GroupEntries are the replication lists.
func (t *Tables) GroupEntries() iter.Seq[fib.Group] {
	return func(yield func(fib.Group) bool) {
		for id := range t.groups {
			if !t.HasGroup(uint32(id)) {
				continue
			}
			f := fib.Group{ID: fib.GroupID(id)}
			for _, m := range t.Group(uint32(id)) {
				f.Members = append(f.Members, fib.AdjID(m))
			}
			if !yield(f) {
				return
			}
		}
	}
}

// RouteEntries are the routes, VRF by VRF.
func (t *Tables) RouteEntries() iter.Seq[fib.Route] {
	return func(yield func(fib.Route) bool) {
		for vrf, ref := range t.vrfs {
			if ref == 0 {
				continue
			}
			if !t.eachRoute(0, ref, 0, func(addr uint32, plen int, v uint32) bool {
				f := fib.Route{VRF: fib.VRF(vrf), Prefix: netip.PrefixFrom(wordAddr(addr), plen)}
				for _, id := range t.hopPaths(v) {
					f.Paths = append(f.Paths, fib.AdjID(id&^Software))
				}
				return yield(f)
			}) {
				return
			}
		}
	}
}

// eachRoute calls f for the prefixes that end in a node and below it; false when f has had enough.
func (t *Tables) eachRoute(level int, ref, addr uint32, f func(addr uint32, plen int, v uint32) bool) bool {
	n := t.nodeAt(level, ref)
	base := [...]int{0, 16, 24}[level]
	below := 32 - base - int(n.bits) // bits of an address that lie below the node
	for i := uint32(1); i < uint32(len(n.heap)); i++ {
		v := atomic.LoadUint32(&n.heap[i])
		if v == 0 {
			continue
		}
		rel := heapLen(i)
		if !f(addr|i<<(n.bits-rel)<<below&^(1<<n.bits<<below), base+int(rel), v) {
			return false
		}
	}
	for i := range n.fringe {
		e := atomic.LoadUint64(&n.fringe[i])
		at := addr | uint32(i)<<below
		if v := uint32(e); uint(v>>lenShift) == n.bits+1 && !f(at, base+int(n.bits), v) {
			return false
		}
		if child := uint32(e >> 32); child != 0 && !t.eachRoute(level+1, child, at, f) {
			return false
		}
	}
	return true
}

// heapLen is how long the prefix of heap entry i is within its node.
func heapLen(i uint32) (n uint) {
	for i >>= 1; i != 0; i >>= 1 {
		n++
	}
	return n
}

// hopPaths is the adjacencies that a hop of the trie leads to.
func (t *Tables) hopPaths(v uint32) []uint32 {
	if v&multiBit == 0 {
		return []uint32{v & idMask}
	}
	return (*pathSet)(t.at(v & idMask)).paths()
}

// LabelEntries are the labels.
func (t *Tables) LabelEntries() iter.Seq[fib.Label] {
	return func(yield func(fib.Label) bool) {
		for i, r := range t.labels {
			if r == 0 {
				continue
			}
			for j, l := range (*labelChunk)(t.at(r)) {
				if l != 0 && !yield(t.labelEntry(uint32(i)<<labelChunkBits|uint32(j), Label(l))) {
					return
				}
			}
		}
	}
}

// SAEntries are the security associations, with copies of no keys: SAKeys has them.
func (t *Tables) SAEntries() iter.Seq[fib.SA] {
	return func(yield func(fib.SA) bool) {
		for id := range t.sas {
			s := t.SA(uint32(id))
			if s == nil {
				continue
			}
			f := t.SAEntry(s)
			f.KeyLen, f.CipherKey, f.AuthKey = uint8(len(f.CipherKey)), nil, nil
			if !yield(f) {
				return
			}
		}
	}
}

// optionalAddr is the address of a word in which 0 stands for none.
func optionalAddr(w uint32) netip.Addr {
	if w == 0 {
		return netip.Addr{}
	}
	return wordAddr(w)
}
