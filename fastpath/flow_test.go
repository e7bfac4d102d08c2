package fastpath

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// remember makes a rig's worker remember flows.
func remember(n int) func(*Config, *fib.Batch) {
	return func(c *Config, _ *fib.Batch) { c.FlowCache = n }
}

// ports is the first bytes of a UDP or TCP header.
func ports(src, dst uint16) []byte {
	b := pattern(40)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	return b
}

// flows is what the engine remembers.
func (r *rig) flows() []Flow {
	var out []Flow
	r.e.Flows(func(f *Flow) bool { out = append(out, *f); return true })
	return out
}

// oneFlow is the only flow there is.
func (r *rig) oneFlow() Flow {
	r.t.Helper()
	fs := r.flows()
	if len(fs) != 1 {
		r.t.Fatalf("%d flows, want one: %+v", len(fs), fs)
	}
	return fs[0]
}

// A flow is remembered with where it came from and goes to, and its packets are counted.
func TestFlow(t *testing.T) {
	r := newRig(t, remember(1000))
	r.now = 5e9
	p := ipv4(behind1, hostIP, ports(4000, 53), tos(0x20))
	for range 3 {
		r.fromWAN(fromSpoke1(p))
		r.now += 1e9
	}
	r.poll()
	f := r.oneFlow()
	want := Flow{
		Src: addr(behind1), Dst: addr(hostIP), Proto: packet.ProtoUDP, SrcPort: 4000, DstPort: 53, TOS: 0x20, InPort: wan, InTunnel: tunnelID, Adj: adjHost, OutPort: lan,
		Packets: 3, Bytes: 3 * uint64(len(p)), Age: 3e9, Idle: 1e9,
	}
	if f != want {
		t.Errorf("flow\n%+v, want\n%+v", f, want)
	}
	if n := r.e.Counters().Flows; n.Live != 1 || n.Added != 1 || n.Capacity != 1600 || n.Evicted != 0 || n.Moved != 0 {
		t.Errorf("counts %+v", n)
	}
	if len(r.lan.out) != 3 {
		t.Errorf("%d packets left, want 3", len(r.lan.out))
	}
}

// A flow ends some time after its last packet.
func TestFlowAgeing(t *testing.T) {
	r := newRig(t, remember(1000))
	r.fromWAN(fromSpoke1(ipv4(behind1, hostIP, ports(1, 2))))
	for r.now < int64(FlowInactive)-1e9 {
		r.now += 1e9
		r.poll()
	}
	if f := r.oneFlow(); f.Packets != 1 {
		t.Errorf("%+v", f)
	}
	r.now += 2e9
	r.poll()
	if fs := r.flows(); len(fs) != 0 {
		t.Errorf("an idle flow is there: %+v", fs)
	}
	for range 4 {
		r.now += 1e9
		r.poll()
	}
	if n := r.e.FlowCount(); n.Live != 0 || n.Added != 1 {
		t.Errorf("%+v", n)
	}
}

// What is for this box, of this box, or goes nowhere is not remembered.
func TestNotRemembered(t *testing.T) {
	r := newRig(t, remember(1000))
	r.fromWAN(toWAN(ipv4(behind1, hubLAN, ports(1, 2))), toWAN(ipv4(behind1, ip4("203.0.113.9"), ports(1, 2))), toWAN(ipv4(behind1, ip4("10.66.0.1"), ports(1, 2))),
		toWAN(ipv4(behind1, ip4("10.0.0.77"), ports(1, 2))), toWAN(ipv4(behind1, mcast, ports(1, 2))))
	if err := r.e.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubLAN, hostIP, ports(1, 2))}); err != nil {
		t.Fatal(err)
	}
	r.poll()
	if fs := r.flows(); len(fs) != 0 || len(r.lan.out) != 1 {
		t.Errorf("%d packets left; flows %+v", len(r.lan.out), fs)
	}
	// A next hop that becomes known is another matter, and one that is no longer known does not count.
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{linkAdj(adjGlean, lan, lanMAC, hostMAC)}})
	r.fromWAN(toWAN(ipv4(behind1, ip4("10.0.0.77"), ports(1, 2))))
	if f := r.oneFlow(); f.Adj != adjGlean || f.Packets != 1 {
		t.Errorf("%+v", f)
	}
}

