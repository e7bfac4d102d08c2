// Package flow is a worker's memory of where the packets of a flow go: VRF, addresses, protocol and ports to an adjacency, with counts of what went there.
//
// A table belongs to one worker, which alone writes it, without locks; anybody who maps the memory may read. It takes no memory while packets pass: it is an array
// of sets of eight flows, and a flow that finds its set full replaces the one that has been idle longest.
//
// A look takes two cache lines, mostly of one page: the line of the set, with a byte of each flow's hash (its tag) and when it was last in use, roughly; and the flow's
// own line, which stands behind it. So a packet that finds its flow reads no line of another one, but for one in 32.
//
// What a flow remembers is right for one generation of the routes: the number that it was looked up at. When the routes move, every flow is looked up again as its next
// packet comes, and keeps its counts. A flow without packets for Inactive goes, a few sets at each Tick.
package flow

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
)

// Ways is how many flows a set holds.
const Ways = 8

// perSet is how many flows a table expects in a set: with as many flows as it was made for, one in forty finds its set full.
const perSet = 5

// Inactive is how long a flow lives without packets, in milliseconds: what IOS takes for its flow cache.
const Inactive = 15000

// coarse is how far behind the time of last use may be that stands in the line of the set, milliseconds: it is not written for every packet.
const coarse = 1000

// Max is the most flows that a table can be made for.
const Max = 1 << 24

// A table is an array of double words: two lines of head, then the sets, each a line of its own and one of each flow.
const (
	lineWords = 8

	headKind  = 0 // kind, written once the rest is
	headSets  = 1
	headSeed  = 2
	headNow   = lineWords + 0 // the worker's time, milliseconds
	headLive  = lineWords + 1
	headAdded = lineWords + 2
	headEvict = lineWords + 3 // in use, when another flow took their place
	headMoved = lineWords + 4 // looked up again, since routes had moved
	headRuns  = lineWords + 5 // workers that the table has belonged to, one after the other
	headWords = 2 * lineWords
	setWords  = (1 + Ways) * lineWords
)

// Words of a set.
const (
	setTags   = 0 // a byte a flow, 0: none
	setStamps = 1 // four words of two times each, milliseconds, modulo 2^32
	setSeq    = 5 // odd while the flows of the set change
)

// Words of a flow.
const (
	ftAddrs = iota
	ftRest
	ftGeneration
	ftAdj // and the time of its last packet, milliseconds, modulo 2^32
	ftPackets
	ftBytes
	ftOrigin
	ftFirst // the time of its first packet, milliseconds
)

// kind changes with the meaning of the words.
const kind = 0x666c6f77_00000001

// ErrLayout means that memory holds no table, or one of another build.
var ErrLayout = errors.New("no flow table that this build knows")

// Key tells flows apart. The zero Key is none.
type Key struct {
	addrs uint64 // source, destination
	rest  uint64 // ports, VRF, protocol, and 1
}

// MakeKey makes a Key of an IPv4 flow. ports is source and destination, 0 for what has none and for fragments.
func MakeKey(vrf uint16, src, dst uint32, proto uint8, ports uint32) Key {
	return Key{uint64(src)<<32 | uint64(dst), uint64(ports)<<32 | uint64(vrf)<<16 | uint64(proto)<<8 | 1}
}

// VRF, Src, Dst, Proto and Ports are what MakeKey was told.
func (k Key) VRF() uint16   { return uint16(k.rest >> 16) }
func (k Key) Src() uint32   { return uint32(k.addrs >> 32) }
func (k Key) Dst() uint32   { return uint32(k.addrs) }
func (k Key) Proto() uint8  { return uint8(k.rest >> 8) }
func (k Key) Ports() uint32 { return uint32(k.rest >> 32) }

// Table is a flow table: for its worker, or for a reader.
type Table struct {
	head []uint64
	sets []uint64
	n    uint64 // sets
	seed uint64

	// The worker's.
	begun bool
	base  int64 // what the time of the table is ahead of the worker's clock, milliseconds
	now   uint64
	hand  uint64 // the set that is swept next
	run   uint64 // is added to generations, so that nothing counts that another worker has noted
}

// sets is how many sets a table for so many flows has.
func sets(flows int) int { return max(1, (flows+perSet-1)/perSet) }

// Words is how many double words a table for so many flows takes.
func Words(flows int) int { return headWords + sets(flows)*setWords }

// Format lays an empty table for so many flows out in zeroed memory of Words, which starts at a cache line. seed keeps strangers from choosing flows that
// share a set.
func Format(mem []uint64, flows int, seed uint64) {
	mem[headSets], mem[headSeed] = uint64(sets(flows)), seed
	atomic.StoreUint64(&mem[headKind], kind)
}

