package afxdp

import (
	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// Recv takes packets off the RX ring and gives the kernel empty chunks for more.
func (p *Port) Recv(fs []port.Frame) int {
	n := p.rx.filled(uint32(len(fs)))
	if n == 0 {
		// The kernel sleeps on an empty fill ring until it is told of new chunks.
		p.refill()
		if p.fill.wantsWakeup() {
			p.wakeups.Add(1)
			recvfrom(p.fd)
		}
		return 0
	}
	i := p.rx.cons
	for k := range fs[:n] {
		d := p.rx.descriptor(i)
		i++
		chunk := uint32(d.Addr >> p.shift)
		fs[k] = port.Frame{Chunk: chunk, Start: uint16(d.Addr & p.offset), Len: uint16(d.Len)}
		p.umem.owner[chunk] = 0
	}
	p.rx.consume(n)
	p.refill()
	return int(n)
}

// recvfrom wakes the kernel's receiving side. RawSyscall6: the call never blocks, so the scheduler need not know.
func recvfrom(fd int) {
	_, _, _ = unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
}
