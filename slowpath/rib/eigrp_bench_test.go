package rib

import (
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// newHub is a tunnel with peers that NHRP knows, each with an address and an NBMA address of its own.
func newHub(b *testing.B, peers int) *RIB {
	r := New(nullFIB, wanted{})
	hub := tun
	hub.Addrs = []netip.Prefix{pfx("10.255.0.1/16")}
	for _, i := range []Interface{wan, lan, hub} {
		r.SetInterface(i)
	}
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}}})
	r.Neighbour(wan.Name, addr("192.0.2.254"), gatewayMAC, true)
	for n := range peers {
		r.Bind(peerBinding(n, 0))
	}
	flush(b, r)
	return r
}

func peerAddr(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 255, byte(1 + n>>8), byte(n)}) }

// peerBinding is where a peer is; at tells places apart.
func peerBinding(n, at int) Binding {
	return Binding{
		Iface: tun.Name, Prefix: netip.PrefixFrom(peerAddr(n), 32), NBMA: peerAt(netip.AddrFrom4([4]byte{198, byte(18 + at), byte(n >> 8), byte(n)})),
		NextHop: peerAddr(n), Expires: time.Unix(1<<31, 0),
	}
}

func overTunnel(n int) Learned {
	return Learned{Source: EIGRP, Process: 100, Distance: 90, Metric: 26882560, Hops: []NextHop{{Iface: tun.Name, Addr: peerAddr(n)}}}
}

func setTunnel(b *testing.B, r *RIB, count int) {
	for n := range count {
		r.SetRoute(0, bigPrefix(n), overTunnel(7))
		if n%1000 == 999 {
			flush(b, r)
			r.Changes()
		}
	}
}

// BenchmarkTunnelRoutes learns 100 000 prefixes from EIGRP behind one peer of a tunnel, and tells all changes.
func BenchmarkTunnelRoutes(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var r *RIB
	for b.Loop() {
		r = newHub(b, 10)
		r.Changes()
		setTunnel(b, r, big)
	}
	perRoute(b, big)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/big, "B/route")
	runtime.KeepAlive(r)
}

// BenchmarkTunnelMetric has EIGRP say another metric of each of them, which the fast path need not know.
func BenchmarkTunnelMetric(b *testing.B) {
	r := newHub(b, 10)
	r.Changes()
	setTunnel(b, r, big)
	metric := uint32(1)
	for b.Loop() {
		metric++
		for n := range big {
			l := overTunnel(7)
			l.Metric = metric
			r.SetRoute(0, bigPrefix(n), l)
		}
		flush(b, r)
		if c := r.Changes(); len(c) != big {
			b.Fatalf("%d changes", len(c))
		}
	}
	perRoute(b, big)
}

// BenchmarkTunnelPeerMoves has the peer that they are behind take another address: one adjacency, and no change of a route.
func BenchmarkTunnelPeerMoves(b *testing.B) {
	r := newHub(b, 10)
	r.Changes()
	setTunnel(b, r, big)
	at := 0
	for b.Loop() {
		at ^= 1
		r.Bind(peerBinding(7, at))
		flush(b, r)
		if c := r.Changes(); len(c) != 0 {
			b.Fatalf("%d changes", len(c))
		}
	}
}

// BenchmarkPeersTold binds 10 000 peers of a hub, which are no changes of routes, with somebody who asks for those.
func BenchmarkPeersTold(b *testing.B) {
	r := newHub(b, 10_000)
	r.Changes()
	at := 0
	for b.Loop() {
		at ^= 1
		for n := range 10_000 {
			r.Unbind(tun.Name, netip.PrefixFrom(peerAddr(n), 32))
			r.Bind(peerBinding(n, at))
		}
		flush(b, r)
		if c := r.Changes(); len(c) != 0 {
			b.Fatalf("%d changes", len(c))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/peer")
}
