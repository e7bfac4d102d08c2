// Package port says what a worker needs of a link: bursts of frames in and out, and a pool they live in.
//
// A Port is one queue of one link. Ports of one worker share one Pool, so that a frame received on one is sent on
// another without a copy. Implementations: afxdp (a Linux netdev), mem (a cable inside the process), pcap (files).
package port

// Frame is a packet in a pool: its chunk, where it starts in the chunk and how long it is, in bytes.
type Frame struct {
	Chunk uint32
	Start uint16
	Len   uint16
}

// Headroom is how many bytes before a received packet are free for headers, at least.
const Headroom = 256

// Port is one queue of one link, used by one worker at a time. No method blocks but those that say so.
type Port interface {
	// Recv fills fs with frames that arrived and returns how many; the caller owns them.
	Recv(fs []Frame) int
	// Send queues frames and returns how many it took, in order; it owns those until they are back in the pool.
	// The caller keeps the rest.
	Send(fs []Frame) int
	// Flush tells the link that frames are queued, and takes back what it has sent. Once a burst.
	Flush()
	// FD is a descriptor that poll(2) reports readable when frames wait, or -1.
	FD() int
	// Close gives the link back. Frames it holds return to the pool.
	Close() error
}

// Pender is a Port that may still hold frames it took when Flush returns, because the link was busy. As long as it says so, a worker with
// nothing else to do calls Flush every millisecond at least. A Port without it has sent all, or needs nobody to push it.
type Pender interface {
	// Pending tells whether frames given to Send have not left. The worker that uses the port calls it.
	Pending() bool
}

// Pool is the memory of frames: chunks of equal size and a stack of free ones. One worker owns it; no locks.
type Pool struct {
	mem   []byte
	shift uint
	free  []uint32
}

// NewPool cuts mem into chunks of chunkSize bytes (2048 or 4096), all free.
func NewPool(mem []byte, chunkSize int) *Pool {
	p := &Pool{mem: mem}
	for 1<<p.shift < chunkSize {
		p.shift++
	}
	if 1<<p.shift != chunkSize {
		panic("port: chunk size is not a power of two")
	}
	n := len(mem) >> p.shift
	p.free = make([]uint32, n)
	for i := range p.free {
		p.free[i] = uint32(n - 1 - i)
	}
	return p
}

// ChunkSize is the size of a chunk in bytes.
func (p *Pool) ChunkSize() int { return 1 << p.shift }

// Shift is the binary logarithm of ChunkSize.
func (p *Pool) Shift() uint { return p.shift }

// Mem is the whole memory; chunk c starts at c*ChunkSize.
func (p *Pool) Mem() []byte { return p.mem }

// Free is how many chunks are free.
func (p *Pool) Free() int { return len(p.free) }

// Get takes a free chunk; false when there is none.
func (p *Pool) Get() (uint32, bool) {
	n := len(p.free)
	if n == 0 {
		return 0, false
	}
	c := p.free[n-1]
	p.free = p.free[:n-1]
	return c, true
}

// Take takes up to n free chunks. The slice is good until the next call of the pool.
func (p *Pool) Take(n int) []uint32 {
	at := max(0, len(p.free)-n)
	taken := p.free[at:]
	p.free = p.free[:at]
	return taken
}

// Put gives a chunk back. Giving one back twice is a bug of the caller that corrupts packets.
func (p *Pool) Put(c uint32) { p.free = append(p.free, c) }

// Bytes is the packet of f.
func (p *Pool) Bytes(f Frame) []byte {
	o := uint(f.Chunk)<<p.shift + uint(f.Start)
	return p.mem[o : o+uint(f.Len) : (uint(f.Chunk)+1)<<p.shift]
}

// Chunk is all of the chunk that f lives in, headroom included.
func (p *Pool) Chunk(f Frame) []byte {
	o := uint(f.Chunk) << p.shift
	return p.mem[o : o+1<<p.shift : o+1<<p.shift]
}
