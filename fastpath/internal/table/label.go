package table

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
)

// The incoming label map is an array of chunks of 256 labels each, and a chunk holds an entry of one word for each: the directory of all chunks
// is small enough to stay in the cache, so a lookup costs one line, which it shares with the seven labels beside. A chunk is there while one of
// its labels is.
const (
	labelChunkBits = 8
	labelChunks    = 1 << (20 - labelChunkBits)
)

type labelChunk [1 << labelChunkBits]uint64

// LabelCount is what came with a label.
type LabelCount struct{ Packets, Bytes uint64 }

// Behind the entries of a chunk stand counts of each label: what they stood at when it was installed, which is the writer's, and then those of each worker, which it alone
// writes. So they come and go with the chunk, and a packet that has found its entry has found its count.
type labelCounts [1 << labelChunkBits]LabelCount

const (
	labelEntriesSize = int(unsafe.Sizeof(labelChunk{}))
	labelCountsSize  = int(unsafe.Sizeof(labelCounts{}))
)

// labelChunkSize is how long a chunk is, with its counts.
func (t *Tables) labelChunkSize() int { return labelEntriesSize + (1+t.size.Workers)*labelCountsSize }

// countsOf is a worker's counts of the labels of chunk r, or with -1 what they stood at.
func (t *Tables) countsOf(r uint32, worker int) *labelCounts {
	return (*labelCounts)(unsafe.Add(t.at(r), labelEntriesSize+(1+worker)*labelCountsSize))
}

// Label is an entry: bits 0 to 26 a Hop, 32 to 47 the VRF, 48 and 49 the action, then flags, from 52 on the price. 0 is no entry.
type Label uint64

const (
	labelVRF    = 32
	labelAction = 48
	labelPipe   = 1 << 50
	labelEXP    = 1 << 51
)

// Label is the entry of an incoming label of 20 bits, 0 without one.
func (t *Tables) Label(label uint32) Label {
	r := atomic.LoadUint32(&t.labels[label>>labelChunkBits&(labelChunks-1)])
	if r == 0 {
		return 0
	}
	c := (*labelChunk)(t.at(r))
	return Label(atomic.LoadUint64(&c[label&(1<<labelChunkBits-1)]))
}

// CountsAt is where a worker's counts are in each chunk.
func (t *Tables) CountsAt(worker int) uintptr {
	return uintptr(labelEntriesSize + (1+worker)*labelCountsSize)
}

// LabelChunk is where the entry of an incoming label of 20 bits is, if there is one; nil if there is none.
func (t *Tables) LabelChunk(label uint32) *labelChunk {
	r := atomic.LoadUint32(&t.labels[label>>labelChunkBits&(labelChunks-1)])
	if r == 0 {
		return nil
	}
	return (*labelChunk)(t.at(r))
}

// Label is the entry of a label of the chunk, 0 without one.
func (c *labelChunk) Label(label uint32) Label {
	return Label(atomic.LoadUint64(&c[label&(1<<labelChunkBits-1)]))
}

// Count counts a packet of n bytes that came with a label of the chunk, for the worker whose counts are at at (CountsAt).
func (c *labelChunk) Count(label uint32, at uintptr, n int) {
	k := (*LabelCount)(unsafe.Add(unsafe.Pointer(c), at+uintptr(label&(1<<labelChunkBits-1))*unsafe.Sizeof(LabelCount{})))
	k.Packets++
	k.Bytes += uint64(n)
}

// LabelCount is what came with a label since it was installed; zero without one. The writer's only.
func (t *Tables) LabelCount(in uint32) LabelCount {
	if in > fib.LastLabel || t.Label(in) == 0 {
		return LabelCount{}
	}
	n := t.labelSum(in)
	base := &t.countsOf(t.labels[in>>labelChunkBits], -1)[in&(1<<labelChunkBits-1)]
	return LabelCount{n.Packets - base.Packets, n.Bytes - base.Bytes}
}

// labelSum is what all workers have counted of a label whose chunk is there.
func (t *Tables) labelSum(in uint32) (n LabelCount) {
	for w := range t.size.Workers {
		c := &t.countsOf(t.labels[in>>labelChunkBits], w)[in&(1<<labelChunkBits-1)]
		n.Packets += atomic.LoadUint64(&c.Packets)
		n.Bytes += atomic.LoadUint64(&c.Bytes)
	}
	return n
}

// Action says what to do with the packet.
func (l Label) Action() fib.LabelAction { return fib.LabelAction(l >> labelAction & 3) }

// VRF is of fib.LabelLookup.
func (l Label) VRF() uint16 { return uint16(l >> labelVRF) }

// Hop is where the packet goes, of the other actions. It carries no length.
func (l Label) Hop() Hop { return Hop(l & (multiBit | idMask)) }

// Pipe tells whether the TTL under the label stays as it is.
func (l Label) Pipe() bool { return l&labelPipe != 0 }