// A packet that comes after Apply goes by the new route, whatever its flow went by before; its flow keeps its counts. Changes of other things than routes
// take effect without the flow being looked up again.
func TestFlowRouteChange(t *testing.T) {
	r := newRig(t, remember(1000))
	p := toLAN(ipv4(hostIP, behind1, ports(1, 2)))
	left := func(want [4]byte) {
		t.Helper()
		r.wan.out, r.lan.out = nil, nil
		r.fromLAN(bytes.Clone(p))
		if want == hostIP {
			r.oneOut(r.lan)
			return
		}
		if outer, _, _ := r.ungre(r.oneOut(r.wan)); outer.Dst() != binary.BigEndian.Uint32(want[:]) {
			t.Errorf("left for %v, want %v", outer.Dst(), want)
		}
	}
	left(spoke1NBMA)
	left(spoke1NBMA)
	r.apply(&fib.Batch{Routes: []fib.Route{route("10.1.0.5/32", adjSpoke2)}})
	left(spoke2NBMA)
	left(spoke2NBMA)
	if n, f := r.e.FlowCount(), r.oneFlow(); n.Moved != 1 || f.Packets != 4 || f.Adj != adjSpoke2 {
		t.Errorf("%+v, %+v", n, f)
	}
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{tunnelAdj(adjSpoke2, spoke1NBMA)}})
	left(spoke1NBMA)
	r.apply(&fib.Batch{DelRoutes: []fib.RouteKey{{Prefix: route("10.1.0.5/32").Prefix}}, DelAdjacencies: []fib.AdjID{adjSpoke2}, Groups: []fib.Group{{ID: group, Members: []fib.AdjID{adjSpoke1}}},
		Routes: []fib.Route{route("10.2.0.0/24", adjSpoke1)}})
	left(spoke1NBMA)
	r.apply(&fib.Batch{Routes: []fib.Route{route("10.1.0.0/24", adjHost)}})
	left(hostIP)
	if n, f := r.e.FlowCount(), r.oneFlow(); n.Moved != 3 || n.Added != 1 || f.Packets != 7 {
		t.Errorf("%+v, %+v", n, f)
	}
	// Without a route, it is not counted; with one again, it goes on.
	r.apply(&fib.Batch{DelRoutes: []fib.RouteKey{{Prefix: route("10.1.0.0/24").Prefix}}})
	r.wan.out, r.lan.out = nil, nil
	r.fromLAN(bytes.Clone(p))
	if len(r.wan.out)+len(r.lan.out) != 0 || r.oneFlow().Packets != 7 {
		t.Errorf("%d packets left without a route", len(r.wan.out)+len(r.lan.out))
	}
	r.apply(&fib.Batch{Routes: []fib.Route{route("10.1.0.0/24", adjSpoke1)}})
	left(spoke1NBMA)
	// A default route that covers nothing new still moves the generation; an association does not.
	moved := r.e.FlowCount().Moved
	r.apply(&fib.Batch{Ports: []fib.Port{{ID: lan, MAC: lanMAC, Addr: addr(hubLAN), MTU: 1400}}})
	left(spoke1NBMA)
	if n := r.e.FlowCount().Moved; n != moved {
		t.Errorf("looked up again %d times", n-moved)
	}
}

// Two VRFs have the same addresses, and go different ways.
func TestFlowVRF(t *testing.T) {
	r := newRig(t, remember(1000), func(_ *Config, b *fib.Batch) {
		b.Ports[1].VRF = 5
		b.Routes = append(b.Routes, fib.Route{VRF: 5, Prefix: route("10.2.0.0/24").Prefix, Paths: []fib.AdjID{adjSpoke1}})
	})
	p := ipv4(behind1, behind2, ports(1, 2))
	for range 2 {
		r.fromWAN(toWAN(p))
		r.fromLAN(toLAN(p))
	}
	fs := r.flows()
	if len(fs) != 2 {
		t.Fatalf("flows %+v", fs)
	}
	for _, f := range fs {
		if f.Packets != 2 || f.VRF == 0 && (f.Adj != adjSpoke2 || f.InPort != wan) || f.VRF == 5 && (f.Adj != adjSpoke1 || f.InPort != lan) || f.VRF != 0 && f.VRF != 5 {
			t.Errorf("%+v", f)
		}
	}
}

