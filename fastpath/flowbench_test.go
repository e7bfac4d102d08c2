package fastpath

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// headers is a port that receives packets of many flows in turn: of frames that stay where they are it writes the headers, which is all that the forwarder looks at.
type headers struct {
	replay
	all  []byte // headers of all flows
	size int    // of each
	next int
}

func (p *headers) Recv(fs []port.Frame) int {
	if !p.on {
		return 0
	}
	p.on = false
	n := copy(fs, p.fill)
	for i := range n {
		copy(p.pool.Bytes(fs[i]), p.all[p.next:p.next+p.size])
		if p.next += p.size; p.next == len(p.all) {
			p.next = 0
		}
	}
	return n
}

// flowCase is a row of BenchmarkFlow.
type flowCase struct {
	flows, routes int
	adjs          int // more than 512 make a worker look ahead
	hairpin       bool
	paths         int // of a route
}

// prefixes is random prefixes as the Internet has them: most of 24 bits, few shorter than 16.
func prefixes(n int, rnd *rand.Rand) []netip.Prefix {
	out := make([]netip.Prefix, 0, n)
	seen := make(map[netip.Prefix]bool, n)
	for len(out) < n {
		bits := 24
		if rnd.IntN(100) >= 60 {
			bits = 16 + rnd.IntN(8)
		}
		a := rnd.Uint32()
		if d := a >> 24; d == 0 || d == 10 || d == 127 || d >= 224 || d == 192 {
			continue
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], a)
		p := netip.PrefixFrom(netip.AddrFrom4(b), bits).Masked()
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// newFlowRig makes a hub of a case, and the port that its packets come from. remembered: how many flows it remembers.
func newFlowRig(b *testing.B, c flowCase, remembered int) (*rig, *headers) {
	rnd := rand.New(rand.NewPCG(1, 2))
	dsts := prefixes(c.routes, rnd)
	r := newRig(b, func(cfg *Config, batch *fib.Batch) {
		cfg.ArenaBytes, cfg.MaxRoutes, cfg.MaxAdjacencies, cfg.FlowCache = 1<<30, c.routes+64, 4096, remembered
		cfg.Private = false
		for i := range c.adjs {
			id := fib.AdjID(100 + i)
			a := linkAdj(id, lan, lanMAC, hostMAC)
			if c.hairpin {
				a = tunnelAdj(id, spoke2NBMA)
			}
			batch.Adjacencies = append(batch.Adjacencies, a)
		}
		for i, p := range dsts {
			var paths []fib.AdjID
			for k := range c.paths {
				paths = append(paths, fib.AdjID(100+(i+k)%c.adjs))
			}
			batch.Routes = append(batch.Routes, fib.Route{Prefix: p, Paths: paths})
		}
	})
	p := &headers{replay: replay{pool: r.w.pool}, size: 64}
	for i := range c.flows {
		d := dsts[rnd.IntN(len(dsts))]
		a := d.Addr().As4()
		w := binary.BigEndian.Uint32(a[:]) | rnd.Uint32()>>d.Bits()
		binary.BigEndian.PutUint32(a[:], w)
		src := [4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)}
		ip := ipv4(src, a, ports(uint16(rnd.Uint32()), 443))
		f := toWAN(ip)
		if c.hairpin {
			f = fromSpoke1(ip)
			p.size = 96
		}
		p.all = append(p.all, append(f, make([]byte, 128)...)[:p.size]...)
	}
	frame := make([]byte, packet.EthernetLen+packet.IPv4Len+40)
	if c.hairpin {
		frame = append(frame, make([]byte, packet.IPv4Len+8)...)
	}
	for range benchBurst {
		ch, ok := p.pool.Get()
		if !ok {
			b.Fatal("the pool is too small")
		}
		p.fill = append(p.fill, port.Frame{Chunk: ch, Start: port.Headroom, Len: uint16(len(frame))})
	}
	r.w.Detach(wan)
	r.w.Detach(lan)
	in, out := port.Port(p), port.Port(&replay{pool: p.pool})
	if err := r.w.Attach(wan, in); err != nil {
		b.Fatal(err)
	}
	if err := r.w.Attach(lan, out); err != nil {
		b.Fatal(err)
	}
	return r, p
}

// BenchmarkFlow is the path with the worker remembering flows (on) and not (off), in turns, medians; ns a packet. It fails when the two do not forward the same.
func BenchmarkFlow(b *testing.B) {
	cases := []flowCase{}
	for _, adjs := range []int{1, 1024} {
		for _, routes := range []int{1, 10_000, 500_000} {
			for _, n := range []int{1, 10_000, 1_000_000} {
				cases = append(cases, flowCase{n, routes, adjs, false, 1})
			}
		}
	}
	for _, n := range []int{1, 10_000, 1_000_000} {
		cases = append(cases, flowCase{n, 500_000, 1024, true, 1}, flowCase{n, 500_000, 1024, false, 4})
	}
	for _, c := range cases {
		b.Run(fmt.Sprintf("flows=%d/routes=%d/adjacencies=%d/hairpin=%v/paths=%d", c.flows, c.routes, c.adjs, c.hairpin, c.paths), func(b *testing.B) { c.run(b) })
	}
}

func (c flowCase) run(b *testing.B) {
	const rounds = 9
	remembered := []int{0, max(1024, c.flows)}
	var rigs [2]*rig
	var in [2]*headers
	var took [2][]float64
	for k := range rigs {
		rigs[k], in[k] = newFlowRig(b, c, remembered[k])
	}
	now := int64(0)
	polls := max(c.flows/benchBurst, 1)
	turn := func(k, n int) {
		r := rigs[k]
		words := r.w.c.words
		forwarded := words[cntForwarded]
		for range n {
			now += 30_000
			in[k].on = true
			before := words[cntTicks]
			r.w.Poll(now)
			took[k] = append(took[k], float64(words[cntTicks]-before)/benchBurst)
		}
		if got := words[cntForwarded] - forwarded; got != uint64(n*benchBurst) {
			b.Fatalf("%d of %d packets forwarded: %v", got, n*benchBurst, r.nonZero())
		}
	}
	for k := range rigs {
		turn(k, polls+polls/4)
		took[k] = took[k][:0]
	}
	for b.Loop() {
		for range rounds {
			for k := range rigs {
				turn(k, max(500, min(polls, 2000)))
			}
		}
	}
	for k, name := range []string{"off-ticks", "on-ticks"} {
		slices.Sort(took[k])
		b.ReportMetric(took[k][len(took[k])/2], name)
	}
	b.ReportMetric(0, "ns/op")
	for k := range rigs {
		rigs[k].frames = rigs[k].w.pool.Free()
	}
	if n := rigs[1].e.Counters().Flows; int(n.Live) < c.flows*9/10 {
		b.Errorf("%d flows live of %d", n.Live, c.flows)
	}
}
