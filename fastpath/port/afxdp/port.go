package afxdp

import (
	"fmt"
	"math/bits"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserve is how many chunks refill leaves in the pool, for fragments, replicated and injected packets.
const reserve = 256

// fillBatch is how many chunks refill gives the kernel at least: a quarter of a ring at most.
const fillBatch = 32

// Config says which queue of which netdev to open, and how.
type Config struct {
	Ifindex int
	Queue   int
	// Socket is an AF_XDP socket (NewSocket) that was made in the netdev's network namespace, where that is not the caller's; 0: Open makes one. Open takes it in any case.
	Socket int
	Ring   int // entries of each ring, a power of two; 0 means 2048
	// Copy refuses zero-copy, which the kernel otherwise uses where the driver can. Only the first port of a UMEM
	// chooses; the others follow it.
	Copy bool
	// BusyPoll makes the worker's calls drive the queue instead of interrupts, each for so many microseconds at most; 0 does not. Budget is the
	// packets that one call may deliver; 0 is 64. The netdev wants napi_defer_hard_irqs and gro_flush_timeout set with it.
	BusyPoll, Budget int
}

// Stats are numbers of one port beyond what the worker counts.
type Stats struct {
	Wakeups    uint64 // system calls
	SendErrors uint64 // wake-ups that the kernel refused: link down, no memory
	Dropped    uint64 // packets that the kernel dropped: no chunk to put them in, or too long for one
	RingFull   uint64 // packets that the kernel dropped because the RX ring was full
	FillEmpty  uint64 // times that the kernel found no chunk on the fill ring
	TxEmpty    uint64 // times that the kernel found nothing on the TX ring
	Invalid    uint64 // descriptors that could not be: refused by the kernel, or by nave
}

// Port is one queue of a netdev. It implements port.Port and port.Pender.
type Port struct {
	umem        *UMEM
	fd          int
	config      Config
	number      uint16 // in the UMEM's owner table
	shift       uint
	offset      uint64 // mask of the position in a chunk
	fill        ring
	rx          ring
	tx          ring
	completion  ring
	outstanding uint32 // packets given to the TX ring and not completed
	fillBatch   uint32
	busy        bool
	whyCopy     error // why there is no zero-copy
	whyNoBusy   error // why there is no busy polling, where it was asked for
	wakeups     atomic.Uint64
	bad         atomic.Uint64 // descriptors that could not be
	sendErrors  atomic.Uint64
	closed      bool
}

// NewSocket makes an AF_XDP socket in the caller's network namespace, for Config.Socket. It may be bound to netdevs of that namespace alone, by whichever process.
func NewSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("afxdp: socket (CAP_NET_RAW? kernel with XDP_SOCKETS?): %w", err)
	}
	return fd, nil
}

// Open binds a socket to the queue, in the caller's network namespace unless Config.Socket says another. Packets arrive once FD stands in the XDP
// program's map.
func Open(u *UMEM, c Config) (*Port, error) {
	if c.Ring == 0 {
		c.Ring = 2048
	}
	fd, err := c.Socket, error(nil)
	if fd == 0 {
		if fd, err = NewSocket(); err != nil {
			return nil, err
		}
	}
	if bits.OnesCount(uint(c.Ring)) != 1 {
		unix.Close(fd)
		return nil, fmt.Errorf("afxdp: ring of %d entries: must be a power of two", c.Ring)
	}
	u.next++
	p := &Port{
		umem: u, fd: fd, config: c, number: u.next, shift: u.pool.Shift(), offset: uint64(u.pool.ChunkSize() - 1),
		fillBatch: uint32(max(1, min(fillBatch, c.Ring/4))),
	}
	if err := p.open(c); err != nil {
		p.unmap()
		unix.Close(fd)
		u.reclaim(p.number)
		return nil, fmt.Errorf("afxdp: interface %d queue %d: %w", c.Ifindex, c.Queue, err)
	}
	u.ports = append(u.ports, p)
	p.refill()
	return p, nil
}

