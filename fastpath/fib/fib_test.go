package fib

import (
	"net/netip"
	"testing"
)

func TestOuterAddresses(t *testing.T) {
	a := Adjacency{Outer: make([]byte, 14+20+8)}
	copy(a.Outer[14+12:], []byte{192, 0, 2, 1, 198, 51, 100, 2})
	for n := range len(a.Outer) + 1 {
		short := Adjacency{Outer: a.Outer[:n]}
		from, to := netip.Addr{}, netip.Addr{}
		if n >= 34 {
			from, to = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
		}
		if short.OuterFrom() != from || short.OuterTo() != to {
			t.Errorf("%d bytes: from %v to %v", n, short.OuterFrom(), short.OuterTo())
		}
	}
}
