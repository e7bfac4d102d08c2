package slowpath

import (
	"net/netip"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/icmp"
	"nave/slowpath/nbma"
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
		ev := nhrp.Received{
			Iface: r.tunnels[p.Tunnel], From: r.sender(p), Identity: r.sessions.IdentityOf(p.SA), Endpoint: r.sessions.EndpointOf(p.SA), Payload: p.Packet,
		}
		if r.debug.topics&nhrpPacketTopics != 0 {
			r.tellNHRPPacket(ev.Iface, ev.From, ev.Payload, ev)
		}
		r.carryOut(r.nhrp.Handle(r.now, ev))
	case fastpath.Local:
		r.local(p)
	case fastpath.Host:
		name := r.ports[p.Port]
		if i, ok := r.rib.Interface(name); ok && i.VRF == p.VRF && p.Len == len(p.Packet) { // else it has moved on since
			r.stats.Delivered++
			r.linux.DeliverFrame(name, p.Packet)
		} else {
			r.stats.NotLocal++
		}
	case fastpath.Redirect:
		r.carryOut(r.nhrp.Handle(r.now, nhrp.RedirectWanted{Iface: r.tunnels[p.Tunnel], From: r.sender(p), Packet: p.Packet}))
	case fastpath.Resolve:
		if n, ok := r.nextHop(p); ok {
			r.resolve(n, p)
		}
	case fastpath.Glean:
		r.glean(p)
	case fastpath.Fragment:
		r.fragment(p)
	case fastpath.SAHeard, fastpath.SAMoved, fastpath.SASoft, fastpath.SAHard, fastpath.SAUnknown:
		r.associationPunt(p)
	case fastpath.TTLExpired:
		r.icmpError(icmp.TTLExceeded, p)
	case fastpath.Unroutable:
		r.icmpError(icmp.NetUnreachable, p)
	case fastpath.FragNeeded:
		r.icmpError(icmp.FragmentationNeeded, p)
	}
}

// sender is whom a packet of a tunnel came from: the peer whose association it came out of, or whoever has its outer source.
func (r *Router) sender(p *fastpath.Punt) nbma.Address {
	if at, ok := r.sessions.PeerBy(p.SA, r.tunnels[p.Tunnel]); ok {
		return at
	}
	return nbma.Of(p.OuterSrc)
}

// local takes a packet for an address of this box in p.VRF. What came by a tunnel of that VRF is delivered as from the tunnel; what a label led there came by none. A
// label may lead out of one VRF into another, where the address is another's: what decides is where the packet was routed.
func (r *Router) local(p *fastpath.Punt) {
	name := r.tunnels[p.Tunnel]
	switch i, ok := r.tunnel(name); {
	case ok && i.VRF == p.VRF && len(p.Stack) == 0:
	case len(p.Stack) > 0 || p.VRF != fib.Global:
		name = ""
	default:
		r.stats.NotLocal++
		return
	}
	r.stats.Delivered++
	r.linux.Deliver(p.VRF, name, p.Packet)
}

// fragment takes a fragment for an address of this box. What nave ends is put together here; the kernel has what is for the host, but for what a label led here: it
// gets that as any other packet.
func (r *Router) fragment(p *fastpath.Punt) {
	if !forTunnels(p) {
		if len(p.Stack) > 0 {
			r.local(p)
		}
		return
	}
	port := p.Port
	if len(p.Stack) > 0 {
		port = 0 // it came by none
	}
	vrf := p.VRF
	if port != 0 {
		vrf = origin(p) // it leaks again when it is whole
	}
	if whole, port, ok := r.fragments.Add(r.now, uint32(vrf), uint16(port), p.Packet); ok {
		r.inject(fastpath.Inject{Kind: fastpath.InjectInput, VRF: vrf, Port: fib.PortID(port), Packet: whole})
	}
}

// origin is the VRF that a punted packet's source is in: what is said to the source finds it there, and maybe somebody else of the same address where the packet went.
func origin(p *fastpath.Punt) fib.VRF {
	if p.Leaked {
		return p.From
	}
	return p.VRF
}

// nextHop is what a packet that the fast path could not send, or not directly, is to be sent by. A packet that came with labels is not punted itself, but for what
// it waits for.
func (r *Router) nextHop(p *fastpath.Punt) (n nextHop, ok bool) {
	name, _, ok := r.rib.Hop(p.Adj)
	if !ok || name == "" {
		return n, false
	}
	n = nextHop{name, p.NextHop}
	if !n.addr.IsValid() {
		n.addr, ok = destination(p)
	}
	return n, ok
}

