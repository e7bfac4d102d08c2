// Package arena is one mapped region that holds the tables of the fast path.
//
// What lies in it refers to the rest by offsets (Ref), never by pointers, so that the region can be mapped anywhere: by
// worker processes, and by the naved that follows this one. One writer allocates; any number of readers look without a
// lock. A reader announces the epoch it sees before it looks and goes offline when it has done; what the writer has
// unlinked is retired and used again once every reader that is online has announced a later epoch. A reader that
// sleeps is offline, so it holds up nothing; a dead one is cleared by whoever watches over it.
//
// The region is sparse: what was never written takes no memory. It may hold keys, so it is kept out of core dumps.
package arena

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LayoutVersion counts the changes of what lies in the region. A process that maps a region of another version
// must not touch it.
const LayoutVersion = 7

// ErrFull means that the region has no block of the size asked for.
var ErrFull = errors.New("arena is full")

// ErrLayout means that the region is of a kind that this process does not know.
var ErrLayout = errors.New("arena")

// Line is the unit of allocation and alignment, in bytes: a cache line.
const Line = 64

// Ref is where a block starts, in lines from the start of the region. Zero is no block.
type Ref uint32

// MaxSize is the largest region: Refs that share their word with other bits have 26 of them.
const MaxSize = Line << 26

// MaxReaders is how many readers can be online at once.
const MaxReaders = 64

const magic = 0x6e617665 // "nave"

// header is what the region starts with.
type header struct {
	magic, version uint32
	size           uint64
	epoch          atomic.Uint64
	_              [Line - 24]byte
	readers        [MaxReaders]readerSlot
	brk            uint64 // first byte that was never allocated
	free           [numClasses]Ref
	shape          uint64        // of this, by the build that made it
	root, engine   atomic.Uint32 // the blocks that tell where the tables are, and everything else
	kept           Ref           // the latest note of a kept block
}

// readerSlot is a line of its own, so that readers do not share one. 0: offline.
type readerSlot struct {
	epoch atomic.Uint64
	_     [Line - 8]byte
}

// Arena is a mapped region. Alloc, Free, Retire, Advance and Reclaim are the writer's.
type Arena struct {
	mem  []byte
	h    *header
	fd   int // of the memfd, or -1
	heap bool

	// What waits for its readers, oldest first. It is the writer's own: a writer that takes over a region does not know it, and finds it by Recover.
	retired []retired
	used    uint64
	freed   uint64 // bytes since free blocks were put together
}

type retired struct {
	ref    Ref
	class  uint8
	secret bool
	epoch  uint64
}

// New maps a region of size bytes in a memfd, which Fd gives to those that share it.
func New(size int) (*Arena, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("nave-arena", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("arena: memfd_create: %w", err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, errors.Join(fmt.Errorf("arena: size of memfd: %w", err), unix.Close(fd))
	}
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("arena: map %d bytes: %w", size, err), unix.Close(fd))
	}
	large(mem)
	return mapped(mem, fd)
}

// large asks for large pages: with thousands of peers every packet meets a page that the CPU has forgotten the place of. The kernel gives them where
// /sys/kernel/mm/transparent_hugepage/shmem_enabled says advise, and ordinary ones elsewhere.
func large(mem []byte) { _ = unix.Madvise(mem, unix.MADV_HUGEPAGE) }

// Open maps a region that New made, by its memfd, which belongs to the arena from then on: for who joins in, or takes over. A writer that
// takes over calls Recover before it allocates.
func Open(fd int) (*Arena, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("arena: size of descriptor %d: %w", fd, err)
	}
	if err := checkSize(int(st.Size)); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("arena: map %d bytes: %w", st.Size, err)
	}
	large(mem)
	a := &Arena{mem: mem, fd: fd, h: (*header)(unsafe.Pointer(&mem[0]))}
	if err := unix.Madvise(mem, unix.MADV_DONTDUMP); err != nil {
		return nil, errors.Join(fmt.Errorf("arena: keep the region out of dumps: %w", err), unix.Munmap(mem))
	}
	if a.h.magic != magic || a.h.version != LayoutVersion || a.h.size != uint64(len(mem)) || a.h.shape != headerShape() {
		err := fmt.Errorf("%w: the region has layout %d and %d bytes: want layout %d and %d bytes; start with an empty one",
			ErrLayout, a.h.version, a.h.size, LayoutVersion, len(mem))
		return nil, errors.Join(err, unix.Munmap(mem))
	}
	a.used = a.h.brk // what is in the free lists counts as used
	return a, nil
}

