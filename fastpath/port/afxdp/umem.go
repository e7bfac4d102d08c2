// Package afxdp is a port on a Linux netdev through an AF_XDP socket, one ring a file.
//
// Four rings join a socket and the kernel. The kernel takes empty chunks from the fill ring, puts packets into them
// and hands them up on the RX ring; nave puts packets on the TX ring, and the kernel gives their chunks back on the
// completion ring. The chunks lie in a UMEM that all ports of one worker share, so a packet that came in by one
// port leaves by another without a copy.
//
// A UMEM and its ports belong to one worker: no locks. The netdev's XDP program (package bpf) must redirect to the
// socket, whose descriptor is FD.
package afxdp

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// UMEM is memory that packets of all ports of one worker live in.
type UMEM struct {
	mem   []byte
	pool  *port.Pool
	owner []uint16 // by chunk: the port number that the kernel holds it for; 0 when it is the worker's
	ports []*Port  // open ports; the first one of all registered the memory
	next  uint16
	// copied is why the ports copy; nil when they do not.
	copied error
	// mapped is all that was mapped, of which mem is what lies in whole pages; small is why they are not huge ones.
	mapped []byte
	small  error
}

// HugePage is the size of the pages that a UMEM asks for, in bytes.
const HugePage = 2 << 20

// NewUMEM maps memory of n chunks of chunkSize bytes (2048, or 4096 for MTUs above 1500): in huge pages if the system has as many reserved
// (vm.nr_hugepages), which saves the CPU most look-ups of addresses, or else in ordinary ones.
func NewUMEM(n, chunkSize int) (*UMEM, error) {
	if chunkSize != 2048 && chunkSize != 4096 {
		return nil, fmt.Errorf("afxdp: chunk size %d: the kernel takes 2048 or 4096", chunkSize)
	}
	if n < 1 || n > 1<<24 {
		return nil, fmt.Errorf("afxdp: memory of %d packets: want 1 to %d", n, 1<<24)
	}
	size := n * chunkSize
	u := &UMEM{owner: make([]uint16, n)}
	if err := u.mapHuge(size); err != nil {
		u.small = err
		if err := u.mapSmall(size); err != nil {
			return nil, fmt.Errorf("afxdp: map %d MiB for packets: %w", size>>20, err)
		}
	}
	// Packets in clear lie here: keep them out of core files. A kernel without core dumps refuses, and needs none.
	_ = unix.Madvise(u.mapped, unix.MADV_DONTDUMP)
	u.pool = port.NewPool(u.mem, chunkSize)
	return u, nil
}

const (
	protection = unix.PROT_READ | unix.PROT_WRITE
	private    = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	huge2M     = 21 << unix.MAP_HUGE_SHIFT
)

// errTooSmall is why little memory takes ordinary pages: the rest of a huge one would be wasted, and they are few.
var errTooSmall = errors.New("less than one huge page")

func (u *UMEM) mapHuge(size int) error {
	if size < HugePage {
		return errTooSmall
	}
	whole := (size + HugePage - 1) &^ (HugePage - 1)
	mem, err := unix.Mmap(-1, 0, whole, protection, private|unix.MAP_POPULATE|unix.MAP_HUGETLB|huge2M)
	if err != nil {
		return fmt.Errorf("%d huge pages of 2 MiB: %w", whole/HugePage, err)
	}
	u.mapped, u.mem = mem, mem[:size:size]
	return nil
}

// mapSmall maps ordinary pages, where a huge one could begin, and tells the kernel that it may merge them.
func (u *UMEM) mapSmall(size int) error {
	room := size
	if size >= HugePage {
		room += HugePage
	}
	mem, err := unix.Mmap(-1, 0, room, protection, private|unix.MAP_NORESERVE)
	if err != nil {
		return err
	}
	skip := 0
	if size >= HugePage {
		skip = int(-uintptr(unsafe.Pointer(&mem[0])) & (HugePage - 1))
		_ = unix.Madvise(mem[skip:skip+size], unix.MADV_HUGEPAGE) // a kernel without them serves small ones
	}
	u.mapped, u.mem = mem, mem[skip:skip+size:skip+size]
	// Touch all of it now, not while packets wait. Kernels before 5.14 can't, and do it when the memory is registered.
	_ = unix.Madvise(u.mem, unix.MADV_POPULATE_WRITE)
	return nil
}

// Huge tells whether the memory lies in huge pages that were reserved. If not, why says what the kernel answered.
func (u *UMEM) Huge() (ok bool, why error) { return u.small == nil, u.small }

// HugePages is how many huge pages the memory takes, or would.
func (u *UMEM) HugePages() int { return (len(u.mem) + HugePage - 1) / HugePage }

// Pool is the frames of the UMEM.
func (u *UMEM) Pool() *port.Pool { return u.pool }

// Close unmaps the memory. All its ports must be closed.
func (u *UMEM) Close() error {
	if len(u.ports) > 0 {
		return fmt.Errorf("afxdp: close the UMEM: %d ports are open", len(u.ports))
	}
	if err := unix.Munmap(u.mapped); err != nil {
		return fmt.Errorf("afxdp: unmap packets: %w", err)
	}
	u.mem, u.mapped, u.pool = nil, nil, nil
	return nil
}

// register makes fd the socket that owns the memory.
func (u *UMEM) register(fd int) error {
	reg := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(&u.mem[0]))), Len: uint64(len(u.mem)),
		Size: uint32(u.pool.ChunkSize()),
	}
	_, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_UMEM_REG,
		uintptr(unsafe.Pointer(&reg)), unsafe.Sizeof(reg), 0)
	if e != 0 {
		return fmt.Errorf("register the UMEM: %w", e)
	}
	return nil
}

// reclaim takes back every chunk that the kernel still holds for port p, after its socket is gone.
func (u *UMEM) reclaim(p uint16) {
	for c, o := range u.owner {
		if o == p {
			u.owner[c] = 0
			u.pool.Put(uint32(c))
		}
	}
}
