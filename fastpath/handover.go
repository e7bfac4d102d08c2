package fastpath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/ring"
	"nave/fastpath/packet"
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
	n := 1024
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

// HandOver makes the workers in from, which have a queue of port id, hand over what they receive there to the worker that each flow
// belongs to; none ends it. It takes effect with the next burst. ErrFull: the arena has no room for the rings.
func (e *Engine) HandOver(id fib.PortID, from ...int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || id == 0 || int(id) >= e.cfg.MaxPorts {
		return fmt.Errorf("fastpath: hand over what port %d receives: numbers go from 1 to %d", id, e.cfg.MaxPorts-1)
	}
	for _, f := range from {
		for to := range e.cfg.Workers {
			if err := e.needRing(f, to); err != nil {
				return err
			}
		}
	}
	var on [2]uint32
	if e.cfg.Workers > 1 {
		for _, f := range from {
			on[f/32] |= 1 << (f % 32)
		}
	}
	for k, bits := range on {
		word, _ := e.handPort(id, 32*k)
		atomic.StoreUint32(word, bits)
	}
	atomic.AddUint32(&e.hand[handGeneration], 1)
	return nil
}

// HandsOver tells whether what port id receives on a queue of any worker is handed over.
func (e *Engine) HandsOver(id fib.PortID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || int(id) >= e.cfg.MaxPorts {
		return false
	}
	low, _ := e.handPort(id, 0)
	high, _ := e.handPort(id, 32)
	return atomic.LoadUint32(low)|atomic.LoadUint32(high) != 0
}

// ReceivedBy is how many packets of port id each worker has taken from its queue: how evenly a link spreads them.
func (e *Engine) ReceivedBy(id fib.PortID) []uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || int(id) >= e.cfg.MaxPorts {
		return nil
	}
	out := make([]uint64, len(e.workers))
	for i, w := range e.workers {
		out[i] = atomic.LoadUint64(&w.c.ports[linkWords*int(id)+rxPackets])
	}
	return out
}

// needRing makes the ring from one worker to another if there is none. A ring stays: its ends may be in use.
func (e *Engine) needRing(from, to int) error {
	if from < 0 || from >= e.cfg.Workers || to < 0 || to >= e.cfg.Workers {
		return fmt.Errorf("fastpath: hand over from worker %d to %d: there are %d", from, to, e.cfg.Workers)
	}
	word := e.handRing(from, to)
	if from == to || atomic.LoadUint32(word) != 0 {
		return nil
	}
	if e.late.joined {
		return fmt.Errorf("fastpath: there is no ring from worker %d to %d, and the process that writes the tables has to make it", from, to)
	}
	n := ring.Bytes(e.cfg.handSlots(), e.cfg.SlotSize)
	r, err := e.arena.AllocKept(n)
	if err == nil {
		_, err = ring.New(e.arena.Bytes(r, n), e.cfg.handSlots(), e.cfg.SlotSize)
	}
	if errors.Is(err, arena.ErrFull) {
		err = ErrFull
	}
	if err != nil {
		return fmt.Errorf("fastpath: ring from worker %d to %d, %d KiB: %w", from, to, n>>10, err)
	}
	atomic.StoreUint32(word, uint32(r))
	return nil
}

// Relay lets worker w send by port id, of which it has no queue, through worker via, which has one.
func (e *Engine) Relay(w *Worker, id fib.PortID, via int) error {
	if via == w.index {
		return fmt.Errorf("fastpath: worker %d can't send by port %d through itself", via, id)
	}
	e.mu.Lock()
	err := e.needRing(w.index, via)
	atomic.AddUint32(&e.hand[handGeneration], 1)
	e.mu.Unlock()
	if err != nil {
		return err
	}
	return w.Attach(id, &relay{w: w, id: id, via: via})
}

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
		h.owner[b] = uint8(e.hand[handOwners+b])
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
		q.spread = !q.relayed && atomic.LoadUint32(word)&bit != 0
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

