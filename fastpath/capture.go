package fastpath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/ring"
)

// A capture copies packets out of the fast path: workers put copies of what it asks for into a ring each, and whoever asked reads them there. The request lies in the arena with
// a generation that each poll compares. A packet is never late or lost for its copy: a copy that finds no room is counted, and that is all. The one thing that
// a capture takes from packets is that the frames of dropped ones are free at the end of their vector, not at once: a pool that is all but empty has those fewer.
//
// Without a capture a worker tests a word a poll, and a flag where a packet comes out of a tunnel or is dropped. Nothing else on the way of most packets asks: setTapped leads what
// leaves, what comes in and whole vectors past functions that do.
//
// A request ends by a time of the engine's clock, which its owner puts off as long as it lives (Renew): workers stop copying by themselves when it has died.

// CapturePoint is a place of a packet's way.
type CapturePoint uint8

// Points, as bits of a set.
const (
	CaptureRx        CapturePoint = 1 << iota // a frame as a port received it
	CaptureTx                                 // a frame as a port took it to send it: sealed, with all its headers
	CaptureTunnelIn                           // what came out of a tunnel: authentic, decrypted, without GRE
	CaptureTunnelOut                          // what is to leave by a tunnel, before GRE and sealing
	CaptureDrop                               // what is dropped, with the reason
	CapturePunt                               // what is handed to the slow path, with the reason
)

// CaptureRequest says what to copy.
type CaptureRequest struct {
	Points CapturePoint // the set of them
	// One interface; all where there is none. Of a subinterface Port is its parent, with the VLAN, and Sub is itself: what its parent receives
	// or sends with the tag, and what is dropped as the subinterface's.
	Port, Sub fib.PortID
	VLAN      uint16
	Tunnel    fib.TunnelID
	Reason    Reason        // of drops and punts; Unknown: all
	Filter    []CaptureStep // none takes all
	Snaplen   int           // bytes of a packet that are copied; 0: all
	Most      uint64        // copies of a worker; 0: no end
	Until     int64         // by the clock that is passed to Poll, nanoseconds
}

// Captured is a copy.
type Captured struct {
	Worker int
	Point  CapturePoint
	Time   int64 // of the poll, by the clock that is passed to Poll, nanoseconds
	// Port is where the packet came in, or leaves; Tunnel what it came out of, or goes into; 0 for none. VRF is where it was routed at that point.
	Port   fib.PortID
	Tunnel fib.TunnelID
	VRF    fib.VRF
	// Proto is 0 for an Ethernet frame, and otherwise the GRE protocol of what Data is: 0x0800 for IPv4, 0x8847 for labels, 0x2001 for NHRP.
	Proto  uint16
	Reason Reason     // of drops and punts
	Cause  Reason     // of a copy or fragment that was lost: why
	Peer   netip.Addr // of what goes by a tunnel: the peer's outer address
	Opened bool       // a frame whose ESP payload is decrypted already, where it lay
	Lost   bool       // a punt that did not get through: it was one too many, or the slow path was busy
	Len    int        // of the packet, bytes
	Data   []byte     // of it, cut to the snap length. It is valid until the function that got it returns
}

// ErrCapturing means that a capture runs: there is one at a time.
var ErrCapturing = errors.New("a capture is running already; there can be one at a time")

// Words of the request in the arena.
const (
	capGeneration = iota // odd while the rest is being written
	capPoints            // 0: nothing is captured
	capUntil
	capIface  // port, subinterface, VLAN, tunnel
	capReason // and the number of steps, from bit 32 on
	capSnaplen
	capMost
	capSteps
	capWords = capSteps + 2*MaxCaptureSteps
)

// captureBytes is the ring of a worker: some ten milliseconds of small packets at full speed. It takes no memory before the first capture.
const captureBytes = 2 << 20

// captureHeader is what a record starts with; the packet is behind it.
const captureHeader = 40

// Capture is a capture that runs.
type Capture struct {
	e          *Engine
	generation uint64

	mu    sync.Mutex
	words []uint64 // nil when it has ended
	rings []*ring.Records
	lost  []uint64 // what the rings' counts stood at
	now   Captured // what Drain hands out
}

