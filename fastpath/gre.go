package fastpath

import (
	"encoding/binary"

	"nave/fastpath/fib"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// tunnelHeader is what remains of the outer header of a tunnel's packet.
type tunnelHeader struct {
	src, dst  uint32
	congested bool      // marked so (ECN)
	sa        *table.SA // the association it came out of; nil in clear
}

// greDecap takes a GRE packet for us in clear.
func (w *Worker) greDecap(p *pkt) verdict {
	outer := p.ip
	hl := outer.HeaderLen()
	h := tunnelHeader{src: outer.Src(), dst: outer.Dst(), congested: outer.TOS()&ecnMask == ecnCE}
	return w.greOpen(p, h, p.start+hl, len(outer)-hl)
}

// greOpen takes the GRE header off the n bytes at start (RFC 2784, RFC 2890) and routes what was inside. Sequence numbers are
// accepted and not enforced. A protected tunnel takes only what came out of its own associations, and any other tunnel only what came in clear.
func (w *Worker) greOpen(p *pkt, h tunnelHeader, start, n int) verdict {
	b := p.chunk[start : start+n]
	var g packet.GRE
	if fault := g.Parse(b); fault != packet.OK {
		return p.drop(greFault[fault])
	}
	t := w.lastTunnel
	if t == nil || !w.t.Again(t, p.vrf, h.dst, h.src, g.Key, g.HasKey) {
		if t = w.t.FindTunnel(p.vrf, h.dst, h.src, g.Key, g.HasKey); t == nil {
			return p.drop(GRENoTunnel)
		}
		w.lastTunnel = t
	}
	switch protected := t.Flags&table.TunnelProtected != 0; {
	case h.sa == nil && protected:
		return p.drop(ClearOnProtected)
	case h.sa != nil && (!protected || t.Protection != h.sa.Protection.Load()):
		return w.refuse(p, h.sa, SAWrongTunnel)
	}
	p.tunnel, p.outerSrc, p.outerDst, p.top, p.vrf, p.mss = t, h.src, h.dst, 0, t.VRF, t.MSS
	inner := b[g.Len:]
	words := w.c.tunnels[linkWords*int(t.ID):]
	words[rxPackets], words[rxBytes] = words[rxPackets]+1, words[rxBytes]+uint64(len(inner))
	if w.tapped {
		w.tapTunnelIn(p, g.Proto, start+int(g.Len), len(inner))
	}
	switch g.Proto {
	case packet.TypeIPv4:
	case packet.TypeNHRP:
		return w.punt(p, NHRP, inner)
	case packet.TypeMPLS:
		return w.mplsGRE(p, t, h.congested, start+int(g.Len), len(inner))
	default:
		return p.drop(GREProtocol)
	}
	ip, fault := packet.ParseIPv4(inner)
	if fault != packet.OK {
		return p.drop(ipFault[fault])
	}
	if h.congested && !markCE(ip) {
		return p.drop(ECN)
	}
	if t.Flags&table.TunnelPriced != 0 {
		if r := w.payTunnel(p, t, len(ip), ip.TOS(), false); r != Unknown {
			return p.drop(r)
		}
	}
	p.ip = ip
	p.start = start + int(g.Len)
	if t.Addr == 0 {
		return w.unaddressed(p)
	}
	return w.route(p)
}

// The ECN field, the low bits of TOS (RFC 3168 section 5). 1 and 2 are ECT: the sender reacts to marks.
const (
	ecnMask = 3
	ecnCE   = 3 // congestion experienced
)

// markCE hands congestion outside on to the packet inside (RFC 6040 section 4.2). False: its sender knows no ECN, and learns of
// congestion from loss alone. An outer ECT(1) over an inner ECT(0) is left behind: no router in use marks with it.
func markCE(ip packet.IPv4) bool {
	switch ip.TOS() & ecnMask {
	case 0:
		return false
	case ecnCE:
		return true
	}
	old := binary.BigEndian.Uint16(ip)
	ip[1] |= ecnCE
	binary.BigEndian.PutUint16(ip[10:12], packet.Update(ip.Sum(), old, old|ecnCE))
	return true
}

// Bytes that the fixed-size copies of encapsulate reach in front of a packet.
const copyReach = fib.MaxInner + fib.MaxOuter

// encapsulate pushes the headers of an adjacency in front of the n bytes at p.start, and queues the frame. tos and df go into
// a tunnel's outer header. The packet fits the adjacency, or the outer one is fragmented.
func (w *Worker) encapsulate(p *pkt, a *table.Adj, id uint32, n int, tos uint8, df bool) verdict {
	if int(a.Port) >= len(w.byID) || w.byID[a.Port] == nil {
		return w.encapsulateVia(p, a, id, n, tos, df)
	}
	q := w.byID[a.Port]
	s := p.start
	if s < copyReach {
		return p.drop(NoHeadroom)
	}
	if a.Labels != 0 {
		tos &^= ecnMask // no mark outside would find its way inside
	}
	if a.Flags&table.AdjSealed != 0 {
		return w.espSeal(p, q, a, id, n, tos, df)
	}
	w.countSent(a, id, n)
	if a.Kind == fib.AdjLink {
		if a.Labels != 0 {
			*(*[fib.MaxInner]byte)(p.chunk[s-fib.MaxInner:]) = a.Inner
			pushLabels(p.chunk, a, s, p.lse)
			w.enqueue(q, port.Frame{Chunk: p.frame.Chunk, Start: uint16(s - int(a.InnerLen)), Len: uint16(n + int(a.InnerLen))})
			return sent
		}
		*(*[16]byte)(p.chunk[s-16:]) = *(*[16]byte)(a.Inner[fib.MaxInner-16:])
		if p.gre != 0 {
			binary.BigEndian.PutUint16(p.chunk[s-2:], p.gre)
		}
		s -= packet.EthernetLen
		w.enqueue(q, port.Frame{Chunk: p.frame.Chunk, Start: uint16(s), Len: uint16(n + packet.EthernetLen)})
		return sent
	}
	pushInner(p, a, s)
	return w.pushOuter(p, q, a, s-int(a.InnerLen), n+int(a.InnerLen), tos, df, nil, 0)
}

// countSent counts n bytes that leave by an adjacency.
func (w *Worker) countSent(a *table.Adj, id uint32, n int) {
	words := w.c.adjs[2*int(id):]
	words[0]++
	words[1] += uint64(n)
	if a.Kind == fib.AdjTunnel {
		words = w.c.tunnels[linkWords*int(a.Tunnel):]
		words[txPackets]++
		words[txBytes] += uint64(n)
	}
}

// pushInner pushes the GRE header of a tunnel's adjacency, and labels behind it, in front of s.
func pushInner(p *pkt, a *table.Adj, s int) {
	*(*[fib.MaxInner]byte)(p.chunk[s-fib.MaxInner:]) = a.Inner
	if p.gre != 0 {
		binary.BigEndian.PutUint16(p.chunk[s-int(a.InnerLen)+2:], p.gre)
	}
	if a.Labels != 0 {
		pushLabels(p.chunk, a, s, p.lse)
	}
}

// pushOuter pushes the outer headers in front of the size bytes at s, which are sealed but for AH, and queues the frame.
func (w *Worker) pushOuter(p *pkt, q *queue, a *table.Adj, s, size int, tos uint8, df bool, ta *sa.Transform, seq uint64) verdict {
	*(*[len(a.Outer)]byte)(p.chunk[s-len(a.Outer):]) = a.Outer
	s -= int(a.OuterLen)
	total := size + int(a.OuterLen) - packet.EthernetLen
	ip := p.chunk[s+packet.EthernetLen : s+packet.EthernetLen+total]
	w.ipID++
	fillOuter(ip, a.Sum, total, w.ipID, tos, df)
	if a.OuterLen == packet.EthernetLen+packet.IPv4Len+packet.UDPLen {
		binary.BigEndian.PutUint16(ip[packet.IPv4Len+4:], uint16(total-packet.IPv4Len))
	}
	if ta != nil {
		ta.SealAH(w.scratch, ip[:packet.IPv4Len], ip[packet.IPv4Len:], seq)
	}
	if a.Cuts(size) {
		return w.fragmentOuter(p, q, a, s, total)
	}
	w.enqueue(q, port.Frame{Chunk: p.frame.Chunk, Start: uint16(s), Len: uint16(total + packet.EthernetLen)})
	return sent
}

// fillOuter completes an outer IPv4 header: what is known only now, and the checksum, from the sum of the rest.
func fillOuter(h []byte, sum uint16, total int, id uint16, tos uint8, df bool) {
	_ = h[packet.IPv4Len-1]
	s := uint32(sum) + uint32(tos) + uint32(total) + uint32(id)
	h[1] = tos
	binary.BigEndian.PutUint32(h[2:6], uint32(total)<<16|uint32(id))
	if df {
		h[6] = packet.FlagDF >> 8
		s += packet.FlagDF
	}
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	binary.BigEndian.PutUint16(h[10:12], ^uint16(s))
}
