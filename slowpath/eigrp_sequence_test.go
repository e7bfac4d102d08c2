package slowpath

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// eigrpTrouble is four routers in a ring, with a leaf link each that static routes, BGP's and the kernel's lead out by, and two processes; things happen to them.
type eigrpTrouble struct {
	*eigrpNet
	d     *dice
	wires []*segment
}

func newEIGRPTrouble(t *testing.T, d *dice) *eigrpTrouble {
	w := &eigrpTrouble{eigrpNet: newEIGRPNet(t), d: d}
	for k := range 4 {
		w.box(fmt.Sprint("r", k+1))
		w.wires = append(w.wires, &segment{cut: make(map[*eigrpBox]bool)})
	}
	for k, b := range w.boxes {
		left, right := (k+3)%4, k
		b.ethernet("Ethernet0", 0, fmt.Sprintf("10.0.%d.2/24", left), w.wires[left])
		b.ethernet("Ethernet1", 0, fmt.Sprintf("10.0.%d.1/24", right), w.wires[right])
		b.ethernet("Ethernet2", 0, fmt.Sprintf("10.%d.0.1/24", k+1), nil)
		b.process(0, 1, "Ethernet0", "Ethernet1")
		b.config.BGP = BGP{On: true, Redistribute: []Redistribute{{Source: rib.EIGRP, Process: 1}, {Source: rib.EIGRP, Process: 2}}}
	}
	w.configure()
	w.run(10 * time.Second)
	return w
}

// prefix is one of few, so that they meet.
func (w *eigrpTrouble) prefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(w.d.roll(4)), 0}), 24)
}

// leaf is a next hop on the link that leads away from the ring.
func (w *eigrpTrouble) leaf(b *eigrpBox) rib.NextHop {
	return rib.NextHop{Iface: "Ethernet2", Addr: b.link("Ethernet2").Addrs[0].Addr().Next()}
}

// happen is one thing that happens to one of the routers.
func (w *eigrpTrouble) happen() {
	b := w.boxes[w.d.roll(len(w.boxes))]
	p := &b.config.EIGRP[0]
	switch w.d.roll(10) {
	case 0, 1:
		i := &b.config.Interfaces[w.d.roll(3)]
		i.Up = !i.Up
	case 2:
		b.config.Statics[0] = nil
		for range w.d.roll(3) {
			b.config.Statics[0] = append(b.config.Statics[0], rib.StaticRoute{Prefix: w.prefix(), Hops: []rib.NextHop{w.leaf(b)}})
		}
	case 3, 4:
		k := KernelRoute{Prefix: w.prefix(), Protocol: []uint8{4, protoOSPF, protoBGP, protoDHCP}[w.d.roll(4)], Hops: []rib.NextHop{w.leaf(b)}, Metric: 1, Gone: w.d.roll(2) == 0}
		b.At(w.now).KernelRoutes([]KernelRoute{k})
		return
	case 5:
		e := bgp.Route{Key: bgp.Key{Prefix: w.prefix()}, NextHop: w.leaf(b).Addr, Distance: []uint8{20, 200}[w.d.roll(2)], External: w.d.roll(2) == 0, Withdrawn: w.d.roll(2) == 0}
		b.At(w.now).BGP(bgp.Effects{Routes: []bgp.Route{e}})
		return
	case 6:
		p.Redistribute = nil
		for range w.d.roll(4) {
			s := EIGRPSource{Source: []rib.Source{rib.Connected, rib.Static, rib.BGP, rib.Kernel, rib.EIGRP}[w.d.roll(5)], Set: someMetric}
			if s.Set.Delay = uint64(w.d.roll(3000)); s.Source == rib.EIGRP {
				s.Process, s.Set = 2, EIGRPAttributes{}
			}
			p.Redistribute = append(p.Redistribute, s)
		}
	case 7:
		if b.config.Kernel = nil; w.d.roll(3) > 0 {
			b.config.Kernel = map[fib.VRF]KernelImport{0: {Distance: uint8(w.d.roll(2) * 95)}}
		}
	case 8: // the second process, on the leaf or on one of the links that the first has then no more
		b.config.EIGRP = b.config.EIGRP[:1]
		p.Run.Interfaces = []eigrp.Interface{{Name: "Ethernet0"}, {Name: "Ethernet1"}}
		switch w.d.roll(3) {
		case 0:
			b.process(0, 2, "Ethernet2").Redistribute = []EIGRPSource{{Source: rib.EIGRP, Process: 1}}
		case 1:
			p.Run.Interfaces = p.Run.Interfaces[:1]
			b.process(0, 2, "Ethernet1").Redistribute = []EIGRPSource{{Source: rib.EIGRP, Process: 1}, {Source: rib.Kernel, Set: someMetric}}
		}
	case 9:
		g := w.wires[w.d.roll(len(w.wires))]
		g.cut[b] = !g.cut[b]
		return
	}
	b.configure()
}

