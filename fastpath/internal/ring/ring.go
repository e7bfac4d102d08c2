// Package ring is a bounded queue of fixed slots in plain memory, with one writer and one reader, who may live in
// different processes that map that memory.
//
// The writer fills a slot where it lies and publishes it; the reader reads it where it lies and gives it back. Neither ever waits: a
// full ring refuses, an empty one has nothing. A reader that is about to sleep says so (Arm), and only then does the writer owe it a wake-up.
package ring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"
)

const (
	line    = 64
	magic   = 0x6e617672
	version = 1
)

// ErrLayout means that the memory holds no ring of this shape.
var ErrLayout = errors.New("not a ring of this layout")

// header is what the memory starts with. Writer's and reader's words have a line each.
type header struct {
	magic, version, slots, size uint32
	_                           [line - 16]byte
	head                        atomic.Uint64 // slots ever written
	_                           [line - 8]byte
	tail                        atomic.Uint64 // slots ever given back
	_                           [line - 8]byte
	asleep                      atomic.Uint32
	_                           [line - 4]byte
}

const headerSize = int(unsafe.Sizeof(header{}))

// Ring is one end of a queue.
type Ring struct {
	h     *header
	slots []byte
	size  uint64
	mask  uint64
	// The writer's copy of tail and the reader's copy of head, read again only when they say full or empty.
	seenTail, seenHead uint64
	head, tail         uint64
}

// Bytes is how much memory a ring of slots of size bytes takes. slots is a power of two, size a multiple of 64.
func Bytes(slots, size int) int { return headerSize + slots*size }

// New makes a ring in mem, which is zero and aligned to 64 bytes.
func New(mem []byte, slots, size int) (*Ring, error) {
	if slots < 2 || slots&(slots-1) != 0 || slots > 1<<24 {
		return nil, fmt.Errorf("ring: %d slots: want a power of two from 2 on", slots)
	}
	if size < line || size%line != 0 {
		return nil, fmt.Errorf("ring: slots of %d bytes: want a multiple of %d", size, line)
	}
	if len(mem) < Bytes(slots, size) {
		return nil, fmt.Errorf("ring: %d bytes of memory: want %d", len(mem), Bytes(slots, size))
	}
	h := (*header)(unsafe.Pointer(&mem[0]))
	h.magic, h.version, h.slots, h.size = magic, version, uint32(slots), uint32(size)
	return Open(mem)
}

// Open finds the ring that New made in mem, where its last user left off.
func Open(mem []byte) (*Ring, error) {
	if len(mem) < headerSize {
		return nil, ErrLayout
	}
	h := (*header)(unsafe.Pointer(&mem[0]))
	slots, size := int(h.slots), int(h.size)
	if h.magic != magic || h.version != version || slots < 2 || slots&(slots-1) != 0 || size < line || len(mem) < Bytes(slots, size) {
		return nil, ErrLayout
	}
	r := &Ring{h: h, slots: mem[headerSize:Bytes(slots, size)], size: uint64(size), mask: uint64(slots - 1)}
	r.head, r.tail = h.head.Load(), h.tail.Load()
	r.seenHead, r.seenTail = r.head, r.tail
	return r, nil
}

// SlotSize is the size of a slot in bytes.
func (r *Ring) SlotSize() int { return int(r.size) }

// Len is how many slots wait to be read.
func (r *Ring) Len() int { return int(r.h.head.Load() - r.h.tail.Load()) }

func (r *Ring) slot(i uint64) []byte {
	o := (i & r.mask) * r.size
	return r.slots[o : o+r.size : o+r.size]
}

// Reserve is the next slot to fill, nil when the ring is full. Writer only.
func (r *Ring) Reserve() []byte {
	if r.head-r.seenTail > r.mask {
		if r.seenTail = r.h.tail.Load(); r.head-r.seenTail > r.mask {
			return nil
		}
	}
	return r.slot(r.head)
}

// Advance goes on to the next slot without publishing the one that Reserve gave: Publish shows all of a burst at once. Writer only.
func (r *Ring) Advance() { r.head++ }

// Publish shows the reader every slot that Advance left behind. Writer only.
func (r *Ring) Publish() { r.h.head.Store(r.head) }

// Commit publishes the slot that Reserve gave. Writer only.
func (r *Ring) Commit() {
	r.head++
	r.h.head.Store(r.head)
}

// Peek is the oldest slot, nil when there is none. Reader only.
func (r *Ring) Peek() []byte {
	if r.tail == r.seenHead {
		if r.seenHead = r.h.head.Load(); r.tail == r.seenHead {
			return nil
		}
	}
	return r.slot(r.tail)
}

// Pass goes on to the next slot without giving back the one that Peek gave: Return gives back all of a burst at once. Reader only.
func (r *Ring) Pass() { r.tail++ }

// Return gives back every slot that Pass left behind. Reader only.
func (r *Ring) Return() { r.h.tail.Store(r.tail) }

// Release gives the slot back that Peek gave. Reader only.
func (r *Ring) Release() {
	r.tail++
	r.h.tail.Store(r.tail)
}

// Arm says that the reader goes to sleep and wants to be woken. False: there is something to read already, and
// nobody will wake it. Reader only.
func (r *Ring) Arm() bool {
	r.h.asleep.Store(1)
	if r.h.head.Load() != r.tail {
		r.h.asleep.Store(0)
		return false
	}
	return true
}

// Disarm says that the reader is awake. Reader only.
func (r *Ring) Disarm() { r.h.asleep.Store(0) }

// TakeWake tells, once, whether the reader sleeps and has to be woken for what was committed. Writer only.
func (r *Ring) TakeWake() bool {
	return r.h.asleep.Load() != 0 && r.h.asleep.Swap(0) != 0
}
