package fastpath

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/fastpath/port/mem"
)

// flowFrame is packet seq of flow f: UDP from a source port of its own.
func flowFrame(f, seq, size int) []byte {
	udp := make([]byte, max(size, 16))
	binary.BigEndian.PutUint16(udp, uint16(1000+f))
	binary.BigEndian.PutUint16(udp[2:], 53)
	binary.BigEndian.PutUint32(udp[8:], uint32(f))
	binary.BigEndian.PutUint32(udp[12:], uint32(seq))
	return toWAN(ipv4(behind1, hostIP, udp))
}

// flowOf reads what flowFrame wrote.
func flowOf(frame []byte) (f, seq int) {
	udp := frame[packet.EthernetLen+packet.IPv4Len:]
	return int(binary.BigEndian.Uint32(udp[8:])), int(binary.BigEndian.Uint32(udp[12:]))
}

// TestHandOver: what arrives on one queue is shared by all workers, each flow by one of them, in order and unchanged.
func TestHandOver(t *testing.T) {
	for _, workers := range []int{2, 3, 4} {
		c := newCrew(t, workers)
		c.fromOneQueue()
		if !c.e.HandsOver(wan) || c.e.HandsOver(lan) {
			t.Fatal("the wrong port is spread")
		}
		const nFlows, rounds = 64, 40
		for seq := range rounds {
			for f := range nFlows {
				c.wan[0].in = append(c.wan[0].in, flowFrame(f, seq, 16+(f*37+seq*11)%1400))
			}
			c.turn()
		}
		owner, next := make([]int, nFlows), make([]int, nFlows)
		busy := 0
		for k := range c.w {
			out := c.lan[k].take()
			if len(out) > nFlows*rounds/workers/3 {
				busy++
			}
			for _, frame := range out {
				f, seq := flowOf(frame)
				if seq == 0 {
					owner[f] = k
				}
				want := flowFrame(f, seq, 16+(f*37+seq*11)%1400)
				if owner[f] != k || next[f] != seq || !bytes.Equal(frame[packet.EthernetLen+packet.IPv4Len:], want[packet.EthernetLen+packet.IPv4Len:]) {
					t.Fatalf("%d workers: packet %d of flow %d left by worker %d; the flow is worker %d's, and %d is next", workers, seq, f, k, owner[f], next[f])
				}
				next[f]++
			}
		}
		for f, n := range next {
			if n != rounds {
				t.Errorf("%d workers: flow %d: %d of %d packets left", workers, f, n, rounds)
			}
		}
		s := c.e.Counters()
		var handed, taken uint64
		for _, n := range s.Workers {
			handed, taken = handed+n.HandedOver, taken+n.TakenOver
		}
		if busy != workers || handed == 0 || handed != taken {
			t.Errorf("%d workers: %d were busy, %d packets handed over, %d taken", workers, busy, handed, taken)
		}
		if by := c.e.ReceivedBy(wan); len(by) != workers || by[0] != nFlows*rounds || by[1] != 0 {
			t.Errorf("%d workers: received by each: %v", workers, by)
		}
		if n := s.Ports[wan].Rx.Packets; n != nFlows*rounds {
			t.Errorf("%d workers: the port counts %d of %d packets received", workers, n, nFlows*rounds)
		}
	}
}

// TestHandOverEnds: without it, or after it ended, what arrives stays where it arrived.
func TestHandOverEnds(t *testing.T) {
	c := newCrew(t, 2)
	send := func() (w0, w1 int) {
		for f := range 32 {
			c.wan[0].in = append(c.wan[0].in, flowFrame(f, 0, 16))
		}
		c.turn()
		return len(c.lan[0].take()), len(c.lan[1].take())
	}
	if a, b := send(); a != 32 || b != 0 {
		t.Errorf("before: %d and %d", a, b)
	}
	c.fromOneQueue()
	if a, b := send(); a+b != 32 || b == 0 {
		t.Errorf("handed over: %d and %d", a, b)
	}
	if err := c.e.HandOver(wan); err != nil {
		t.Fatal(err)
	}
	if a, b := send(); a != 32 || b != 0 {
		t.Errorf("afterwards: %d and %d", a, b)
	}
	c.fromOneQueue()
	c.w[0].Detach(wan)
	if err := c.w[0].Attach(wan, c.wan[0]); err != nil {
		t.Fatal(err)
	}
	if a, b := send(); a+b != 32 || b == 0 {
		t.Errorf("with the port attached again: %d and %d", a, b)
	}
}

