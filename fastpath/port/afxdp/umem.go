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
	ports []*Port  // open ports; the first registered the memory
	next  uint16
}

// NewUMEM maps memory of n chunks of chunkSize bytes (2048, or 4096 for MTUs above 1500).
func NewUMEM(n, chunkSize int) (*UMEM, error) {
	if chunkSize != 2048 && chunkSize != 4096 {
		return nil, fmt.Errorf("afxdp: chunk size %d: the kernel takes 2048 or 4096", chunkSize)
	}
	mem, err := unix.Mmap(-1, 0, n*chunkSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("afxdp: map %d MiB for packets: %w", n*chunkSize>>20, err)
	}
	// Packets in clear lie here: keep them out of core files. A kernel without core dumps refuses, and needs none.
	_ = unix.Madvise(mem, unix.MADV_DONTDUMP)
	return &UMEM{mem: mem, pool: port.NewPool(mem, chunkSize), owner: make([]uint16, n)}, nil
}

// Pool is the frames of the UMEM.
func (u *UMEM) Pool() *port.Pool { return u.pool }

// Close unmaps the memory. All its ports must be closed.
func (u *UMEM) Close() error {
	if len(u.ports) > 0 {
		return fmt.Errorf("afxdp: close the UMEM: %d ports are open", len(u.ports))
	}
	if err := unix.Munmap(u.mem); err != nil {
		return fmt.Errorf("afxdp: unmap packets: %w", err)
	}
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

// take marks a chunk as the kernel's, held for port p, and release as the worker's again.
func (u *UMEM) take(chunk uint32, p uint16) { u.owner[chunk] = p }

func (u *UMEM) release(chunk uint32) {
	u.owner[chunk] = 0
	u.pool.Put(chunk)
}

// reclaim takes back every chunk that the kernel still holds for port p, after its socket is gone.
func (u *UMEM) reclaim(p uint16) {
	for c, o := range u.owner {
		if o == p {
			u.release(uint32(c))
		}
	}
}
