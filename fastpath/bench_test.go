package fastpath

import (
	"fmt"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// replay is a port that receives the same frames again and again without copying whole frames: it writes back only the bytes
// that the forwarder changes. What is sent to it comes back to its pool, so that what is measured is the engine.
type replay struct {
	pool *port.Pool
	tmpl [][]byte // the frames, to take the first bytes from
	fill []port.Frame
	head int            // bytes written back
	vary func(b []byte) // makes a frame another one
	on   bool
	free int // chunks of the pool that are nobody's
}

func newReplay(pool *port.Pool, frames [][]byte, head int) *replay {
	p := &replay{pool: pool, tmpl: frames, head: head}
	for i := range frames {
		c, ok := pool.Get()
		if !ok {
			panic("the pool is too small")
		}
		f := port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(frames[i]))}
		copy(pool.Bytes(f), frames[i])
		p.fill = append(p.fill, f)
	}
	return p
}

func (p *replay) Recv(fs []port.Frame) int {
	if !p.on {
		return 0
	}
	p.on = false
	for p.pool.Free() > p.free { // what was dropped went to the pool
		p.pool.Get()
	}
	n := copy(fs, p.fill)
	for i := range n {
		if p.vary != nil {
			p.vary(p.tmpl[i])
		}
		copy(p.pool.Bytes(fs[i])[:p.head], p.tmpl[i])
	}
	return n
}

// Send takes all and keeps none: the frames belong to the replaying port, which lends them out again.
func (p *replay) Send(fs []port.Frame) int { return len(fs) }
func (p *replay) Flush()                   {}
func (p *replay) FD() int                  { return -1 }
func (p *replay) Close() error             { return nil }

// benchmark polls bursts of frames that come in by one port.
func benchmark(b *testing.B, in fib.PortID, frames [][]byte, change ...func(*Config, *fib.Batch)) {
	benchmarkVaried(b, in, frames, nil, change...)
}

// benchmarkVaried is benchmark with frames that vary changes each time.
func benchmarkVaried(b *testing.B, in fib.PortID, frames [][]byte, vary func([]byte), change ...func(*Config, *fib.Batch)) {
	r := newRig(b, change...)
	r.w.Detach(wan)
	r.w.Detach(lan)
	pool := r.w.pool
	ports := map[fib.PortID]*replay{wan: newReplay(pool, nil, 0), lan: newReplay(pool, nil, 0)}
	ports[in] = newReplay(pool, frames, 64)
	ports[in].vary = vary
	for id, p := range ports {
		if err := r.w.Attach(id, p); err != nil {
			b.Fatal(err)
		}
	}
	p := ports[in]
	p.free = pool.Free()
	for range 64 {
		p.on = true
		r.w.Poll(1)
	}
	before := r.e.Counters().Workers[0]
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(frames) {
		p.on = true
		r.w.Poll(1)
	}
	b.StopTimer()
	after := r.e.Counters().Workers[0]
	packets := after.Packets - before.Packets
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
	b.ReportMetric(float64(after.Ticks-before.Ticks)/float64(packets), "ticks/packet")
	r.frames = pool.Free()
}

// flows is a burst of frames, of n flows.
func flows(n int, build func(i int) []byte) [][]byte {
	out := [][]byte{}
	for i := range n {
		out = append(out, build(i))
	}
	return out
}

const benchBurst = 256

func BenchmarkPath(b *testing.B) {
	for _, size := range []int{64, 1400} {
		body := pattern(size - packet.IPv4Len)
		via := func(i int, p [4]byte) [4]byte { p[3] = byte(1 + i%250); return p }
		cases := []struct {
			name  string
			in    fib.PortID
			build func(i int) []byte
		}{
			{"replay-only", wan, func(i int) []byte { return ethernet(hostMAC, gwMAC, ipv4(via(i, spoke1NBMA), hostIP, body)) }},
			{"classify", wan, func(i int) []byte { return toWAN(ipv4(via(i, spoke1NBMA), ip4("203.0.113.9"), body)) }},
			{"ipv4", wan, func(i int) []byte { return toWAN(ipv4(via(i, spoke1NBMA), hostIP, body)) }},
			{"gre-encap", lan, func(i int) []byte { return toLAN(ipv4(hostIP, via(i, behind1), body)) }},
			{"gre-decap", wan, func(i int) []byte { return fromSpoke1(ipv4(via(i, behind1), hostIP, body)) }},
			{"hairpin", wan, func(i int) []byte { return fromSpoke1(ipv4(via(i, behind1), behind2, body)) }},
		}
		for _, c := range cases {
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) {
				benchmark(b, c.in, flows(benchBurst, c.build))
			})
		}
		benchmarkLabels(b, size, body)
	}
}