// NewPrivate maps a region that no other process can share. It needs no file descriptor: for many engines in one process.
func NewPrivate(size int) (*Arena, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("arena: map %d bytes: %w", size, err)
	}
	return mapped(mem, -1)
}

// NewHeap makes a region of ordinary Go memory, the only kind that the race detector watches.
func NewHeap(size int) (*Arena, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	mem := make([]byte, size+Line)
	skip := -int(uintptr(unsafe.Pointer(&mem[0]))) & (Line - 1)
	a := &Arena{mem: mem[skip : skip+size], fd: -1, heap: true}
	a.format()
	return a, nil
}

func mapped(mem []byte, fd int) (*Arena, error) {
	a := &Arena{mem: mem, fd: fd}
	if err := unix.Madvise(mem, unix.MADV_DONTDUMP); err != nil {
		return nil, errors.Join(fmt.Errorf("arena: keep the region out of dumps: %w", err), a.Close())
	}
	a.format()
	return a, nil
}

func checkSize(size int) error {
	least := int(unsafe.Sizeof(header{})) + Line
	if size < least || size > MaxSize || size%os.Getpagesize() != 0 {
		return fmt.Errorf("arena: size of %d bytes: want %d to %d, in whole pages", size, least, MaxSize)
	}
	return nil
}

func (a *Arena) format() {
	a.h = (*header)(unsafe.Pointer(&a.mem[0]))
	a.h.magic, a.h.version, a.h.size, a.h.shape = magic, LayoutVersion, uint64(len(a.mem)), headerShape()
	a.h.epoch.Store(1)
	a.h.brk = (uint64(unsafe.Sizeof(header{})) + Line - 1) &^ (Line - 1)
	a.used = a.h.brk
}

// Close unmaps the region. Nothing that came from it may be used afterwards.
func (a *Arena) Close() error {
	var err error
	if !a.heap && a.mem != nil {
		err = unix.Munmap(a.mem)
	}
	a.mem, a.h = nil, nil
	if a.fd >= 0 {
		err = errors.Join(err, unix.Close(a.fd))
		a.fd = -1
	}
	return err
}

// Fd is the memfd, or -1.
func (a *Arena) Fd() int { return a.fd }

// Size is how large the region is, in bytes.
func (a *Arena) Size() int { return len(a.mem) }

// Used is how many bytes are allocated, what is retired included.
func (a *Arena) Used() int { return int(a.used) }

// Root is the block that SetRoot named, 0 before.
func (a *Arena) Root() Ref { return Ref(a.h.root.Load()) }

// SetRoot names the block from which the tables are found.
func (a *Arena) SetRoot(r Ref) { a.h.root.Store(uint32(r)) }

// Engine is the block that SetEngine named, 0 before.
func (a *Arena) Engine() Ref { return Ref(a.h.engine.Load()) }

// SetEngine names the block from which all but the tables is found.
func (a *Arena) SetEngine(r Ref) { a.h.engine.Store(uint32(r)) }

// Bytes is the first n bytes of block r.
func (a *Arena) Bytes(r Ref, n int) []byte {
	o := int(r) * Line
	return a.mem[o : o+n : o+n]
}

// Ptr is where block r starts.
func (a *Arena) Ptr(r Ref) unsafe.Pointer { return unsafe.Pointer(&a.mem[int(r)*Line]) }

// U32 is the first n words of block r.
func (a *Arena) U32(r Ref, n int) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(&a.Bytes(r, 4*n)[0])), n)
}

// U64 is the first n double words of block r.
func (a *Arena) U64(r Ref, n int) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(&a.Bytes(r, 8*n)[0])), n)
}
