package table

import (
	"sync/atomic"
	"unsafe"

	"nave/fastpath/internal/arena"
)

// With thousands of peers each packet finds its records in memory that no cache close by has. What a packet needs, one thing leads to the other, so alone it
// would wait for each. The functions here load, or ask for, what many packets will need, one packet after the other: the loads of one do not
// depend on those of the next, so the CPU waits for all of them at once. What loads returns something made of it, for the caller to keep,
// so that the compiler leaves no load out.

// farSAs and farAdjs are how many entries make it worth while: some hundred kilobytes.
const (
	farSAs  = 128
	farAdjs = 512
	// wideNodes is how many nodes of the tries do: each has 2 KiB that packets look at.
	wideNodes = 256
)

// Far tells whether the tables are larger than the caches close by.
func (t *Tables) Far() bool {
	return t.root.installedSAs.Load() > farSAs || t.root.installedAdjs.Load() > farAdjs || t.Wide()
}

// Wide tells whether the routes alone are larger than the caches close by.
func (t *Tables) Wide() bool { return t.root.nodes.Load() > wideNodes }

// line loads a word of line i of what starts at p.
func line(p unsafe.Pointer, i uintptr) uint64 {
	return *(*uint64)(unsafe.Add(p, i*arena.Line))
}

// Fetch is associations that packets will need. Where they are is cheap to find; the lines themselves are asked for by instructions that wait for nothing,
// so that they come while other packets are at work.
type Fetch struct {
	n  int
	at [fetchSize]unsafe.Pointer
}

const fetchSize = 64

// FetchSPI adds the association of an ESP packet, or another one of its hash. It says nothing of whether there is one.
func (t *Tables) FetchSPI(f *Fetch, vrf uint16, local, spi uint32) {
	r := atomic.LoadUint32(&t.spis[spiHash(vrf, local, spi, 0)&uint32(len(t.spis)-1)])
	if r != 0 && f.n < len(f.at) {
		f.at[f.n] = t.at(r)
		f.n++
	}
}

// FetchAdj adds the association that an adjacency leaves by, and loads what else leaving by it needs. What it returns is made of that.
func (t *Tables) FetchAdj(f *Fetch, h Hop) (x uint64) {
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
	if a.SA != 0 && f.n < len(f.at) {
		if s := t.record(t.sas, a.SA); s != nil {
			f.at[f.n] = s
			f.n++
		}
	}
	return x
}

// Go asks for the lines.
func (f *Fetch) Go() {
	if f.n > 0 {
		prefetchSAs(&f.at[0], f.n)
		f.n = 0
	}
}