// TestShares: buckets change their owner as asked, no more of them than must, and flows follow.
func TestShares(t *testing.T) {
	c := newCrew(t, 3)
	c.fromOneQueue()
	if s := c.e.Shares(); s[0] != 86 || s[1] != 85 || s[2] != 85 {
		t.Fatalf("shares %v", s)
	}
	c.turn()
	before := c.w[0].hand.owner
	for _, want := range [][]int{{50, 103, 103}, {0, 256, 0}, {86, 85, 85}} {
		if err := c.e.Share(want); err != nil {
			t.Fatal(err)
		}
		if s := c.e.Shares(); !slices.Equal(s, want) {
			t.Errorf("shares %v, want %v", s, want)
		}
		c.turn()
		moved := 0
		for b, o := range c.w[0].hand.owner {
			if o != before[b] {
				moved++
			}
		}
		if want[0] == 50 && moved != 36 {
			t.Errorf("%d buckets moved, want 36", moved)
		}
		if want[1] == 256 {
			for f := range 64 {
				c.wan[0].in = append(c.wan[0].in, flowFrame(f, 0, 16))
			}
			c.turn()
			if n := len(c.lan[1].take()); n != 64 {
				t.Errorf("%d of 64 packets left by the worker that has all", n)
			}
		}
	}
	for _, want := range [][]int{nil, {256}, {100, 100, 100}, {-1, 257, 0}} {
		if c.e.Share(want) == nil {
			t.Errorf("shares of %v were taken", want)
		}
	}
	if b := c.e.Busy(); len(b) != 3 || b[1] == 0 {
		t.Errorf("busy %v", b)
	}
}

// TestHandOverFull: a worker that does not keep up loses the newest packets of its own flows, which are counted, and no others.
func TestHandOverFull(t *testing.T) {
	c := newCrew(t, 2)
	c.fromOneQueue()
	theirs := 0 // a flow of worker 1
	for f := range 100 {
		if c.w[0].Poll(c.now); ownerOf(c.w[0], flowFrame(f, 0, 16)) == 1 {
			theirs = f
		}
	}
	slots := c.e.cfg.handSlots()
	for seq := range slots + 300 {
		c.wan[0].in = append(c.wan[0].in, flowFrame(theirs, seq, 16))
	}
	for c.w[0].Poll(c.now) > 0 {
	}
	if n := c.count(HandOverFull); n != 300 {
		t.Errorf("%d packets found the ring full, want 300", n)
	}
	c.turn()
	out := c.lan[1].take()
	if len(out) != slots {
		t.Fatalf("%d packets left, want %d", len(out), slots)
	}
	for want, frame := range out {
		if _, seq := flowOf(frame); seq != want {
			t.Fatalf("packet %d left where %d was next", seq, want)
		}
	}
}

// ownerOf is the worker that a frame belongs to, as worker w sees it.
func ownerOf(w *Worker, frame []byte) int { return int(w.hand.owner[flowBucket(frame)]) }

// TestHandOverNoFrames: a worker without free frames leaves packets in the ring until it has some.
func TestHandOverNoFrames(t *testing.T) {
	c := newCrew(t, 2)
	c.fromOneQueue()
	var held []uint32
	for {
		k, ok := c.w[1].pool.Get()
		if !ok {
			break
		}
		held = append(held, k)
	}
	for f := range 64 {
		c.wan[0].in = append(c.wan[0].in, flowFrame(f, 0, 16))
	}
	c.turn()
	if n := len(c.lan[1].out); n != 0 {
		t.Fatalf("%d packets left without a frame", n)
	}
	for _, k := range held {
		c.w[1].pool.Put(k)
	}
	c.turn()
	if n := len(c.lan[0].out) + len(c.lan[1].out); n != 64 || len(c.lan[1].out) == 0 {
		t.Errorf("%d of 64 packets left", n)
	}
}

// TestRelay: a worker without a queue of a port sends by the worker that has one, and each frame is counted once.
func TestRelay(t *testing.T) {
	c := newCrew(t, 2)
	c.fromOneQueue()
	c.w[1].Detach(lan)
	if err := c.e.Relay(c.w[1], lan, 0); err != nil {
		t.Fatal(err)
	}
	if err := c.e.Relay(c.w[0], lan, 0); err == nil {
		t.Error("a worker relays through itself")
	}
	var bytesIn uint64
	for f := range 64 {
		frame := flowFrame(f, 0, 16+f*20)
		bytesIn += uint64(len(frame))
		c.wan[0].in = append(c.wan[0].in, frame)
	}
	c.turn()
	if n := len(c.lan[0].take()); n != 64 {
		t.Errorf("%d of 64 frames left by the worker that has the port; %v", n, c.nonZero())
	}
	s := c.e.Counters()
	if got := s.Ports[lan].Tx; got != (Count{64, bytesIn}) {
		t.Errorf("the port counts %+v sent, want 64 frames, %d bytes", got, bytesIn)
	}
	if s.Workers[1].Forwarded == 0 {
		t.Error("worker 1 forwarded nothing")
	}
	// The port goes away below the relay.
	c.w[0].Detach(lan)
	for f := range 64 {
		c.wan[1].in = append(c.wan[1].in, flowFrame(f, 1, 16))
	}
	c.turn()
	if n := c.count(RelayLost); n != 64 {
		t.Errorf("%d frames were lost for want of the port, want 64", n)
	}
}

