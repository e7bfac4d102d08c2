package nhrp

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
)

// nth are addresses 10.128.0.0 + i and 172.16.0.0 + i.
func nth(i int) (proto, nbma netip.Addr) {
	return netip.AddrFrom4([4]byte{10, 128, byte(i >> 8), byte(i)}), netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)})
}

func bigHub(edit ...func(*Interface)) Config {
	return hubConfig(append(edit, func(i *Interface) {
		i.Address = pfx("10.128.255.1/16")
		i.MaxSend = MaxSend{1 << 20, time.Second}
	})...)
}

func bigSpoke(i int) Config {
	proto, nbma := nth(i)
	return spokeConfig(1, func(f *Interface) {
		f.Address, f.NBMA = netip.PrefixFrom(proto, 16), nbma
		f.NHS = []NHS{{Protocol: ip("10.128.255.1"), NBMA: ip("192.0.2.1"), Multicast: true}}
	})
}

// A thousand spokes with a machine each, an hour in virtual time, some of them talking to each other.
func TestThousandSpokes(t *testing.T) {
	n := newNet(t)
	n.quiet = true
	hub := n.add("hub", bigHub(), nil)
	var spokes []*box
	for i := range 1000 {
		spokes = append(spokes, n.add(fmt.Sprint("sp", i), bigSpoke(i+1), nil))
	}
	for range 12 {
		for i := 0; i < 100; i++ {
			dst, addr := nth(1 + (i*7+1)%1000)
			spokes[i].event(Unresolved{Iface: "Tunnel0", Dst: dst})
			spokes[i].event(Used{"Tunnel0", nbma.Of(addr)})
		}
		n.run(5 * time.Minute)
	}
	registered := 0
	for _, e := range hub.m.Status(n.now).Entries {
		if e.Flags&FlagRegistered != 0 {
			registered++
		}
	}
	if registered != 1000 || len(hub.mcast) != 1000 {
		t.Errorf("%d registered, %d get multicast", registered, len(hub.mcast))
	}
	for i, s := range spokes {
		if got := s.nhsStates(); got != "R" || len(s.logged(LogNHSDown)) != 0 {
			t.Fatalf("spoke %d: server %s, %+v", i, got, s.logs)
		}
	}
	if got := len(hub.logged(LogClientRegistered)); got != 1000 {
		t.Errorf("%d logged as new", got)
	}
}

// Ten thousand spokes register at one hub, again, and go.
func TestTenThousandRegistrations(t *testing.T) {
	const spokes = 10_000
	hub := solo(t, bigHub(), nil)
	requests := make([][]byte, spokes)
	froms := make([]netip.Addr, spokes)
	for i := range requests {
		proto, nbma := nth(i + 1)
		m := registration(proto.String(), nbma.String(), func(m *nhrpmsg.Message) { m.DstProto = ip("10.128.255.1") })
		requests[i], _ = m.Append(nil)
		froms[i] = nbma
	}
	start := time.Now()
	for range 2 {
		for i, r := range requests {
			hub.do(hub.m.Handle(hub.net.now, Received{Iface: "Tunnel0", From: nbma.Of(froms[i]), Payload: r}))
		}
		hub.net.wire = nil
		hub.net.advance(hub.net.now.Add(time.Minute))
	}
	t.Logf("%d registrations in %v", 2*spokes, time.Since(start))
	if len(hub.binds) != spokes || hub.sent != 2*spokes {
		t.Fatalf("%d bound, %d sent", len(hub.binds), hub.sent)
	}
	if got := len(hub.m.Status(hub.net.now).Interfaces[0].Peers); got != spokes {
		t.Errorf("%d peers", got)
	}
	hub.net.advance(hub.net.now.Add(10 * time.Minute))
	hub.event(Tick{})
	if len(hub.binds) != 0 || len(hub.mcast) != 0 || hub.m.dynamic != 0 || len(hub.m.timers) != 0 || len(hub.m.order[0].peers) != 0 {
		t.Errorf("left: %d bindings, %d entries, %d timers, %d peers", len(hub.binds), hub.m.dynamic, len(hub.m.timers), len(hub.m.order[0].peers))
	}
}

func BenchmarkRegistration(b *testing.B) {
	for _, what := range []string{"new", "refresh"} {
		b.Run(what, func(b *testing.B) {
			m := NewSeeded(&box{}, 1)
			cfg := bigHub(func(i *Interface) {})
			cfg.MaxEntries = 1 << 24
			m.Configure(epoch, cfg)
			requests := make([][]byte, 1<<15)
			froms := make([]netip.Addr, len(requests))
			for i := range requests {
				proto, nbma := nth(i + 1)
				r := registration(proto.String(), nbma.String(), func(m *nhrpmsg.Message) { m.DstProto = ip("10.128.255.1") })
				requests[i], _ = r.Append(nil)
				froms[i] = nbma
			}
			now := epoch
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if k := i % len(requests); k == 0 {
					now = now.Add(time.Second)
					if what == "new" {
						b.StopTimer()
						m.Handle(now, Clear{})
						b.StartTimer()
					}
				}
				k := i % len(requests)
				m.Handle(now, Received{Iface: "Tunnel0", From: nbma.Of(froms[k]), Payload: requests[k]})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "registrations/s")
		})
	}
}

// BenchmarkMemory tells the heap that an entry of a client takes, everything about it included.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		const clients = 50_000
		var before, after runtime.MemStats
		m := NewSeeded(&box{}, 1)
		m.Configure(epoch, bigHub())
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range clients {
			proto, addr := nth(i + 1)
			r := registration(proto.String(), addr.String(), func(m *nhrpmsg.Message) { m.DstProto = ip("10.128.255.1") })
			p, _ := r.Append(nil)
			m.Handle(epoch, Received{Iface: "Tunnel0", From: nbma.Of(addr), Payload: p})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if m.dynamic != clients {
			b.Fatalf("%d entries", m.dynamic)
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/clients, "B/entry")
		runtime.KeepAlive(m)
	}
}
