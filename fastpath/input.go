package fastpath

import (
	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// input takes a frame as a port received it.
func (w *Worker) input(p *pkt, in *table.Port) verdict {
	if in == nil {
		return p.drop(PortUnknown)
	}
	start := int(p.frame.Start)
	eth, fault := packet.ParseEthernet(p.chunk[start : start+int(p.frame.Len)])
	if fault != packet.OK {
		return p.drop(EthernetShort)
	}
	if eth.Type() != packet.TypeIPv4 {
		return w.inputOther(p, in, eth, start)
	}
	if eth.DstWord() != in.MAC {
		if !eth.IsGroup() {
			return p.drop(EthernetOther)
		}
		if at := packet.EthernetLen + 16; len(eth) > at && eth[at] < 224 {
			return p.drop(EthernetGroup) // RFC 1812 section 5.3.4
		}
	}
	if in.Addr == 0 {
		return w.inputOff(p, in, start+packet.EthernetLen)
	}
	return w.inputIP(p, in, start+packet.EthernetLen)
}

// inputOther takes a frame that is not plain IPv4.
//
//go:noinline
func (w *Worker) inputOther(p *pkt, in *table.Port, eth packet.Ethernet, start int) verdict {
	switch eth.Type() {
	case packet.TypeMPLS:
		return w.mplsPort(p, in, eth, start+packet.EthernetLen)
	case packet.TypeVLAN:
		return w.inputTagged(p, in)
	}
	return p.drop(EthernetType)
}

// inputIP takes what a port received from its IPv4 header on.
func (w *Worker) inputIP(p *pkt, in *table.Port, start int) verdict {
	ip, fault := packet.ParseIPv4(p.chunk[start : int(p.frame.Start)+int(p.frame.Len)])
	if fault != packet.OK {
		return p.drop(ipFault[fault])
	}
	p.ip, p.start = ip, start
	p.arrived(in)
	return w.route(p)
}

// inputOff is inputIP for a port without an IPv4 address.
//
//go:noinline
func (w *Worker) inputOff(p *pkt, in *table.Port, start int) verdict {
	ip, fault := packet.ParseIPv4(p.chunk[start : int(p.frame.Start)+int(p.frame.Len)])
	if fault != packet.OK {
		return p.drop(ipFault[fault])
	}
	p.ip, p.start = ip, start
	p.arrived(in)
	return w.unaddressed(p)
}

// unaddressed is route for what came in by an interface without an IPv4 address: it may be for this box, and is nobody's transit. A port whose subinterfaces have the
// addresses is such an interface.
//
//go:noinline
func (w *Worker) unaddressed(p *pkt) verdict {
	if hop := w.t.Lookup(p.vrf, p.ip.Dst()); hop.Multi() || hop.ID() != uint32(fib.Receive) {
		return p.drop(IPOff)
	}
	return w.route(p)
}

// arrived starts a packet over: it came in by a port, and nothing else is known about it.
func (p *pkt) arrived(in *table.Port) {
	p.vrf, p.port, p.mss = in.VRF, in.ID, in.MSS
	p.tunnel, p.outerSrc, p.outerDst, p.gre, p.top = nil, 0, 0, 0, 0
	p.own, p.copied, p.along, p.framed, p.nested, p.leaks = false, false, false, false, false, false
	p.outerPort, p.sa, p.spi, p.ah = 0, 0, 0, 0
	p.by = fib.ByHardware
}

// route decides about an IPv4 packet that came in by a port or out of a tunnel: for us, or transit.
func (w *Worker) route(p *pkt) verdict {
	ip := p.ip
	if s := ip.Src() >> 24; s == 0 || s == 127 || s >= 224 {
		return p.drop(MartianSource)
	}
	dst := ip.Dst()
	switch d := dst >> 24; {
	case d >= 224:
		return w.inputMulticast(p, dst)
	case d == 0 || d == 127:
		return p.drop(MartianDestination)
	}
	here := routeKey(p.vrf, dst)
	if here == w.lastHere {
		return w.local(p)
	}
	id := w.path(p, dst)
	if id == uint32(fib.Receive) {
		w.lastHere = here
		return w.local(p)
	}
	return w.forward(p, id)
}

// path is the adjacency of the packet's route.
func (w *Worker) path(p *pkt, dst uint32) uint32 {
	if w.flows != nil && !p.own {
		return w.flowPath(p, dst)
	}
	return w.routePath(p, dst)
}

// routePath is what the routes say of path.
func (w *Worker) routePath(p *pkt, dst uint32) uint32 {
	hop := p.hint
	if p.hintFor != routeKey(p.vrf, dst) {
		hop = w.t.Lookup(p.vrf, dst)
	}
	if !hop.Multi() {
		return hop.ID()
	}
	return w.t.Path(hop, flowHash(p.ip))
}

// flowHash tells flows apart, the same way for all packets of one.
func flowHash(ip packet.IPv4) uint32 {
	h := uint64(ip.Src())<<32 | uint64(ip.Dst())
	h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
	h ^= uint64(ip.Ports()) | uint64(ip.Proto())<<32
	h = (h ^ h>>32) * 0x94d049bb133111eb
	return uint32(h >> 32)
}

// local takes what is for an address of this box. What nave itself terminates is told apart here and nowhere else.
//
//go:noinline
func (w *Worker) local(p *pkt) verdict {
	ip := p.ip
	if p.tunnel != nil {
		if !p.unwrap() {
			if ip.Proto() == packet.ProtoGRE {
				return p.drop(GRENested)
			}
			return w.punt(p, Local, ip)
		}
	}
	if ip.IsFragment() {
		return w.localFragment(p)
	}
	switch ip.Proto() {
	case packet.ProtoGRE:
		return w.greDecap(p)
	case packet.ProtoESP:
		return w.espOpen(p, ip.HeaderLen(), false)
	case packet.ProtoAH:
		return w.ahOpen(p)
	case packet.ProtoUDP:
		if isESPUDP(ip) {
			return w.espUDP(p)
		}
	}
	return w.toHost(p)
}

// unwrap makes a packet that came out of a tunnel forget it, if a label led it on from there: what is for us in that label's VRF may be a tunnel's there, whose packets
// a provider carries in a tunnel of its own. One tunnel in another, no more. Under explicit null it is the tunnel's as without.
//
//go:noinline
func (p *pkt) unwrap() bool {
	if p.top == 0 || p.nested {
		return false
	}
	if packet.GetLSE(p.chunk[p.start-packet.LabelLen:]).Label() == fib.ExplicitNull {
		p.top = 0
		return false
	}
	p.nested, p.together, p.newest = true, false, false
	p.tunnel, p.outerSrc, p.outerDst = nil, 0, 0
	p.outerPort, p.sa, p.spi, p.ah = 0, 0, 0, 0
	return true
}

// localFragment takes a fragment for an address of this box.
//
//go:noinline
func (w *Worker) localFragment(p *pkt) verdict {
	switch p.ip.Proto() {
	case packet.ProtoGRE, packet.ProtoESP, packet.ProtoAH:
	default:
		if p.hosted() {
			return w.puntFrame(p) // the kernel puts together what is its own
		}
	}
	return w.punt(p, Fragment, p.ip)
}

// toHost hands a packet for an address of this box to the slow path: from a subinterface, with its frame.
//
//go:noinline
func (w *Worker) toHost(p *pkt) verdict {
	if p.hosted() {
		return w.puntFrame(p)
	}
	return w.punt(p, Local, p.ip)
}