// spread hands over those of the first n frames of w.rx, received by q, that belong to other workers, and moves the rest to the front. It returns how
// many stay.
func (w *Worker) spread(q *queue, n int) int {
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
		r.Skip()
		if !ok {
			w.c.words[cntReasons+int(NoFrame)]++
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

// sendHanded queues a frame of another worker.
func (w *Worker) sendHanded(id uint16, f port.Frame) {
	if int(id) >= len(w.byID) || w.byID[id] == nil || w.byID[id].relayed {
		w.c.words[cntReasons+int(RelayLost)]++
		w.release(f)
		return
	}
	w.enqueue(w.byID[id], f)
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

// relay is a port of a worker that has no queue of it: what is sent goes to the worker that has one. It implements port.Port.
type relay struct {
	w   *Worker
	id  fib.PortID
	via int
}

// Recv implements port.Port: there is no queue.
func (p *relay) Recv([]port.Frame) int { return 0 }

// Send implements port.Port. The frames are copied, and back in the pool when it returns.
func (p *relay) Send(fs []port.Frame) int {
	h := &p.w.hand
	if h.out[p.via] == nil {
		return 0
	}
	for i, f := range fs {
		b := p.w.pool.Bytes(f)
		if len(b) > h.out[p.via].SlotSize()-handHeader || !h.put(p.via, handOutput, p.id, b) {
			return i
		}
		p.w.release(f)
	}
	return len(fs)
}

// Flush implements port.Port.
func (p *relay) Flush() { p.w.publish() }

// FD implements port.Port: nothing is received here.
func (p *relay) FD() int { return -1 }

// Close implements port.Port.
func (p *relay) Close() error { return nil }

// flowBucket tells which bucket a frame belongs to: by what all packets of its flow, or of its security association, have in common. ESP and AH go by
// destination and SPI, in UDP too, so that an association stays with its worker when a NAT gives its peer another address; GRE by
// addresses and key; others by addresses, protocol and ports; fragments by addresses and protocol.
func flowBucket(b []byte) uint8 {
	if len(b) < packet.EthernetLen {
		return 0
	}
	switch binary.BigEndian.Uint16(b[12:14]) {
	case packet.TypeIPv4:
		if len(b) >= packet.EthernetLen+packet.IPv4Len {
			return ipBucket(b[packet.EthernetLen:])
		}
	case typeMPLS:
		return labelBucket(b[packet.EthernetLen:])
	}
	return 0
}

// ipBucket is flowBucket for an IPv4 packet of 20 bytes at least.
func ipBucket(ip []byte) uint8 {
	_ = ip[packet.IPv4Len-1]
	be := binary.BigEndian
	proto := uint64(ip[9])
	addrs := be.Uint64(ip[12:20])
	hl := int(ip[0]&15) * 4
	if be.Uint16(ip[6:8])&0x3fff != 0 || hl < packet.IPv4Len || len(ip) < hl+8 {
		return mix(addrs, proto)
	}
	l4 := ip[hl : hl+8]
	switch proto {
	case packet.ProtoESP:
		return mix(addrs&0xffffffff, uint64(be.Uint32(l4)))
	case packet.ProtoAH:
		return mix(addrs&0xffffffff, uint64(be.Uint32(l4[4:])))
	case packet.ProtoUDP:
		if be.Uint16(l4[2:]) == natPort && len(ip) >= hl+packet.UDPLen+4 {
			if spi := be.Uint32(ip[hl+packet.UDPLen:]); spi != 0 {
				return mix(addrs&0xffffffff, uint64(spi))
			}
		}
		fallthrough
	case packet.ProtoTCP:
		return mix(addrs, proto<<32|uint64(be.Uint32(l4)))
	case packet.ProtoGRE:
		return mix(addrs, proto<<32|uint64(greKey(ip[hl:])))
	}
	return mix(addrs, proto)
}

// greKey is the key of a GRE header (RFC 2890), 0 without one.
func greKey(gre []byte) uint32 {
	at := 4
	if gre[0]&0x80 != 0 { // a checksum stands before the key
		at = 8
	}
	if gre[0]&0x20 == 0 || len(gre) < at+4 {
		return 0
	}
	return binary.BigEndian.Uint32(gre[at:])
}

// typeMPLS is the EtherType of labelled frames (RFC 3032 section 5).
const typeMPLS = 0x8847

// labelBucket is flowBucket for a labelled packet: by the addresses of an IPv4 packet under at most 8 labels, or else by the labels.
func labelBucket(b []byte) uint8 {
	var labels uint64
	for at := 0; at < 8*4 && at+4 <= len(b); at += 4 {
		e := binary.BigEndian.Uint32(b[at:])
		labels = labels*31 + uint64(e>>12)
		if e&0x100 == 0 { // not the bottom of the stack
			continue
		}
		if ip := b[at+4:]; len(ip) >= packet.IPv4Len && ip[0]>>4 == 4 {
			return mix(binary.BigEndian.Uint64(ip[12:20]), labels)
		}
		break
	}
	return mix(0, labels)
}

// mix is another function than flowHash, so that the flows of one worker still take all paths.
func mix(a, b uint64) uint8 {
	h := (a ^ a>>31) * 0x9e3779b97f4a7c15
	h ^= b * 0xd6e8feb86659fd93
	h = (h ^ h>>32) * 0xff51afd7ed558ccd
	return uint8(h >> 56)
}
