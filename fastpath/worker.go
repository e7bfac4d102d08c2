package fastpath

import (
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/flow"
	"nave/fastpath/internal/ring"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// vector is how many packets of a burst go their way together: each stage of it is done for all of them before the next one.
const vector = sa.BurstSize

// maxBurst is the most frames that are taken from a port, or queued to one, at once.
const maxBurst = 256

// Worker forwards what comes in by its ports. One goroutine polls it, by Poll or Run; Attach and Detach may be called by others.
type Worker struct {
	e     *Engine
	t     *table.Tables
	index int
	pool  *port.Pool
	room  int // for a packet in a fresh frame, bytes
	burst int

	mu     sync.Mutex // held for the length of a poll, so that ports come and go between bursts
	closed atomic.Bool
	byID   []*queue // of ports, for what leaves: none while packets are captured, so that all take the way aside (encapsulateVia)
	ports  []*queue // the same at any time
	queues []*queue
	rx     [maxBurst]port.Frame

	reader *arena.Reader
	c      counters
	now    int64
	ipID   uint16
	punted bool
	pkt    pkt         // one that is alone: injected, or out of the lane
	pkts   [vector]pkt // that go their way together
	child  pkt         // a copy of one for a member of a group
	piece  pkt         // a fragment of one, or of child
	frags  [2][maxFragments]port.Frame
	limit  *table.Limiter
	tokens allowance // of punts

	credit  []uint64 // the budgets, of all workers
	metered bool     // there are some, as of this poll
	tapped  bool     // packets are captured, as of this poll
	tap     *tap     // capturetap.go

	// What the last packet for us was found by, of this poll only: the next one is mostly the same.
	lastHere   uint64 // VRF and address, and bit 48
	lastTunnel *table.Tunnel
	lastSA     *table.SA

	scratch *sa.Scratch
	lane    lane
	opening opening
	ours    func(*pkt) verdict // local, as forward calls it: the compiler does not see that one leads to the other, and inlines forward
	sealing sealing
	tally   tally
	win     sa.Window // of the association at hand

	ahead     ahead
	flows     *flowCache  // nil: flows are not remembered
	flowTable *flow.Table // the same for those that only read it
	busy      bool        // the last poll found packets

	wide bool   // the routes are, or flows are remembered
	far  bool   // the tables are larger than the caches: worth to look ahead
	seen uint64 // keeps loads that only warm the cache from being left out
	hand hand

	redirectEvery, resolveEvery int64   // nanoseconds
	labelsAt                    uintptr // where its counts of labels are (table.CountsAt)

	// The rings, and their other ends, which the slow path holds under a lock of its own.
	up, down *ring.Ring
	puntMu   sync.Mutex
	punts    *ring.Ring
	puntNow  Punt // what Drain hands out
	puntWake wake
	injectMu sync.Mutex
	injects  *ring.Ring
	wake     wake
	pollFDs  []unix.PollFd
}

// queue is a port of a worker, and the frames that wait to leave by it until the burst is done.
type queue struct {
	p    port.Port
	pend port.Pender // the same, nil if it never has frames pending
	id   fib.PortID
	rec  *table.Port // as of this poll
	// shared: what comes in is handed over to the workers that it belongs to. spread: it is, or is captured. relayed: another worker has the port.
	shared, spread, relayed bool
	n                       int
	bytes                   uint64
	out                     [maxBurst]port.Frame
}

// verdict is what became of a packet.
type verdict uint8

const (
	drop  verdict = iota // counted under pkt.reason, frame free
	done                 // punted and counted as that; frame free
	cut                  // forwarded in other frames: fragments or copies; frame free
	sent                 // forwarded: the frame waits in a queue
	waits                // for its turn, with the frame, in the lane of slow ciphers or for the rest of its vector: counted then
)

// pkt is a packet on its way. Everything about it that functions hand on is here.
type pkt struct {
	frame  port.Frame
	chunk  []byte      // all of the frame's chunk
	ip     packet.IPv4 // the packet to route, in chunk from start on
	start  int
	vrf    uint16
	port   uint16
	mss    uint16 // clamp of the interface it came in by
	gre    uint16 // GRE protocol that replaces the adjacency's; 0 leaves it
	tos    uint8  // outside, where gre is set
	reason Reason
	// Reset all at once (arrived), so they stand together.
	own    bool    // of this box: injected
	copied bool    // a copy for a member of a group
	along  bool    // it goes where its label says, and so does the answer to its source
	framed bool    // it came in by a subinterface, and its frame is as it came, without its tag
	nested bool    // it came out of a tunnel in which it had come by a label
	leaks  bool    // it was looked up again in another VRF
	by     fib.Way // the route processor has it, and is paid

	from     uint16 // the VRF that it leaked from, where leaks is set
	held     bool   // it was dropped, and is to be captured before its frame is free
	part     bool   // a fragment or a copy: its packet is counted by itself
	tunnel   *table.Tunnel
	together bool      // one of a vector
	newest   bool      // it has the highest sequence number that its association has received
	hint     table.Hop // where the route of hintFor leads, looked up ahead
	hintFor  uint64    // VRF and address, and bit 48; 0: none
	flow     uint32    // where its flow is in the worker's table, maybe; 0: not known
	// The outer header of what came out of a tunnel.
	outerSrc, outerDst uint32
	outerPort          uint16 // source port of ESP in UDP
	sa, spi            uint32 // the association it came out of, ESP's before AH's
	ah                 uint32 // the AH association it came out of
	// Of what came out of a tunnel, while packets are captured: its GRE protocol, and where in the chunk it ends. And where begins what is not as it arrived; 0: nowhere.
	within, end, spoiled uint16
	// MPLS.
	top uint16     // where its label stack begins that it came with, up to start; 0: it came without
	lse packet.LSE // EXP, bottom bit and TTL of the labels that are pushed
}

// drop gives the reason for dropping the packet.
func (p *pkt) drop(r Reason) verdict {
	p.reason = r
	return drop
}

// Index is the worker's number, from 0.
func (w *Worker) Index() int { return w.index }

// Pool is where the worker's frames live.
func (w *Worker) Pool() *port.Pool { return w.pool }

// Attach gives the worker a port to poll and to send by. It takes effect between two bursts. The frames of p live in the worker's pool.
func (w *Worker) Attach(id fib.PortID, p port.Port) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed.Load():
		return fmt.Errorf("fastpath: attach port %d: the engine is closed", id)
	case id == 0 || int(id) >= len(w.ports):
		return fmt.Errorf("fastpath: attach port %d: numbers go from 1 to %d", id, len(w.ports)-1)
	case w.ports[id] != nil:
		return fmt.Errorf("fastpath: attach port %d: worker %d has it already", id, w.index)
	}
	q := &queue{p: p, id: id}
	q.pend, _ = p.(port.Pender)
	w.ports[id] = q
	w.queues = append(w.queues, q)
	w.hand.stale = true
	w.wake.kick()
	return nil
}

