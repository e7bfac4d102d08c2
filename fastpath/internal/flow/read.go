package flow

import "sync/atomic"

// Record is a copy of a flow.
type Record struct {
	Key       Key
	Adj       uint32
	Packets   uint64
	Bytes     uint64
	Origin    uint64 // what Add was told
	Age, Idle uint64 // since its first and last packet, milliseconds
}

// Stats is the numbers of a table.
type Stats struct {
	Live     uint64 // flows, those included that have been idle and were not swept yet
	Capacity uint64
	Added    uint64
	Evicted  uint64 // in use, when another flow took their place
	Moved    uint64 // looked up again, since routes had moved
}

// Stats reads the numbers of a table. Each is right; they are not all of the same instant.
func (t *Table) Stats() Stats {
	load := func(i int) uint64 { return atomic.LoadUint64(&t.head[i]) }
	return Stats{Live: load(headLive), Capacity: t.n * Ways, Added: load(headAdded), Evicted: load(headEvict), Moved: load(headMoved)}
}

// Sets is how many sets Read knows.
func (t *Table) Sets() int { return int(t.n) }

// attempts is how often a reader tries to see a set between two changes. One that changes all the time is left out: its worker may have died in a change.
const attempts = 64

// Read copies the flows of set i, those that have been idle left out, and returns how many there are. Anybody may call it, at any time. Bytes may be those of one packet
// more or less than Packets: the worker may be counting.
func (t *Table) Read(i int, into *[Ways]Record) (n int) {
	s := t.set(uint64(i))
	for range attempts {
		seq := atomic.LoadUint64(&s[setSeq])
		if seq&1 != 0 {
			continue
		}
		n = 0
		for way, tags := uint64(0), atomic.LoadUint64(&s[setTags]); tags != 0; way, tags = way+1, tags>>8 {
			if tags&0xff != 0 && t.read(uint64(i)*Ways+way, &into[n]) {
				n++
			}
		}
		if atomic.LoadUint64(&s[setSeq]) == seq {
			return n
		}
	}
	return 0
}

// read copies a flow; false for one that has been idle.
func (t *Table) read(at uint64, r *Record) bool {
	f := t.flow(at)
	load := func(i int) uint64 { return atomic.LoadUint64(&f[i]) }
	adj := load(ftAdj)
	*r = Record{Key: Key{load(ftAddrs), load(ftRest)}, Adj: uint32(adj >> 32), Origin: load(ftOrigin)}
	for range attempts {
		r.Packets, r.Bytes = load(ftPackets), load(ftBytes)
		if load(ftPackets) == r.Packets {
			break
		}
	}
	// The time is read after what it is compared with, so that it is not before.
	first := load(ftFirst)
	now := atomic.LoadUint64(&t.head[headNow])
	r.Age = now - min(first, now)
	r.Idle = uint64(uint32(now) - uint32(adj))
	return r.Idle < Inactive
}