// consistent compares what processes and BGP were told, change by change, with what they would be told of all routes by now.
func (w *eigrpTrouble) consistent(b *eigrpBox) {
	w.t.Helper()
	for _, p := range b.eigrp.processes {
		n, counts := 0, make([]int, len(p.cfg.Redistribute))
		for _, prefix := range b.rib.AllTold(p.cfg.Key.VRF) {
			route, _ := b.rib.Told(fib.RouteKey{VRF: p.cfg.Key.VRF, Prefix: prefix})
			x, ok := b.wantedBy(p, prefix, &route)
			y, is := p.taken[prefix]
			// The metric of another process may change while its distance does not: that is no change of the route.
			x.route.Vector = y.route.Vector
			if ok != is || x != y {
				w.t.Errorf("%s, AS %d, %s: redistributed %v %+v, should be %v %+v", b.name, p.cfg.Key.AS, prefix, is, y, ok, x)
			}
			if ok {
				n++
				counts[x.source]++
			}
		}
		if n != len(p.taken) || fmt.Sprint(counts) != fmt.Sprint(p.count) && n > 0 {
			w.t.Errorf("%s, AS %d: %d are redistributed, should be %d; %v by source, should be %v", b.name, p.cfg.Key.AS, len(p.taken), n, p.count, counts)
		}
	}
	for _, prefix := range b.rib.AllTold(fib.Global) {
		k := fib.RouteKey{Prefix: prefix}
		l, is := b.border.said[k]
		if want, ok := b.wanted(k); ok != is || ok && !sameLocal(&l, &want) {
			w.t.Errorf("%s announces %v %+v, should be %v %+v", b.name, is, l, ok, want)
		}
	}
	for k, l := range b.border.said {
		if _, is := b.rib.Told(k); !is {
			w.t.Errorf("%s announces %+v, which is gone", b.name, l)
		}
	}
	if b.behind {
		w.t.Errorf("%s is still behind", b.name)
	}
}

// noLoop follows a prefix from a router: it ends somewhere.
func (w *eigrpTrouble) noLoop(b *eigrpBox, p netip.Prefix) {
	from := b.name
	for range 5 {
		r, ok := b.Route(0, p, true)
		if !ok || len(r.Hops) == 0 || !r.Hops[0].Addr.IsValid() || r.Hops[0].Iface == "Ethernet2" {
			return
		}
		next := b
		for _, o := range w.boxes {
			for _, i := range o.config.Interfaces {
				if len(i.Addrs) > 0 && i.Addrs[0].Addr() == r.Hops[0].Addr {
					next = o
				}
			}
		}
		b = next
	}
	w.t.Errorf("%s goes round from %s", p, from)
}

func eigrpSequence(t *testing.T, data []byte) {
	d := dice(data)
	w := newEIGRPTrouble(t, &d)
	for range 6 {
		for range 1 + w.d.roll(4) {
			w.happen()
			w.run(time.Duration(w.d.roll(3)) * 700 * time.Millisecond)
		}
		w.run(40 * time.Second)
		for _, b := range w.boxes {
			w.consistent(b)
			for k := range 4 {
				w.noLoop(b, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(k), 0}), 24))
				w.noLoop(b, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(k + 1), 0, 0}), 24))
			}
		}
		if t.Failed() {
			return
		}
	}
}

// Whatever happens to routers, in the end everybody was told what is so, and packets go round nowhere.
func TestEIGRPSequences(t *testing.T) {
	for seed := range uint64(60) {
		data := make([]byte, 400)
		rng := rand.New(rand.NewPCG(seed, 5))
		for k := 0; k < len(data); k += 8 {
			binary.BigEndian.PutUint64(data[k:], rng.Uint64())
		}
		if eigrpSequence(t, data); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzEIGRPSequence(f *testing.F) {
	f.Add([]byte{6, 2, 4, 1, 0, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) <= 400 {
			eigrpSequence(t, data)
		}
	})
}
