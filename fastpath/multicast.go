package fastpath

import (
	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
)

// Addresses from 224.0.0.0 on.
const (
	linkLocalNet = 0xe00000 // 224.0.0.0/24, never forwarded (RFC 5771 section 4)
	classE       = 0xf0000000
	allOnes      = 0xffffffff
)

// inputMulticast takes what came in by a port or out of a tunnel for a multicast or broadcast address.
func (w *Worker) inputMulticast(p *pkt, dst uint32) verdict {
	switch {
	case p.top != 0:
		return p.drop(MulticastFromPort)
	case dst>>8 == linkLocalNet || dst == allOnes:
		return w.toHost(p)
	case dst >= classE:
		return p.drop(MartianDestination)
	case p.tunnel == nil:
		return p.drop(MulticastFromPort)
	case p.ip.TTL() <= 1:
		return p.drop(MulticastTTL)
	}
	return w.replicate(p, p.tunnel.Group, p.outerSrc, p.outerPort)
}

// replicate sends a copy of the packet by each member of a group, but not back to the sender with the outer address from and,
// of ESP in UDP, the port fromPort.
func (w *Worker) replicate(p *pkt, group, from uint32, fromPort uint16) verdict {
	reason := NoGroup
	copies := 0
	for _, id := range w.t.Group(group) {
		a := w.t.Adj(id)
		if a == nil || a.Kind != fib.AdjTunnel && a.Kind != fib.AdjLink || from != 0 && a.OuterDst() == from && a.OuterPort() == fromPort {
			continue
		}
		if v := w.copyTo(p, a, id); v < cut {
			w.c.words[cntReasons+int(CopyLost)]++
			reason = w.child.reason
			if w.tapped {
				w.tapEnd(CaptureDrop, p, CopyLost, reason, false)
			}
			continue
		}
		copies++
	}
	if copies == 0 {
		return p.drop(reason)
	}
	return cut
}

// copyTo sends one copy by an adjacency.
func (w *Worker) copyTo(p *pkt, a *table.Adj, id uint32) verdict {
	c := &w.child
	*c = pkt{vrf: p.vrf, port: p.port, gre: p.gre, tos: p.tos, own: p.own, tunnel: p.tunnel, copied: true, part: true, by: p.by}
	if a.Flags&(table.AdjMustSeal|table.AdjPriced) != 0 {
		if r := w.copyAside(p, a); r != Unknown {
			return c.drop(r)
		}
	}
	f, ok := w.newFrame(len(p.ip))
	if !ok {
		return c.drop(NoFrame)
	}
	c.frame, c.chunk, c.start = f, w.pool.Chunk(f), int(f.Start)
	c.ip = c.chunk[c.start : c.start+len(p.ip)]
	copy(c.ip, p.ip)
	v := w.outputCopy(c, a, id)
	w.releaseUnless(v, c.frame)
	return v
}

// copyAside is what copyTo does at some adjacencies: it refuses, or takes the price. Unknown: the copy leaves.
//
//go:noinline
func (w *Worker) copyAside(p *pkt, a *table.Adj) Reason {
	switch {
	case a.Flags&table.AdjMustSeal != 0:
		return NoSA
	case p.own:
		return Unknown
	case a.Price.NoMulticast():
		return EncryptedMulticast
	}
	return w.payAdj(p, a)
}

// outputCopy sends a copy: an IP packet, or for a protocol of GRE's own what it carries.
func (w *Worker) outputCopy(c *pkt, a *table.Adj, id uint32) verdict {
	if c.gre == 0 {
		return w.output(c, a, id)
	}
	if a.Labels != 0 {
		return c.drop(InjectBad)
	}
	return w.encapsulate(c, a, id, len(c.ip), c.tos, false)
}
