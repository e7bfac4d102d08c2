package afxdp

import (
	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// kicks is how many wake-ups one Flush makes at most: EAGAIN says that the kernel's budget is used up, and insisting livelocks the machine
// when the other side of the link needs the same core.
const kicks = 2

// Send puts packets on the TX ring. Flush makes the kernel look.
func (p *Port) Send(fs []port.Frame) int {
	n := p.tx.room(uint32(len(fs)))
	if n < uint32(len(fs)) {
		p.complete()
		n = p.tx.room(uint32(len(fs)))
	}
	i, shift, number, owner, end := p.tx.prod, p.shift, p.number, p.umem.owner, uint32(p.offset)+1
	for _, f := range fs[:n] {
		if f.Chunk >= uint32(len(owner)) || uint32(f.Start)+uint32(f.Len) > end || f.Len == 0 {
			p.refuse(f)
			continue
		}
		d := p.tx.descriptor(i)
		d.Addr, d.Len, d.Options = uint64(f.Chunk)<<shift+uint64(f.Start), uint32(f.Len), 0
		owner[f.Chunk] = number
		i++
	}
	if k := i - p.tx.prod; k > 0 {
		p.tx.produce(k)
		p.outstanding += k
	}
	return int(n)
}

// refuse drops a frame that does not lie in its chunk. The kernel would skip it without completing it, and the chunk would be lost.
func (p *Port) refuse(f port.Frame) {
	p.bad.Add(1)
	if f.Chunk < uint32(len(p.umem.owner)) {
		p.umem.pool.Put(f.Chunk)
	}
}

// Flush wakes the kernel if packets wait on the TX ring, and takes back the chunks of those sent.
func (p *Port) Flush() {
	if p.outstanding == 0 {
		return
	}
	for range kicks {
		if p.tx.consumerBehind() && (p.busy || p.tx.wantsWakeup()) {
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
	i, shift, owner, pool := p.completion.cons, p.shift, p.umem.owner, p.umem.pool
	for range n {
		c := *p.completion.address(i) >> shift
		i++
		if c >= uint64(len(owner)) {
			p.bad.Add(1)
			continue
		}
		owner[c] = 0
		pool.Put(uint32(c))
	}
	p.completion.consume(n)
	p.outstanding -= min(n, p.outstanding)
}