// TestRelayFull: what a relay has no room for is counted as any port's.
func TestRelayFull(t *testing.T) {
	c := newCrew(t, 2)
	c.w[1].Detach(lan)
	if err := c.e.Relay(c.w[1], lan, 0); err != nil {
		t.Fatal(err)
	}
	n := c.e.cfg.handSlots() + 100
	for seq := range n {
		c.wan[1].in = append(c.wan[1].in, flowFrame(1, seq, 16))
	}
	for c.w[1].Poll(c.now) > 0 {
	}
	if got := c.count(TxFull); got != 100 {
		t.Errorf("%d frames found the relay full, want 100", got)
	}
	c.turn()
	if got := len(c.lan[0].take()); got != n-100 {
		t.Errorf("%d frames left, want %d", got, n-100)
	}
}

func TestHandOverRefused(t *testing.T) {
	c := newCrew(t, 2)
	for _, err := range []error{
		c.e.HandOver(0, 0), c.e.HandOver(60000, 0), c.e.HandOver(wan, 2), c.e.HandOver(wan, -1), c.e.Relay(c.w[0], lan, 7),
	} {
		if err == nil {
			t.Error("no error for a port or worker that there is not")
		}
	}
	r := newRig(t, func(cfg *Config, _ *fib.Batch) { cfg.Workers, cfg.ArenaBytes = 64, 10<<20 })
	if err := r.e.HandOver(wan, 0); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "ring from worker 0") {
		t.Errorf("no room: %v", err)
	}
	e, err := New(Config{Private: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e.HandOver(wan, 0) == nil || e.HandsOver(wan) {
		t.Error("a closed engine hands over")
	}
}

// TestHandOverRecovers: a worker that begins anew goes on in the rings where the one before stopped.
func TestHandOverRecovers(t *testing.T) {
	c := newCrew(t, 2)
	c.fromOneQueue()
	for f := range 64 {
		c.wan[0].in = append(c.wan[0].in, flowFrame(f, 0, 16))
	}
	c.w[0].Poll(c.now)
	for _, w := range c.w { // what a new process has: nothing opened, nothing seen
		w.hand = hand{}
		w.initHand()
		w.hand.stale = true
	}
	c.turn()
	for f := range 64 {
		c.wan[0].in = append(c.wan[0].in, flowFrame(f, 1, 16))
	}
	c.turn()
	if a, b := len(c.lan[0].take()), len(c.lan[1].take()); a+b != 128 || b == 0 {
		t.Errorf("%d and %d packets left, want 128 together", a, b)
	}
}

// TestHandOverGarbage: a ring that holds nonsense, as a broken worker may leave it, does no harm.
func TestHandOverGarbage(t *testing.T) {
	c := newCrew(t, 2)
	c.fromOneQueue()
	c.turn()
	h := &c.w[0].hand
	for _, v := range []uint64{
		0, 0xffffffffffffffff, handInput | uint64(wan)<<16 | 60000<<32, handInput | uint64(wan)<<16 | 1900<<32, handOutput | 999<<16 | 64<<32,
		handOutput | uint64(lan)<<16 | 3000<<32, handInput | 77<<16 | 64<<32,
	} {
		s := h.out[1].Reserve()
		binary.LittleEndian.PutUint64(s, v)
		h.out[1].Advance()
	}
	h.fresh[1] = true
	c.w[0].publish()
	c.turn()
	c.lan[1].take()
	for _, w := range c.w {
		if w.e.openRing(1) != nil {
			t.Error("a ring where none is")
		}
	}
}

// TestHandOverWakes: a worker that sleeps is woken for what is handed over to it.
func TestHandOverWakes(t *testing.T) {
	c := newCrew(t, 2)
	c.fromOneQueue()
	far := port.NewPool(make([]byte, 256*2048), 2048)
	var ends []*mem.End
	for _, id := range []fib.PortID{wan, lan} {
		c.w[1].Detach(id)
		m, err := mem.New(c.w[1].pool, far, mem.Config{Poll: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.w[1].Attach(id, m.End(0)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, m.End(0), m.End(1))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.w[1].Run(ctx, sleepsLong) }()
	seq := 0
	for f := 0; seq < 20; f++ {
		c.w[0].Poll(c.now)
		frame := flowFrame(f, seq, 16)
		if ownerOf(c.w[0], frame) != 1 {
			continue
		}
		seq++
		time.Sleep(5 * time.Millisecond) // asleep
		c.wan[0].in = append(c.wan[0].in, frame)
		start := time.Now()
		c.w[0].Poll(c.now)
		var fs [1]port.Frame
		for ends[3].Recv(fs[:]) == 0 {
			if time.Since(start) > patience {
				t.Fatal("the worker was not woken")
			}
			time.Sleep(20 * time.Microsecond)
		}
		far.Put(fs[0].Chunk)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, e := range ends {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestHandOverConcurrent: workers that run by themselves, one of them receiving: for the race detector.
func TestHandOverConcurrent(t *testing.T) {
	c := newCrew(t, 3, func(cfg *Config, _ *fib.Batch) { cfg.heap, cfg.Private = true, false })
	c.fromOneQueue()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	for _, w := range c.w[1:] {
		go func() { ended <- w.Run(ctx, RunConfig{Adaptive: true}) }()
	}
	const nFlows, rounds = 50, 60
	for seq := range rounds {
		for f := range nFlows {
			c.wan[0].in = append(c.wan[0].in, flowFrame(f, seq, 16))
		}
		c.w[0].Poll(c.now)
		if seq%10 == 5 { // the port comes and goes meanwhile
			if err := c.e.HandOver(wan); err != nil {
				t.Fatal(err)
			}
			c.fromOneQueue()
		}
	}
	for end := time.Now().Add(patience); ; {
		waiting := 0
		for _, w := range c.w[1:] {
			waiting += w.incoming(0).Len()
		}
		if waiting == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d packets still wait", waiting)
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := c.e.Counters().Workers; n[0].HandedOver == 0 || n[0].HandedOver != n[1].TakenOver+n[2].TakenOver {
		t.Errorf("%d handed over, %d and %d taken", n[0].HandedOver, n[1].TakenOver, n[2].TakenOver)
	}
	total := 0
	for k := range c.w {
		next := map[int]int{}
		for _, frame := range c.lan[k].take() {
			f, seq := flowOf(frame)
			if seq < next[f] {
				t.Fatalf("flow %d: packet %d after %d", f, seq, next[f])
			}
			next[f] = seq
			total++
		}
	}
	if lost := int(c.count(HandOverFull)); total+lost != nFlows*rounds {
		t.Errorf("%d packets left, %d found a ring full, of %d", total, lost, nFlows*rounds)
	}
}

// TestNoAllocationsHandOver: neither giving, taking nor relaying allocates.
func TestNoAllocationsHandOver(t *testing.T) {
	c := newCrew(t, 2)
	c.fromOneQueue()
	c.w[1].Detach(lan)
	if err := c.e.Relay(c.w[1], lan, 0); err != nil {
		t.Fatal(err)
	}
	c.w[0].Detach(wan)
	c.w[0].Detach(lan)
	in := &burst{pool: c.w[0].pool}
	for f := range 64 {
		in.frames = append(in.frames, flowFrame(f, 0, 400))
	}
	if err := c.w[0].Attach(wan, in); err != nil {
		t.Fatal(err)
	}
	if err := c.w[0].Attach(lan, &burst{pool: c.w[0].pool}); err != nil {
		t.Fatal(err)
	}
	before := c.e.Counters().Ports[lan].Tx.Packets
	n := testing.AllocsPerRun(100, func() {
		in.on = true
		for range 2 {
			c.w[0].Poll(c.now)
			c.w[1].Poll(c.now)
		}
	})
	if sent := c.e.Counters().Ports[lan].Tx.Packets - before; n != 0 || sent < 64*100 || c.e.Counters().Workers[1].TakenOver == 0 {
		t.Errorf("%v allocations a turn, %d packets sent", n, sent)
	}
	c.turn()
}

// burst receives its frames once each time it is on, by copying them, and forgets what is sent.
type burst struct {
	wire
	pool   *port.Pool
	frames [][]byte
	on     bool
}

func (p *burst) Recv(fs []port.Frame) int {
	if !p.on {
		return 0
	}
	p.on = false
	n := 0
	for _, b := range p.frames {
		c, ok := p.pool.Get()
		if !ok {
			break
		}
		fs[n] = port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(b))}
		copy(p.pool.Bytes(fs[n]), b)
		n++
	}
	return n
}

func (p *burst) Send(fs []port.Frame) int {
	for _, f := range fs {
		p.pool.Put(f.Chunk)
	}
	return len(fs)
}
