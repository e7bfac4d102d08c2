package fastpath

import (
	"encoding/binary"

	"nave/fastpath/fib"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// What stands between the Ethernet addresses and the packet, or the outer IPv4 header: the tag of a subinterface, and the labels by which a tunnel's peer is
// reached. Such an adjacency has no Port but a Via, so that encapsulate and pushOuter, for most packets, know of neither.

// encapsulateVia is encapsulate for an adjacency whose port this worker does not have by that number.
//
//go:noinline
func (w *Worker) encapsulateVia(p *pkt, a *table.Adj, id uint32, n int, tos uint8, df bool) verdict {
	if w.tapped && w.byID == nil {
		return w.encapsulateTapped(p, a, id, n, tos, df)
	}
	q := w.wayOut(a.Via)
	if a.Via == 0 || q == nil {
		return p.drop(PortDown)
	}
	s := p.start
	if s < copyReach {
		return p.drop(NoHeadroom)
	}
	if a.Labels != 0 {
		tos &^= ecnMask
	}
	if a.Flags&table.AdjSealed != 0 {
		return w.espSeal(p, q, a, id, n, tos, df)
	}
	w.countSent(a, id, n)
	if a.Kind == fib.AdjLink {
		return w.pushTagged(p, q, a, s, n)
	}
	pushInner(p, a, s)
	return w.pushBehind(p, q, a, s-int(a.InnerLen), n+int(a.InnerLen), tos, df, nil, 0)
}

// pushTagged pushes the Ethernet header of a link, its tag and the adjacency's labels in front of the n bytes at s, and queues the frame.
func (w *Worker) pushTagged(p *pkt, q *queue, a *table.Adj, s, n int) verdict {
	*(*[fib.MaxInner]byte)(p.chunk[s-fib.MaxInner:]) = a.Inner
	if a.Labels != 0 {
		pushLabels(p.chunk, a, s, p.lse)
	} else if p.gre != 0 {
		binary.BigEndian.PutUint16(p.chunk[s-2:], p.gre)
	}
	n += int(a.InnerLen)
	w.countTagged(a.Via, n)
	w.enqueue(q, port.Frame{Chunk: p.frame.Chunk, Start: uint16(s - int(a.InnerLen)), Len: uint16(n)})
	return sent
}

// pushBehind is pushOuter behind a tag or labels.
//
//go:noinline
func (w *Worker) pushBehind(p *pkt, q *queue, a *table.Adj, s, size int, tos uint8, df bool, ta *sa.Transform, seq uint64) verdict {
	*(*[len(a.Outer)]byte)(p.chunk[s-len(a.Outer):]) = a.Outer
	s -= int(a.OuterLen)
	link := int(a.LinkLen)
	total := size + int(a.OuterLen) - link
	ip := p.chunk[s+link : s+link+total]
	w.ipID++
	fillOuter(ip, a.Sum, total, w.ipID, tos, df)
	if a.UDP() {
		binary.BigEndian.PutUint16(ip[packet.IPv4Len+4:], uint16(total-packet.IPv4Len))
	}
	if ta != nil {
		ta.SealAH(w.scratch, ip[:packet.IPv4Len], ip[packet.IPv4Len:], seq)
	}
	pushFront(p.chunk[s:], a, tos)
	if a.Cuts(size) {
		return w.fragmentOuter(p, q, a, s, total)
	}
	if a.Flags&table.AdjTagged != 0 {
		w.countTagged(a.Via, total+link)
	}
	w.enqueue(q, port.Frame{Chunk: p.frame.Chunk, Start: uint16(s), Len: uint16(total + link)})
	return sent
}

// pushFront completes what stands before the outer IPv4 header, with which b begins: what the record has no room for behind Inner, and EXP of the labels, which is
// the precedence outside.
func pushFront(b []byte, a *table.Adj, tos uint8) {
	copy(b, a.Front())
	for at := a.EthernetLen(); at < int(a.LinkLen); at += packet.LabelLen {
		b[at+2] |= tos >> 5 << 1
	}
}
