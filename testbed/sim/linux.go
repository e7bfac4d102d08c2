package sim

import (
	"net/netip"
	"slices"
	"time"

	"nave/bpf"
	"nave/ctl/gateway"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// Times of the neighbour table, as Linux has them.
const (
	retransmit   = time.Second // between two ARP requests
	solicits     = 3           // requests for a neighbour that nobody keeps
	answerMargin = 50 * time.Microsecond
)

// linux is the box that a simulated router runs on: it implements slowpath.Linux.
type linux struct {
	r        *Router
	wanted   map[neighbour]bool
	asking   map[neighbour]bool
	routes   []rib.Route // static ones, as the kernel has them
	stack    stack
	logs     []slowpath.Event
	verdicts bpf.Verdicts
}

type neighbour struct {
	iface string
	addr  netip.Addr
}

func newLinux(r *Router) *linux {
	l := &linux{r: r, wanted: make(map[neighbour]bool), asking: make(map[neighbour]bool)}
	l.stack = stack{net: r.net, owns: l.owns, send: l.send, tooBig: l.tooBig, udp: l.udp}
	return l
}

// Want implements rib.Neighbours: the neighbour is asked for until somebody answers.
func (l *linux) Want(iface string, addr netip.Addr) {
	n := neighbour{iface, addr}
	l.wanted[n] = true
	l.ask(n, -1)
}

// Unwant implements rib.Neighbours.
func (l *linux) Unwant(iface string, addr netip.Addr) { delete(l.wanted, neighbour{iface, addr}) }

// Resolve implements slowpath.Linux.
func (l *linux) Resolve(iface string, addr netip.Addr) { l.ask(neighbour{iface, addr}, solicits) }

// ask sends an ARP request, and others while it is not answered: left in all, or while the neighbour is wanted.
func (l *linux) ask(n neighbour, left int) {
	p := l.r.port(n.iface)
	if p == nil || l.asking[n] || left == 0 {
		return
	}
	l.asking[n] = true
	life := l.r.life
	l.r.net.After(2*p.link.cfg.Delay+answerMargin, func() {
		if !l.r.running || l.r.life != life {
			return
		}
		l.asking[n] = false
		if mac, ok := p.link.resolve(l.r, n.addr.As4()); ok {
			l.r.core.Router().At(l.r.net.Now()).Neighbour(n.iface, n.addr, mac, true)
			l.r.step(timer)
			return
		}
		l.r.net.After(retransmit, func() {
			switch {
			case !l.r.running || l.r.life != life:
			case l.wanted[n]:
				l.ask(n, -1)
			case left > 0:
				l.ask(n, left-1)
			}
		})
	})
}

// Deliver implements slowpath.Linux. Linux takes nothing from a device that claims to come from itself.
func (l *linux) Deliver(_ fib.VRF, tunnel string, b []byte) {
	if ip, fault := packet.ParseIPv4(b); fault == packet.OK && !l.owns(addr4(ip.Src())) {
		l.stack.receive(tunnel, ip)
	}
}

// DeliverFrame implements slowpath.Linux.
func (l *linux) DeliverFrame(string, []byte) {}

// LDP implements slowpath.Linux.
func (l *linux) LDP(ldp.Effect) {}

// Originate implements slowpath.Linux.
func (l *linux) Originate([]bgp.Local, []bgp.Key) {}

// Routes implements slowpath.Linux.
func (l *linux) Routes(_ fib.VRF, routes []rib.Route) {
	l.routes = slices.DeleteFunc(slices.Clone(routes), func(r rib.Route) bool {
		return r.Source != rib.Static && r.Source != rib.DHCP || len(r.Hops) == 0
	})
}

// Log implements slowpath.Linux.
func (l *linux) Log(e slowpath.Event) { l.logs = append(l.logs, e) }

func (l *linux) tooBig(t slowpath.TooBig) {
	if l.r.orphan {
		return
	}
	l.r.core.Router().At(l.r.net.Now()).TooBig(fib.Global, t)
}

// owns tells whether an address is the box's.
func (l *linux) owns(a netip.Addr) bool {
	for _, i := range l.r.core.Current().Interfaces {
		if slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return true
		}
	}
	return false
}

// isSource tells whether an address is a tunnel source.
func (l *linux) isSource(a netip.Addr) bool {
	for _, i := range l.r.core.Current().Interfaces {
		if i.Tunnel != nil && i.Tunnel.Local == a {
			return true
		}
	}
	return false
}

// send routes a packet that the box itself sends, as the kernel does.
func (l *linux) send(b []byte) {
	dst := addr4(packet.IPv4(b).Dst())
	if l.owns(dst) {
		l.stack.receive("lo", b)
		return
	}
	if iface, hop, ok := l.route(dst); ok {
		l.out(iface, hop, b)
	}
}

// route is the kernel's choice among connected and static routes.
func (l *linux) route(dst netip.Addr) (iface string, hop netip.Addr, ok bool) {
	best := -1
	for _, i := range l.r.core.Current().Interfaces {
		for _, a := range i.Addrs {
			if i.Up && a.Bits() < 32 && a.Contains(dst) && a.Bits() > best {
				best, iface, hop, ok = a.Bits(), i.Name, dst, true
			}
		}
	}
	for _, s := range l.routes {
		if s.Prefix.Contains(dst) && s.Prefix.Bits() > best {
			best, iface, hop, ok = s.Prefix.Bits(), s.Hops[0].Iface, s.Hops[0].Addr, true
			if !hop.IsValid() {
				hop = dst
			}
		}
	}
	return iface, hop, ok
}