// Fragments have no ports: all of one pair of addresses and protocol are one flow, the first one included, as they take one path. ICMP has none either.
func TestFlowFragments(t *testing.T) {
	r := newRig(t, remember(1000))
	for i := range uint16(4) {
		r.fromWAN(toWAN(ipv4(behind1, hostIP, ports(i, 2), ident(i), flags(packet.FlagMF))), toWAN(ipv4(behind1, hostIP, ports(77, i), ident(i), flags(6))))
	}
	if f := r.oneFlow(); f.Packets != 8 || f.SrcPort != 0 || f.DstPort != 0 || f.Proto != packet.ProtoUDP {
		t.Errorf("%+v", f)
	}
	r.fromWAN(toWAN(ipv4(behind1, hostIP, ports(8<<8, 2), proto(packet.ProtoICMP))), toWAN(ipv4(behind1, hostIP, ports(0, 3), proto(packet.ProtoICMP))))
	if n := r.e.FlowCount().Live; n != 2 {
		t.Errorf("%d flows, want one more of ICMP", n)
	}
}

// A worker that remembers flows forwards the same as one that does not: many flows, paths, routes that come and go, few and many of everything, so that it looks ahead
// and does not.
func TestFlowsForwardTheSame(t *testing.T) {
	for _, far := range []bool{false, true} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%v/%d", far, seed), func(t *testing.T) { forwardTheSame(t, far, seed) })
		}
	}
}

func forwardTheSame(t *testing.T, far bool, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 9))
	many := func(c *Config, b *fib.Batch) {
		for i := range 600 {
			if far {
				b.Adjacencies = append(b.Adjacencies, linkAdj(fib.AdjID(100+i), lan, lanMAC, [6]byte{2, 0, 0, 1, byte(i >> 8), byte(i)}))
			}
		}
		b.Routes = append(b.Routes, route("172.16.0.0/12", adjSpoke1, adjSpoke2, adjHost))
	}
	off := newRig(t, many)
	on := newRig(t, many, remember(60)) // too few for all
	rigs := []*rig{off, on}
	prefix := func() string { return fmt.Sprintf("172.%d.%d.0/%d", 16+rnd.IntN(2), rnd.IntN(4), 18+rnd.IntN(9)) }
	adjs := []fib.AdjID{adjSpoke1, adjSpoke2, adjHost, adjGlean, fib.Null, fib.Receive}
	for range 300 {
		if rnd.IntN(3) == 0 {
			b := &fib.Batch{}
			if p := route(prefix()); rnd.IntN(3) == 0 {
				b.DelRoutes = []fib.RouteKey{{Prefix: p.Prefix.Masked()}}
			} else {
				p.Prefix = p.Prefix.Masked()
				for range 1 + rnd.IntN(3) {
					p.Paths = append(p.Paths, adjs[rnd.IntN(len(adjs))])
				}
				if len(p.Paths) > 1 {
					p.Paths = []fib.AdjID{adjSpoke1, adjSpoke2, adjHost}[:2+rnd.IntN(2)]
				}
				b.Routes = []fib.Route{p}
			}
			for _, r := range rigs {
				r.apply(b)
			}
		}
		var frames [][]byte
		for range 1 + rnd.IntN(150) {
			dst := [4]byte{172, byte(16 + rnd.IntN(2)), byte(rnd.IntN(4)), byte(rnd.IntN(3))}
			ip := ipv4([4]byte{10, 1, 0, byte(rnd.IntN(3))}, dst, ports(uint16(rnd.IntN(3)), 80), proto([]uint8{packet.ProtoUDP, packet.ProtoTCP, packet.ProtoICMP, packet.ProtoGRE}[rnd.IntN(4)]))
			if rnd.IntN(2) == 0 {
				frames = append(frames, fromSpoke1(ip))
			} else {
				frames = append(frames, toWAN(ip))
			}
		}
		step := rnd.Int64N(3e9)
		for _, r := range rigs {
			r.wan.out, r.lan.out = nil, nil
			r.now += step
			for _, f := range frames {
				r.wan.in = append(r.wan.in, bytes.Clone(f))
			}
			r.settle()
		}
		if !slices.EqualFunc(off.wan.out, on.wan.out, bytes.Equal) || !slices.EqualFunc(off.lan.out, on.lan.out, bytes.Equal) {
			t.Fatalf("%d and %d frames left, with flows %d and %d, or different ones", len(off.wan.out), len(off.lan.out), len(on.wan.out), len(on.lan.out))
		}
		off.punts, on.punts = nil, nil
	}
	if on.w.far != far {
		t.Errorf("it looked ahead: %v", on.w.far)
	}
	a, b := off.e.Counters(), on.e.Counters()
	if a.Reasons != b.Reasons || a.Workers[0].Forwarded != b.Workers[0].Forwarded || b.Flows.Moved == 0 || b.Flows.Evicted == 0 || b.Flows.Live == 0 {
		t.Errorf("%+v\n%+v", a.Workers[0], b.Workers[0])
	}
	counted := uint64(0)
	for _, f := range on.flows() {
		counted += f.Packets
	}
	if counted == 0 || counted > b.Workers[0].Packets {
		t.Errorf("flows have %d packets of %d", counted, b.Workers[0].Packets)
	}
}

