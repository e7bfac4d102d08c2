package fastpath

import (
	"encoding/binary"

	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// natPort is where ESP in UDP comes to (RFC 3948 section 2.1).
const natPort = 4500

// espUDP takes a packet for UDP port 4500 of ours: ESP, or else IKE's (four zero bytes, RFC 3948 section 2.2), which with keepalives is the
// slow path's. The UDP checksum is not looked at.
func (w *Worker) espUDP(p *pkt) verdict {
	hl := p.ip.HeaderLen()
	udp := p.ip[hl:]
	if n := int(binary.BigEndian.Uint16(udp[4:])); n < packet.UDPLen || n > len(udp) {
		return p.drop(ESPShort)
	} else if n < len(udp) {
		p.ip, udp = p.ip[:hl+n], udp[:n]
	}
	if len(udp) < packet.UDPLen+4 || binary.BigEndian.Uint32(udp[packet.UDPLen:]) == 0 {
		return w.toHost(p)
	}
	p.outerPort = binary.BigEndian.Uint16(udp)
	return w.espOpen(p, hl+packet.UDPLen, true)
}

// isESPUDP tells whether a packet for us is for the port of ESP in UDP.
func isESPUDP(ip packet.IPv4) bool {
	udp := ip.Payload()
	return ip.Proto() == packet.ProtoUDP && len(udp) >= packet.UDPLen && binary.BigEndian.Uint16(udp[2:]) == natPort
}

// espOpen takes an ESP packet for us, at off in p.ip: finds its association, looks at its sequence number, authenticates and decrypts it in
// place, and hands what was inside to its tunnel (RFC 4303 section 3.4).
func (w *Worker) espOpen(p *pkt, off int, encap bool) verdict {
	esp := p.ip[off:]
	if len(esp) < 8 {
		return p.drop(ESPShort)
	}
	s, v := w.inbound(p, binary.BigEndian.Uint32(esp), 0)
	if s == nil {
		return v
	}
	addr, udpPort := s.Remote()
	moved := addr != p.ip.Src() || udpPort != p.outerPort
	body := len(esp) - 8 - int(s.IV) - int(s.ICV) // payload and trailer
	switch {
	case s.Is(table.SAEncap) != encap:
		return w.refuse(p, s, SAWrongEncap)
	case moved && (!encap || s.ICV == 0):
		return w.refuse(p, s, SAWrongPeer)
	case s.Under != p.ah:
		return w.refuse(p, s, SANotUnder)
	case body < 2:
		return w.refuse(p, s, ESPShort)
	case body&(int(s.Align)-1) != 0: // a power of two
		return w.refuse(p, s, ESPLength)
	}
	if n := s.Bytes.Load(); n >= s.Calm.Load() && n >= s.Hard.Load() {
		return w.expired(p, s)
	}
	seq, r := w.sequence(p, s, binary.BigEndian.Uint32(esp[4:]))
	if r != Unknown {
		return p.drop(r)
	}
	at := p.start + off
	if s.Kernel == sa.KernelGCM {
		return w.kernelOpen(p, s, at, len(esp), seq)
	}
	t := w.transform(s)
	if t == nil {
		return w.unknownSPI(p) // it was taken away in this moment
	}
	if t.Slow() && !w.lane.turn {
		return w.lane.parkOpen(p, off, encap)
	}
	payload, ok := t.Open(w.scratch, p.chunk, at, len(esp), seq)
	w.lane.pay(t.Cost(body))
	if !ok {
		w.forged(p, s, at, len(esp), seq)
		return p.drop(SAAuth)
	}
	newest := w.accept(p, s, seq)
	if p.reason != Unknown {
		return p.drop(p.reason)
	}
	return w.espOpened(p, s, payload, at+t.Front(), newest, false)
}

// espOpened goes on with an authentic packet whose payload, at at in its chunk, is decrypted: by itself, or together with others of its vector.
func (w *Worker) espOpened(p *pkt, s *table.SA, payload []byte, at int, newest, together bool) verdict {
	n, next, ok := sa.Strip(payload)
	if !ok {
		return w.refuse(p, s, ESPPadding)
	}
	p.sa = s.ID
	w.opened(p, s, n, together)
	addr, udpPort := s.Remote()
	if src := p.ip.Src(); newest && (addr != src || udpPort != p.outerPort) && w.puntSA(p, SAMoved, s, src, p.outerPort) {
		s.Move(src, p.outerPort) // and if the slow path could not be told, the next packet tries again
	}
	return w.espInner(p, s, at, n, next)
}

// espInner takes the n bytes at start that came out of ESP or AH: GRE, in tunnel mode behind an IPv4 header.
func (w *Worker) espInner(p *pkt, s *table.SA, start, n int, next uint8) verdict {
	if next == packet.ProtoNone {
		return p.drop(ESPDummy)
	}
	want := uint8(packet.ProtoGRE)
	if s.Is(table.SATunnel) {
		want = packet.ProtoIPIP
	}
	if next != want {
		if s.Is(table.SAAH) {
			return w.refuse(p, s, AHNextHeader)
		}
		return w.refuse(p, s, ESPNextHeader)
	}
	src, _ := s.Remote()
	outer := tunnelHeader{src: src, dst: p.ip.Dst(), congested: p.ip.TOS()&ecnMask == ecnCE, sa: s}
	if s.Is(table.SATunnel) {
		ip, fault := packet.ParseIPv4(p.chunk[start : start+n])
		if fault != packet.OK || ip.IsFragment() || ip.Proto() != packet.ProtoGRE {
			return w.refuse(p, s, ESPInner)
		}
		// With a NAT between, each end knows addresses of its own: the association stands for the peer.
		if !s.Is(table.SAEncap) && (ip.Src() != src || ip.Dst() != outer.dst) {
			return w.refuse(p, s, ESPInner)
		}
		outer.congested = outer.congested || ip.TOS()&ecnMask == ecnCE
		start, n = start+ip.HeaderLen(), len(ip)-ip.HeaderLen()
	}
	return w.greOpen(p, outer, start, n)
}

// sealReach is how far in front of GRE the headers of tunnel mode, ESP and AH reach, at most: 20, 8 and 16, 12 and 32, and 4 that are borrowed.
const sealReach = 20 + 24 + 44 + 4

// espSeal is encapsulate for an adjacency that leaves by associations: push Inner, seal with ESP, push Outer, seal with AH. Until a
// sequence number is taken, nothing changes; then the packet leaves.
func (w *Worker) espSeal(p *pkt, q *queue, a *table.Adj, id uint32, n int, tos uint8, df bool) verdict {
	if s := w.kernelSA(a); s != nil {
		return w.kernelSeal(p, q, a, s, id, n, tos, df)
	}
	esp, te := w.outbound(a.SA)
	ah, ta := w.outbound(a.AH)
	if a.SA != 0 && (esp == nil || esp.Is(table.SAAH)) || a.AH != 0 && (ah == nil || !ah.Is(table.SAAH)) {
		return p.drop(NoSA)
	}
	if te != nil && te.Slow() && !w.lane.turn {
		return w.lane.parkSeal(p, a, id, n, tos, df)
	}
	inside := esp
	if inside == nil {
		inside = ah
	}
	start, size, next := sealSpan(p, a, inside, n)
	end := start + size
	if te != nil {
		end = start + te.Padded(size) + te.Tail()
	}
	if p.start < copyReach+sealReach {
		return w.cannotSeal(p, esp, ah, NoHeadroom)
	}
	if end > len(p.chunk) {
		return w.cannotSeal(p, esp, ah, NoTailroom)
	}
	seqESP, seqAH, r := w.takeNumbers(p, esp, ah, n+int(a.InnerLen))
	if r != Unknown {
		return p.drop(r)
	}
	w.countSent(a, id, n)
	w.pushInside(p, a, inside, start, size, tos, df)
	s := start
	if te != nil {
		padded := te.Padded(size)
		sa.Trailer(p.chunk[start:start+padded], size, next)
		s -= te.Front()
		later := ta == nil && !a.Cuts(te.Sealed(size)) // else AH or cutting comes next
		size = w.transformSeal(te, p.chunk, s, padded, seqESP, later)
		next = packet.ProtoESP
	}
	if ta != nil {
		s -= sa.AHLen + ta.Shape().ICV
		size += sa.AHLen + ta.Shape().ICV
		ta.PutAH(p.chunk[s:], next, seqAH)
	}
	if a.Via != 0 {
		return w.pushBehind(p, q, a, s, size, tos, df, ta, seqAH)
	}
	return w.pushOuter(p, q, a, s, size, tos, df, ta, seqAH)
}

// sealSpan is where what association s covers will start, how long it will be and which protocol it is: GRE around the n bytes at p.start, in tunnel mode behind an IPv4 header.
func sealSpan(p *pkt, a *table.Adj, s *table.SA, n int) (start, size int, next uint8) {
	start, size = p.start-int(a.InnerLen), n+int(a.InnerLen)
	if s.Is(table.SATunnel) {
		return start - packet.IPv4Len, size + packet.IPv4Len, packet.ProtoIPIP
	}
	return start, size, packet.ProtoGRE
}

// pushInside pushes what sealSpan has found.
func (w *Worker) pushInside(p *pkt, a *table.Adj, s *table.SA, start, size int, tos uint8, df bool) {
	pushInner(p, a, p.start)
	if s.Is(table.SATunnel) {
		w.pushTunnel(p.chunk[start:start+size], s, tos, df)
	}
}

// pushTunnel writes the inner IPv4 header of tunnel mode.
func (w *Worker) pushTunnel(b []byte, s *table.SA, tos uint8, df bool) {
	remote, _ := s.Remote()
	h := packet.Header{TOS: tos, ID: w.ipID, TTL: 255, Proto: packet.ProtoGRE}
	if df {
		h.Flags = packet.FlagDF
	}
	binary.BigEndian.PutUint32(h.Src[:], s.Local)
	binary.BigEndian.PutUint32(h.Dst[:], remote)
	h.Put(b, len(b)-packet.IPv4Len)
}
