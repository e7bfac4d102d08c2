package afxdp

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is one of the four queues, shared with the kernel: one side produces, the other consumes. The indices run
// freely and are masked on use. Both are cached, so that the shared words are touched once a burst, not once a packet.
type ring struct {
	producer, consumer *uint32 // shared
	flags              *uint32 // shared: the kernel asks for a wake-up
	entries            unsafe.Pointer
	mask, size         uint32
	prod, cons         uint32 // our copies
	mem                []byte
}

// mapRing maps the ring at page offset pgoff of socket fd: n entries of size bytes.
func mapRing(fd int, pgoff int64, off unix.XDPRingOffset, n uint32, size uintptr) (ring, error) {
	mem, err := unix.Mmap(fd, pgoff, int(off.Desc)+int(n)*int(size),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return ring{}, fmt.Errorf("map a ring: %w", err)
	}
	base := unsafe.Pointer(&mem[0])
	r := ring{
		producer: (*uint32)(unsafe.Add(base, off.Producer)),
		consumer: (*uint32)(unsafe.Add(base, off.Consumer)),
		flags:    (*uint32)(unsafe.Add(base, off.Flags)),
		entries:  unsafe.Add(base, off.Desc),
		mask:     n - 1, size: n, mem: mem,
	}
	r.prod, r.cons = atomic.LoadUint32(r.producer), atomic.LoadUint32(r.consumer)
	return r, nil
}

func (r *ring) unmap() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem) // a mapping that we made: munmap can't refuse it
		r.mem = nil
	}
}

// filled is how many entries the consumer can take, want at most.
func (r *ring) filled(want uint32) uint32 {
	n := r.prod - r.cons
	if n < want {
		r.prod = atomic.LoadUint32(r.producer)
		n = r.prod - r.cons
	}
	return min(n, want, r.size)
}

// room is how many entries the producer can put, want at most.
func (r *ring) room(want uint32) uint32 {
	n := r.size - (r.prod - r.cons)
	if n < want {
		r.cons = atomic.LoadUint32(r.consumer)
		n = r.size - (r.prod - r.cons)
	}
	return min(n, want, r.size)
}

// produce shows the kernel n entries written from r.prod on.
func (r *ring) produce(n uint32) {
	r.prod += n
	atomic.StoreUint32(r.producer, r.prod)
}

// consume gives the kernel back n entries read from r.cons on.
func (r *ring) consume(n uint32) {
	r.cons += n
	atomic.StoreUint32(r.consumer, r.cons)
}

// consumerBehind tells whether the kernel has not taken all that was produced.
func (r *ring) consumerBehind() bool { return atomic.LoadUint32(r.consumer) != r.prod }

// wantsWakeup tells whether the kernel waits for a system call on this ring.
func (r *ring) wantsWakeup() bool { return atomic.LoadUint32(r.flags)&unix.XDP_RING_NEED_WAKEUP != 0 }

// address is entry i of a ring of chunk addresses (fill, completion).
func (r *ring) address(i uint32) *uint64 {
	return (*uint64)(unsafe.Add(r.entries, uintptr(i&r.mask)*8))
}

// descriptor is entry i of a ring of packets (RX, TX).
func (r *ring) descriptor(i uint32) *unix.XDPDesc {
	return (*unix.XDPDesc)(unsafe.Add(r.entries, uintptr(i&r.mask)*unsafe.Sizeof(unix.XDPDesc{})))
}
