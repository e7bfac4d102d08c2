package slowpath

import (
	"container/heap"
	"net/netip"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/eigrp"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// hubBench is a hub that is a Router, with its peers' mappings, and spokes that are EIGRP only.
type hubBench struct {
	b      *testing.B
	hub    *Router
	spokes map[netip.Addr]*benchSpoke
	order  []*benchSpoke
	now    time.Time
	queue  benchQueue
	count  int
	cpu    time.Duration // of the hub
	steps  int
	armed  time.Time
}

type benchSpoke struct {
	addr  netip.Addr
	m     *eigrp.Machine
	armed time.Time
}

type benchEvent struct {
	at    time.Time
	order int
	spoke *benchSpoke // nil: the hub
	from  netip.Addr
	p     eigrp.Event // nil: a deadline
}

type benchQueue []benchEvent

func (q benchQueue) Len() int { return len(q) }
func (q benchQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].order < q[j].order
}
func (q benchQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *benchQueue) Push(x any)   { *q = append(*q, x.(benchEvent)) }
func (q *benchQueue) Pop() any {
	x := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return x
}

type benchLinux struct {
	*host
	w *hubBench
}

func (l benchLinux) Log(Event)           {}
func (l benchLinux) Routes([]rib.Change) {}

// EIGRP implements Linux.
func (l benchLinux) EIGRP(_ fib.VRF, s eigrp.Send) {
	w := l.w
	p := eigrp.PacketReceived{Iface: "Tunnel0", From: s.From, Multicast: s.To == eigrp.Group, Payload: s.Payload}
	if !p.Multicast {
		if to := w.spokes[s.To]; to != nil {
			w.push(benchEvent{at: w.now.Add(time.Millisecond), spoke: to, p: p})
		}
		return
	}
	for _, to := range w.order {
		w.push(benchEvent{at: w.now.Add(time.Millisecond), spoke: to, p: p})
	}
}

func (w *hubBench) push(e benchEvent) {
	w.count++
	e.order = w.count
	heap.Push(&w.queue, e)
}

func (w *hubBench) spoke(s *benchSpoke, out []eigrp.Effect) {
	for _, e := range out {
		if e, ok := e.(eigrp.Send); ok {
			w.push(benchEvent{at: w.now.Add(time.Millisecond), p: eigrp.PacketReceived{Iface: "Tunnel0", From: s.addr, Multicast: e.To == eigrp.Group, Payload: e.Payload}})
		}
	}
	if d := s.m.Deadline(); !d.IsZero() && !d.Equal(s.armed) {
		s.armed = d
		w.push(benchEvent{at: d, spoke: s})
	}
}

func (w *hubBench) onHub(f func(r *Router)) {
	began := time.Now()
	f(w.hub.At(w.now))
	w.cpu += time.Since(began)
	w.steps++
	if d := w.hub.Deadline(); !d.IsZero() && !d.Equal(w.armed) {
		w.armed = d
		w.push(benchEvent{at: d})
	}
}

func (w *hubBench) step() {
	e := heap.Pop(&w.queue).(benchEvent)
	if e.at.After(w.now) {
		w.now = e.at
	}
	switch {
	case e.spoke == nil && e.p == nil:
		if e.at.Equal(w.armed) {
			w.armed = time.Time{}
			w.onHub(func(r *Router) { r.Tick(w.now) })
		}
	case e.spoke == nil:
		w.onHub(func(r *Router) { r.EIGRP(fib.Global, e.p.(eigrp.PacketReceived)) })
	case e.p == nil:
		if e.at.Equal(e.spoke.armed) {
			e.spoke.armed = time.Time{}
			w.spoke(e.spoke, e.spoke.m.Handle(w.now, eigrp.Tick{}))
		}
	default:
		w.spoke(e.spoke, e.spoke.m.Handle(w.now, e.p))
	}
}

