package fib

import (
	"encoding/binary"
	"net/netip"
)

const (
	typeVLAN = 0x8100
	typeMPLS = 0x8847
	lseLen   = 4
	ipLen    = 20 // without options
)

// LinkLen is how many bytes of Outer the link needs, in front of an IPv4 header or the packet: the Ethernet header, a tag, and label stack entries down to
// the bottom one, MaxLabels at most. 0 if Outer ends before.
func (a *Adjacency) LinkLen() int {
	at := 12
	if a.outerType(at) == typeVLAN {
		at += 4
	}
	typ := a.outerType(at)
	at += 2
	if len(a.Outer) < at {
		return 0
	}
	if typ != typeMPLS {
		return at
	}
	for range MaxLabels {
		at += lseLen
		if len(a.Outer) < at {
			return 0
		}
		if a.Outer[at-2]&1 != 0 { // the bottom of the stack
			return at
		}
	}
	return 0
}

// OuterStack is the label stack entries of Outer, 4 bytes each, outermost first; none where there are none.
func (a *Adjacency) OuterStack() []byte {
	at := 14
	if a.outerType(12) == typeVLAN {
		at += 4
	}
	end := a.LinkLen()
	if end <= at {
		return nil
	}
	return a.Outer[at:end:end]
}

// outerType is the EtherType at at in Outer, 0 beyond its end.
func (a *Adjacency) outerType(at int) uint16 {
	if len(a.Outer) < at+2 {
		return 0
	}
	return binary.BigEndian.Uint16(a.Outer[at:])
}

// OuterFrom and OuterTo are the addresses of Outer's IPv4 header, whatever is in front of it; the zero Addr where there is none.
func (a *Adjacency) OuterFrom() netip.Addr { return a.outerAddr(12) }

// OuterTo is described at OuterFrom.
func (a *Adjacency) OuterTo() netip.Addr { return a.outerAddr(16) }

func (a *Adjacency) outerAddr(at int) netip.Addr {
	ip := a.LinkLen()
	if ip == 0 || len(a.Outer) < ip+ipLen {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(a.Outer[ip+at:]))
}