// Detach takes a port away between two bursts and returns it, for the caller to close; nil when there is none. Nothing uses it any more then.
func (w *Worker) Detach(id fib.PortID) port.Port {
	w.mu.Lock()
	defer w.mu.Unlock()
	if int(id) >= len(w.ports) || w.ports[id] == nil {
		return nil
	}
	q := w.ports[id]
	w.ports[id] = nil
	for i := range w.queues {
		if w.queues[i] == q {
			w.queues = append(w.queues[:i:i], w.queues[i+1:]...)
			break
		}
	}
	w.wake.kick()
	return q.p
}

// Poll takes one burst from each port and from the inject ring, forwards it, and returns how many packets it handled, those included that had waited for
// a slow cipher.
// now is the time in nanoseconds of any clock that does not go back.
func (w *Worker) Poll(now int64) int {
	w.mu.Lock()
	if w.closed.Load() {
		w.mu.Unlock()
		return 0
	}
	begin := ticks()
	w.reader.Enter()
	w.now, w.lastHere, w.lastTunnel, w.lastSA = now, 0, nil, nil
	w.look()
	w.refill()
	w.checkHand()
	w.checkTap()
	n := 0
	for _, q := range w.queues {
		n += w.receive(q)
	}
	taken, relayed := w.takeHanded()
	n += taken + w.drainInjects()
	late := w.drainLane(n) + relayed
	for _, q := range w.queues {
		if q.n > 0 {
			w.send(q)
		}
	}
	w.reader.Exit()
	flush := ticks()
	for _, q := range w.queues {
		q.p.Flush()
	}
	end := ticks()
	if w.tapped {
		w.tapPublish()
	}
	if w.punted {
		w.punted = false
		if w.up.TakeWake() {
			w.puntWake.kick()
		}
	}
	w.c.polled(n, late, flush-begin, end-flush)
	w.busy = n > 0
	w.mu.Unlock()
	return n + late
}