// newHubBench makes a hub with peers by a tunnel of 100 Mbit/s; each has ten networks.
func newHubBench(b *testing.B, peers int) *hubBench {
	w := &hubBench{b: b, spokes: make(map[netip.Addr]*benchSpoke), now: start}
	c, _ := hubWith(0)
	c.Interfaces[2].Tunnel.Protected, c.Interfaces[2].Tunnel.Protection, c.NHRP.Interfaces[0].Protected, c.Sessions.Protections = false, 0, false, nil
	for k := range peers {
		c.NHRP.Interfaces[0].Maps = append(c.NHRP.Interfaces[0].Maps, nhrp.Map{
			Protocol: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(1 + k>>8), byte(k)}), 32), NBMA: netip.AddrFrom4([4]byte{198, 18, byte(k >> 8), byte(k)}),
		})
	}
	for k := range c.Interfaces {
		c.Interfaces[k].Bandwidth, c.Interfaces[k].Delay = 100_000, 1000
	}
	c.EIGRP = []EIGRP{{Key: EIGRPKey{0, 100}, Run: eigrp.Config{
		AS: 100, RouterID: ip("10.1.0.1"), Interfaces: []eigrp.Interface{{Name: "Ethernet1", Passive: true}, {Name: "Tunnel0", NoSplitHorizon: true, NoNextHopSelf: true}},
	}}}
	w.hub = NewSeeded(newEngine(), benchLinux{&host{}, w}, 1)
	w.onHub(func(r *Router) {
		if err := r.Configure(c); err != nil {
			b.Fatal(err)
		}
	})
	for k := range peers {
		s := &benchSpoke{addr: netip.AddrFrom4([4]byte{10, 0, byte(1 + k>>8), byte(k)}), m: eigrp.NewSeeded(uint64(k + 2))}
		w.spokes[s.addr] = s
		w.order = append(w.order, s)
		run := eigrp.Config{AS: 100, RouterID: s.addr, Interfaces: []eigrp.Interface{{Name: "Loopback0", Passive: true}, {Name: "Tunnel0"}}, Stub: eigrp.Stub{Enabled: true, Connected: true}}
		w.spoke(s, s.m.Configure(w.now, run))
		lan := eigrp.InterfaceState{Name: "Loopback0", Up: true, Bandwidth: 100_000, Delay: 10}
		for n := range 10 {
			lan.Addrs = append(lan.Addrs, netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(n), byte(k >> 8), byte(k), 1}), 24))
		}
		w.spoke(s, s.m.Handle(w.now, lan))
		w.spoke(s, s.m.Handle(w.now, eigrp.InterfaceState{Name: "Tunnel0", Up: true, Addrs: []netip.Prefix{netip.PrefixFrom(s.addr, 16)}, Bandwidth: 100_000, Delay: 1000, MTU: 1400}))
	}
	return w
}

// A hub with a thousand spokes, as a Router: what the first convergence costs it beside the protocol.
func BenchmarkEIGRPHub(b *testing.B) {
	peers := 1000
	if testing.Short() {
		peers = 100
	}
	for b.Loop() {
		w := newHubBench(b, peers)
		for {
			if w.step(); w.steps%100 == 0 {
				n := 0
				for _, r := range w.hub.Routes(fib.Global) {
					if r.Source == rib.EIGRP {
						n++
					}
				}
				if n == 10*peers {
					break
				}
				if w.now.Sub(start) > 5*time.Minute {
					b.Fatalf("%d routes after five minutes", n)
				}
			}
		}
		b.ReportMetric(w.now.Sub(start).Seconds(), "virtual-s")
		b.ReportMetric(w.cpu.Seconds(), "hub-cpu-s")
		b.ReportMetric(float64(w.steps), "hub-steps")
		b.ReportMetric(float64(w.cpu.Microseconds())/float64(w.steps), "us/step")
	}
}

// Routes of the kernel that come into the RIB and go into a process of EIGRP; and what a configuration that redistributes something else costs then.
func BenchmarkEIGRPRedistribute(b *testing.B) {
	const routes = 100_000
	c, _ := hubWith(0)
	c.EIGRP = []EIGRP{{Key: EIGRPKey{0, 100}, Run: eigrp.Config{AS: 100, RouterID: ip("10.1.0.1"), Interfaces: []eigrp.Interface{{Name: "Tunnel0"}}}}}
	c.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.Kernel, Set: someMetric}}
	c.Kernel = map[fib.VRF]KernelImport{0: {}}
	all := make([]KernelRoute, routes)
	for k := range all {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(k >> 16), byte(k >> 8), byte(k)}), 32)
		all[k] = KernelRoute{Prefix: p, Protocol: protoOSPF, Hops: []rib.NextHop{{Iface: "Ethernet1", Addr: ip("10.1.0.9")}}}
	}
	for b.Loop() {
		r := NewSeeded(newEngine(), benchLinux{&host{}, &hubBench{}}, 1)
		if err := r.At(start).Configure(c); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		r.KernelRoutes(all)
		learned := time.Now()
		other := c
		other.EIGRP = []EIGRP{c.EIGRP[0]}
		other.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.Kernel, Set: EIGRPAttributes{Bandwidth: 2000, Delay: 10, Reliability: 255, Load: 1, MTU: 1500, HasMetric: true}}}
		if err := r.Configure(other); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(learned.Sub(began).Nanoseconds())/routes, "ns/route")
		b.ReportMetric(float64(time.Since(learned).Nanoseconds())/routes, "ns/route-anew")
		if n := r.EIGRPStatus(false)[0].Sources[0].Routes; n != routes {
			b.Fatal(n)
		}
	}
}