// Capture begins a capture. ErrCapturing: there is one.
func (e *Engine) Capture(r CaptureRequest) (*Capture, error) {
	if r.Points == 0 || r.Snaplen < 0 {
		return nil, errors.New("fastpath: capture: no point of a packet's way to capture at, or a negative length")
	}
	if err := checkCaptureSteps(r.Filter); err != nil {
		return nil, fmt.Errorf("fastpath: capture: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed || e.late.joined:
		return nil, errors.New("fastpath: capture: the engine is closed, or another process has the tables")
	case e.capturing != nil:
		return nil, ErrCapturing
	}
	c := &Capture{e: e, words: e.capture}
	for i := range e.cfg.Workers { // those too that come later
		m, err := ring.NewRecords(e.captureMem(i))
		if err != nil {
			return nil, fmt.Errorf("fastpath: capture: ring of worker %d: %w", i, err)
		}
		m.Discard()
		c.rings, c.lost = append(c.rings, m), append(c.lost, m.Lost())
	}
	c.generation = writeCapture(e.capture, &r)
	e.capturing = c
	return c, nil
}

// captureMem is where the ring of worker i is.
func (e *Engine) captureMem(i int) []byte {
	return e.arena.Bytes(arena.Ref(e.ofWorker(i)[wkrCapture]), captureBytes)
}

// writeCapture writes a request, and returns its generation. A writer that died halfway has left an odd one, under which nobody captures.
func writeCapture(w []uint64, r *CaptureRequest) uint64 {
	g := atomic.LoadUint64(&w[capGeneration]) | 1
	set := func(i int, v uint64) { atomic.StoreUint64(&w[i], v) }
	set(capGeneration, g)
	set(capPoints, uint64(r.Points))
	set(capUntil, uint64(r.Until))
	set(capIface, uint64(r.Port)|uint64(r.Sub)<<16|uint64(r.VLAN)<<32|uint64(r.Tunnel)<<48)
	set(capReason, uint64(r.Reason)|uint64(len(r.Filter))<<32)
	set(capSnaplen, uint64(r.Snaplen))
	set(capMost, r.Most)
	for i, s := range r.Filter {
		a, b := s.words()
		set(capSteps+2*i, a)
		set(capSteps+2*i+1, b)
	}
	set(capGeneration, g+1)
	return g + 1
}

// Renew puts off the end of the capture.
func (c *Capture) Renew(until int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.words != nil {
		atomic.StoreUint64(&c.words[capUntil], uint64(until))
	}
}

// Drain hands f the copies that are there, those of the worker whose oldest is the oldest first, until f returns false; and returns how many those are. f must not
// call c, and copies of Data what it keeps.
func (c *Capture) Drain(f func(*Captured) bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.words == nil {
		return 0
	}
	for n := 0; ; {
		from, oldest := -1, int64(0)
		for i, r := range c.rings {
			if t, ok := c.ready(r); ok && (from < 0 || t < oldest) {
				from, oldest = i, t
			}
		}
		if from < 0 {
			return n
		}
		more := true
		if c.now.decode(from, c.rings[from].Peek()) {
			n++
			more = f(&c.now)
		}
		c.rings[from].Release()
		if !more {
			return n
		}
	}
}

// ready is the time of the next record of this capture; what is left of others goes.
func (c *Capture) ready(r *ring.Records) (t int64, ok bool) {
	for {
		b := r.Peek()
		if b == nil {
			return 0, false
		}
		if len(b) >= captureHeader && binary.LittleEndian.Uint32(b) == uint32(c.generation) {
			return int64(binary.LittleEndian.Uint64(b[8:])), true
		}
		r.Release()
	}
}

// Lost is how many copies found no room.
func (c *Capture) Lost() (n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.words == nil {
		return 0
	}
	for i, r := range c.rings {
		n += r.Lost() - c.lost[i]
	}
	return n
}

// Close ends the capture. What was not drained is lost.
func (c *Capture) Close() {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if c.e.capturing == c {
		c.e.capturing = nil
		writeCapture(c.words, &CaptureRequest{})
	}
	c.end()
}

// end makes c forget the arena.
func (c *Capture) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.words, c.rings = nil, nil
}

// decode reads a record. The worker may be another process, so nothing in it is taken on trust.
func (c *Captured) decode(worker int, b []byte) bool {
	if len(b) < captureHeader || int(b[5]) >= NumReasons || int(b[6]) >= NumReasons {
		return false
	}
	le := binary.LittleEndian
	*c = Captured{
		Worker: worker, Point: CapturePoint(b[4]), Reason: Reason(b[5]), Cause: Reason(b[6]), Opened: b[7]&recOpened != 0, Lost: b[7]&recLost != 0,
		Time: int64(le.Uint64(b[8:])), Port: fib.PortID(le.Uint16(b[16:])), Tunnel: fib.TunnelID(le.Uint16(b[18:])), VRF: fib.VRF(le.Uint16(b[20:])), Proto: le.Uint16(b[22:]),
		Peer: slotAddr(b[24:]), Len: int(le.Uint32(b[28:])), Data: b[captureHeader:],
	}
	return c.Len >= len(c.Data) && c.Len <= 1<<16
}
