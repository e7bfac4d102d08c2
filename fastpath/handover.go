package fastpath

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/ring"
	"nave/fastpath/port"
)

// Where a link delivers everything on one queue, the worker of that queue hands packets over to the others: to each worker the flows that
// hash to it, through a ring from one worker to the other. A packet is copied twice, into the ring and out of it, because workers of
// different processes share no packet memory. In the other direction a worker without a queue of a port sends by one that has (relay).
//
// The order of a flow is kept: all its packets take the same ring. So what finds the ring full is dropped and counted, as a NIC
// drops what finds its queue full; handling it here instead would let it overtake those that wait, and load the worker that is the bottleneck already.
//
// What the workers need to know lies in the arena (handWords): who owns which bucket, which ports are spread, and where the rings are.

const (
	handBuckets = 256
	// handHeader is what a slot starts with: kind, port, length. The packet lies behind it on a line of its own.
	handHeader = 64
)

// Kinds of what a slot holds.
const (
	handInput  = 1 // a frame that the port received
	handOutput = 2 // a frame that is to leave by the port
)

// Places in the block that the workers share, in words.
const (
	handGeneration = 0 // counts changes of what follows
	handOwners     = 1 // of each bucket, the worker
	handRings      = handOwners + handBuckets
)

func (c *Config) handWords() int { return handRings + c.Workers*c.Workers + 2*c.MaxPorts }

// handSlots is how long a ring is: longer where there are few, so that all together stay small beside the tables.
func (c *Config) handSlots() int {
	n := 512
	for n > 64 && n*c.Workers > 2048 {
		n /= 2
	}
	return n
}

// newHand lays out the block in an empty arena.
func (e *Engine) newHand() error {
	r, err := e.arena.AllocKept(4 * e.cfg.handWords())
	if err != nil {
		return fmt.Errorf("fastpath: hand-over between workers: %w", err)
	}
	e.openHand(r)
	for b := range handBuckets {
		e.hand[handOwners+b] = uint32(b % e.cfg.Workers)
	}
	return nil
}

// openHand finds the block that newHand laid out.
func (e *Engine) openHand(r arena.Ref) {
	e.handRef, e.hand = r, e.arena.U32(r, e.cfg.handWords())
	e.wakes = make([]atomic.Pointer[wake], e.cfg.Workers)
}

// handPort is the word with the bit that says whether worker w spreads what port id receives there.
func (e *Engine) handPort(id fib.PortID, w int) (word *uint32, bit uint32) {
	return &e.hand[handRings+e.cfg.Workers*e.cfg.Workers+2*int(id)+w/32], 1 << (w % 32)
}

// handRing is the word that says where the ring from one worker to another is.
func (e *Engine) handRing(from, to int) *uint32 { return &e.hand[handRings+from*e.cfg.Workers+to] }

// hand is a worker's part in handing over.
type hand struct {
	seen  uint32 // generation that the rest is of
	stale bool   // the worker's ports changed
	owner [handBuckets]uint8
	out   []*ring.Ring // to each worker; nil where there is none
	fresh []bool       // slots were filled and not published
	in    []*ring.Ring // from others, without gaps
	taken [maxBurst]port.Frame
}

func (w *Worker) initHand() {
	w.hand.out, w.hand.fresh = make([]*ring.Ring, w.e.cfg.Workers), make([]bool, w.e.cfg.Workers)
	w.e.wakes[w.index].Store(&w.wake)
}

// checkHand looks whether anything changed. Once a poll.
func (w *Worker) checkHand() {
	if g := atomic.LoadUint32(&w.e.hand[handGeneration]); g != w.hand.seen || w.hand.stale {
		w.followHand(g)
	}
}

// followHand takes over what changed in the shared block. It allocates, and runs when the engine or the worker's ports changed, only.
func (w *Worker) followHand(generation uint32) {
	h, e := &w.hand, w.e
	for b := range h.owner {
		h.owner[b] = uint8(atomic.LoadUint32(&e.hand[handOwners+b]))
	}
	h.in = h.in[:0]
	for o := range e.cfg.Workers {
		if h.out[o] == nil {
			h.out[o] = e.openRing(atomic.LoadUint32(e.handRing(w.index, o)))
		}
		if r := w.incoming(o); r != nil {
			h.in = append(h.in, r)
		}
	}
	for _, q := range w.queues {
		_, q.relayed = q.p.(*relay)
		word, bit := e.handPort(q.id, w.index)
		q.shared = !q.relayed && atomic.LoadUint32(word)&bit != 0
		q.spread = q.shared || w.tapped
	}
	h.seen, h.stale = generation, false
}

// incoming is this worker's end of the ring from worker o. Nothing is staged on it between two polls, so it is opened where it stands.
func (w *Worker) incoming(o int) *ring.Ring {
	return w.e.openRing(atomic.LoadUint32(w.e.handRing(o, w.index)))
}

// openRing is a ring in the arena; nil where there is none.
func (e *Engine) openRing(ref uint32) *ring.Ring {
	if ref == 0 {
		return nil
	}
	r, err := ring.Open(e.arena.Bytes(arena.Ref(ref), ring.Bytes(e.cfg.handSlots(), e.cfg.SlotSize)))
	if err != nil {
		return nil // of another layout: not used, and so its packets stay here
	}
	return r
}

