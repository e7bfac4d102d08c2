package fastpath

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/internal/ring"
	"nave/fastpath/internal/sa"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// fleet is a hub with many spokes behind it, each with associations of its own.
type fleet struct {
	batch  *fib.Batch
	frames [][]byte // from each spoke, to a host on the LAN and to the next spoke in turn
}

const fleetAdj = fib.AdjID(100)

// newFleet builds n spokes, and packets from them with size bytes inside.
func newFleet(tb testing.TB, n, size int) *fleet {
	tb.Helper()
	f := &fleet{batch: rigBatch()}
	b := f.batch
	b.Tunnels[0].Protected, b.Tunnels[0].Protection, b.Tunnels[0].Redirect = true, protection, false
	b.Adjacencies = b.Adjacencies[:1]
	b.Groups, b.Routes = nil, b.Routes[:4]
	ivs, err := sa.NewIVs()
	if err != nil {
		tb.Fatal(err)
	}
	x := sa.NewScratch(2048, ivs)
	for i := range n {
		nbma, inside := [4]byte{198, 18, byte(i >> 8), byte(i)}, [4]byte{10, 100, byte(i >> 8), byte(i)}
		in := fib.SA{ID: fib.SAID(2*i + 1), Inbound: true, SPI: uint32(0x10000 + i), Local: addr(hubNBMA), Remote: addr(nbma), Protection: protection,
			Cipher: fib.CipherAESGCM, CipherKey: testKey(20, uint32(i))}
		out := in
		out.ID, out.Inbound, out.SPI, out.CipherKey = fib.SAID(2*i+2), false, uint32(0x20000+i), testKey(20, uint32(i+7))
		b.SAs = append(b.SAs, in, out)
		a := tunnelAdj(fleetAdj+fib.AdjID(i), nbma)
		a.SA = out.ID
		b.Adjacencies = append(b.Adjacencies, a)
		b.Routes = append(b.Routes, route(fmt.Sprintf("%v/32", addr(inside)), a.ID))
		spoke := in
		spoke.Inbound = false
		tr, err := sa.New(&spoke)
		if err != nil {
			tb.Fatal(err)
		}
		next := (i + 1) % n
		for _, dst := range [][4]byte{hostIP, {10, 100, byte(next >> 8), byte(next)}} {
			g := gre(packet.TypeIPv4, ipv4(inside, dst, pattern(size-packet.IPv4Len)))
			chunk := make([]byte, 8+tr.Front()+tr.Padded(len(g))+tr.Tail())
			copy(chunk[8+tr.Front():], g)
			sa.Trailer(chunk[8+tr.Front():8+tr.Front()+tr.Padded(len(g))], len(g), packet.ProtoGRE)
			m := tr.Seal(x, chunk, 8, tr.Padded(len(g)), 1)
			f.frames = append(f.frames, toWAN(ipv4(nbma, hubNBMA, chunk[8:8+m], proto(packet.ProtoESP))))
		}
	}
	return f
}

// source receives packets of a fleet by copying them into frames, as a NIC does, as long as it may; what is sent comes back to the pool.
type source struct {
	pool   *port.Pool
	frames [][]byte
	next   int
	left   atomic.Int64
	room   func() bool // whether more may come now
}

func (p *source) Recv(fs []port.Frame) int {
	n := min(int(p.left.Load()), len(fs), p.pool.Free())
	if n <= 0 || p.room != nil && !p.room() {
		return 0
	}
	for i := range fs[:n] {
		b := p.frames[p.next]
		if p.next++; p.next == len(p.frames) {
			p.next = 0
		}
		c, _ := p.pool.Get()
		fs[i] = port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(b))}
		copy(p.pool.Bytes(fs[i]), b)
	}
	p.left.Add(int64(-n))
	return n
}

func (p *source) Send(fs []port.Frame) int {
	for _, f := range fs {
		p.pool.Put(f.Chunk)
	}
	return len(fs)
}

func (p *source) Flush()       {}
func (p *source) FD() int      { return -1 }
func (p *source) Close() error { return nil }

// TestFleetOverTwoWorkers: with hand-over, each association is opened by one worker alone, and what is sealed for another spoke can be opened.
func TestFleetOverTwoWorkers(t *testing.T) {
	fl := newFleet(t, 16, 200)
	c := newCrew(t, 2, func(_ *Config, batch *fib.Batch) { *batch = *fl.batch })
	c.fromOneQueue()
	owner := map[uint32]int{}
	for round := range 3 {
		for _, f := range fl.frames {
			c.wan[0].in = append(c.wan[0].in, append([]byte(nil), f...))
		}
		c.turn()
		lanOut, wanOut := 0, map[uint32]int{}
		for k := range c.w {
			for _, f := range c.lan[k].take() {
				ip := r4(f)
				spoke := ip.Src() & 0xffff
				if was, ok := owner[spoke]; ok && was != k {
					t.Fatalf("spoke %d left by worker %d, and by %d before", spoke, k, was)
				}
				owner[spoke] = k
				lanOut++
			}
			for _, f := range c.wan[k].take() {
				wanOut[binary.BigEndian.Uint32(r4(f).Payload())]++
			}
		}
		if lanOut != 16 || len(wanOut) != 16 {
			t.Fatalf("round %d: %d packets to the LAN, %d associations sent by; %v", round, lanOut, len(wanOut), c.nonZero())
		}
	}
	busy := [2]int{}
	for _, k := range owner {
		busy[k]++
	}
	if busy[0] == 0 || busy[1] == 0 {
		t.Errorf("spokes by worker: %v", busy)
	}
	for id := range fib.SAID(16) {
		n, ok := c.e.SACount(2*id + 1)
		if !ok || n.Packets != 6 {
			t.Errorf("association %d opened %d packets: %v", 2*id+1, n.Packets, ok)
		}
	}
}

