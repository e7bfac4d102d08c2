package afxdp

import (
	"errors"
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
	Ring    int // entries of each ring, a power of two; 0 means 2048
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
	zombie      bool // closed, but its socket carries the UMEM of others
}

// Open binds a socket to the queue, in the caller's network namespace. Packets arrive once FD stands in the XDP
// program's map. ErrHeld: the queue was open before, otherwise, and can't be as long as the UMEM has other ports.
func Open(u *UMEM, c Config) (*Port, error) {
	if c.Ring == 0 {
		c.Ring = 2048
	}
	if bits.OnesCount(uint(c.Ring)) != 1 {
		return nil, fmt.Errorf("afxdp: ring of %d entries: must be a power of two", c.Ring)
	}
	if p, err := u.revive(c); p != nil || err != nil {
		return p, err
	}
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("afxdp: socket (CAP_NET_RAW? kernel with XDP_SOCKETS?): %w", err)
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

// Close ends the socket and returns its chunks. Take it out of the XDP program's map first. The socket that
// registered the UMEM stays, unused, until the last port of the UMEM closes: the kernel wants it for new ones.
func (p *Port) Close() error {
	if p.zombie {
		return nil
	}
	u := p.umem
	if u.ports[0] == p && u.living() > 1 {
		p.zombie = true
		return nil
	}
	err := p.end()
	u.ports = slices.DeleteFunc(u.ports, func(q *Port) bool { return q == p })
	if u.living() == 0 {
		for _, z := range u.ports {
			if e := z.end(); err == nil {
				err = e
			}
		}
		u.ports = nil
	}
	return err
}

// ErrHeld means that a queue can't be opened with other settings than before: its socket carries the memory of other ports, and stays until they are closed.
var ErrHeld = errors.New("the queue is held, with other settings, by the socket that carries the memory of the worker's other ports")

// revive finds the closed port whose socket still holds the queue that c wants.
func (u *UMEM) revive(c Config) (*Port, error) {
	for _, p := range u.ports {
		if !p.zombie || p.config.Ifindex != c.Ifindex || p.config.Queue != c.Queue {
			continue
		}
		if p.config != c {
			return nil, fmt.Errorf("afxdp: interface %d queue %d: %w", c.Ifindex, c.Queue, ErrHeld)
		}
		p.zombie = false
		return p, nil
	}
	return nil, nil
}

func (u *UMEM) living() int {
	n := 0
	for _, p := range u.ports {
		if !p.zombie {
			n++
		}
	}
	return n
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