// Open finds the table in memory that Format has laid out.
func Open(mem []uint64) (*Table, error) {
	if len(mem) < headWords || atomic.LoadUint64(&mem[headKind]) != kind {
		return nil, fmt.Errorf("flow: %w", ErrLayout)
	}
	n := mem[headSets]
	if n < 1 || n > Max || uint64(len(mem)) < headWords+n*setWords {
		return nil, fmt.Errorf("flow: %w: %d sets in %d words", ErrLayout, n, len(mem))
	}
	return &Table{head: mem[:headWords], n: n, seed: mem[headSeed], sets: mem[headWords:][: n*setWords : n*setWords]}, nil
}

// runShift leaves room for the generations of many years.
const runShift = 48

// Resume is for the worker that a table belongs to from now on, before anything else. The worker before it may have ended in the middle of a change, and had
// another clock: time goes on from where it was, with the first Tick.
func (t *Table) Resume() {
	t.now = t.head[headNow]
	t.begun = false
	t.run = t.head[headRuns] << runShift
	put(&t.head[headRuns], t.head[headRuns]+1)
	if t.head[headAdded] == 0 {
		return // nobody was here before, and the memory need not be touched
	}
	live := uint64(0)
	for i := range t.n {
		s := t.set(i)
		live += uint64(used(s[setTags]))
		if s[setSeq]&1 != 0 {
			atomic.StoreUint64(&s[setSeq], s[setSeq]+1)
		}
	}
	put(&t.head[headLive], live)
}

// set is the line of set i, flow the line of a flow, which are counted through all sets.
func (t *Table) set(i uint64) *[lineWords]uint64 { return (*[lineWords]uint64)(t.sets[i*setWords:]) }

func (t *Table) flow(at uint64) *[lineWords]uint64 {
	return (*[lineWords]uint64)(t.sets[(at/Ways+at+1)*lineWords:])
}

// Hash is what a flow is found by.
func (t *Table) Hash(k Key) uint64 {
	hi, lo := bits.Mul64(k.addrs^t.seed, k.rest^bits.RotateLeft64(t.seed, 32)^0x9e3779b97f4a7c15)
	hi, lo = bits.Mul64(hi^lo^k.rest, 0xa0761d6478bd642f)
	return hi ^ lo
}

// place is the set that a hash belongs to, and the tag of the flow there.
func (t *Table) place(hash uint64) (set, tag uint64) {
	set, _ = bits.Mul64(hash, t.n)
	return set, max(hash&0xff, 1)
}

// Bytes of a word, all the same.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeros has the high bit of each byte of x that is 0, and no other: the shorter (x - 1) &^ x may have those of bytes that are 1 above one that is 0, too, and
// a flow that was taken out above one whose tag is 1 would be found.
func zeros(x uint64) uint64 {
	return ^(x&^highs + ^uint64(highs) | x) & highs
}

// used counts the bytes of x that are not 0.
func used(x uint64) int {
	return bits.OnesCount64((x&^highs + ^uint64(highs) | x) & highs)
}

// Find is where flow k is, whose hash is given; 0: nowhere.
func (t *Table) Find(k Key, hash uint64) uint32 {
	set, tag := t.place(hash)
	for m := zeros(t.set(set)[setTags] ^ tag*ones); m != 0; m &= m - 1 {
		at := set*Ways + uint64(bits.TrailingZeros64(m))/8
		if f := t.flow(at); f[ftAddrs] == k.addrs && f[ftRest] == k.rest {
			return uint32(at) + 1
		}
	}
	return 0
}

// Is tells whether the flow at at, which is from Find or Add and not 0, is still k.
func (t *Table) Is(at uint32, k Key) bool {
	f := t.flow(uint64(at - 1))
	if f[ftAddrs] != k.addrs || f[ftRest] != k.rest {
		return false
	}
	i := uint64(at-1) % Ways * 8
	return t.set(uint64(at-1) / Ways)[setTags]>>i&0xff != 0
}

// Adj is the adjacency that the flow at at goes by; false if the routes have moved since, and it has to be looked up again.
func (t *Table) Adj(at uint32, generation uint64) (id uint32, ok bool) {
	f := t.flow(uint64(at - 1))
	return uint32(f[ftAdj] >> 32), f[ftGeneration] == t.run+generation
}

// Count counts a packet of n bytes for the flow at at.
func (t *Table) Count(at uint32, n int) {
	f := t.flow(uint64(at - 1))
	put(&f[ftPackets], f[ftPackets]+1)
	put(&f[ftBytes], f[ftBytes]+uint64(n))
	put(&f[ftAdj], f[ftAdj]>>32<<32|uint64(uint32(t.now)))
	s := t.set(uint64(at-1) / Ways)
	word, half := stampOf(uint64(at-1) % Ways)
	if uint32(t.now)-uint32(s[word]>>half) >= coarse {
		stamp(s, word, half, uint32(t.now))
	}
}