// r4 is the IPv4 packet of a frame.
func r4(f []byte) packet.IPv4 {
	ip, _ := packet.ParseIPv4(f[packet.EthernetLen:])
	return ip
}

// BenchmarkHandOverShares is what each of two workers has to do for a packet that arrives at the first, apart from each other and in turn, so that a busy machine
// does not matter: gain is what two CPUs can bring at most, against one worker that does it all.
func BenchmarkHandOverShares(b *testing.B) {
	for _, size := range []int{64, 512, 1400} {
		fl := newFleet(b, 64, size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			one := shares(b, fl, 0)
			two, best := shares(b, fl, Buckets/2), 0.0
			b.ReportMetric(one[0], "one-ticks")
			b.ReportMetric(two[0], "first-ticks")
			b.ReportMetric(two[1], "second-ticks")
			b.ReportMetric(one[0]/max(two[0], two[1]), "gain")
			for own := 60; own < Buckets/2; own += 8 { // and with fewer flows for the first, as the daemon has it by and by
				s := shares(b, fl, own)
				best = max(best, one[0]/max(s[0], s[1]))
			}
			b.ReportMetric(best, "balanced-gain")
		})
	}
}

// shares is the ticks of each worker a packet that the first received, who owns so many buckets; 0 is one worker alone. The least of many short stretches.
func shares(b *testing.B, fl *fleet, own int) []float64 {
	workers := 2
	if own == 0 {
		workers = 1
	}
	c := newCrew(b, workers, func(_ *Config, batch *fib.Batch) { *batch = *fl.batch })
	var first *source
	for _, w := range c.w {
		w.Detach(wan)
		w.Detach(lan)
		s := &source{pool: w.pool, frames: fl.frames}
		for id, p := range map[fib.PortID]port.Port{wan: s, lan: &source{pool: w.pool}} {
			if err := w.Attach(id, p); err != nil {
				b.Fatal(err)
			}
		}
		if first == nil {
			first = s
		}
	}
	if workers > 1 {
		c.fromOneQueue()
		if err := c.e.Share([]int{own, Buckets - own}); err != nil {
			b.Fatal(err)
		}
	}
	least := make([]float64, workers)
	const stretches, packets = 200, 1024
	for range stretches {
		before := c.e.Counters().Workers
		first.left.Store(packets)
		for first.left.Load() > 0 {
			for _, w := range c.w {
				w.Poll(1)
			}
		}
		c.turn()
		for k, n := range c.e.Counters().Workers {
			if t := float64(n.Ticks-before[k].Ticks) / packets; least[k] == 0 || t < least[k] {
				least[k] = t
			}
		}
	}
	return least
}

// BenchmarkSpread is the price of handing a packet over, by its size: finding its owner, copying it into the ring, and out of it.
func BenchmarkSpread(b *testing.B) {
	for _, size := range []int{64, 512, 1400} {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			c := newCrew(b, 2)
			c.fromOneQueue()
			c.turn()
			w, q := c.w[0], c.w[0].byID[wan]
			for k := range c.w[0].hand.owner {
				c.w[0].hand.owner[k] = 1
			}
			frame := flowFrame(1, 0, size-28)
			const n = 128
			var fs [n]port.Frame
			for i := range fs {
				k, _ := w.pool.Get()
				fs[i] = port.Frame{Chunk: k, Start: port.Headroom, Len: uint16(len(frame))}
				copy(w.pool.Bytes(fs[i]), frame)
			}
			in := c.w[1].hand.in[0]
			b.ResetTimer()
			for done := 0; done < b.N; done += n {
				copy(w.rx[:], fs[:])
				w.spread(q, n)
				for range n {
					w.pool.Get()
				}
				takeBare(c.w[1], in)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/packet")
			for i := range fs {
				w.pool.Put(fs[i].Chunk)
			}
			c.w[0].c.words[cntPackets], c.w[1].c.words[cntTaken] = c.w[0].c.words[cntHanded], 0
		})
	}
}

// takeBare copies what is in a ring into frames, and drops them.
func takeBare(w *Worker, r *ring.Ring) {
	for s := r.Peek(); s != nil; s = r.Peek() {
		n := int(binary.LittleEndian.Uint64(s) >> 32)
		f, _ := w.newFrame(n)
		copy(w.pool.Bytes(f), s[handHeader:handHeader+n])
		r.Pass()
		w.release(f)
	}
	r.Return()
}