// spread captures, if that is asked for, and hands over those of the first n frames of w.rx, received by q, that belong to other workers, and moves the rest to the front. It returns how
// many stay.
func (w *Worker) spread(q *queue, n int) int {
	if w.tapped {
		w.tapReceived(q, w.rx[:n])
	}
	if !q.shared {
		return n
	}
	h := &w.hand
	kept := 0
	var given, full, bytes uint64
	for _, f := range w.rx[:n] {
		b := w.pool.Bytes(f)
		d := int(h.owner[flowBucket(b)])
		if d == w.index || h.out[d] == nil || len(b) > h.out[d].SlotSize()-handHeader {
			w.rx[kept] = f
			kept++
			continue
		}
		bytes += uint64(len(b))
		if h.put(d, handInput, q.id, b) {
			given++
		} else {
			full++
			if w.tapped {
				w.tapLink(HandOverFull, q.id, b)
			}
		}
		w.release(f)
	}
	w.c.words[cntHanded] += given
	w.c.words[cntReasons+int(HandOverFull)] += full
	words := w.c.ports[linkWords*int(q.id):]
	words[rxPackets] += given + full
	words[rxBytes] += bytes
	if given > 0 {
		w.publish()
	}
	return kept
}

// put copies a frame into the next slot to worker d; false when the ring is full.
func (h *hand) put(d int, kind byte, id fib.PortID, b []byte) bool {
	s := h.out[d].Reserve()
	if s == nil {
		return false
	}
	le := binary.LittleEndian
	le.PutUint64(s, uint64(kind)|uint64(id)<<16|uint64(len(b))<<32)
	copy(s[handHeader:], b)
	h.out[d].Advance()
	h.fresh[d] = true
	return true
}

// publish shows the other workers what was put, and wakes those that sleep.
func (w *Worker) publish() {
	h := &w.hand
	for d, fresh := range h.fresh {
		if !fresh {
			continue
		}
		h.fresh[d] = false
		h.out[d].Publish()
		if h.out[d].TakeWake() {
			if k := w.e.wakes[d].Load(); k != nil {
				k.kick()
			}
		}
	}
}

// takeHanded handles one burst from each of the other workers. It returns how many packets it forwarded, and how many frames it sent for others.
func (w *Worker) takeHanded() (input, output int) {
	for _, r := range w.hand.in {
		i, o := w.takeFrom(r)
		input += i
		output += o
	}
	return input, output
}

// takeFrom copies a burst out of a ring into frames of this worker. Slots that there is no frame for stay: frames come back, and meanwhile the ring
// fills up and refuses.
func (w *Worker) takeFrom(r *ring.Ring) (input, output int) {
	h := &w.hand
	n, run := 0, 0
	at := uint16(0) // port of the run of frames in h.taken
	for ; n < w.burst; n++ {
		s := r.Peek()
		if s == nil {
			break
		}
		v := binary.LittleEndian.Uint64(s)
		id, size := uint16(v>>16), int(v>>32)
		if size > len(s)-handHeader {
			size = 0 // a slot that no worker wrote: the packet is too short for anything
		}
		f, ok := w.newFrame(size)
		if !ok && size <= w.room {
			break
		}
		r.Pass()
		if !ok {
			w.tooLong(fib.PortID(id), s[handHeader:handHeader+size])
			input++
			continue
		}
		copy(w.pool.Bytes(f), s[handHeader:handHeader+size])
		if byte(v) == handOutput {
			w.sendHanded(id, f)
			output++
			continue
		}
		if run > 0 && id != at {
			w.handle(w.t.Port(uint32(at)), h.taken[:run])
			run = 0
		}
		at = id
		h.taken[run] = f
		run++
		input++
	}
	if n == 0 {
		return 0, 0
	}
	r.Return()
	if run > 0 {
		w.handle(w.t.Port(uint32(at)), h.taken[:run])
	}
	w.c.words[cntTaken] += uint64(input)
	return input, output
}

// tooLong counts a frame of another worker that is longer than this one's are.
//
//go:noinline
func (w *Worker) tooLong(id fib.PortID, b []byte) {
	w.c.words[cntReasons+int(NoFrame)]++
	if w.tapped {
		w.tapLink(NoFrame, id, b)
	}
}

// sendHanded queues a frame of another worker.
func (w *Worker) sendHanded(id uint16, f port.Frame) {
	if int(id) >= len(w.ports) || w.ports[id] == nil || w.ports[id].relayed {
		w.c.words[cntReasons+int(RelayLost)]++
		if w.tapped {
			w.tapLink(RelayLost, fib.PortID(id), w.pool.Bytes(f))
		}
		w.release(f)
		return
	}
	w.enqueue(w.ports[id], f)
}

// armHanded prepares for sleep: others wake this worker for what they hand over. False: there is something already.
func (w *Worker) armHanded() bool {
	for k, r := range w.hand.in {
		if !r.Arm() {
			for _, q := range w.hand.in[:k] {
				q.Disarm()
			}
			return false
		}
	}
	return true
}

func (w *Worker) disarmHanded() {
	for _, r := range w.hand.in {
		r.Disarm()
	}
}
