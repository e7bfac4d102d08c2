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

// TestOuterLink: the IPv4 header is found behind a tag and labels, and nothing in what is cut.
func TestOuterLink(t *testing.T) {
	ip := make([]byte, 20)
	copy(ip[12:], []byte{192, 0, 2, 1, 198, 51, 100, 2})
	from, to := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
	for _, c := range []struct {
		link  []byte // behind the addresses
		stack int
		ok    bool
	}{
		{[]byte{8, 0}, 0, true},
		{[]byte{0x81, 0, 0, 7, 8, 0}, 0, true},
		{[]byte{0x88, 0x47, 0, 1, 1, 255}, 4, true},
		{[]byte{0x88, 0x47, 0, 1, 0, 255, 0, 2, 0, 255, 0, 3, 1, 255}, 12, true},
		{[]byte{0x81, 0, 0, 7, 0x88, 0x47, 0, 1, 0, 255, 0, 2, 1, 255}, 8, true},
		{[]byte{0x88, 0x47, 0, 1, 0, 255, 0, 2, 0, 255, 0, 3, 0, 255, 0, 4, 1, 255}, 0, false},
	} {
		a := Adjacency{Outer: append(append(make([]byte, 12), c.link...), ip...)}
		for n := range len(a.Outer) {
			short := Adjacency{Outer: a.Outer[:n]}
			if short.OuterFrom().IsValid() || short.OuterTo().IsValid() || n < 12+len(c.link) && short.LinkLen() != 0 && c.ok {
				t.Errorf("%x cut to %d: link of %d bytes, from %v", c.link, n, short.LinkLen(), short.OuterFrom())
			}
		}
		if !c.ok {
			if a.LinkLen() != 0 || a.OuterFrom().IsValid() {
				t.Errorf("%x: link of %d bytes", c.link, a.LinkLen())
			}
			continue
		}
		if a.LinkLen() != 12+len(c.link) || a.OuterFrom() != from || a.OuterTo() != to || len(a.OuterStack()) != c.stack {
			t.Errorf("%x: link of %d bytes, from %v to %v, stack %x", c.link, a.LinkLen(), a.OuterFrom(), a.OuterTo(), a.OuterStack())
		}
	}
}
