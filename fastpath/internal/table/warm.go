package table

import (
	"sync/atomic"
	"unsafe"

	"nave/fastpath/internal/arena"
)

// With thousands of peers each packet finds its records in memory that no cache close by has. What a packet needs, one thing leads to the other, so alone it
// would wait for each. The functions here load what many packets will need, one packet after the other: the loads of one do not
// depend on those of the next, so the CPU waits for all of them at once. They return something made of what they read, for the caller to keep,
// so that the compiler leaves no load out.

// farSAs and farAdjs are how many entries make it worth while: some hundred kilobytes.
const (
	farSAs  = 128
	farAdjs = 512
	// farRoutes is how many routes do: each prefix of 16 bits that has longer ones has a node of its own.
	farRoutes = 4096
)

// Far tells whether the tables are larger than the caches close by.
func (t *Tables) Far() bool {
	return t.root.installedSAs.Load() > farSAs || t.root.installedAdjs.Load() > farAdjs || t.root.installedRoutes.Load() > farRoutes
}

// line loads a word of line i of what starts at p.
func line(p unsafe.Pointer, i uintptr) uint64 {
	return *(*uint64)(unsafe.Add(p, i*arena.Line))
}

// WarmSPI finds the association of an ESP packet, or another one of its hash, and loads what opening needs. It says nothing of whether there is one.
func (t *Tables) WarmSPI(vrf uint16, local, spi uint32) uint64 {
	r := atomic.LoadUint32(&t.spis[spiHash(vrf, local, spi, 0)&uint32(len(t.spis)-1)])
	if r == 0 {
		return 0
	}
	return t.warmSA((*SA)(t.at(r)))
}

// warmSA loads the lines of an association and of its key.
func (t *Tables) warmSA(s *SA) (x uint64) {
	p := unsafe.Pointer(s)
	x = line(p, 0) ^ line(p, 2)
	if s.Kernel != 0 {
		k := t.at(s.keys)
		x ^= line(k, 2) ^ line(k, 3) ^ line(k, 4) ^ line(k, 5) ^ line(k, 6) // hash powers of short packets, round keys
	}
	return x
}

// WarmAdj loads what leaving by an adjacency needs.
func (t *Tables) WarmAdj(h Hop) (x uint64) {
	if h.Multi() {
		return 0
	}
	a := t.Adj(h.ID())
	if a == nil {
		return 0
	}
	if x = uint64(a.OuterLen); x != 0 {
		x = line(unsafe.Pointer(a), 1)
	}
	if a.SA != 0 {
		if s := t.SA(a.SA); s != nil {
			x ^= t.warmSA(s)
		}
	}
	return x
}