// What comes out of associations in a vector finds its flows, too.
func TestFlowsSealed(t *testing.T) {
	p := newPair(t, gcm128, remember(1000), func(c *Config, b *fib.Batch) {
		for i := range 600 {
			b.Adjacencies = append(b.Adjacencies, linkAdj(fib.AdjID(100+i), lan, lanMAC, hostMAC))
		}
	})
	for range 3 {
		var inner [][]byte
		for i := range uint16(100) {
			inner = append(inner, ipv4(behind1, hostIP, ports(i%25, 80)))
		}
		if out := p.deliver(p.sealed(inner...)...); len(out) != len(inner) {
			t.Fatalf("%d packets came out", len(out))
		}
	}
	fs := p.hub.flows()
	for _, f := range fs {
		if f.Packets != 12 || f.InTunnel != tunnelID || f.OutPort != lan {
			t.Errorf("%+v", f)
		}
	}
	if len(fs) != 25 || !p.hub.w.far {
		t.Errorf("%d flows", len(fs))
	}
}

// A million flows pass, and nearly all are remembered; the worker looks ahead then.
func TestManyFlows(t *testing.T) {
	const n = 1 << 20
	r := newRig(t, remember(n))
	src := behind1
	for i := 0; i < n; i += 256 {
		for k := range 256 {
			src[1], src[2], src[3] = byte((i+k)>>16), byte((i+k)>>8), byte(i+k)
			r.wan.in = append(r.wan.in, toWAN(ipv4(src, hostIP, nil)))
		}
		r.poll()
		r.lan.out = r.lan.out[:0]
	}
	count := r.e.FlowCount()
	if count.Added != n || count.Live < n*97/100 || count.Live+count.Evicted != n || !r.w.far {
		t.Errorf("%+v, looks ahead: %v", count, r.w.far)
	}
	seen := 0
	r.e.Flows(func(f *Flow) bool {
		seen++
		if f.Packets != 1 || f.Bytes != packet.IPv4Len || f.Dst != addr(hostIP) || f.Adj != adjHost {
			t.Errorf("%+v", *f)
		}
		return !t.Failed()
	})
	if uint64(seen) != count.Live {
		t.Errorf("%d flows seen, %d live", seen, count.Live)
	}
	seen = 0
	r.e.Flows(func(*Flow) bool { seen++; return seen < 10 })
	if seen != 10 {
		t.Errorf("%d flows after it was enough", seen)
	}
}