// out sends a packet of the box out of an interface: by a tunnel's twin to the fast path, by a port on the wire.
func (l *linux) out(iface string, hop netip.Addr, b []byte) bool {
	for _, i := range l.r.core.Current().Interfaces {
		if i.Name != iface {
			continue
		}
		if i.Tunnel != nil {
			if l.r.running {
				// A full ring loses packets, as a full transmit queue does.
				_ = l.r.engine.Inject(fastpath.Inject{Kind: fastpath.InjectRoute, Tunnel: i.Tunnel.ID, Packet: b})
			}
			return true
		}
		p := l.r.port(iface)
		if p == nil {
			return false
		}
		if mac, ok := p.link.resolve(l.r, hop.As4()); ok {
			for _, f := range fragments(b, p.link.cfg.MTU) {
				l.r.net.transmit(l.r.pool, p.end, Frame(mac, p.mac, f))
			}
		}
		return true
	}
	return false
}

func (r *Router) port(iface string) *routerPort {
	for _, p := range r.ports {
		if p.name == iface {
			return p
		}
	}
	return nil
}

func (p *routerPort) facts() gateway.Link {
	return gateway.Link{MAC: p.mac, MTU: p.link.cfg.MTU, Up: !p.link.down}
}

// answers implements element: Linux answers for every address of the box.
func (r *Router) answers(at int, addr [4]byte) ([6]byte, bool) {
	return r.ports[at].mac, r.linux != nil && r.linux.owns(netip.AddrFrom4(addr))
}

// linkChanged implements element. Linux forgets the neighbours of a link that is down.
func (r *Router) linkChanged(at int) {
	if !r.running {
		return
	}
	p := r.ports[at]
	for n := range r.linux.wanted {
		if n.iface != p.name {
			continue
		}
		if p.link.down {
			r.core.Router().At(r.net.Now()).Neighbour(p.name, n.addr, [6]byte{}, false)
		}
		r.linux.ask(n, -1)
	}
	r.check(r.core.SetLink(r.net.Now(), p.name, p.facts()))
	r.follow()
}

// Recv implements port.Port with the steering of the XDP program: to nave what it forwards or terminates; the rest
// is the kernel's.
func (p *routerPort) Recv(fs []port.Frame) int {
	n := p.end.Recv(fs)
	kept := 0
	for _, f := range fs[:n] {
		b := p.r.pool.Bytes(f)
		if p.r.linux.forNave(p, b) {
			p.r.linux.verdicts.Nave++
			fs[kept] = f
			kept++
			continue
		}
		p.r.linux.verdicts.Kernel++
		if eth, fault := packet.ParseEthernet(b); fault == packet.OK && eth.Type() == packet.TypeIPv4 && (eth.IsGroup() || eth.Dst() == p.mac) {
			p.r.linux.input(p, b[packet.EthernetLen:])
		}
		p.r.pool.Put(f.Chunk)
	}
	return kept
}

// input takes a frame that steering gives to the kernel.
func (l *linux) input(p *routerPort, b []byte) {
	ip, fault := packet.ParseIPv4(b)
	if fault != packet.OK {
		return
	}
	if dst := addr4(ip.Dst()); l.owns(dst) || dst.IsMulticast() {
		l.stack.receive(p.name, ip)
	}
}

// forNave is the rule of the XDP program.
func (l *linux) forNave(p *routerPort, b []byte) bool {
	eth, fault := packet.ParseEthernet(b)
	if fault != packet.OK || eth.Dst() != p.mac || eth.Type() != packet.TypeIPv4 || len(b) < packet.EthernetLen+packet.IPv4Len {
		return false
	}
	ip := packet.IPv4(b[packet.EthernetLen:])
	dst := addr4(ip.Dst())
	switch {
	case dst.IsMulticast() || ip.Dst() == 0xffffffff:
		return false
	case l.owns(dst):
		return isIPsec(ip) && l.isSource(dst)
	}
	return true
}

// handOver tells whether frames wait that have arrived by now.
func (p *routerPort) handOver() int {
	if p.id != 0 {
		return 0
	}
	return p.discard()
}

// discard takes what arrives while no worker has the port: the kernel gets its own, and the rest is dropped.
func (p *routerPort) discard() int {
	var fs [16]port.Frame
	if p.end == nil || p.r.linux == nil {
		return 0
	}
	n := p.Recv(fs[:])
	for _, f := range fs[:n] {
		p.r.linux.verdicts.Nave--
		p.r.linux.verdicts.NoSocket++
		p.r.pool.Put(f.Chunk)
	}
	return n
}

// Send implements port.Port.
func (p *routerPort) Send(fs []port.Frame) int { return p.end.Send(fs) }

// Flush implements port.Port.
func (p *routerPort) Flush() {}

// FD implements port.Port.
func (p *routerPort) FD() int { return -1 }

// Close implements port.Port.
func (p *routerPort) Close() error { return nil }