// stampOf is where way's time stands in its set.
func stampOf(way uint64) (word, half uint64) { return setStamps + way/2, way % 2 * 32 }

func stamp(s *[lineWords]uint64, word, half uint64, now uint32) {
	put(&s[word], s[word]&^(0xffffffff<<half)|uint64(now)<<half)
}

// Renew notes the adjacency that the flow at at goes by as of a generation of the routes.
func (t *Table) Renew(at uint32, generation uint64, id uint32) {
	f := t.flow(uint64(at - 1))
	put(&f[ftAdj], uint64(id)<<32|uint64(uint32(f[ftAdj])))
	put(&f[ftGeneration], t.run+generation)
	put(&t.head[headMoved], t.head[headMoved]+1)
}

// begin tells readers that the flows of a set change.
func begin(s *[lineWords]uint64) { atomic.AddUint64(&s[setSeq], 1) }

// end tells them that they are whole again.
func end(s *[lineWords]uint64) { atomic.StoreUint64(&s[setSeq], s[setSeq]+1) }

// Add enters flow k, which Find has not found, and returns where it is. origin is anything about its first packet. If its set is full, the flow goes that has been idle
// longest: one whose adjacency is out of date is looked up again by its next packet and is worth no less than another.
func (t *Table) Add(k Key, hash uint64, generation uint64, id uint32, origin uint64) uint32 {
	set, tag := t.place(hash)
	s := t.set(set)
	way := t.victim(s)
	begin(s)
	if old := s[setTags] >> (way * 8) & 0xff; old != 0 {
		put(&s[setTags], s[setTags]&^(0xff<<(way*8)))
	}
	f := t.flow(set*Ways + way)
	put(&f[ftAddrs], k.addrs)
	put(&f[ftRest], k.rest)
	put(&f[ftGeneration], t.run+generation)
	put(&f[ftAdj], uint64(id)<<32|uint64(uint32(t.now)))
	put(&f[ftPackets], 0)
	put(&f[ftBytes], 0)
	put(&f[ftOrigin], origin)
	put(&f[ftFirst], t.now)
	word, half := stampOf(way)
	stamp(s, word, half, uint32(t.now))
	put(&s[setTags], s[setTags]|tag<<(way*8))
	end(s)
	put(&t.head[headAdded], t.head[headAdded]+1)
	return uint32(set*Ways+way) + 1
}

// victim is a way that is free, or that the flow is taken out of which has been idle longest; counts are kept.
func (t *Table) victim(s *[lineWords]uint64) (way uint64) {
	if m := zeros(s[setTags]); m != 0 {
		put(&t.head[headLive], t.head[headLive]+1)
		return uint64(bits.TrailingZeros64(m)) / 8
	}
	longest := uint32(0)
	for i := range uint64(Ways) {
		word, half := stampOf(i)
		if idle := uint32(t.now) - uint32(s[word]>>half); idle >= longest {
			way, longest = i, idle
		}
	}
	if longest < Inactive+coarse {
		put(&t.head[headEvict], t.head[headEvict]+1)
	}
	return way
}

// sweepPeriod is how long the sweep takes for the whole table, milliseconds.
const sweepPeriod = 4000

// Sets that are swept at once: where packets wait, and where there are none.
const (
	sweepBusy = 64
	sweepIdle = 1024
)

// Tick tells the time, in nanoseconds of the worker's clock, and takes flows out that have been idle: of a few sets, in turn. idle: there was no packet
// to forward.
func (t *Table) Tick(now int64, idle bool) {
	if !t.begun {
		t.begun, t.base = true, int64(t.now)-now/1e6
	}
	ms := uint64(max(now/1e6+t.base, 0))
	if ms <= t.now {
		return
	}
	due := (ms - t.now) * t.n / sweepPeriod
	t.now = ms
	put(&t.head[headNow], ms)
	if t.head[headLive] == 0 {
		return
	}
	most := uint64(sweepBusy)
	if idle {
		most = sweepIdle
	}
	for range min(due+1, most, t.n) {
		t.sweep(t.set(t.hand))
		if t.hand++; t.hand == t.n {
			t.hand = 0
		}
	}
}

// sweep takes the idle flows of a set out.
func (t *Table) sweep(s *[lineWords]uint64) {
	tags := s[setTags]
	if tags == 0 {
		return
	}
	keep := tags
	for way := range uint64(Ways) {
		word, half := stampOf(way)
		if uint32(t.now)-uint32(s[word]>>half) >= Inactive+coarse {
			keep &^= 0xff << (way * 8)
		}
	}
	if keep == tags {
		return
	}
	begin(s)
	put(&s[setTags], keep)
	end(s)
	put(&t.head[headLive], t.head[headLive]-uint64(used(tags)-used(keep)))
}

// Live is how many flows there are, those included that have been idle and were not swept yet. For the worker.
func (t *Table) Live() uint64 { return t.head[headLive] }