// destination is where a punted packet goes; ok is false where there is no packet.
func destination(p *fastpath.Punt) (netip.Addr, bool) {
	if len(p.Packet) < packet.IPv4Len {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(p.Packet[16:20])), true
}

// resolve asks NHRP or Linux for a next hop.
func (r *Router) resolve(n nextHop, p *fastpath.Punt) {
	if i, tunnel := r.tunnel(n.iface); tunnel {
		dst, ok := destination(p)
		if !ok || i.VRF != p.VRF {
			dst = n.addr // the packet's own destination is nothing that the tunnel's network knows
		}
		r.carryOut(r.nhrp.Handle(r.now, nhrp.Unresolved{Iface: n.iface, Dst: dst, NextHop: p.NextHop}))
	} else {
		r.linux.Resolve(n.iface, n.addr)
	}
}

// glean keeps a packet for a while and has its next hop resolved. It is kept before anybody is asked: a tunnel's next
// hop is known at once while the NHS passes traffic on, and any may have become known since the packet was punted.
func (r *Router) glean(p *fastpath.Punt) {
	n, ok := r.nextHop(p)
	if !ok {
		return
	}
	r.hold(n, p)
	r.resolve(n, p)
	if r.rib.Known(n.iface, n.addr) {
		r.held.ready(n)
	}
}

// forTunnels tells whether a fragment is of a packet that nave ends: GRE, ESP or AH.
func forTunnels(p *fastpath.Punt) bool {
	if len(p.Packet) < packet.IPv4Len {
		return false
	}
	switch p.Packet[9] {
	case 47, 50, 51:
		return true
	}
	return false
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
	if name == "" {
		r.errorToHost(k, p)
		return
	}
	if r.quiet[name] && k != icmp.TTLExceeded && k != icmp.FragmentationNeeded {
		return
	}
	msg, ok := icmp.ErrorLabelled(k, p.MTU, r.answerFrom(name, p), p.Packet, p.Stack)
	if !ok {
		return
	}
	r.stats.ICMPErrors++
	if p.Switched {
		r.inject(fastpath.Inject{Kind: fastpath.InjectLabelled, VRF: p.VRF, Packet: append(answerStack(p.Stack), msg...)})
		return
	}
	r.inject(fastpath.Inject{Kind: fastpath.InjectRoute, VRF: origin(p), Packet: msg})
}

// errorToHost answers a packet of this box: the error is for the host stack of its VRF, which takes nothing that claims to come from itself.
func (r *Router) errorToHost(k icmp.Kind, p *fastpath.Punt) {
	from, ok := destination(p)
	if !ok {
		return
	}
	msg, ok := icmp.Error(k, p.MTU, from, p.Packet)
	if !ok {
		return
	}
	r.stats.ICMPErrors++
	out, _, _ := r.rib.Hop(p.Adj)
	switch i, tunnel := r.tunnel(out); {
	case tunnel && i.VRF == origin(p): // by which the packet came from it
		r.linux.Deliver(i.VRF, out, msg)
	case origin(p) != fib.Global:
		r.linux.Deliver(origin(p), "", msg)
	}
}

// answerFrom is the address that an error about a packet is from: that of the interface which it came by, or, where a label has led it from there into a VRF, one of that
// VRF: another's means nothing to the sender.
func (r *Router) answerFrom(name string, p *fastpath.Punt) netip.Addr {
	i, _ := r.rib.Interface(name)
	if i.VRF != origin(p) && !p.Switched {
		for _, other := range r.rib.Interfaces() {
			if o, _ := r.rib.Interface(other); o.VRF == origin(p) && o.Up && len(o.Addrs) > 0 {
				return o.Addrs[0].Addr()
			}
		}
	}
	return r.addressOf(name)
}

// answerStack is the label stack that a packet came with, fit to take the answer to its source to where the packet was to go, from where it finds its way (RFC 3032
// section 2.3.2): a TTL of 255, and the class of the answer.
func answerStack(stack []byte) []byte {
	out := make([]byte, 0, len(stack))
	for ; len(stack) >= packet.LabelLen; stack = stack[packet.LabelLen:] {
		e := packet.GetLSE(stack)
		out = append(out, 0, 0, 0, 0)
		packet.MakeLSE(e.Label(), answerClass, e.Bottom(), 255).Put(out[len(out)-packet.LabelLen:])
	}
	return out
}

// answerClass is what the precedence of ICMP errors (RFC 1812 section 4.3.2.5) is as a traffic class.
const answerClass = 6

// inject hands a packet to the fast path, or counts that it could not.
func (r *Router) inject(in fastpath.Inject) bool {
	if err := r.engine.Inject(in); err != nil {
		r.stats.InjectFailed++
		return false
	}
	return true
}
