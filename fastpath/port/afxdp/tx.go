package afxdp

import (
	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// Send puts packets on the TX ring. Flush makes the kernel look.
func (p *Port) Send(fs []port.Frame) int {
	n := p.tx.room(uint32(len(fs)))
	if n < uint32(len(fs)) {
		p.complete()
		n = p.tx.room(uint32(len(fs)))
	}
	i := p.tx.prod
	for _, f := range fs[:n] {
		*p.tx.descriptor(i) = unix.XDPDesc{Addr: uint64(f.Chunk)<<p.shift + uint64(f.Start), Len: uint32(f.Len)}
		p.umem.take(f.Chunk, p.number)
		i++
	}
	if n > 0 {
		p.tx.produce(n)
		p.outstanding += n
	}
	return int(n)
}

// Flush wakes the kernel if packets wait on the TX ring, and takes back the chunks of those sent.
//
// At most two wake-ups a call: EAGAIN says that the kernel's budget is used up, and insisting livelocks the machine
// when the other side of the link needs the same core.
func (p *Port) Flush() {
	if p.outstanding == 0 {
		return
	}
	for range 2 {
		if p.tx.consumerBehind() && p.tx.wantsWakeup() {
			p.wakeups.Add(1)
			p.kick()
		}
		p.complete()
		if !p.tx.consumerBehind() {
			break
		}
	}
}

// Pending tells whether packets wait on the TX ring, or were not completed: both need Flush, and neither makes the
// socket readable.
func (p *Port) Pending() bool { return p.outstanding > 0 }

// kick makes the system call that sends. A link that is down answers ENETDOWN: the packets stay on the ring until
// it is up, and new ones find it full, which the worker counts.
func (p *Port) kick() {
	_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(p.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	if e != 0 && e != unix.EAGAIN && e != unix.EBUSY && e != unix.ENOBUFS {
		p.sendErrors.Add(1)
	}
}

// complete returns the chunks of sent packets to the pool. Their addresses point into the chunk, behind the headroom:
// the shift takes that off.
func (p *Port) complete() {
	n := p.completion.filled(p.completion.size)
	if n == 0 {
		return
	}
	i := p.completion.cons
	for range n {
		p.umem.release(uint32(*p.completion.address(i) >> p.shift))
		i++
	}
	p.completion.consume(n)
	p.outstanding -= n
}
