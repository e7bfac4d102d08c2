package fastpath

import (
	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// forward sends a packet on by adjacency id. Until it is certain that it leaves, it stays as it came.
func (w *Worker) forward(p *pkt, id uint32) verdict {
	if id < uint32(fib.FirstAdj) {
		return w.nowhere(p, id)
	}
	a := w.t.Adj(id)
	if a == nil {
		return w.software(p, id)
	}
	if a.Kind != fib.AdjTunnel && a.Kind != fib.AdjLink {
		return w.forwardAside(p, a, id)
	}
	return w.leave(p, a, id)
}

// leave sends a packet by an adjacency that packets leave by.
func (w *Worker) leave(p *pkt, a *table.Adj, id uint32) verdict {
	if !p.own && p.ip.TTL() <= 1 {
		return w.punt(p, TTLExpired, p.ip)
	}
	if a.Flags&(table.AdjMustSeal|table.AdjPriced|table.AdjResolve) != 0 {
		if r := w.leaveAside(p, a, id); r != Unknown {
			return p.drop(r)
		}
	}
	if t := p.tunnel; t != nil && t.Flags&table.TunnelRedirect != 0 && a.Network == t.Network && a.Network != 0 {
		w.redirect(p, a, id)
	}
	return w.output(p, a, id)
}

// leaveAside is what leave does at some adjacencies: it refuses, takes the price, tells the slow path. Unknown: the packet leaves.
//
//go:noinline
func (w *Worker) leaveAside(p *pkt, a *table.Adj, id uint32) Reason {
	if a.Flags&table.AdjMustSeal != 0 {
		return NoSA
	}
	if a.Flags&table.AdjPriced != 0 {
		if r := w.payAdj(p, a); r != Unknown {
			return r
		}
	}
	if a.Flags&table.AdjResolve != 0 {
		w.resolve(p, a, id)
	}
	return Unknown
}

// nowhere is forward for what is no adjacency.
func (w *Worker) nowhere(p *pkt, id uint32) verdict {
	if id == uint32(fib.Null) {
		return p.drop(NullRoute)
	}
	return w.noRoute(p)
}

// forwardAside is forward for an adjacency that no packet leaves by.
//
//go:noinline
func (w *Worker) forwardAside(p *pkt, a *table.Adj, id uint32) verdict {
	if a.Kind == fib.AdjLookup {
		return w.leak(p, a)
	}
	if !p.own && p.ip.TTL() <= 1 {
		return w.punt(p, TTLExpired, p.ip)
	}
	if a.Kind == fib.AdjGlean {
		return w.glean(p, a, id)
	}
	return p.drop(AdjacencyDrops)
}

// leak looks a packet up again, among the routes of another VRF. Nothing else about it changes: its TTL is counted down once, where it leaves. From then on it is
// of that VRF, and what is for an address there is received there. What leaks does not leak on: routes of a third VRF there are that one's business.
func (w *Worker) leak(p *pkt, a *table.Adj) verdict {
	if p.leaks {
		return p.drop(LeakLoop)
	}
	p.leaks, p.from = true, p.vrf
	p.vrf, p.along = a.VRF, false
	id := w.path(p, p.ip.Dst())
	if id == uint32(fib.Receive) {
		return w.ours(p)
	}
	if id < uint32(fib.FirstAdj) {
		return w.nowhere(p, id)
	}
	if a = w.t.Adj(id); a == nil {
		return w.software(p, id)
	}
	if a.Kind == fib.AdjTunnel || a.Kind == fib.AdjLink {
		return w.leave(p, a, id)
	}
	return w.forwardAside(p, a, id)
}

// output makes a packet fit and leave: the last step for packets and for copies.
func (w *Worker) output(p *pkt, a *table.Adj, id uint32) verdict {
	ip := p.ip
	if len(ip) > int(a.Limit) {
		if v, fits := w.fit(p, a, id); !fits {
			return v
		}
	}
	w.touch(p, a)
	return w.encapsulate(p, a, id, len(ip), ip.TOS(), a.Flags&table.AdjCopyDF != 0 && ip.DF())
}

// touch changes what forwarding changes in a packet: TTL, and the MSS of a TCP SYN. And it keeps what its labels will need of it.
func (w *Worker) touch(p *pkt, a *table.Adj) {
	if !p.own {
		p.ip.DecTTL()
	}
	if mss := p.mss | a.MSS; mss != 0 && p.ip.Proto() == packet.ProtoTCP {
		clampMSS(p.ip, p.mss, a.MSS)
	}
	if a.Labels != 0 {
		p.lse = imposed(p.ip, a)
	}
}

// clampMSS applies the smaller of the clamps of the way in and the way out; 0 is none.
func clampMSS(ip packet.IPv4, in, out uint16) {
	if in == 0 || out != 0 && out < in {
		in = out
	}
	if ip.FlagsOffset()&packet.OffsetMask != 0 {
		return
	}
	if tcp, fault := packet.ParseTCP(ip.Payload()); fault == packet.OK {
		tcp.ClampMSS(in)
	}
}

// What a flow's punts are held back for, part of the limiter's key.
const (
	limitRedirect = 1 << 60
	limitResolve  = 2 << 60
	limitGlean    = 3 << 60
	limitNoRoute  = 4 << 60
	limitSPI      = 5 << 60
)

// noRoute is for a packet that nobody has a route for: the slow path tells the sender, once a flow and interval.
func (w *Worker) noRoute(p *pkt) verdict {
	flow := uint64(p.ip.Src())<<32 | uint64(p.ip.Dst())
	if p.own || !w.limit.Allow(limitNoRoute|uint64(p.vrf), flow, w.now, w.resolveEvery) {
		return p.drop(NoRoute)
	}
	return w.punt(p, Unroutable, p.ip)
}

// target is what a packet's next hop is resolved by.
func target(p *pkt, a *table.Adj) uint32 {
	if a.NextHop != 0 {
		return a.NextHop
	}
	return p.ip.Dst()
}

// glean is for a next hop that is not resolved: the slow path gets one packet, the others wait elsewhere.
func (w *Worker) glean(p *pkt, a *table.Adj, id uint32) verdict {
	hop := target(p, a)
	if !w.limit.Allow(limitGlean|uint64(a.VRF)<<32|uint64(a.Tunnel), uint64(hop), w.now, w.resolveEvery) {
		return p.drop(GleanWaits)
	}
	return w.puntAdj(p, Glean, p.ip, id, hop, 0)
}

// resolve tells the slow path, now and then, that a destination is in use whose direct path is not known.
func (w *Worker) resolve(p *pkt, a *table.Adj, id uint32) {
	hop := target(p, a)
	if p.copied || !w.limit.Allow(limitResolve|uint64(a.VRF)<<32|uint64(a.Tunnel), uint64(hop), w.now, w.resolveEvery) {
		return
	}
	w.puntAdj(p, Resolve, p.ip, id, hop, 0)
}

// redirect tells the slow path, once a flow and interval, that a packet leaves by the NHRP network it came from. What goes back
// to its sender is a loop, and no redirect would shorten it. What came with labels is of a VRF that the network knows nothing of.
func (w *Worker) redirect(p *pkt, a *table.Adj, id uint32) {
	flow := uint64(p.ip.Src())<<32 | uint64(p.ip.Dst())
	if p.top != 0 || p.leaks || a.VRF != p.vrf || a.OuterDst() == p.outerSrc && a.OuterPort() == p.outerPort || !w.limit.Allow(limitRedirect|uint64(p.tunnel.ID), flow, w.now, w.redirectEvery) {
		return
	}
	w.puntAdj(p, Redirect, p.ip, id, target(p, a), 0)
}