// Each worker has flows of its own, and readers see all of them while workers forward and routes change. For the race detector.
func TestFlowsOfTwoWorkers(t *testing.T) {
	c := newCrew(t, 2, remember(200), func(c *Config, _ *fib.Batch) { c.heap = true })
	done := make(chan struct{}, len(c.w))
	var changes atomic.Int64
	for k, w := range c.w {
		go func() {
			defer func() { done <- struct{}{} }()
			rnd := rand.New(rand.NewPCG(uint64(k), 4))
			for i := range 300 {
				for n := changes.Load(); i == 150 && changes.Load() < n+2; { // whoever else runs on this CPU: half of the packets come after a change
					runtime.Gosched()
				}
				for range 20 {
					c.wan[k].in = append(c.wan[k].in, fromSpoke1(ipv4(behind1, hostIP, ports(uint16(rnd.IntN(300)), uint16(k)))))
				}
				w.Poll(int64(i) * 2e8)
			}
		}()
	}
	for running := len(c.w); running > 0; {
		select {
		case <-done:
			running--
			continue
		default:
		}
		c.apply(&fib.Batch{Routes: []fib.Route{route("10.0.0.8/32", adjHost)}})
		c.apply(&fib.Batch{DelRoutes: []fib.RouteKey{{Prefix: route("10.0.0.8/32").Prefix}}})
		changes.Add(1)
		c.e.Flows(func(f *Flow) bool {
			if int(f.DstPort) != f.Worker || f.Adj != adjHost || f.Src != addr(behind1) || f.Bytes > 60*(f.Packets+1) || f.Bytes+60 < 60*f.Packets {
				t.Errorf("%+v", *f)
			}
			return true
		})
		_ = c.e.FlowCount()
	}
	of := [2]int{}
	c.e.Flows(func(f *Flow) bool { of[f.Worker]++; return true })
	if of[0] < 100 || of[1] < 100 || c.e.FlowCount().Moved == 0 {
		t.Errorf("flows of the workers: %v, %+v", of, c.e.FlowCount())
	}
}

