package ring

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// Records is one end of a queue of byte strings of any length, in plain memory as Ring: one writer and one reader, maybe in different processes. What finds no room is the
// writer's to count. What the writer puts is seen by the reader when it is published, and can be taken back until then.
type Records struct {
	h    *recordsHeader
	data []byte
	size uint64
	// Of the writer head is with what is not published; of the reader tail is with what was peeked at.
	head, tail uint64
	next       uint64 // of the reader: behind the record that Peek gave
}

const (
	recordsMagic   = 0x6e617672_65637301
	recordHead     = 8 // in front of each record: its length
	recordSkip     = ^uint64(0)
	recordsHeadLen = int(unsafe.Sizeof(recordsHeader{}))
)

type recordsHeader struct {
	magic atomic.Uint64
	size  atomic.Uint64
	_     [line - 16]byte
	head  atomic.Uint64 // bytes ever published
	lost  atomic.Uint64 // records that found no room
	_     [line - 16]byte
	tail  atomic.Uint64 // bytes ever given back
	_     [line - 8]byte
}

// NewRecords makes an empty queue in mem, which is aligned to 8 bytes, or opens the one that is there.
func NewRecords(mem []byte) (*Records, error) {
	size := (len(mem) - recordsHeadLen) &^ 7
	if size < line {
		return nil, ErrLayout
	}
	h := (*recordsHeader)(unsafe.Pointer(&mem[0]))
	if h.magic.Load() != recordsMagic {
		h.size.Store(uint64(size))
		h.magic.Store(recordsMagic)
	}
	return OpenRecords(mem)
}

// OpenRecords finds the queue that NewRecords made in mem, where its last users left off.
func OpenRecords(mem []byte) (*Records, error) {
	if len(mem) < recordsHeadLen {
		return nil, ErrLayout
	}
	h := (*recordsHeader)(unsafe.Pointer(&mem[0]))
	size := h.size.Load()
	if h.magic.Load() != recordsMagic || size < line || size&7 != 0 || size > uint64(len(mem)-recordsHeadLen) {
		return nil, ErrLayout
	}
	r := &Records{h: h, data: mem[recordsHeadLen : recordsHeadLen+int(size)], size: size}
	r.head, r.tail = h.head.Load()&^7, h.tail.Load()&^7
	r.next = r.tail
	return r, nil
}

// Put makes room for a record of n bytes behind those that were put before, and returns it; nil when there is none. Writer only.
func (r *Records) Put(n int) []byte {
	need := recordHead + (uint64(n)+7)&^7
	at := r.head % r.size
	skip := uint64(0)
	if at+need > r.size {
		skip = r.size - at // a record lies in one piece
	}
	if used := r.head - r.h.tail.Load(); used > r.size || skip+need > r.size-used {
		return nil
	}
	if skip > 0 {
		binary.LittleEndian.PutUint64(r.data[at:], recordSkip)
		r.head += skip
		at = 0
	}
	binary.LittleEndian.PutUint64(r.data[at:], uint64(n))
	r.head += need
	return r.data[at+recordHead : at+recordHead+uint64(n) : at+need]
}

// Mark is where the next record will be; Rewind takes back all that was put since, and is not published. Writer only.
func (r *Records) Mark() uint64 { return r.head }

// Rewind is told there.
func (r *Records) Rewind(mark uint64) { r.head = mark }

// Publish shows the reader what was put. Writer only.
func (r *Records) Publish() { r.h.head.Store(r.head) }

// Lose counts a record that found no room. Writer only.
func (r *Records) Lose() { r.h.lost.Store(r.h.lost.Load() + 1) }

// Lost is how many those are, ever.
func (r *Records) Lost() uint64 { return r.h.lost.Load() }

// Peek is the oldest record, nil when there is none. What a writer has spoiled is passed over as a whole. Reader only.
func (r *Records) Peek() []byte {
	for {
		there := r.h.head.Load() - r.tail
		if there == 0 {
			return nil
		}
		at := r.tail % r.size
		if there > r.size || there < recordHead {
			r.Discard()
			return nil
		}
		n := binary.LittleEndian.Uint64(r.data[at:])
		if n == recordSkip {
			r.tail += r.size - at
			if r.size-at > there {
				r.Discard()
				return nil
			}
			continue
		}
		if n > r.size || recordHead+(n+7)&^7 > min(there, r.size-at) {
			r.Discard()
			return nil
		}
		r.next = r.tail + recordHead + (n+7)&^7
		return r.data[at+recordHead : at+recordHead+n : at+recordHead+n]
	}
}

// Release gives the record back that Peek gave. Reader only.
func (r *Records) Release() {
	r.tail = r.next
	r.h.tail.Store(r.tail)
}

// Discard gives everything back that is published. Reader only.
func (r *Records) Discard() {
	r.tail = r.h.head.Load() &^ 7
	r.next = r.tail
	r.h.tail.Store(r.tail)
}