// receive handles one burst of a port.
func (w *Worker) receive(q *queue) int {
	n := q.p.Recv(w.rx[:w.burst])
	if n == 0 {
		return 0
	}
	q.rec = w.t.Port(uint32(q.id))
	mine := n
	if q.spread {
		mine = w.spread(q, n)
	}
	bytes := w.handle(q.rec, w.rx[:mine])
	words := w.c.ports[linkWords*int(q.id):]
	words[rxPackets] += uint64(mine)
	words[rxBytes] += bytes
	return n
}

// handle forwards frames that a port received, by this worker or another, and returns how many bytes they have.
func (w *Worker) handle(in *table.Port, fs []port.Frame) (bytes uint64) {
	far := w.far && in != nil
	if far {
		w.fetchSAs(in, fs[:min(vector, len(fs))])
	}
	for at := 0; at < len(fs); at += vector {
		next := min(at+vector, len(fs))
		if far {
			w.fetchSAs(in, fs[next:min(next+vector, len(fs))]) // they come while this vector is at work
		}
		bytes += w.handleVector(in, fs[at:next])
	}
	return bytes
}

// handleVector is handle for a vector at most, and returns how many bytes they have.
func (w *Worker) handleVector(in *table.Port, frames []port.Frame) (bytes uint64) {
	if w.flows != nil {
		w.flows.generation = w.t.RouteGeneration()
	}
	if w.far && in != nil {
		w.lookAhead(in, frames)
	}
	for i, f := range frames {
		bytes += uint64(f.Len)
		p := &w.pkts[i]
		p.frame, p.chunk, p.part, p.together = f, w.pool.Chunk(f), false, true
		w.finish(p, w.input(p, in))
	}
	if w.opening.n > 0 {
		w.openAll()
	}
	if w.tapped {
		w.tapVector(in)
	}
	return bytes
}

// finish ends a packet's way: the one place where it is counted as forwarded or dropped.
func (w *Worker) finish(p *pkt, v verdict) {
	switch v {
	case sent:
		w.c.words[cntForwarded]++
		return
	case waits:
		return
	case cut:
		w.c.words[cntForwarded]++
	case drop:
		w.c.words[cntReasons+int(p.reason)]++
		if w.tapped {
			p.held = true // tapHeld gives the frame back
			return
		}
	}
	w.release(p.frame)
}

// release gives a frame back: the one place where frames return to the pool, but for those that a port took.
func (w *Worker) release(f port.Frame) { w.pool.Put(f.Chunk) }

// enqueue puts a frame behind those that leave by q at the end of the burst.
func (w *Worker) enqueue(q *queue, f port.Frame) {
	if q.n == len(q.out) {
		w.send(q)
	}
	q.out[q.n] = f
	q.n++
	q.bytes += uint64(f.Len)
}

// send hands a queue to its port. What the port does not take is lost.
func (w *Worker) send(q *queue) {
	if w.sealing.waits() {
		w.sealAll()
	}
	if w.tapped {
		w.tapSending(q)
	}
	n := q.p.Send(q.out[:q.n])
	if w.tapped {
		w.tapRefused(q, n)
	}
	for _, f := range q.out[n:q.n] {
		q.bytes -= uint64(f.Len)
		w.c.words[cntReasons+int(TxFull)]++
		w.release(f)
	}
	if !q.relayed { // else the worker that has the port counts them
		words := w.c.ports[linkWords*int(q.id):]
		words[txPackets] += uint64(n)
		words[txBytes] += q.bytes
	}
	q.n, q.bytes = 0, 0
}

// newFrame takes a free frame for a packet of n bytes with room for headers in front.
func (w *Worker) newFrame(n int) (port.Frame, bool) {
	if n > w.room {
		return port.Frame{}, false
	}
	c, ok := w.pool.Get()
	return port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(n)}, ok
}