// Flows are found in the memory of the tables by who did not forward them; a worker that starts anew goes on with them.
func TestFlowsOfProcesses(t *testing.T) {
	cfg := sharedConfig(1)
	cfg.FlowCache = 100
	writer, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if _, err := writer.NewRemote(4096); err != nil {
		t.Fatal(err)
	}
	if refused, err := writer.Apply(rigBatch()); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	handle := &rig{t: t, e: writer}
	for start := range uint64(3) {
		r := joinAs(t, writer, 0)
		r.now = int64(1e15 - 1e14*start)
		r.fromWAN(toWAN(ipv4(behind1, hostIP, ports(1, 2))))
		r.now += 2e9
		r.poll()
		if f := handle.oneFlow(); f.Packets != start+1 || f.Idle != 2e9 || f.Age != 2e9*(1+time.Duration(start)) || f.OutPort != lan {
			t.Errorf("start %d: %+v", start, f)
		}
	}
	if n := writer.FlowCount(); n.Added != 1 || n.Moved != 2 {
		t.Errorf("a new worker looks flows up again: %+v", n)
	}
	// Who takes over finds them, if it wants as many.
	cfg.FlowCache = 101
	if _, err := Adopt(dup(t, writer.ArenaFD()), cfg); err == nil {
		t.Error("an arena with other sizes is taken over")
	}
	cfg.FlowCache = 100
	next, err := Adopt(dup(t, writer.ArenaFD()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if f := (&rig{t: t, e: next}).oneFlow(); f.Packets != 3 {
		t.Errorf("%+v", f)
	}
}

func TestFlowCacheSizes(t *testing.T) {
	for _, n := range []int{-1, MaxFlowCache + 1} {
		if _, err := New(Config{FlowCache: n, Private: true}); err == nil {
			t.Errorf("%d flows are taken", n)
		}
	}
	if _, err := New(Config{FlowCache: MaxFlowCache, Workers: 64, Private: true}); err == nil {
		t.Error("more than fits is taken")
	}
	for _, n := range []int{0, 1, 1000, 1 << 20} {
		e, err := New(Config{FlowCache: n, Workers: 3, Private: true})
		if err != nil {
			t.Fatal(err)
		}
		pools := []*port.Pool{}
		for range 3 {
			pool := port.NewPool(make([]byte, 4*4096), 4096)
			pools = append(pools, pool)
			if _, err := e.NewWorker(pool); err != nil {
				t.Error(err)
			}
		}
		if c := e.FlowCount().Capacity; c < 3*uint64(n) || n == 0 && c != 0 || len(pools) != 3 {
			t.Errorf("room for %d flows, want %d", c, 3*n)
		}
		e.Flows(func(f *Flow) bool { t.Errorf("%+v", *f); return true })
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		e.Flows(func(f *Flow) bool { t.Errorf("%+v of a closed engine", *f); return true })
	}
}

// FuzzFlows sends any frames through a worker that remembers flows and one that does not: the same leaves.
func FuzzFlows(f *testing.F) {
	seeds(f)
	off, on := fuzzRig(f), fuzzRig(f, remember(10))
	f.Fuzz(func(t *testing.T, frame []byte, mend bool) {
		if len(frame) > 3000 {
			return
		}
		for _, r := range []*rig{off, on} {
			r.t = t
			in, b := r.wan, bytes.Clone(frame)
			if mend {
				in = mendFrame(b, r)
			}
			r.now += 1e9
			r.punts, r.wan.out, r.lan.out = nil, nil, nil
			for range 2 {
				in.in = append(in.in, bytes.Clone(b))
			}
			r.settle()
			if free := r.w.pool.Free(); free != r.frames {
				t.Fatalf("%d frames in the pool, want %d", free, r.frames)
			}
		}
		if len(off.wan.out) != len(on.wan.out) || !slices.EqualFunc(off.lan.out, on.lan.out, bytes.Equal) {
			t.Fatalf("%d and %d frames left, with flows %d and %d, or different ones", len(off.wan.out), len(off.lan.out), len(on.wan.out), len(on.lan.out))
		}
		if !slices.Equal(off.w.c.words[cntReasons:], on.w.c.words[cntReasons:]) {
			t.Fatalf("%v, with flows %v", off.nonZero(), on.nonZero())
		}
	})
}

// What is looked up ahead decides nothing: packets of a vector that are for us, of tunnels, of several paths and of nobody leave as they do alone.
func TestAheadForwardsTheSame(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	many := func(_ *Config, b *fib.Batch) {
		b.Tunnels[0].VRF, b.Adjacencies[1].VRF, b.Adjacencies[2].VRF = 3, 3, 3
		for _, vrf := range []fib.VRF{0, 3} {
			for _, p := range []struct {
				prefix string
				paths  []fib.AdjID
			}{{"172.16.0.0/12", []fib.AdjID{adjSpoke1, adjSpoke2, adjHost}}, {"172.17.0.0/16", []fib.AdjID{adjHost}}, {"172.18.1.0/24", []fib.AdjID{fib.Null}}, {"172.18.1.7/32", []fib.AdjID{adjSpoke2}}} {
				b.Routes = append(b.Routes, fib.Route{VRF: vrf, Prefix: route(p.prefix).Prefix, Paths: p.paths})
			}
		}
	}
	near := newRig(t, many)
	far := newRig(t, many, func(_ *Config, b *fib.Batch) {
		for i := range 600 {
			b.Adjacencies = append(b.Adjacencies, linkAdj(fib.AdjID(100+i), lan, lanMAC, hostMAC))
		}
	})
	for range 50 {
		var frames [][]byte
		for range 1 + rnd.IntN(250) {
			dst := [4]byte{172, byte(16 + rnd.IntN(3)), byte(rnd.IntN(2)), byte(6 + rnd.IntN(2))}
			ip := ipv4([4]byte{10, 1, 0, byte(rnd.IntN(3))}, dst, ports(uint16(rnd.IntN(3)), 80), proto([]uint8{packet.ProtoUDP, packet.ProtoTCP, packet.ProtoGRE}[rnd.IntN(3)]))
			switch rnd.IntN(4) {
			case 0:
				frames = append(frames, toWAN(ip))
			case 1: // GRE of others, with any bytes behind its header
				frames = append(frames, toWAN(grePacket(spoke1NBMA, uint16(rnd.Uint32()), ip)[:packet.IPv4Len+8+rnd.IntN(len(ip))]))
				mendIP(frames[len(frames)-1][packet.EthernetLen:])
			default:
				frames = append(frames, fromSpoke1(ip))
			}
		}
		for _, r := range []*rig{near, far} {
			r.wan.out, r.lan.out, r.punts = nil, nil, nil
			r.now += 1e9
			for _, f := range frames {
				r.wan.in = append(r.wan.in, bytes.Clone(f))
			}
			r.settle()
		}
		if !slices.EqualFunc(near.wan.out, far.wan.out, bytes.Equal) || !slices.EqualFunc(near.lan.out, far.lan.out, bytes.Equal) {
			t.Fatalf("%d and %d frames left, looked up ahead %d and %d, or different ones", len(near.wan.out), len(near.lan.out), len(far.wan.out), len(far.lan.out))
		}
	}
	if near.w.far || !far.w.far || near.e.Counters().Reasons != far.e.Counters().Reasons || near.e.Counters().Workers[0].Forwarded < 1000 {
		t.Errorf("%v %v\n%v\n%v", near.w.far, far.w.far, near.nonZero(), far.nonZero())
	}
}
