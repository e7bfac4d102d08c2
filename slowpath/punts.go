package slowpath

import (
	"net/netip"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/icmp"
	"nave/slowpath/nhrp"
)

// Punt takes a packet that the fast path sent up. The Router keeps no part of p.
func (r *Router) Punt(p *fastpath.Punt) {
	if !r.police.Allow(r.now, p.Reason) {
		return
	}
	_ = r.step(func() { r.handlePunt(p) })
}

func (r *Router) handlePunt(p *fastpath.Punt) {
	switch p.Reason {
	case fastpath.NHRP:
		r.carryOut(r.nhrp.Handle(r.now, nhrp.Received{Iface: r.tunnels[p.Tunnel], From: p.OuterSrc, Payload: p.Packet}))
	case fastpath.Local:
		if name := r.tunnels[p.Tunnel]; name != "" {
			r.stats.Delivered++
			r.linux.Deliver(name, p.Packet)
		} else {
			r.stats.NotLocal++
		}
	case fastpath.Redirect:
		r.carryOut(r.nhrp.Handle(r.now, nhrp.RedirectWanted{Iface: r.tunnels[p.Tunnel], From: p.OuterSrc, Packet: p.Packet}))
	case fastpath.Resolve:
		r.unresolved(p)
	case fastpath.Glean:
		r.glean(p)
	case fastpath.Fragment:
		if whole, port, ok := r.fragments.Add(r.now, uint32(p.VRF), uint16(p.Port), p.Packet); ok {
			r.inject(fastpath.Inject{Kind: fastpath.InjectInput, Port: fib.PortID(port), Packet: whole})
		}
	case fastpath.TTLExpired:
		r.icmpError(icmp.TTLExceeded, p)
	case fastpath.Unroutable:
		r.icmpError(icmp.NetUnreachable, p)
	case fastpath.FragNeeded:
		r.icmpError(icmp.FragmentationNeeded, p)
	}
}

// unresolved tells NHRP that there is traffic without a direct path. It returns what is to be resolved.
func (r *Router) unresolved(p *fastpath.Punt) (n nextHop, ok bool) {
	name, _, ok := r.rib.Hop(p.Adj)
	if !ok || len(p.Packet) < packet.IPv4Len {
		return n, false
	}
	dst := netip.AddrFrom4([4]byte(p.Packet[16:20]))
	n = nextHop{name, p.NextHop}
	if !n.addr.IsValid() {
		n.addr = dst
	}
	if _, tunnel := r.tunnel(name); tunnel {
		r.carryOut(r.nhrp.Handle(r.now, nhrp.Unresolved{Iface: name, Dst: dst, NextHop: p.NextHop}))
	} else {
		r.linux.Resolve(name, n.addr)
	}
	return n, true
}

// glean has a next hop resolved and keeps the packet for a while.
func (r *Router) glean(p *fastpath.Punt) {
	if n, ok := r.unresolved(p); ok {
		r.hold(n, p)
	}
}

// cameBy is the interface that a punted packet came in by; "" for packets of this box.
func (r *Router) cameBy(p *fastpath.Punt) string {
	if p.Tunnel != 0 {
		return r.tunnels[p.Tunnel]
	}
	return r.ports[p.Port]
}

// icmpError answers a punted packet with an ICMP error.
func (r *Router) icmpError(k icmp.Kind, p *fastpath.Punt) {
	name := r.cameBy(p)
	from := r.addressOf(name)
	if name == "" { // ours: the error is for the host stack, from the address that the packet itself has
		if len(p.Packet) < packet.IPv4Len {
			return
		}
		from = netip.AddrFrom4([4]byte(p.Packet[12:16]))
	}
	if r.quiet[name] && k != icmp.TTLExceeded && k != icmp.FragmentationNeeded {
		return
	}
	msg, ok := icmp.Error(k, p.MTU, from, p.Packet)
	if !ok {
		return
	}
	r.stats.ICMPErrors++
	if name == "" {
		if out, _, ok := r.rib.Hop(p.Adj); ok {
			if _, tunnel := r.tunnel(out); tunnel {
				r.linux.Deliver(out, msg)
			}
		}
		return
	}
	r.inject(fastpath.Inject{Kind: fastpath.InjectRoute, VRF: p.VRF, Packet: msg})
}

// inject hands a packet to the fast path, or counts that it could not.
func (r *Router) inject(in fastpath.Inject) bool {
	if err := r.engine.Inject(in); err != nil {
		r.stats.InjectFailed++
		return false
	}
	return true
}
