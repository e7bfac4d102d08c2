package sim

import (
	"net/netip"
	"slices"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath"
	"nave/slowpath/rib"
)

// lastResort is the device by which a VRF's host stack reaches what nave alone knows the way to.
const lastResort = "nave0"

// space is the host stack of a VRF: on Linux, a network namespace.
type space struct {
	l      *linux
	vrf    string                     // name; "": the global table
	routes map[netip.Prefix]rib.Route // of nave's in the kernel
	stack  stack
}

// space finds or makes the host stack of a VRF.
func (l *linux) space(vrf string) *space {
	s := l.spaces[vrf]
	if s == nil {
		s = &space{l: l, vrf: vrf, routes: make(map[netip.Prefix]rib.Route)}
		s.stack = stack{net: l.r.net, owns: s.owns, send: s.send, tooBig: s.tooBig, udp: s.udp, eigrp: s.eigrp}
		if vrf == "" {
			s.stack.tcp = l.tcp.receive
		}
		l.spaces[vrf] = s
	}
	return s
}

// of is the host stack of a VRF by number; nil where there is none.
func (l *linux) of(vrf fib.VRF) *space {
	if vrf == fib.Global {
		return l.space("")
	}
	for _, v := range l.r.core.Current().VRFs {
		if v.ID == vrf {
			return l.space(v.Name)
		}
	}
	return nil
}

// id is the number of the VRF; ok is false where it is not configured any more.
func (s *space) id() (fib.VRF, bool) {
	if s.vrf == "" {
		return fib.Global, true
	}
	for _, v := range s.l.r.core.Current().VRFs {
		if v.Name == s.vrf {
			return v.ID, true
		}
	}
	return 0, false
}

func (s *space) has(vrf fib.VRF) bool {
	id, ok := s.id()
	return ok && id == vrf
}

// interfaces lists those of the VRF.
func (s *space) interfaces() (out []*slowpath.Interface) {
	all := s.l.r.core.Current().Interfaces
	for k := range all {
		if s.has(all[k].VRF) {
			out = append(out, &all[k])
		}
	}
	return out
}

// owns tells whether an address is the box's, in this VRF.
func (s *space) owns(a netip.Addr) bool {
	all := s.l.r.core.Current().Interfaces
	id, ok := s.id()
	for k := range all {
		if ok && all[k].VRF == id && slices.ContainsFunc(all[k].Addrs, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return true
		}
	}
	return false
}

// frame takes a frame that a device of the VRF with the address mac has got.
func (s *space) frame(via string, mac [6]byte, b []byte) {
	eth, fault := packet.ParseEthernet(b)
	if fault != packet.OK || eth.Type() != packet.TypeIPv4 || !eth.IsGroup() && eth.Dst() != mac {
		return
	}
	ip, fault := packet.ParseIPv4(b[packet.EthernetLen:])
	if fault != packet.OK {
		return
	}
	if dst := addr4(ip.Dst()); s.owns(dst) || dst.IsMulticast() {
		s.stack.receive(via, ip)
	}
}

// send routes a packet that the box itself sends, as the kernel does: what the namespace of a VRF knows no way to goes to nave, which may know one.
func (s *space) send(b []byte) {
	dst := addr4(packet.IPv4(b).Dst())
	if s.owns(dst) {
		s.stack.receive("lo", b)
		return
	}
	if iface, hop, ok := s.route(dst); ok {
		s.l.out(iface, hop, b)
		return
	}
	if vrf, ok := s.id(); ok && vrf != fib.Global && s.l.r.running {
		// A full ring loses packets, as a full transmit queue does.
		_ = s.l.r.engine.Inject(fastpath.Inject{Kind: fastpath.InjectRoute, VRF: vrf, Packet: b})
	}
}

// route is the kernel's choice among connected routes and those that nave gave it. A route by another VRF's interface it has not, and one to nowhere has no interface.
func (s *space) route(dst netip.Addr) (iface string, hop netip.Addr, ok bool) {
	best := -1
	for _, i := range s.interfaces() {
		for _, a := range i.Addrs {
			if i.Up && a.Bits() < 32 && a.Contains(dst) && a.Bits() > best {
				best, iface, hop, ok = a.Bits(), i.Name, dst, true
			}
		}
	}
	for bits := 32; bits > best; bits-- {
		p, err := dst.Prefix(bits)
		if err != nil {
			return "", hop, false
		}
		r, there := s.routes[p]
		switch {
		case !there:
			continue
		case len(r.Hops) == 0:
			return "", hop, true
		case !s.hasInterface(r.Hops[0].Iface):
			continue
		case r.Hops[0].Addr.IsValid():
			return r.Hops[0].Iface, r.Hops[0].Addr, true
		}
		return r.Hops[0].Iface, dst, true
	}
	return iface, hop, ok
}

func (s *space) hasInterface(name string) bool {
	i, ok := s.l.r.iface(name)
	return ok && s.has(i.VRF)
}

// mostQuestions is how often a packet's neighbour is asked for before it is given up.
const mostQuestions = 10

// out sends a packet of the box out of an interface: by a tunnel's or a subinterface's twin to the fast path, by a port on the wire.
func (l *linux) out(iface string, hop netip.Addr, b []byte) bool {
	i, ok := l.r.iface(iface)
	if !ok {
		return false
	}
	if i.Tunnel != nil {
		l.inject(fastpath.Inject{Kind: fastpath.InjectRoute, VRF: i.VRF, Tunnel: i.Tunnel.ID, Packet: b})
		return true
	}
	p, vlan := l.r.place(iface)
	if p == nil {
		return false
	}
	var mac [6]byte
	for try := 0; ; try++ { // the kernel keeps asking, and remembers: a lost question or answer costs no packet
		if mac, ok = p.link.resolve(l.r, vlan, hop.As4()); ok {
			break
		}
		if try == mostQuestions {
			return true
		}
	}
	for _, f := range fragments(b, min(p.link.cfg.MTU, int(i.MTU))) {
		if vlan != 0 {
			l.inject(fastpath.Inject{Kind: fastpath.InjectFrame, VRF: i.VRF, Port: i.Port, Packet: Frame(mac, p.mac, f)})
		} else {
			l.r.net.transmit(l.r.pool, p.end, Frame(mac, p.mac, f))
		}
	}
	return true
}

// inject gives the fast path a packet of the host. A full ring loses it, as a full transmit queue does.
func (l *linux) inject(in fastpath.Inject) {
	if l.r.running {
		_ = l.r.engine.Inject(in)
	}
}
