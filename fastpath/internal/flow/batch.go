package flow

import "math/bits"

// BatchSize is how many keys a Batch holds.
const BatchSize = 64

// Batch finds many flows at once. With a million of them each lies in memory that no cache close by has; so what all of them need is loaded in loops that do nothing else,
// where the CPU waits for dozens of lines at the same time.
type Batch struct {
	n    int
	keys [BatchSize]Key
	hash [BatchSize]uint64
	at   [BatchSize]uint32
	line [BatchSize]uint32 // where in the table the line starts that is loaded next, in lines; 0: the table's first
}

// Add puts a key into the batch, which has room for BatchSize, and returns its place there, counted from 0.
func (b *Batch) Add(k Key) int {
	i := b.n % BatchSize
	b.n++
	b.keys[i] = k
	return i
}

// Len is how many keys are in the batch.
func (b *Batch) Len() int { return b.n }

// Key is the key at place i.
func (b *Batch) Key(i int) *Key { return &b.keys[i] }

// At is where the flow of the key at place i was found; 0: nowhere.
func (b *Batch) At(i int) uint32 { return b.at[i] }

// Clear empties the batch.
func (b *Batch) Clear() { b.n = 0 }

// Find finds the flows of the batch. What it returns is of no meaning, and made of all it has read.
func (b *Batch) Find(t *Table) (x uint64) {
	n := min(b.n, BatchSize)
	for i := range b.keys[:n] {
		h := t.Hash(b.keys[i])
		set, _ := t.place(h)
		b.hash[i], b.line[i] = h, uint32(set*(1+Ways))
	}
	for _, l := range b.line[:n] {
		x ^= t.sets[uint64(l)*lineWords]
	}
	for i := range b.line[:n] {
		set, tag := t.place(b.hash[i])
		b.at[i] = 0
		if m := zeros(t.set(set)[setTags] ^ tag*ones); m != 0 {
			way := uint64(bits.TrailingZeros64(m)) / 8
			b.at[i] = uint32(set*Ways+way) + 1
			b.line[i] += 1 + uint32(way)
		}
	}
	for _, l := range b.line[:n] {
		x ^= t.sets[uint64(l)*lineWords]
	}
	for i := range b.at[:n] {
		if at := b.at[i]; at != 0 {
			if f := t.flow(uint64(at - 1)); f[ftAddrs] != b.keys[i].addrs || f[ftRest] != b.keys[i].rest {
				b.at[i] = t.Find(b.keys[i], b.hash[i])
			}
		}
	}
	return x
}
