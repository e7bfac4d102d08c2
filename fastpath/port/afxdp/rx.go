package afxdp

import (
	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// Recv takes packets off the RX ring and gives the kernel empty chunks for more.
func (p *Port) Recv(fs []port.Frame) int {
	n := p.rx.filled(uint32(len(fs)))
	if n == 0 {
		n = p.idle(uint32(len(fs)))
		if n == 0 {
			return 0
		}
	}
	i, shift, offset, owner, got := p.rx.cons, p.shift, p.offset, p.umem.owner, 0
	for range n {
		d := p.rx.descriptor(i)
		i++
		chunk := d.Addr >> shift
		start := d.Addr & offset
		if chunk >= uint64(len(owner)) || start+uint64(d.Len) > offset+1 {
			p.bad.Add(1) // not of this UMEM: never seen, and never believed
			continue
		}
		fs[got] = port.Frame{Chunk: uint32(chunk), Start: uint16(start), Len: uint16(d.Len)}
		got++
		owner[chunk] = 0
	}
	p.rx.consume(n)
	p.refill()
	return got
}

// idle is Recv when nothing has come: the kernel sleeps on an empty fill ring until it is told of new chunks, and with busy polling it is this
// call that makes the driver look for packets at all. It returns how many have come meanwhile.
func (p *Port) idle(want uint32) uint32 {
	p.refill()
	if !p.busy && !p.fill.wantsWakeup() {
		return 0
	}
	p.wakeups.Add(1)
	recvfrom(p.fd)
	return p.rx.filled(want)
}

// recvfrom wakes the kernel's receiving side. RawSyscall6: the call never blocks, so the scheduler need not know.
func recvfrom(fd int) {
	_, _, _ = unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
}