// CopyEXP tells whether EXP goes on in what is under the label.
func (l Label) CopyEXP() bool { return l&labelEXP != 0 }

// Labels is how many labels are installed.
func (t *Tables) Labels() int { return int(t.root.labelCount) }

// SetLabel installs a label or replaces what becomes of it. The engine has checked it.
func (t *Tables) SetLabel(f *fib.Label) error {
	old := t.Label(f.In)
	return t.setLabel(f, old, t.priceLabel(f, old.Place()))
}

// SetLabelAnew prices an installed label as though it were not there yet.
func (t *Tables) SetLabelAnew(f *fib.Label) error {
	return t.setLabel(f, t.Label(f.In), t.priceLabel(f, fib.PlaceNone))
}

// setLabel puts a label that costs price in the place of its entry old.
func (t *Tables) setLabel(f *fib.Label, old, price Label) error {
	if old != 0 && t.sameLabel(old, f) && old&labelPriced == price {
		return nil
	}
	if old == 0 && t.Labels() >= t.size.Labels {
		return ErrFull
	}
	n := Label(f.Action)<<labelAction | price
	if f.Pipe {
		n |= labelPipe
	}
	if f.CopyEXP {
		n |= labelEXP
	}
	if f.Action == fib.LabelLookup {
		n |= Label(f.VRF) << labelVRF
	} else {
		hop, err := t.makeHop(f.Paths, n.Place())
		if err != nil {
			return err
		}
		n |= Label(hop)
	}
	if err := t.putLabel(f.In, n, old == 0); err != nil {
		t.freeHop(n.Hop())
		return err
	}
	t.retireHop(uint32(old.Hop()))
	if old == 0 {
		t.root.labelCount++
	}
	t.dirty = true
	return nil
}

// putLabel stores an entry. The counts of a new one begin at zero.
func (t *Tables) putLabel(in uint32, n Label, isNew bool) error {
	d := &t.labels[in>>labelChunkBits]
	r := *d
	if r == 0 {
		fresh, err := t.alloc(t.labelChunkSize())
		if err != nil {
			return err
		}
		r = uint32(fresh)
	} else if isNew {
		t.countsOf(r, -1)[in&(1<<labelChunkBits-1)] = t.labelSum(in)
	}
	c := (*labelChunk)(t.at(r))
	atomic.StoreUint64(&c[in&(1<<labelChunkBits-1)], uint64(n))
	atomic.StoreUint32(d, r)
	return nil
}

// makeHop is the hop to one adjacency or to a set of them, of an entry that is in that place.
func (t *Tables) makeHop(paths []fib.AdjID, place fib.Place) (Hop, error) {
	mark := Hop(0)
	if place == fib.PlaceSoftware {
		mark = Software
	}
	if len(paths) == 1 {
		return Hop(paths[0]) | mark, nil
	}
	r, err := t.alloc(pathSetSize)
	if err != nil {
		return 0, err
	}
	var words [MaxPaths]uint32
	n := min(len(paths), MaxPaths)
	for i, p := range paths[:n] {
		words[i] = uint32(p) | uint32(mark)
	}
	(*pathSet)(t.a.Ptr(r)).fill(words[:n])
	return Hop(r) | multiBit, nil
}

func (t *Tables) freeHop(h Hop) {
	if h.Multi() {
		t.a.Free(arena.Ref(h.ID()), pathSetSize)
	}
}

// DelLabel takes a label away, and its chunk with the last one.
func (t *Tables) DelLabel(in uint32) {
	old := t.Label(in)
	if old == 0 {
		return
	}
	d := &t.labels[in>>labelChunkBits]
	c := (*labelChunk)(t.at(*d))
	atomic.StoreUint64(&c[in&(1<<labelChunkBits-1)], 0)
	if *c == (labelChunk{}) {
		t.retire(atomic.SwapUint32(d, 0), t.labelChunkSize())
	}
	t.retireHop(uint32(old.Hop()))
	t.root.labelCount--
	t.dirty = true
}

func (t *Tables) sameLabel(l Label, f *fib.Label) bool {
	g := t.labelEntry(f.In, l)
	return g.Action == f.Action && g.Pipe == f.Pipe && g.CopyEXP == f.CopyEXP && g.VRF == f.VRF && slices.Equal(g.Paths, f.Paths)
}

// labelEntry is an entry as the value that was applied.
func (t *Tables) labelEntry(in uint32, l Label) fib.Label {
	f := fib.Label{In: in, Action: l.Action(), VRF: fib.VRF(l.VRF()), Pipe: l.Pipe(), CopyEXP: l.CopyEXP()}
	switch h := l.Hop(); {
	case l.Action() == fib.LabelLookup:
	case h.Multi():
		for _, id := range (*pathSet)(t.at(h.ID())).paths() {
			f.Paths = append(f.Paths, fib.AdjID(id&^Software))
		}
	default:
		f.Paths = []fib.AdjID{fib.AdjID(h.ID() &^ Software)}
	}
	return f
}
