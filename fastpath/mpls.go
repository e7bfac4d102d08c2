package fastpath

import (
	"encoding/binary"

	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// maxStack is how many labels of a packet are looked at: those that are taken off here, and those down to what is under them.
const maxStack = 16

// mplsPort takes a labelled frame as a port received it.
func (w *Worker) mplsPort(p *pkt, in *table.Port, eth packet.Ethernet, start int) verdict {
	switch {
	case eth.DstWord() != in.MAC && eth.IsGroup():
		return p.drop(EthernetGroup)
	case eth.DstWord() != in.MAC:
		return p.drop(EthernetOther)
	case !in.MPLS:
		return p.drop(MPLSOff)
	}
	p.arrived(in) // by a subinterface, too: what a label leads in is not the twin's
	return w.mplsSwitch(p, start, int(p.frame.Start)+int(p.frame.Len))
}

// mplsGRE takes the labelled packet of n bytes at start, which came out of tunnel t (RFC 4023).
func (w *Worker) mplsGRE(p *pkt, t *table.Tunnel, congested bool, start, n int) verdict {
	switch {
	case t.Flags&table.TunnelMPLS == 0:
		return p.drop(MPLSOff)
	case congested:
		return p.drop(ECN) // EXP carries no marks here, as with a sender that knows no ECN
	case t.Flags&table.TunnelPriced != 0 && n >= packet.LabelLen:
		if r := w.payTunnel(p, t, n, packet.GetLSE(p.chunk[start:]).EXP()<<5, true); r != Unknown {
			return p.drop(r)
		}
	}
	return w.mplsSwitch(p, start, start+n)
}

// mplsSwitch does what the label at start says (RFC 3031 section 3.11). The packet ends at end. A label of this box with another one under it is taken
// off, and the other one is looked at as though the packet had come with it.
func (w *Worker) mplsSwitch(p *pkt, start, end int) verdict {
	p.top, p.start = uint16(start), start
	if end-start < packet.LabelLen {
		return p.drop(MPLSShort)
	}
	at := start
	e := packet.GetLSE(p.chunk[at:])
	for range maxStack {
		var l table.Label
		if c := w.t.LabelChunk(e.Label()); c != nil {
			if l = c.Label(e.Label()); l != 0 {
				c.Count(e.Label(), w.labelsAt, end-at)
			}
		}
		at += packet.LabelLen
		if l.Action() == fib.LabelSwap {
			return w.swap(p, l, e, at, end)
		}
		if l == 0 && e.Label() != fib.ExplicitNull {
			return w.noLabel(p, e.Label(), end)
		}
		if l.Priced() {
			if r := w.payLabel(p, l, e); r != Unknown {
				return p.drop(r)
			}
		}
		if e.Bottom() {
			return w.popIP(p, l, e, at, end)
		}
		if l.Action() == fib.LabelForward {
			return p.drop(MPLSPayload) // the labelled network ends here, and what is under the label is nobody's
		}
		if end-at < packet.LabelLen {
			return p.drop(MPLSShort)
		}
		e = exposed(l, e, packet.GetLSE(p.chunk[at:]))
	}
	return p.drop(MPLSDepth)
}

// noLabel is for a label that no entry is for.
func (w *Worker) noLabel(p *pkt, label uint32, end int) verdict {
	switch {
	case label >= fib.FirstLabel:
		return p.drop(MPLSUnknown)
	case label != fib.RouterAlert:
		return p.drop(MPLSReserved)
	}
	n, fault := packet.StackLen(p.chunk[p.top:end], maxStack)
	if fault != packet.OK {
		return p.drop(MPLSShort)
	}
	p.start = int(p.top) + n
	return w.punt(p, MPLSAlert, p.chunk[p.start:end])
}

// exposed is what a label e of entry l leaves of the label under it (RFC 3443 section 3, RFC 3270 section 2.6).
func exposed(l table.Label, e, under packet.LSE) packet.LSE {
	if !l.Pipe() && e.TTL() < under.TTL() {
		under = under&^0xff | packet.LSE(e.TTL())
	}
	if l.CopyEXP() {
		under = under&^packet.LSEExp | e&packet.LSEExp
	}
	return under
}

// uncover hands TTL and EXP of the last label on to the IPv4 packet under it.
func uncover(l table.Label, e packet.LSE, ip packet.IPv4) {
	if !l.Pipe() && e.TTL() < ip.TTL() {
		ip.SetTTL(e.TTL())
	}
	if l.CopyEXP() {
		ip.SetPrecedence(e.EXP())
	}
}

// popIP routes, or forwards by the label's own paths, the IPv4 packet at start, whose last label e is taken off. The label's TTL is not looked
// at by itself: in the uniform model the packet's becomes no larger, and in the pipe model it is not the packet's.
func (w *Worker) popIP(p *pkt, l table.Label, e packet.LSE, start, end int) verdict {
	if v, ok := p.underLabels(start, end); !ok {
		return v
	}
	uncover(l, e, p.ip)
	if l.Action() != fib.LabelForward {
		if e.Label() != fib.ExplicitNull {
			p.vrf = l.VRF()
		}
		return w.route(p)
	}
	if r := martian(p.ip); r != Unknown {
		return p.drop(r)
	}
	p.along = true
	v := w.forward(p, w.labelPath(p, l.Hop(), end))
	w.countLabelled(v)
	return v
}

// underLabels finds the IPv4 packet at start, under the labels.
func (p *pkt) underLabels(start, end int) (verdict, bool) {
	ip, fault := packet.ParseIPv4(p.chunk[start:end])
	switch fault {
	case packet.OK:
		p.ip, p.start = ip, start
		return drop, true
	case packet.BadVersion:
		return p.drop(MPLSPayload), false
	}
	return p.drop(ipFault[fault]), false
}

// martian is why a packet with such addresses goes nowhere as unicast; Unknown if it may.
func martian(ip packet.IPv4) Reason {
	if s := ip.Src() >> 24; s == 0 || s == 127 || s >= 224 {
		return MartianSource
	}
	if d := ip.Dst() >> 24; d == 0 || d == 127 || d >= 224 {
		return MartianDestination
	}
	return Unknown
}

func (w *Worker) countLabelled(v verdict) {
	if v >= cut {
		w.c.words[cntLabelled]++
	}
}

// swap sends what is at start, under label e of entry l, on by the entry's path, which pushes its own labels or none. What it is does not matter,
// unless it has to be cut or an unlabelled IPv4 packet comes out.
func (w *Worker) swap(p *pkt, l table.Label, e packet.LSE, start, end int) verdict {
	if e.TTL() <= 1 {
		return w.labelExpired(p, end)
	}
	e--
	id := l.Hop().ID()
	if l.Hop().Multi() {
		id = w.labelPath(p, l.Hop(), end)
	}
	a := w.t.Adj(id)
	if a == nil {
		if r := w.paySoftware(p, id, e.EXP()<<5); r != Unknown {
			return p.drop(r)
		}
		id &^= table.Software
		if a = w.t.Adj(id); a == nil {
			return p.drop(NoAdjacency)
		}
	}
	if a.Kind != fib.AdjLink && a.Kind != fib.AdjTunnel || a.Flags&(table.AdjMustSeal|table.AdjPriced|table.AdjResolve) != 0 {
		if a.Kind == fib.AdjLookup && e.Bottom() {
			return w.popLookup(p, l, e+1, a, start, end)
		}
		if v, ok := w.swapAside(p, a, id, e, end-start); !ok {
			return v
		}
	}
	var under packet.LSE
	p.tos = e.EXP() << 5
	if a.Labels == 0 {
		if e.Bottom() {
			return w.swapIP(p, l, e, a, id, start, end)
		}
		if end-start < packet.LabelLen {
			return p.drop(MPLSShort)
		}
		under = exposed(l, e, packet.GetLSE(p.chunk[start:]))
		p.gre, p.tos = packet.TypeMPLS, under.EXP()<<5
	}
	n := end - start
	p.lse = e & (packet.LSEExp | packet.LSEBottom | 0xff)
	if n > int(a.Limit) {
		var v verdict
		if n, v = w.fitLabelled(p, a, id, under, start, end); n == 0 {
			w.countLabelled(v)
			return v
		}
	}
	df := a.Flags&table.AdjCopyDF != 0 && dfUnder(p.chunk[start:end], e.Bottom())
	if under != 0 {
		under.Put(p.chunk[start:])
	}
	p.start = start
	v := w.encapsulate(p, a, id, n, p.tos, df)
	w.countLabelled(v)
	return v
}

// swapIP sends the IPv4 packet at start, whose last label e is taken off, by an adjacency without labels: penultimate hop popping. What TTL there is
// to count down was the label's.
func (w *Worker) swapIP(p *pkt, l table.Label, e packet.LSE, a *table.Adj, id uint32, start, end int) verdict {
	if v, ok := p.underLabels(start, end); !ok {
		return v
	}
	uncover(l, e, p.ip)
	p.own, p.along = true, true
	v := w.output(p, a, id)
	w.countLabelled(v)
	return v
}

// popLookup looks the IPv4 packet at start up, whose last label e is taken off, in the VRF of an adjacency that says so.
//
//go:noinline
func (w *Worker) popLookup(p *pkt, l table.Label, e packet.LSE, a *table.Adj, start, end int) verdict {
	if v, ok := p.underLabels(start, end); !ok {
		return v
	}
	if r := martian(p.ip); r != Unknown {
		return p.drop(r)
	}
	uncover(l, e, p.ip)
	return w.leak(p, a)
}

// swapAside is for an adjacency that does more than send, or less (the price is that of a labelled packet, also where its last label is taken off), with what is under label e, of n bytes. True: it sends, too.
func (w *Worker) swapAside(p *pkt, a *table.Adj, id uint32, e packet.LSE, n int) (verdict, bool) {
	switch {
	case a.Flags&table.AdjMustSeal != 0:
		return p.drop(NoSA), false
	case a.Kind == fib.AdjGlean && a.NextHop != 0:
		if !w.limit.Allow(limitGlean|uint64(a.VRF)<<32|uint64(a.Tunnel), uint64(a.NextHop), w.now, w.resolveEvery) {
			return p.drop(GleanWaits), false
		}
		// Without the packet: it would come back without its labels.
		return w.puntAdj(p, Glean, nil, id, a.NextHop, 0), false
	case a.Kind != fib.AdjLink && a.Kind != fib.AdjTunnel:
		return p.drop(AdjacencyDrops), false
	}
	if a.Flags&table.AdjPriced != 0 {
		if r := w.pay(p, a.Price, n, e.EXP()<<5, true); r != Unknown {
			return p.drop(r), false
		}
	}
	if a.Flags&table.AdjResolve != 0 && a.NextHop != 0 && w.limit.Allow(limitResolve|uint64(a.VRF)<<32|uint64(a.Tunnel), uint64(a.NextHop), w.now, w.resolveEvery) {
		w.puntAdj(p, Resolve, nil, id, a.NextHop, 0)
	}
	return drop, true
}

// labelExpired is for a label whose TTL ran out. The sender of an IPv4 packet under it is told by the slow path (RFC 3032 section 2.3).
func (w *Worker) labelExpired(p *pkt, end int) verdict {
	n, fault := packet.StackLen(p.chunk[p.top:end], maxStack)
	if fault != packet.OK {
		return p.drop(MPLSTTL)
	}
	if _, ok := p.underLabels(int(p.top)+n, end); !ok {
		return p.drop(MPLSTTL)
	}
	p.along = true
	return w.punt(p, TTLExpired, p.ip)
}

// labelPath is the adjacency that a label leads to, for the packet's flow: its labels, and what IPv4 is under them.
func (w *Worker) labelPath(p *pkt, hop table.Hop, end int) uint32 {
	if !hop.Multi() {
		return hop.ID()
	}
	b := p.chunk[p.top:end]
	n, fault := packet.StackLen(b, maxStack)
	var h uint64
	for i := 0; i < n; i += packet.LabelLen {
		h = (h ^ uint64(packet.GetLSE(b[i:]).Label())) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	if fault == packet.OK {
		if ip, fault := packet.ParseIPv4(b[n:]); fault == packet.OK {
			h ^= uint64(flowHash(ip)) << 32
		}
	}
	return w.t.Path(hop, uint32(h>>32))
}

// dfUnder tells whether an IPv4 packet is under the labels of b (none, if it is bare) that must not be fragmented.
func dfUnder(b []byte, bare bool) bool {
	n := 0
	if !bare {
		var fault packet.Fault
		if n, fault = packet.StackLen(b, maxStack); fault != packet.OK {
			return false
		}
	}
	b = b[n:]
	return len(b) >= packet.IPv4Len && b[0]>>4 == 4 && packet.IPv4(b).DF()
}

// fitLabelled deals with a labelled packet that is longer than the adjacency's limit: at start there are more labels, or what is under them. It returns how long
// the packet is that can leave as it is after all, with what a link padded cut off or with the outer packet fragmented; or 0, and v is what became of it.
func (w *Worker) fitLabelled(p *pkt, a *table.Adj, id uint32, under packet.LSE, start, end int) (n int, v verdict) {
	stack := 0
	if p.lse&packet.LSEBottom == 0 {
		var fault packet.Fault
		if stack, fault = packet.StackLen(p.chunk[start:end], maxStack); fault != packet.OK {
			return 0, p.drop(MPLSTooBig)
		}
	}
	ip, fault := packet.ParseIPv4(p.chunk[start+stack : end])
	if fault != packet.OK {
		return 0, p.drop(MPLSTooBig)
	}
	n = stack + len(ip)
	if n <= int(a.Limit) {
		return n, drop
	}
	p.ip, p.start, p.along = ip, start+stack, true
	mtu := int(a.MTU)
	if ip.DF() && (n > mtu || a.Flags&table.AdjCopyDF != 0) {
		if a.Flags&table.AdjCopyDF != 0 {
			mtu = int(a.Limit)
		}
		return 0, w.puntAdj(p, FragNeeded, ip, id, a.NextHop, uint16(max(mtu-stack, 0)))
	}
	if n <= mtu {
		return n, drop
	}
	if int(ip.FlagsOffset()&packet.OffsetMask)*8+len(ip) > 1<<16 {
		return 0, p.drop(IPLength)
	}
	if a.Flags&table.AdjPriced != 0 {
		if r := w.payFragment(p, a, p.tos); r != Unknown {
			return 0, p.drop(r)
		}
	}
	if under != 0 {
		under.Put(p.chunk[start:])
	}
	return 0, w.sendPieces(p, a, id, p.chunk[start:start+stack], mtu-stack, p.tos)
}

// imposed is what a packet of this box, or in transit, gives to the labels that are pushed on it: EXP of its precedence, and its TTL.
func imposed(ip packet.IPv4, a *table.Adj) packet.LSE {
	e := packet.LSEBottom | packet.LSE(ip.TOS()>>5)<<9 | packet.LSE(ip.TTL())
	if a.Flags&table.AdjPipe != 0 {
		e |= 0xff
	}
	return e
}

// pushLabels pushes the labels of an adjacency in front of s, the innermost with all of e. The others, which are new to a packet that had labels
// already, have its EXP, and its TTL unless the adjacency says otherwise.
func pushLabels(b []byte, a *table.Adj, s int, e packet.LSE) {
	binary.BigEndian.PutUint32(b[s-4:], binary.BigEndian.Uint32(a.Inner[fib.MaxInner-4:])|uint32(e))
	if a.Labels == 1 {
		return
	}
	e &^= packet.LSEBottom
	if a.Flags&table.AdjPipe != 0 {
		e |= 0xff
	}
	binary.BigEndian.PutUint32(b[s-8:], binary.BigEndian.Uint32(a.Inner[fib.MaxInner-8:])|uint32(e))
	if a.Labels > 2 {
		binary.BigEndian.PutUint32(b[s-12:], binary.BigEndian.Uint32(a.Inner[fib.MaxInner-12:])|uint32(e))
	}
}