func (p *Port) open(c Config) error {
	first := len(p.umem.ports) == 0
	if first {
		if err := p.umem.register(p.fd); err != nil {
			return err
		}
	}
	for _, o := range []struct {
		name   string
		option int
	}{
		{"fill", unix.XDP_UMEM_FILL_RING}, {"completion", unix.XDP_UMEM_COMPLETION_RING},
		{"RX", unix.XDP_RX_RING}, {"TX", unix.XDP_TX_RING},
	} {
		if err := unix.SetsockoptInt(p.fd, unix.SOL_XDP, o.option, c.Ring); err != nil {
			return fmt.Errorf("%s ring of %d entries: %w", o.name, c.Ring, err)
		}
	}
	if err := p.mapRings(uint32(c.Ring)); err != nil {
		return err
	}
	// Older kernels have no such option and send 32 packets a wake-up: slower, nothing else.
	_ = unix.SetsockoptInt(p.fd, unix.SOL_XDP, optionTxBudget, min(c.Ring, 256))
	p.whyNoBusy = p.busyPoll(c)
	var err error
	if p.whyCopy, err = p.bind(c, first); err != nil {
		return err
	}
	if first {
		p.umem.copied = p.whyCopy
	}
	return nil
}

func (p *Port) mapRings(n uint32) error {
	var off unix.XDPMmapOffsets
	size := uint32(unsafe.Sizeof(off))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(p.fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS,
		uintptr(unsafe.Pointer(&off)), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 {
		return fmt.Errorf("ask for the ring offsets: %w", e)
	}
	descriptor, address := unsafe.Sizeof(unix.XDPDesc{}), unsafe.Sizeof(uint64(0))
	var err error
	for _, m := range []struct {
		r     *ring
		pgoff int64
		off   unix.XDPRingOffset
		size  uintptr
	}{
		{&p.fill, unix.XDP_UMEM_PGOFF_FILL_RING, off.Fr, address},
		{&p.completion, unix.XDP_UMEM_PGOFF_COMPLETION_RING, off.Cr, address},
		{&p.rx, unix.XDP_PGOFF_RX_RING, off.Rx, descriptor},
		{&p.tx, unix.XDP_PGOFF_TX_RING, off.Tx, descriptor},
	} {
		if *m.r, err = mapRing(p.fd, m.pgoff, m.off, n, m.size); err != nil {
			return err
		}
	}
	return nil
}

// FD is the socket: readable when packets wait, and what goes into the XDP program's map.
func (p *Port) FD() int { return p.fd }

// ZeroCopy tells whether the driver works in the UMEM itself.
func (p *Port) ZeroCopy() bool {
	v, err := unix.GetsockoptInt(p.fd, unix.SOL_XDP, unix.XDP_OPTIONS)
	return err == nil && v&unix.XDP_OPTIONS_ZEROCOPY != 0
}

// Stats reads the port's numbers. Any goroutine may call it.
func (p *Port) Stats() Stats {
	s := Stats{Wakeups: p.wakeups.Load(), SendErrors: p.sendErrors.Load()}
	var k unix.XDPStatistics
	size := uint32(unsafe.Sizeof(k))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(p.fd), unix.SOL_XDP, unix.XDP_STATISTICS,
		uintptr(unsafe.Pointer(&k)), uintptr(unsafe.Pointer(&size)), 0)
	if e == 0 {
		s.Dropped, s.RingFull = k.Rx_dropped, k.Rx_ring_full
		s.FillEmpty, s.TxEmpty = k.Rx_fill_ring_empty_descs, k.Tx_ring_empty_descs
		s.Invalid = k.Rx_invalid_descs + k.Tx_invalid_descs
	}
	s.Invalid += p.bad.Load()
	return s
}

// Close ends the socket and returns its chunks. Take it out of the XDP program's map first.
func (p *Port) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.umem.ports = slices.DeleteFunc(p.umem.ports, func(q *Port) bool { return q == p })
	return p.end()
}

func (p *Port) end() error {
	p.unmap()
	err := unix.Close(p.fd)
	p.umem.reclaim(p.number)
	if err != nil {
		return fmt.Errorf("afxdp: close: %w", err)
	}
	return nil
}

func (p *Port) unmap() {
	for _, r := range []*ring{&p.fill, &p.completion, &p.rx, &p.tx} {
		r.unmap()
	}
}
