// Package mem is a link inside the process: a cable with two ends, each a port.Port.
//
// Frames are copied from one end's pool to the other's, as a real cable would, so the ends may belong to different workers, engines
// or goroutines. A cable holds a bounded number of frames a direction; Send takes no more. An optional hook sees each frame
// that is sent and may lose or delay it: for simulators, in whose time the cable then lives.
package mem

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// Config of a cable. What is zero takes the default.
type Config struct {
	Frames int // most frames on their way in one direction; default 512
	MTU    int // longest frame in bytes, Ethernet header included; longer ones are lost and counted. Default: what a chunk takes
	// Now is the cable's clock in nanoseconds, for Hook's delays; nil is a clock that stands still.
	Now func() int64
	// Hook sees a frame that end 0 or 1 sends and says how long it takes in nanoseconds, or that it is lost. It must not keep frame or call the
	// cable. Frames arrive in the order they were sent. nil: nothing is lost, and all arrives at once.
	Hook func(end int, frame []byte) (delay int64, lost bool)
	// Poll makes FD a descriptor that poll(2) can wait on, at the price of a system call a burst; otherwise FD is -1.
	Poll bool
}

// Stats is what happened to the frames that one end sent.
type Stats struct {
	Sent, Lost, TooLong uint64
	// NoFrame counts frames that the receiver's pool had no chunk for.
	NoFrame uint64
}

// Cable is the two ends and what travels between them.
type Cable struct {
	cfg  Config
	ends [2]End
}

// End is one end of a cable.
type End struct {
	c    *Cable
	n    int
	pool *port.Pool
	in   direction // what travels to this end
}

// direction is what travels to one end.
type direction struct {
	mu     sync.Mutex
	frames []frame // a circle
	head   int     // the oldest
	n      int
	mem    []byte // slot i of frames has its bytes here
	size   int
	last   int64 // when the last one arrives
	closed bool
	stats  Stats
	fd     int
}

type frame struct {
	len int
	due int64
}

// New makes a cable between ports whose frames live in pools a and b, which may be the same.
func New(a, b *port.Pool, cfg Config) (*Cable, error) {
	if cfg.Frames == 0 {
		cfg.Frames = 512
	}
	if cfg.Frames < 1 || cfg.MTU < 0 {
		return nil, fmt.Errorf("mem: cable of %d frames of %d bytes: want positive numbers", cfg.Frames, cfg.MTU)
	}
	most := min(a.ChunkSize(), b.ChunkSize()) - port.Headroom
	if cfg.MTU == 0 || cfg.MTU > most {
		cfg.MTU = most
	}
	if cfg.Now == nil {
		cfg.Now = func() int64 { return 0 }
	}
	c := &Cable{cfg: cfg}
	for i, p := range []*port.Pool{a, b} {
		e := &c.ends[i]
		e.c, e.n, e.pool = c, i, p
		e.in.frames = make([]frame, cfg.Frames)
		e.in.size, e.in.fd = cfg.MTU, -1
		if !cfg.Poll {
			continue
		}
		fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("mem: eventfd: %w", err), c.ends[0].Close())
		}
		e.in.fd = fd
	}
	return c, nil
}

// End is end i, 0 or 1.
func (c *Cable) End(i int) *End { return &c.ends[i] }

// NextDue is when the next frame arrives at either end; false when none is on its way. A simulator may sleep until then.
func (c *Cable) NextDue() (due int64, ok bool) {
	for i := range c.ends {
		d := &c.ends[i].in
		d.mu.Lock()
		if d.n > 0 && (!ok || d.frames[d.head].due < due) {
			due, ok = d.frames[d.head].due, true
		}
		d.mu.Unlock()
	}
	return due, ok
}

// Stats is what happened to the frames that this end sent.
func (e *End) Stats() Stats {
	d := &e.other().in
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

func (e *End) other() *End { return &e.c.ends[1-e.n] }

// Recv implements port.Port.
func (e *End) Recv(fs []port.Frame) int {
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 {
		return 0
	}
	now := e.c.cfg.Now()
	n := 0
	for n < len(fs) && d.n > 0 && d.frames[d.head].due <= now {
		l := d.frames[d.head].len
		if chunk, ok := e.pool.Get(); ok {
			fs[n] = port.Frame{Chunk: chunk, Start: port.Headroom, Len: uint16(l)}
			copy(e.pool.Bytes(fs[n]), d.mem[d.head*d.size:d.head*d.size+l])
			n++
		} else {
			d.stats.NoFrame++
		}
		d.head = (d.head + 1) % len(d.frames)
		d.n--
	}
	if d.n == 0 && d.fd >= 0 {
		var b [8]byte
		_, _ = unix.Read(d.fd, b[:]) // EAGAIN: it was drained before
	}
	return n
}

// Send implements port.Port. The frames are copied and back in the pool when it returns.
func (e *End) Send(fs []port.Frame) int {
	d := &e.other().in
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, f := range fs {
		if !d.closed && d.n == len(d.frames) {
			return i
		}
		d.put(e, e.pool.Bytes(f))
		e.pool.Put(f.Chunk)
	}
	return len(fs)
}

// put sends one frame towards d.
func (d *direction) put(from *End, b []byte) {
	d.stats.Sent++
	if d.closed {
		d.stats.Lost++
		return
	}
	if len(b) > d.size {
		d.stats.TooLong++
		return
	}
	var delay int64
	if hook := from.c.cfg.Hook; hook != nil {
		var lost bool
		if delay, lost = hook(from.n, b); lost {
			d.stats.Lost++
			return
		}
	}
	if d.mem == nil {
		d.mem = make([]byte, len(d.frames)*d.size)
	}
	i := (d.head + d.n) % len(d.frames)
	d.last = max(d.last, from.c.cfg.Now()+delay)
	d.frames[i] = frame{copy(d.mem[i*d.size:(i+1)*d.size], b), d.last}
	if d.n++; d.n == 1 && d.fd >= 0 {
		_, _ = unix.Write(d.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full is readable too
	}
}

// Flush implements port.Port: nothing waits.
func (e *End) Flush() {}

// FD implements port.Port.
func (e *End) FD() int { return e.in.fd }

// Close pulls the plug: what is sent to this end is lost from now on. The other end stays usable.
func (e *End) Close() error {
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed, d.n, d.mem = true, 0, nil
	fd := d.fd
	d.fd = -1
	if fd < 0 {
		return nil
	}
	return unix.Close(fd)
}
