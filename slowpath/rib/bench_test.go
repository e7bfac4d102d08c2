package rib

import (
	"net/netip"
	"runtime"
	"testing"

	"nave/fastpath/fib"
)

// nullFIB takes everything and keeps nothing.
func nullFIB(*fib.Batch) ([]fib.Refusal, error) { return nil, nil }

func newBig(b *testing.B, labels func(n int) uint32, count int) *RIB {
	r := New(nullFIB, wanted{})
	for _, i := range []Interface{wan, lan, mpls(tun), core, ce, vpn} {
		r.SetInterface(i)
	}
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("1.1.1.1/32"), Hops: []NextHop{{Addr: addr("172.16.0.2")}}}})
	r.Neighbour("Ethernet2", addr("172.16.0.2"), gatewayMAC, true)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	flush(b, r)
	setBig(b, r, labels, count)
	return r
}

func bigPrefix(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(n>>16), byte(n >> 8), byte(n), 0}), 24)
}

// setBig tells of prefixes behind one next hop, a thousand a batch.
func setBig(b *testing.B, r *RIB, labels func(n int) uint32, count int) {
	for n := range count {
		r.SetRoute(red, bigPrefix(n), by(b, "1.1.1.1", labels(n)))
		if n%1000 == 999 {
			if err := r.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func perPrefix(n int) uint32 { return 1000 + uint32(n) }

const big = 100_000

func perRoute(b *testing.B, routes int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(routes), "ns/route")
}

// BenchmarkSetRoute learns 100 000 VPN prefixes behind one next hop, each with a label of its own.
func BenchmarkSetRoute(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var r *RIB
	for b.Loop() {
		r = newBig(b, perPrefix, big)
	}
	perRoute(b, big)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/big, "B/route")
	runtime.KeepAlive(r)
}

// BenchmarkRelabel has the next hop of 100 000 prefixes want another label from LDP: adjacencies change, and no route.
func BenchmarkRelabel(b *testing.B) {
	r := newBig(b, perPrefix, big)
	label := uint32(30)
	for b.Loop() {
		label ^= 1
		r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), label)
		flush(b, r)
	}
	perRoute(b, big)
}

// BenchmarkMove has 100 000 prefixes take another neighbour.
func BenchmarkMove(b *testing.B) {
	r := newBig(b, perPrefix, big)
	r.Neighbour("Ethernet2", addr("172.16.0.3"), gatewayMAC, true)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.3"), 17)
	at := byte(2)
	for b.Loop() {
		at ^= 1
		r.SetStatics(0, []StaticRoute{{Prefix: pfx("1.1.1.1/32"), Hops: []NextHop{{Addr: netip.AddrFrom4([4]byte{172, 16, 0, at})}}}})
		flush(b, r)
	}
	perRoute(b, big)
}

// BenchmarkOneAmongMany changes one prefix where 100 000 others stand: what they cost nothing.
func BenchmarkOneAmongMany(b *testing.B) {
	r := newBig(b, perPrefix, big)
	r.Changes()
	n := 0
	for b.Loop() {
		n++
		r.SetRoute(red, bigPrefix(7), by(b, "1.1.1.1", perPrefix(7+n%2)))
		flush(b, r)
		if c := r.Changes(); len(c) != 1 {
			b.Fatalf("%d changes", len(c))
		}
	}
}
